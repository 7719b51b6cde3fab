"""The studio's vendored style sheet, of which only what the pages use was taken."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STUDIO = ROOT / "api/studio"


def test_no_page_uses_what_was_left_out_of_the_style_sheet():
    left_out = set((ROOT / "scripts/vendoring/left-out.txt").read_text().split())
    files = [*STUDIO.glob("pages/**/*.html"), *STUDIO.glob("static/*.js"), *STUDIO.glob("static/templates/*.js")]
    words = {word for file in [*files, *STUDIO.glob("*.py")] for word in re.findall(r"[\w-]+", file.read_text())}

    assert {"accordion-body", "offcanvas"} < left_out
    assert not words & left_out, "run scripts/vendor"
