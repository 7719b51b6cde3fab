"""The filters barcode and qrcode, read back by a scanner's software where there is one."""

from __future__ import annotations

import random
import re
import shutil
import string
import subprocess
from xml.etree import ElementTree as ET

import pytest

from shared.exceptions import TemplateError
from workers.engines.jinja import JinjaEngine
from workers.engines.symbologies import SYMBOLOGIES, gs1_check_digit
from workers.fetching import FetchPolicy
from workers.recipes import RecipeUnavailableError
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

SVG = "{http://www.w3.org/2000/svg}"
ENGINE = JinjaEngine()
needs_scanner = pytest.mark.skipif(
    not (shutil.which("zbarimg") and shutil.which("pdftoppm")), reason="zbar-tools and poppler-utils are not installed"
)


def draw(call, value):
    return ENGINE.expand("{{ v | " + call + " }}", {"v": value}, markup=True, locale="en_IE")


def printed(recipe, symbols, folder):
    """Print symbols one below the other; return what a scanner reads, in no particular order."""
    markup = "<style>@page { size: 300mm 297mm; margin: 5mm } svg { display: block; margin: 4mm }</style>" + "".join(
        symbols
    )
    (folder / "symbols.pdf").write_bytes(recipe.render(markup, policy=FetchPolicy()).content)
    subprocess.run(["pdftoppm", "-r", "200", "-gray", "-png", folder / "symbols.pdf", folder / "symbols"], check=True)
    pages = sorted(folder.glob("symbols*.png"))
    read = subprocess.run(["zbarimg", "-q", *pages], check=False, capture_output=True)
    return sorted(read.stdout.decode().rstrip("\n").split("\n"))


