"""Lists of templates: which ones, in which order, what is said of each beside its newest version, and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import contains_eager

from shared import certificates
from shared.models import Certificate, Template, TemplateVersion

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import InstrumentedAttribute, Session
    from sqlalchemy.sql.elements import ColumnElement

# In place of a verdict: nobody has asked for a certificate.
UNASKED = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which templates are wanted; what is None leaves any.

    Attributes:
        search: What their name or label contains, in whatever case.
        engine: Their engine.
        recipe: Their recipe.
        context: Their label.
        certified: The verdict on their newest version, or `UNASKED`.
    """

    search: str = ""
    engine: str | None = None
    recipe: str | None = None
    context: str | None = None
    certified: str | None = None


class Certified(NamedTuple):
    """What is known of a version and the fast engine; the fields are those of the certificate's row."""

    verdict: str
    issued_at: dt.datetime | None
    samples: int
    result: Mapping[str, Any] | None


class Entry(NamedTuple):
    """A template, and the certificate of its newest version, if it has one."""

    template: Template
    certificate: Certified | None


class Label(NamedTuple):
    """A label, its colour, and how many templates have it."""

    context: str
    colour: str | None
    templates: int


_CERTIFIED = tuple(getattr(Certificate, name) for name in Certified._fields)


def listing(
    session: Session,
    filters: Filters,
    *,
    order_by: InstrumentedAttribute[Any],
    descending: bool,
    limit: int,
    offset: int,
) -> tuple[int, Sequence[Entry]]:
    """Return how many templates there are of a kind, and a page of them; in two questions.

    Args:
        session: A transaction.
        filters: Which.
        order_by: The column of `Template` or `TemplateVersion` that they are ordered by.
        descending: Whether the last comes first.
        limit: How many at most.
        offset: How many come before.
    """
    conditions = _conditions(filters)
    its_own = Certificate.subject == certificates.of_stored_ones()
    counted = select(func.count()).select_from(Template).join(Template.version).where(*conditions)
    if filters.certified is not None:
        counted = counted.outerjoin(Certificate, its_own)
    count = session.scalar(counted) or 0
    found = session.execute(
        select(Template, *_CERTIFIED)
        .join(Template.version)
        .outerjoin(Certificate, its_own)
        .where(*conditions)
        .options(contains_eager(Template.version))
        .order_by(order_by.desc() if descending else order_by.asc(), Template.id)
        .limit(limit)
        .offset(offset)
    ).all()
    return count, [
        Entry(template, None if certificate[0] is None else Certified(*certificate)) for template, *certificate in found
    ]


def labels(session: Session) -> list[Label]:
    """Return the labels of all templates in their order; of one with several colours, the one that was given last."""
    rows = session.execute(
        select(TemplateVersion.context, TemplateVersion.context_colour, func.count())
        .select_from(Template)
        .join(Template.version)
        .group_by(TemplateVersion.context, TemplateVersion.context_colour)
        .order_by(func.max(Template.modified_at))
    )
    found: dict[str, Label] = {}
    for context, colour, count in rows:
        if context is not None:
            before = found.get(context, Label(context, None, 0))
            found[context] = Label(context, colour or before.colour, before.templates + count)
    return sorted(found.values())


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.search:
        searched = (Template.name, TemplateVersion.context)
        conditions.append(or_(*(column.icontains(filters.search, autoescape=True) for column in searched)))
    for column, value in (
        (TemplateVersion.engine, filters.engine),
        (TemplateVersion.recipe, filters.recipe),
        (TemplateVersion.context, filters.context),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.certified == UNASKED:
        conditions.append(Certificate.subject.is_(None))
    elif filters.certified is not None:
        conditions.append(Certificate.verdict == filters.certified)
    return conditions
