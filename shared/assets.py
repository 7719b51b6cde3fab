"""Assets: files that templates name as ``asset:<name>``, each kept under a name that is a path.

Names are letters and digits of any script, spaces, and ``-_.~+@()``, in segments joined by ``/``: what a person calls
files, and nothing that means something else in a URL, a style sheet or a file system. An asset's objects have keys of
their own, ``assets/<asset id>/<new id>.<extension>``, so that a name can change, and a content be replaced while a
render still reads the old one: the old object stays until the sweep has given such renders time.
"""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from shared import placement, spelling
from shared.asset_contents import check_content, extension_of, kind_of
from shared.database import now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, TooLargeError
from shared.identifiers import new_id, new_shortid
from shared.models import Asset, RetiredObject
from shared.storage import CorruptObjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import InstrumentedAttribute, Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.database import Database
    from shared.placement import Place
    from shared.storage import Storage

# Long enough for any folder structure; in UTF-8 and as a file's name it still fits everywhere.
NAME_LENGTH = 200
PUNCTUATION = " -_.~+@()"
SHOWN_CHARACTERS = 80
# Of so many names the nearest is looked for, in an error's text.
MOST_COMPARED = 1000
# Two that store one name at once: the second finds the first one's row on its second try.
MOST_TRIES = 3

