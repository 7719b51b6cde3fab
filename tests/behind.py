"""What is done to stored objects past the farm, by another program or a bad disk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from shared.storage.filesystem import FilesystemStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.storage import Storage


def put_behind_its_back(storage: Storage, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
    """Write other bytes in the place of an object's; in a folder, its metadata stays as it is."""
    if isinstance(storage, FilesystemStorage):
        (storage._root / key).write_bytes(content)
        return
    headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
    storage._clients.usual.put_object(storage._bucket, key, io.BytesIO(content), len(content), metadata=headers)
