"""A page over a page: each kind of change has its colour, and its share is what it is."""

from __future__ import annotations

import io

from PIL import Image

from workers.overlays import COME, GONE, HALO, NO_PAPER, RECOLOURED, overlay, sides

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def picture(*spots, size=(100, 50)):
    """Return a page with spots of ten by ten pixels, each at a place and of a colour, as pdftoppm draws it."""
    drawn = Image.new("RGB", size, WHITE)
    for place, colour in spots:
        drawn.paste(colour, (place[0], place[1], place[0] + 10, place[1] + 10))
    written = io.BytesIO()
    drawn.save(written, "PPM")
    return written.getvalue()


def shown(found):
    return Image.open(io.BytesIO(found.content)).convert("RGB")


def test_two_equal_pages_have_no_overlay():
    assert overlay(picture(((10, 10), BLACK)), picture(((10, 10), BLACK))) is None


def test_what_is_gone_what_has_come_and_what_stayed_differ_in_colour():
    found = overlay(picture(((0, 0), BLACK), ((30, 0), BLACK)), picture(((60, 0), BLACK), ((30, 0), BLACK)))
    assert found.changed == 200 / 5000
    assert shown(found).getpixel((5, 5)) == GONE
    assert shown(found).getpixel((65, 5)) == COME
    stayed = shown(found).getpixel((35, 5))
    assert len(set(stayed)) == 1
    assert 100 < stayed[0] < 200
    assert shown(found).getpixel((12, 5)) == HALO
    assert shown(found).getpixel((50, 45)) == WHITE


def test_a_change_of_colour_alone_is_seen():
    # Equally bright, so that it cannot be told by brightness.
    red, green = (130, 0, 0), (0, 66, 0)
    assert Image.new("RGB", (1, 1), red).convert("L").getpixel((0, 0)) == Image.new("RGB", (1, 1), green).convert(
        "L"
    ).getpixel((0, 0))
    found = overlay(picture(((10, 10), red)), picture(((10, 10), green)))
    assert found.changed == 100 / 5000
    assert shown(found).getpixel((15, 15)) == RECOLOURED


def test_one_pixel_that_is_hardly_different_counts():
    before = Image.new("RGB", (100, 50), WHITE)
    after = before.copy()
    after.putpixel((50, 25), (255, 255, 254))
    content = [io.BytesIO(), io.BytesIO()]
    before.save(content[0], "PPM")
    after.save(content[1], "PPM")
    found = overlay(content[0].getvalue(), content[1].getvalue())
    assert found.changed == 1 / 5000
    assert shown(found).getpixel((53, 25)) == HALO


def test_paper_that_only_one_has_is_changed_and_shown():
    found = overlay(picture(size=(100, 50)), picture(size=(50, 100)))
    assert shown(found).size == (100, 100)
    # Both have 2500 pixels, each has as many of its own, and the rest of the square has no paper at all.
    assert found.changed == 5000 / 10000
    before, after = shown(found).getpixel((90, 10)), shown(found).getpixel((10, 90))
    assert before[0] > before[2]
    assert after[2] > after[0]


def test_a_page_that_only_one_has_is_changed_altogether():
    for before, after in ((picture(), None), (None, picture())):
        assert overlay(before, after).changed == 1


def test_both_sides_are_of_one_size_and_show_where_one_has_no_paper():
    before, after = sides(picture(((10, 10), BLACK), size=(100, 50)), picture(size=(50, 100)))
    before, after = (Image.open(io.BytesIO(one)).convert("RGB") for one in (before, after))
    assert before.size == after.size == (100, 100)
    assert (before.getpixel((15, 15)), before.getpixel((90, 40)), before.getpixel((10, 90))) == (BLACK, WHITE, NO_PAPER)
    assert (after.getpixel((10, 90)), after.getpixel((90, 10))) == (WHITE, NO_PAPER)


def test_a_side_that_is_not_there_has_no_picture_and_a_grey_one_is_stored_as_such():
    before, after = sides(None, picture(((10, 10), BLACK)))
    assert before is None
    assert Image.open(io.BytesIO(after)).mode == "L"
    coloured, _ = sides(picture(((10, 10), (255, 0, 0))), None)
    assert Image.open(io.BytesIO(coloured)).getpixel((15, 15)) == (255, 0, 0)
