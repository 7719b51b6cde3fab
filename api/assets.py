"""Assets under ``/api/v1/asset`` and, for those who write there, OData. Reading them over OData is in `api.odata`.

A key in an address is an asset's id, its shortid or its name. A name ends with an extension, so ``…/content`` is none.
"""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any, Literal

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from api import documents, gateway, links, odata
from api.access import refuse_foreign_page
from api.bodies import Name, Strict, Text, read_body
from api.documents import StoredFile
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import assets as operations
from api.paging import PageQuery, read_query
from shared import assets
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.assets import Stored
    from shared.models import Asset

# What a form has around its file.
FORM_BYTES = 64 * 1024
FORM_FIELDS = ("name", "folder")
# An SVG may hold scripts, and is somebody's upload: as a page of its own it can do nothing.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

blueprint = Blueprint("assets", __name__)


class AssetQuery(PageQuery):
    """The query of the list. ``search`` looks into names; ``folder`` also finds what is in folders below it."""

    sort: Literal[
        "name",
        "-name",
        "mediaType",
        "-mediaType",
        "size",
        "-size",
        "creationDate",
        "-creationDate",
        "modificationDate",
        "-modificationDate",
    ] = "name"
    folder: Text | None = None


class NewAssetBody(Strict):
    """The body of ``POST /odata/assets``. ``content`` is the file in Base64."""

    name: Name
    content: Text


class ChangedAssetBody(Strict):
    """The body of ``PATCH /odata/assets('id')``."""

    name: Name


@blueprint.get("/api/v1/asset")
@described(operations.LISTING, query=AssetQuery)
def listing() -> Response:
    """List assets."""
    query = read_query(AssetQuery)
    with gateway.current().database.reading() as session:
        found, total = assets.listed(
            session,
            offset=query.offset,
            limit=query.page_size,
            search=query.search,
            folder=query.folder,
            sort=query.sort,
        )
    return success([_shown(one) for one in found], page=query.page, pageSize=query.page_size, total=total)


@blueprint.post("/api/v1/asset")
@described(operations.UPLOAD)
def upload() -> Response:
    """Store the file of a form."""
    refuse_foreign_page("upload here: send the file from the farm's own")
    name, content = _read_form()
    return _stored(_store(name, content))


@blueprint.put("/api/v1/asset/<path:key>")
@described(operations.PUT)
def put(key: str) -> Response:
    """Store the body under a name."""
    return _stored(_store(key, _read_file()))


@blueprint.get("/api/v1/asset/<path:key>")
@described(operations.READ)
def read(key: str) -> Response:
    """Describe an asset."""
    return success(_shown(_find(key)))


@blueprint.get("/api/v1/asset/<path:key>/content")
@described(operations.CONTENT)
def content(key: str) -> Response:
    """Return an asset's content, or a part of it."""
    asset = _find(key)
    stored = StoredFile(
        key=asset.blob_key,
        media_type=asset.media_type,
        size=asset.size,
        sha256=asset.sha256,
        filename=asset.name.rpartition("/")[2],
    )
    answer = documents.send(gateway.current().storage, stored, attachment=False)
    answer.headers["Content-Security-Policy"] = SANDBOX
    return answer


@blueprint.delete("/api/v1/asset/<path:key>")
@described(operations.REMOVE)
def remove(key: str) -> Response:
    """Remove an asset."""
    with gateway.current().database.writing() as session:
        asset = assets.find(session, key, held=True)
        assets.remove(session, asset)
    return success({"id": asset.id, "shortid": asset.shortid, "name": asset.name})


@blueprint.post("/odata/assets")
@described(operations.CREATE, body=NewAssetBody)
def create() -> Response:
    """Store a small file under a new name."""
    body = read_body(NewAssetBody)
    try:
        file = base64.b64decode(body.content, validate=True)
    except ValueError as error:
        raise InvalidRequestError(f"content is not Base64: {error}", field="content") from error
    return odata.created("assets", _store(body.name, file, replace=False).asset.id)


@blueprint.patch("/odata/assets('<asset_id>')")
@blueprint.patch("/odata/assets(<asset_id>)")
@described(operations.RENAME, body=ChangedAssetBody)
def rename(asset_id: str) -> Response:
    """Give an asset another name."""
    body = read_body(ChangedAssetBody)
    with gateway.current().database.writing() as session:
        assets.rename(session, assets.held_by_id(session, asset_id), body.name)
    return odata.no_content()


