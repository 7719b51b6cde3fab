from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from browsing import Studio, chromium
from farms import SAMPLES, Farm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def farm(tmp_path_factory, valkey) -> Iterator[Farm]:
    """One farm for all tests of pages, with the sample templates."""
    farm = Farm(tmp_path_factory.mktemp("studio"), PRESSROOM_BROKER_URL=valkey.url.replace("/0", "/7"))
    try:
        farm.run_all()
        add_samples(farm)
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def studio(browser, farm) -> Iterator[Studio]:
    """Somebody's browser, and its first page."""
    studio = Studio(browser, farm)
    yield studio
    studio.close()


def add_samples(farm: Farm) -> None:
    for content in sorted(SAMPLES.glob("*.html")):
        body = {
            "name": content.stem,
            "content": content.read_text(),
            "recipe": "plutoprint-pdf",
            "sampleData": json.loads(content.with_suffix(".json").read_text()),
        }
        assert farm.post("/api/v1/report-config", body).status_code == 201
