"""What `api.assets` answers."""

from __future__ import annotations

from api.openapi import headers
from api.openapi.descriptions import JSON, Answer, Operation, Parameter
from api.openapi.envelopes import many, one
from api.openapi.operations import odata
from api.openapi.operations.tags import ASSETS
from shared.asset_contents import KINDS

_DOWN = "The database or the storage does not answer. Nothing was lost."
_NO_SUCH = "There is no such asset."
_TAKEN = "Another asset has this name."
_TOO_LARGE = "The file is larger than the farm takes; the message names the limit."
_BAD_FILE = "The name is no path, or the file is not what its extension says."
_BAD_KIND = "The farm takes no files of this extension; the message names those that it takes."
_CONTENT = dict.fromkeys(sorted({kind.media_type.partition(";")[0] for kind in KINDS.values()}))
_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_STORED = {
    200: Answer("An asset of this name was there: it has this content now.", {JSON: one("AssetEntry")}, ("Location",)),
    201: Answer("It is stored.", {JSON: one("AssetEntry")}, ("Location",)),
}
_KEY = Parameter(
    name="key",
    where="path",
    text="The asset's name, slashes and all, its `_id` or its shortid.",
    schema={"type": "string", "minLength": 1},
    example="logos/northwind.png",
)

LISTING = Operation(
    tag=ASSETS,
    summary="List assets",
    answers={200: Answer("A page of the list.", {JSON: many("AssetEntry")})},
    errors={503: odata.DOWN},
)
UPLOAD = Operation(
    tag=ASSETS,
    summary="Upload a file",
    text="As a browser's form does. An asset that has the name already gets the new content.",
    body={
        "multipart/form-data": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {**_FILE, "description": "The file."},
                "name": {"type": "string", "description": "Its whole name, with folders; left out: the file's own."},
                "folder": {"type": "string", "description": "The folder it goes to under its own name."},
            },
            "additionalProperties": False,
        }
    },
    answers=_STORED,
    errors={
        400: _BAD_FILE,
        403: "A page of another site must not upload here.",
        409: "It is being stored by others at this moment.",
        413: _TOO_LARGE,
        415: f"The body is no form. Or: {_BAD_KIND}",
        503: _DOWN,
    },
)
PUT = Operation(
    tag=ASSETS,
    summary="Store a file under a name",
    text="The body is the file, as it is. An asset that has the name already gets the new content.",
    parameters=(
        Parameter(
            name="key",
            where="path",
            text="The asset's name: a path such as `logos/northwind.png`. Its extension says what it is.",
            schema={"type": "string", "minLength": 1},
            example="logos/northwind.png",
        ),
    ),
    body={"application/octet-stream": _FILE},
    answers=_STORED,
    errors={
        400: _BAD_FILE,
        409: "It is being stored by others at this moment.",
        413: _TOO_LARGE,
        415: _BAD_KIND,
        503: _DOWN,
    },
)
READ = Operation(
    tag=ASSETS,
    summary="Describe an asset",
    parameters=(_KEY,),
    answers={200: Answer("What is known of it.", {JSON: one("AssetEntry")})},
    errors={404: f"{_NO_SUCH} The message names the nearest.", 503: odata.DOWN},
)
CONTENT = Operation(
    tag=ASSETS,
    summary="Read an asset's content",
    text="Streamed from storage, whole or in part.",
    parameters=(_KEY, headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The file.", _CONTENT, ("Content-Disposition", "Accept-Ranges", "ETag")),
        206: Answer(
            "The part that `Range` names.", _CONTENT, ("Content-Disposition", "Accept-Ranges", "ETag", "Content-Range")
        ),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The file has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: f"{_NO_SUCH} The message names the nearest.", 503: _DOWN},
)
REMOVE = Operation(
    tag=ASSETS,
    summary="Remove an asset",
    text="A render that has begun still finds it; a later one does not.",
    parameters=(_KEY,),
    answers={200: Answer("It is gone; this is what it was called.", {JSON: one("RemovedAsset")})},
    errors={404: f"{_NO_SUCH} The message names the nearest.", 503: odata.DOWN},
)
CREATE = Operation(
    tag=ASSETS,
    summary="Store a small file under a new name",
    text="In Base64, and so within JSON. Larger ones are better uploaded as they are, with `PUT /api/v1/asset/{key}`.",
    examples={"A picture of one pixel": {"name": "pixel.png", "content": _PIXEL}},
    answers={201: odata.answer_entity("assets", "It is stored.", headers=("Location",))},
    errors={
        400: f"The body is not understood. Or: {_BAD_FILE}",
        409: _TAKEN,
        413: _TOO_LARGE,
        415: f"The body does not say that it is JSON. Or: {_BAD_KIND}",
        503: _DOWN,
    },
)
RENAME = Operation(
    tag=ASSETS,
    summary="Give an asset another name",
    examples={"Into a folder": {"name": "pixels/red.png"}},
    answers={204: odata.done("It has the new name.")},
    errors={
        404: _NO_SUCH,
        409: _TAKEN,
        415: "The body does not say that it is JSON, or the new name's extension says another kind of file.",
        503: odata.DOWN,
    },
)
DELETE = Operation(
    tag=ASSETS,
    summary="Remove an asset by its id",
    text="A render that has begun still finds it; a later one does not.",
    answers={204: odata.done("It is gone.")},
    errors={404: _NO_SUCH, 503: odata.DOWN},
)