@blueprint.delete("/odata/assets('<asset_id>')")
@blueprint.delete("/odata/assets(<asset_id>)")
@described(operations.DELETE)
def delete(asset_id: str) -> Response:
    """Remove an asset."""
    with gateway.current().database.writing() as session:
        assets.remove(session, assets.held_by_id(session, asset_id))
    return odata.no_content()


def _find(key: str) -> Asset:
    with gateway.current().database.reading() as session:
        return assets.find(session, key)


def _store(name: str, file: bytes, *, replace: bool = True) -> Stored:
    here = gateway.current()
    return assets.store(
        here.database, here.storage, name=name, content=file, limit=here.settings.max_asset_bytes, replace=replace
    )


def _stored(stored: Stored) -> Response:
    answer = success(_shown(stored.asset), status=201 if stored.created else 200)
    answer.headers["Location"] = links.absolute("assets.read", key=stored.asset.id)
    return answer


def _shown(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "shortid": asset.shortid,
        "name": asset.name,
        "folder": assets.folder_of(asset.name),
        "mediaType": asset.media_type,
        "size": asset.size,
        "sha256": asset.sha256,
        "creationDate": moment(asset.created_at),
        "modificationDate": moment(asset.modified_at),
        "url": links.absolute("assets.content", key=asset.id),
    }


def _read_form() -> tuple[str, bytes]:
    """Return the name and the content of the one file in a form.

    Raises:
        UnsupportedMediaType: The body is no form with files.
        BadRequest: The body broke off.
        TooLargeError, RequestEntityTooLarge: It is over a limit.
        InvalidRequestError: There is no file, or more than one, or a field that is not known.
    """
    if request.mimetype != "multipart/form-data":
        given = request.content_type or "missing"
        raise UnsupportedMediaType(f"Content-Type is {given}: expected multipart/form-data with a file as 'file'")
    limit = gateway.current().settings.max_asset_bytes
    with _bounded(limit + FORM_BYTES):
        form, files = request.form, request.files
    for field in (*form, *files):
        if field != "file" and (field not in FORM_FIELDS or field in files):
            raise InvalidRequestError(
                f"{field[:80]} is not a known field: expected file, name, folder", field=field[:80]
            )
    found = files.getlist("file")
    if len(found) != 1:
        raise InvalidRequestError(f"The form has {len(found)} files: expected one, as 'file'", field="file")
    [uploaded] = found
    name = form.get("name")
    folder = form.get("folder", "").strip("/")
    if name and folder:
        raise InvalidRequestError("name is a whole path, folders and all: send either name or folder", field="folder")
    if not name:
        # A browser sends the bare name, other programs what they were given.
        own = (uploaded.filename or "").rpartition("/")[2]
        name = f"{folder}/{own}" if folder else own
    return name, uploaded.stream.read(limit + 1)


def _read_file() -> bytes:
    """Return the body.

    Raises:
        BadRequest: It broke off.
        TooLargeError, RequestEntityTooLarge: It is over a limit.
    """
    limit = gateway.current().settings.max_asset_bytes
    with _bounded(limit + 1) as bound:
        file = request.get_data(cache=False)
        if request.content_length is None and bound <= limit and len(file) >= bound:
            # A body that comes in chunks says no length; reading it stops at the limit without a word.
            raise RequestEntityTooLarge
    if request.content_length is not None and len(file) < request.content_length:
        raise BadRequest("The body could not be read to its end")
    return file


@contextlib.contextmanager
def _bounded(most: int) -> Iterator[int]:
    """Let no more of the body be read than this, or than the farm's limit of all bodies."""
    settings = gateway.current().settings
    request.max_content_length = bound = min(most, settings.max_body_bytes)
    try:
        yield bound
    except RequestEntityTooLarge:
        if bound == most:
            assets.check_size(most, limit=settings.max_asset_bytes)
        raise
    except (OSError, ParseException) as error:
        # A malformed chunk, or a client that fell silent.
        raise BadRequest("The body could not be read to its end") from error
