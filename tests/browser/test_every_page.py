"""What holds of every page of the studio, whatever it is for."""

from __future__ import annotations

import pytest
from browsing import Studio
from pictures import Client, addresses, fill

NARROW = {"width": 390, "height": 844}


@pytest.mark.timeout(400)
def test_no_page_has_a_serious_violation_or_is_wider_than_a_telephone_in_the_dark(browser, farm):
    client = Client(farm.base, None)
    fill(client)
    studio = Studio(browser, farm, color_scheme="dark", viewport=NARROW)
    pages = addresses(client)

    found = {}
    for name, path in pages.items():
        page = studio.open(path)
        # A table of many columns is moved within its frame.
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found[name] = [*studio.violations(), *([f"{wide} pixels too wide"] if wide > 0 else [])]

    assert {name: problems for name, problems in found.items() if problems} == {}
    assert {"record", "template", "generate", "comparison", "batch", "print-task", "printer", "schedule"} < set(pages)
    studio.close()
