"""The S3 server away, refusing, slow, and cutting or changing what passes; a disk that is full: work waits for it."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import contextmanager

import asset_files
import pypdf
import pytest
from accepted import folder_ledger
from farms import Farm, eventually
from faults import Fault

pytestmark = pytest.mark.timeout(240)
# Data of this size is not kept in the render's row.
LARGE = 400_000
# More often than one request is tried again by itself.
TIMES = 6


@pytest.fixture
def ledger(s3_ledger):
    return s3_ledger


def test_a_store_that_is_away_for_long_is_waited_for_in_the_queue(ledger, front):
    trouble = front.begin(Fault.DOWN)
    ones = ledger.submit(2)
    front.until_struck(trouble)

    # Their attempts waited as long as attempts do, and make room for what needs no store.
    eventually(lambda: all(ledger.row(one).losses for one in ones), seconds=90, what="both of them to be given back")
    front.heal()

    ledger.settle(seconds=90)
    assert {loss["cause"] for one in ones for loss in ledger.row(one).losses} == {"storage"}


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.UNAVAILABLE, Fault.HALF_SENT, Fault.FLIPPED, Fault.WRONG_ETAG])
def test_a_document_is_stored_whole_whatever_happens_on_its_way(ledger, front, fault):
    trouble = front.begin(fault, methods={"PUT"}, containing="/reports/", times=TIMES)

    ledger.submit(2)
    front.until_struck(trouble, 2)

    ledger.settle()
    assert {ledger.row(one).attempt for one in ledger.accepted} <= {1, 2}


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.HALF_ANSWERED, Fault.DOWN])
def test_large_data_is_read_whole_whatever_happens_on_its_way(ledger, front, fault):
    trouble = front.begin(fault, methods={"GET"}, containing="/data/", times=3)

    ledger.submit(2, padding=LARGE)
    front.until_struck(trouble, 3)

    ledger.settle()


def test_a_slow_store_only_takes_longer(ledger, front):
    trouble = front.begin(Fault.SLOW, seconds=2)

    ledger.submit(2, padding=LARGE)
    ledger.settle()

    assert trouble.struck >= 4
    assert [ledger.row(one).attempt for one in ledger.accepted] == [1, 1]


@contextmanager
def tiny_disk(folder):
    """Mount a disk of a few pages; only root may."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Leave no byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return ballast


def test_work_waits_while_the_disk_of_its_documents_is_full(tmp_path, module_broker):
    farm = Farm(tmp_path, PRESSROOM_BROKER_URL=module_broker.url.replace("/0", "/1"), PRESSROOM_MIN_FREE_BYTES="0")
    with tiny_disk(tmp_path / "blobs") as disk:
        ledger = folder_ledger(farm)
        try:
            farm.run_all()
            ballast = fill(disk)
            ones = ledger.submit(2)
            eventually(lambda: any(ledger.row(one).losses for one in ones), seconds=60, what="a loss")
            ballast.unlink()
            ledger.settle()
        finally:
            farm.stop()
            ledger.database.close()


def test_work_goes_on_while_a_worker_has_no_room_for_temporary_files(ledger, tmp_path):
    farm = ledger.farm
    with tiny_disk(tmp_path / "tmp") as disk:
        farm.kill("render-worker")
        farm.run_workers(TMPDIR=str(disk))
        ledger.submit()
        ledger.settle()
        fill(disk)

        ledger.submit(4)
        # What it keeps at hand it has to do without.
        put = farm.request("PUT", "/api/v1/asset/full.png", data=asset_files.picture(colour="red"))
        assert put.status_code == 201, put.text
        pdf = farm.report({"content": '<img src="asset:full.png">', "recipe": "plutoprint-pdf"})
        assert len(pypdf.PdfReader(io.BytesIO(pdf.content)).pages[0].images) == 1
        ledger.settle()
        farm.kill("render-worker")
    farm.run_workers()