SORTED_BY: dict[str, InstrumentedAttribute[object]] = {
    "name": Asset.name,
    "mediaType": Asset.media_type,
    "size": Asset.size,
    "creationDate": Asset.created_at,
    "modificationDate": Asset.modified_at,
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an upload.

    Attributes:
        asset: The asset as it is now.
        created: Whether the name is new; else its content was replaced, or was the same already.
    """

    asset: Asset
    created: bool


def checked_name(name: str) -> str:
    """Return a name in Unicode's composed form, in which all systems mean the same by it.

    Raises:
        InvalidRequestError: It is no name of an asset; the text says why.
    """
    name = unicodedata.normalize("NFC", name)
    shown = repr(name[:SHOWN_CHARACTERS])
    if not 0 < len(name) <= NAME_LENGTH:
        raise InvalidRequestError(f"name {shown} has {len(name)} characters: expected 1 to {NAME_LENGTH}", field="name")
    wrong = next((one for one in name if one != "/" and not _allowed(one)), None)
    if wrong is not None:
        raise InvalidRequestError(
            f"name {shown} holds {wrong!r}: expected only letters, digits, spaces, {PUNCTUATION.strip()} and /",
            field="name",
        )
    for segment in name.split("/"):
        if segment in {"", ".", ".."} or segment != segment.strip():
            raise InvalidRequestError(
                f"name {shown}: expected a path such as fonts/Brand.woff2, no slash at its beginning or end, and "
                "no segment that is empty, '.' or '..', or begins or ends with a space",
                field="name",
            )
    return name


def _allowed(character: str) -> bool:
    # Letters, the marks that some scripts write them with, and numbers.
    return character in PUNCTUATION or unicodedata.category(character)[0] in "LMN"


def folder_of(name: str) -> str:
    """Return the folder part of a name; empty: it is in none."""
    return name.rpartition("/")[0]


def check_size(size: int, *, limit: int) -> None:
    """Refuse a content that is over the limit.

    Raises:
        TooLargeError: The text names the limit and its setting.
    """
    if size > limit:
        raise TooLargeError(f"The asset is too large: expected at most {limit} bytes (PRESSROOM_MAX_ASSET_BYTES)")


def store(
    database: Database, storage: Storage, *, name: str, content: bytes, limit: int, replace: bool = True
) -> Stored:
    """Store a content under a name, new or not. The content that is there already changes nothing.

    Args:
        database: Where the row goes, after the object.
        storage: Where the object goes.
        name: The asset's name.
        content: The whole file.
        limit: The most bytes that an asset may have.
        replace: Whether the name may be taken already.

    Raises:
        InvalidRequestError: The name is no asset's, or the content is not of the kind that it says.
        UnsupportedTypeError: Files of such a kind are not taken.
        TooLargeError: The content is over the limit.
        ConflictError: The name is taken and must not be, or others store it all the time.
        StorageError: The store does not take it.
    """
    name = checked_name(name)
    media_type = kind_of(name).media_type
    check_size(len(content), limit=limit)
    check_content(name, content)
    sha256 = hashlib.sha256(content).hexdigest()
    with database.reading() as session:
        asset = _named(session, name)
    _check_free(asset, replace=replace)
    if asset is not None and asset.sha256 == sha256 and _is_there(storage, asset):
        return Stored(asset, created=False)
    asset_id = asset.id if asset is not None else new_id()
    new = Asset(
        id=asset_id,
        shortid=new_shortid(),
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=sha256,
        blob_key=f"assets/{asset_id}/{new_id()}.{extension_of(name)}",
    )
    place = placement.store(
        database,
        storage,
        new.blob_key,
        content,
        media_type=media_type,
        metadata={"asset-id": asset_id},
        sha256=sha256,
    )
    with placement.unless_refused(database, storage, place):
        return _recorded(database, new, place, replace=replace)


def _check_free(asset: Asset | None, *, replace: bool) -> None:
    if asset is not None and not replace:
        raise ConflictError(f"There is an asset named {asset.name!r} already", field="name")


def _recorded(database: Database, new: Asset, place: Place, *, replace: bool) -> Stored:
    """Write the row of a content that is in storage."""
    for _ in range(MOST_TRIES):
        with contextlib.suppress(IntegrityError), database.writing() as session:
            asset = session.scalars(select(Asset).where(Asset.name == new.name).with_for_update()).one_or_none()
            _check_free(asset, replace=replace)
            placement.keep(session, place)
            created = asset is None
            if asset is None:
                asset = _copied(new)
                session.add(asset)
            else:
                session.add(RetiredObject(key=asset.blob_key))
                asset.blob_key, asset.sha256, asset.size = new.blob_key, new.sha256, new.size
                asset.media_type, asset.modified_at = new.media_type, now()
            session.flush()
            session.refresh(asset)
            return Stored(asset, created=created)
    raise ConflictError(f"Asset {new.name!r} is being stored by others at this moment: try again")


def _copied(asset: Asset) -> Asset:
    # A row that a failed transaction held cannot be used in another.
    columns = ("id", "shortid", "name", "media_type", "size", "sha256", "blob_key")
    return Asset(**{column: getattr(asset, column) for column in columns})


def _is_there(storage: Storage, asset: Asset) -> bool:
    try:
        storage.get(asset.blob_key, sha256=asset.sha256, size=asset.size)
    except (FileNotFoundError, CorruptObjectError):
        return False
    return True


def find(session: Session, key: str, *, held: bool = False) -> Asset:
    """Return the asset with this id, shortid or name.

    Args:
        session: A transaction.
        key: The id, the shortid or the name.
        held: Whether nobody else may change or remove it until the transaction ends.

    Raises:
        NotFoundError: There is none; the text has the nearest name.
    """
    name = unicodedata.normalize("NFC", key)
    found = None
    if "\0" not in key:
        # A name has an extension, ids have none: at most one of the three fits.
        condition = or_(Asset.id == key, Asset.shortid == key, Asset.name == name)
        found = session.scalars(_chosen(condition, held=held)).first()
    if found is None:
        raise NotFoundError(f"T{missing(session, key)[1:]}")
    return found


def held_by_id(session: Session, asset_id: str) -> Asset:
    """Return the asset with this id, and no other key. Until this transaction ends, nobody else changes or removes it.

    Raises:
        NotFoundError: There is none.
    """
    found = None if "\0" in asset_id else session.scalars(_chosen(Asset.id == asset_id, held=True)).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no asset whose _id is {asset_id[:SHOWN_CHARACTERS]!r}")
    return found


def _chosen(condition: ColumnElement[bool], *, held: bool) -> Select[Asset]:
    chosen = select(Asset).where(condition)
    return chosen.with_for_update() if held else chosen


def named(session: Session, name: str) -> Asset | None:
    """Return the asset of a name as somebody writes it, or None."""
    return _named(session, unicodedata.normalize("NFC", name))


def _named(session: Session, name: str) -> Asset | None:
    if "\0" in name:
        return None
    return session.scalars(select(Asset).where(Asset.name == name)).one_or_none()


def missing(session: Session, name: str) -> str:
    """Say that there is no such asset, and which one may have been meant."""
    known = session.scalars(select(Asset.name).order_by(Asset.name).limit(MOST_COMPARED)).all()
    near = spelling.nearest(name, known)
    hint = f": did you mean {near!r}?" if near else ""
    return f"there is no asset named {name[:SHOWN_CHARACTERS]!r}{hint}"


def listed(
    session: Session, *, offset: int, limit: int, search: str = "", folder: str | None = None, sort: str = "name"
) -> tuple[Sequence[Asset], int]:
    """Return one page of the assets, and how many there are in all.

    Args:
        session: A transaction.
        offset: How many come before the page.
        limit: How many the page may have.
        search: A part of the name, in upper or lower case; empty: any.
        folder: Only what is in this folder or below it; empty: only what is in none; None: anywhere.
        sort: A key of `SORTED_BY`, with a ``-`` before it for descending.
    """
    conditions = []
    if search:
        conditions.append(Asset.name.icontains(search, autoescape=True))
    if folder is not None:
        below = Asset.name.startswith(f"{folder.strip('/')}/", autoescape=True)
        conditions.append(below if folder.strip("/") else ~Asset.name.contains("/"))
    column = SORTED_BY[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    page = select(Asset).where(*conditions).order_by(order, Asset.id).offset(offset).limit(limit)
    total = session.scalar(select(func.count()).select_from(Asset).where(*conditions))
    return session.scalars(page).all(), total or 0


def rename(session: Session, asset: Asset, name: str) -> None:
    """Give an asset another name. Templates that name the old one do not find it any more.

    Raises:
        InvalidRequestError: The name is no asset's, or says another kind of file.
        UnsupportedTypeError: The name says a kind of file that is not taken.
        ConflictError: Another asset has the name.
    """
    name = checked_name(name)
    kind = kind_of(name)
    if kind.media_type != asset.media_type:
        raise InvalidRequestError(
            f"name {name!r} says that the asset is {kind.media_type}, and it is {asset.media_type}: keep its extension",
            field="name",
        )
    if name != asset.name:
        asset.name, asset.modified_at = name, now()
        try:
            session.flush()
        except IntegrityError as error:
            raise ConflictError(f"There is an asset named {name!r} already", field="name") from error


def remove(session: Session, asset: Asset) -> None:
    """Remove an asset; its object stays for renders that have begun, until the sweep takes it."""
    session.add(RetiredObject(key=asset.blob_key))
    session.delete(asset)
