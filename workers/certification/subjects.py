"""What a render's certificate is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.models import Render
    from shared.renders import Claimed

# Of what the sample included, whose change is noticed.
KINDS = ("templates", "assets")


@dataclass(frozen=True, slots=True)
class Subject:
    """A stored template's version, or an inline template.

    Attributes:
        name: How its certificate is found.
        template_version_id: The version; None: it is inline.
    """

    name: str
    template_version_id: str | None

    @property
    def is_inline(self) -> bool:
        """Whether the template came with its render."""
        return self.template_version_id is None


def of(render: Render | Claimed) -> Subject:
    """Return what a render's certificate is about: a render may bring a text of its own for a stored template."""
    if render.content is None and render.template_version_id is not None:
        name = certificates.of_stored(render.template_version_id, render.engine)
        return Subject(name, render.template_version_id)
    return Subject(certificates.of_inline(render.content or "", render.engine), None)


def has_changed(certified: Mapping[str, Mapping[str, Any]], used: Mapping[str, Mapping[str, Any]]) -> bool:
    """Say whether something that the sample included is another by now.

    What the sample did not include says nothing: other data takes another way through a template.

    Args:
        certified: What the sample included.
        used: What a render includes.
    """
    return any(
        name in certified.get(kind, {}) and certified[kind][name] != one
        for kind in KINDS
        for name, one in used.get(kind, {}).items()
    )
