"""Files of every kind that may be an asset, small and real, and a source of assets that needs no farm."""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import Image

from shared.asset_contents import kind_of
from shared.exceptions import NotFoundError
from workers.fetching import Asset

SVG = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='60' height='60'><rect width='60' height='60' fill='green'/></svg>"
)


def picture(form="PNG", *, colour="red", size=(30, 20)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, form)
    return made.getvalue()


@functools.cache
def font(name="LiberationMono-Regular", *, flavour=None) -> bytes:
    """Return one of the fonts that `scripts/setup.sh` installs, as it is or as ``woff`` or ``woff2``."""
    content = next(Path("/usr/share/fonts").rglob(f"{name}.ttf")).read_bytes()
    if flavour is None:
        return content
    opened = TTFont(io.BytesIO(content))
    opened.flavor = flavour
    made = io.BytesIO()
    opened.save(made)
    return made.getvalue()


class FakeAssets:
    """Assets in memory."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def find(self, name):
        self.asked.append(name)
        content = self.contents.get(name)
        if content is None:
            raise NotFoundError(f"there is no asset named {name!r}")
        return Asset(name, kind_of(name).media_type, len(content), hashlib.sha256(content).hexdigest(), name)

    def read(self, asset):
        return self.contents[asset.name]