@pytest.fixture(params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


READ_BACK = {
    "code128": ("PR-2026/0123 a", "CODE-128:PR-2026/0123 a"),
    "gs1-128": ("(01)0950110153000(10)AB123(21)77", "CODE-128:010950110153000310AB123\x1d2177"),
    "code39": ("AB-12 3", "CODE-39:AB-12 3"),
    "ean13": (590123412345, "EAN-13:5901234123457"),
    "ean8": ("12345670", "EAN-8:12345670"),
    "upca": ("04210000526", "EAN-13:0042100005264"),
    "isbn": ("978-0-306-40615-7", "EAN-13:9780306406157"),
    "itf": ("123456", "I2/5:123456"),
    "itf14": ("1001234500001", "I2/5:10012345000017"),
    "codabar": ("A12345B", "Codabar:A12345B"),
}


@needs_scanner
def test_every_kind_of_bar_code_and_a_qr_code_can_be_scanned_from_the_printed_page(recipe, tmp_path):
    assert set(READ_BACK) == set(SYMBOLOGIES)
    symbols = [draw(f"barcode('{kind}', height_mm=9)", value) for kind, (value, _) in READ_BACK.items()]
    symbols.append(draw("qrcode", "https://pressroom.example/Müller/€"))
    expected = [read for _, read in READ_BACK.values()] + ["QR-Code:https://pressroom.example/Müller/€"]
    assert printed(recipe, symbols, tmp_path) == sorted(expected)


@needs_scanner
def test_code_128_says_what_it_was_given_whatever_that_is(tmp_path):
    chance = random.Random(7)
    letters = string.ascii_letters + string.punctuation + " "
    values = ["99546588|1", "99", "9999", "100", "1", "00", "12345", "123x456789y1"]
    values += [
        "".join(
            chance.choice(letters if chance.random() < 0.4 else string.digits) for _ in range(chance.randint(2, 20))
        ).strip()
        + "."
        for _ in range(52)
    ]
    symbols = [draw("barcode(height_mm=8, module_mm=0.4, text=false)", value) for value in values]
    assert printed(PlutoPrintRecipe(), symbols, tmp_path) == sorted(f"CODE-128:{value}" for value in values)


@pytest.mark.parametrize(
    ("call", "value"), [("barcode('ean13', 20, 0.33)", "590123412345"), ("qrcode(size_mm=25)", "hello")]
)
def test_a_symbol_is_an_svg_element_in_millimetres_with_a_quiet_zone_and_one_path(call, value):
    text = draw(call, value)
    assert text.startswith("<svg ")
    assert "<?xml" not in text
    assert "<!DOCTYPE" not in text
    svg = ET.fromstring(text)
    across = float(svg.get("viewBox").split()[2])
    if call.startswith("qrcode"):
        assert (svg.get("width"), svg.get("height")) == ("25mm", "25mm")
        quiet = 4
    else:
        assert svg.get("width") == f"{(95 + 22) * 0.33:.2f}mm"
        quiet = 11 * 0.33
        assert svg.findtext(f"{SVG}text") == "5901234123457"
    ground = svg.find(f"{SVG}rect")
    assert (float(ground.get("width")), ground.get("fill")) == (across, "#fff")
    (path,) = svg.findall(f"{SVG}path")
    bars = [(float(x), float(length)) for x, length in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)", path.get("d"))]
    assert min(x for x, _ in bars) == pytest.approx(quiet)
    assert max(x + length for x, length in bars) == pytest.approx(across - quiet)


def test_a_value_cannot_break_out_of_the_drawing():
    text = draw("barcode", "</text><script>")
    assert "<script" not in text
    assert "".join(ET.fromstring(text).itertext()) == "</text><script>"


def test_thin_bars_get_small_text():
    def size(call):
        return float(ET.fromstring(draw(call, "12345678901234567890")).find(f"{SVG}text").get("font-size"))

    assert size("barcode(module_mm=0.1)") < size("barcode(module_mm=0.33)")
    assert ET.fromstring(draw("barcode(text=false)", "1")).find(f"{SVG}text") is None


def test_more_error_correction_makes_a_finer_code():
    def modules(level):
        return float(ET.fromstring(draw(f"qrcode('{level}')", "x" * 100)).get("viewBox").split()[2])

    assert modules("l") < modules("m") < modules("q") < modules("h")


def test_check_digits_follow_gs1():
    assert [gs1_check_digit(digits) for digits in ("590123412345", "1234567", "34012345000000001")] == ["7", "0", "7"]


@pytest.mark.parametrize(
    ("call", "value", "said"),
    [
        (
            "barcode('ean13')",
            "abc",
            "'abc' cannot be encoded as ean13: it has not 12 or 13 digits; expected 12 digits, or 13",
        ),
        ("barcode('ean13')", "5901234123450", "its check digit should be 7"),
        ("barcode('ean13')", "٥٩٠١٢٣٤١٢٣٤٥", "it has not 12 or 13 digits"),
        ("barcode('ean8')", "123", "it has not 7 or 8 digits"),
        ("barcode('upca')", "042100005261", "its check digit should be 4"),
        ("barcode('isbn')", "0-306-40615-2", "begins neither with 978 nor with 979"),
        ("barcode('itf')", "123", "it is not an even number of digits"),
        ("barcode('itf14')", "10012345000010", "its check digit should be 7"),
        ("barcode('code39')", "abc", "expected capital letters, digits"),
        ("barcode('codabar')", "123", "between two letters from A to D"),
        ("barcode('gs1-128')", "0012345", "not a sequence of elements"),
        ("barcode('gs1-128')", "(00)123", "it has not 17 or 18 digits"),
        ("barcode", "Müller", "characters outside of ASCII"),
        ("barcode", "x" * 81, "has 81 characters; expected at most 80"),
        ("barcode", "", "nothing to encode"),
        ("barcode", None, "nothing to encode in null"),
        ("barcode", [1], "nothing to encode in a list"),
        ("barcode('pdf417')", "x", "'pdf417' is not a kind; expected one of code128"),
        ("barcode(height_mm='x')", "x", "height_mm is 'x'; expected millimetres from 1 to 1000"),
        ("barcode(module_mm=0)", "x", "module_mm is 0; expected millimetres from 0.1"),
        ("qrcode('z')", "x", "error is 'z'; expected l, m, q or h"),
        ("qrcode(size_mm=-1)", "x", "size_mm is -1"),
        ("qrcode", "x" * 3000, "does not fit into a QR code"),
        ("qrcode('l', 10)", "x" * 2000, "too fine to scan at 10 mm; expected size_mm of at least"),
        ("qrcode", "\ud800", "does not fit into a QR code"),
        ("qrcode", True, "nothing to encode in true"),
    ],
)
def test_what_a_kind_cannot_encode_is_refused_with_what_was_expected(call, value, said):
    with pytest.raises(TemplateError) as caught:
        draw(call, value)
    assert said in caught.value.message
    assert caught.value.line == 1
