"""Run as a process of its own: one sweep of expired reports. Prints how much memory it took beyond what it began with.

Arguments: the database's URL, and a folder or an S3 server's endpoint, bucket and keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shared import sweeps
from shared.database import Database
from shared.storage.filesystem import FilesystemStorage
from shared.storage.s3 import S3Storage


def peak() -> int:
    """Return the most memory that this process held since it was last reset, KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main(url: str, *where: str) -> None:
    if len(where) == 1:
        storage = FilesystemStorage(Path(where[0]))
    else:
        endpoint, bucket, access_key, secret_key = where
        storage = S3Storage(
            endpoint=endpoint,
            bucket=bucket,
            access_key=access_key,
            secret_key=secret_key,
            region="us-east-1",
            secure=False,
        )
    database = Database(url)
    database.ping()
    storage.ping()
    # See proc(5): from here on, the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    removed = sweeps.sweep_reports(database, storage, older_than=None)
    sys.stdout.write(f"{removed} {peak() - before}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
