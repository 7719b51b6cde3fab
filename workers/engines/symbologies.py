"""The kinds of bar code: what each can encode, and its bars.

A kind checks a value before anything is drawn, so that the template's author reads what was expected, and so that a
wrong check digit is never silently replaced by a right one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barcode.codabar import CODABAR
from barcode.codex import Code39, Code128, Gs1_128
from barcode.ean import EAN8, EAN13
from barcode.itf import ITF
from barcode.upc import UPCA

if TYPE_CHECKING:
    from collections.abc import Callable


CODE_C = 99


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar code before it has a size.

    Attributes:
        modules: One character per module, from left to right: ``1`` is black, ``0`` is white.
        text: What people read below the bars.
    """

    modules: str
    text: str


@dataclass(frozen=True, slots=True)
class Symbology:
    """A kind of bar code.

    Attributes:
        expected: What it can encode, as an error message says it.
        encode: Returns a value's bars; raises ValueError when the kind cannot encode it.
    """

    expected: str
    encode: Callable[[str], Bars]


class _Code128(Code128):  # type: ignore[misc]  # The library is untyped.
    def _try_to_optimize(self, encoded: list[int]) -> list[int]:
        # The library starts in set C and takes a first 99 for a switch to it, but there it is the digits 99: they would
        # be missing from the printed code (https://github.com/WhyNotHugo/python-barcode/issues/251, in 0.16.1).
        optimized: list[int] = encoded if encoded[1] == CODE_C else super()._try_to_optimize(encoded)
        return optimized


def gs1_check_digit(digits: str) -> str:
    """Return the digit that completes a GTIN, an SSCC or another GS1 number (GS1 General Specifications, 7.9.1)."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-weighted % 10)


def _completed(digits: str, length: int) -> str:
    if not re.fullmatch(r"[0-9]+", digits) or len(digits) not in {length - 1, length}:
        raise ValueError(f"it has not {length - 1} or {length} digits")
    check = gs1_check_digit(digits[: length - 1])
    if len(digits) == length and digits[-1] != check:
        raise ValueError(f"its check digit should be {check}")
    return digits[: length - 1] + check


def _article_number(symbol: type, length: int) -> Callable[[str], Bars]:
    def encode(value: str) -> Bars:
        digits = _completed(value, length)
        return Bars(symbol(digits).build()[0], digits)

    return encode


def _isbn(value: str) -> Bars:
    digits = value.replace("-", "").replace(" ", "")
    if not digits.startswith(("978", "979")):
        raise ValueError("it begins neither with 978 nor with 979")
    bars = _article_number(EAN13, 13)(digits)
    return Bars(bars.modules, value if digits == bars.text else bars.text)


def _code128(value: str) -> Bars:
    if not value.isascii():
        raise ValueError("it has characters outside of ASCII")
    return Bars(_Code128(value).build()[0], "".join(c if c.isprintable() else " " for c in value))


# Application identifiers whose length is fixed, by their first two digits: no separator follows their value
# (GS1 General Specifications, figure 7.8.5-2).
FIXED_LENGTH = {"00", "01", "02", "03", "04", *(str(n) for n in range(11, 21)), *(str(n) for n in range(31, 37)), "41"}
NUMBER_LENGTHS = {"00": 18, "01": 14, "02": 14}
ELEMENT = re.compile(r"\(([0-9]{2,4})\)([!-'*-Z_a-z]{1,90})")


def _gs1_128(value: str) -> Bars:
    elements = ELEMENT.findall(value)
    if not elements or "".join(f"({identifier}){content}" for identifier, content in elements) != value:
        raise ValueError(
            "it is not a sequence of elements, each an application identifier in parentheses and its value"
        )
    text, encoded = "", ""
    for place, (identifier, content) in enumerate(elements, start=1):
        length = NUMBER_LENGTHS.get(identifier)
        element = _completed(content, length) if length else content
        text += f"({identifier}){element}"
        encoded += identifier + element
        if identifier[:2] not in FIXED_LENGTH and place < len(elements):
            encoded += Gs1_128.FNC1_CHAR
    return Bars(Gs1_128(encoded).build()[0], text)


def _code39(value: str) -> Bars:
    if not re.fullmatch(r"[0-9A-Z .$/+%-]+", value):
        raise ValueError("it has other characters")
    return Bars(Code39(value, add_checksum=False).build()[0], value)


def _codabar(value: str) -> Bars:
    if not re.fullmatch(r"[A-D][0-9$:/.+-]+[A-D]", value):
        raise ValueError("it has another form")
    return Bars(CODABAR(value, narrow=1, wide=3).build()[0], value)


def _itf(value: str) -> Bars:
    if not re.fullmatch(r"([0-9]{2})+", value):
        raise ValueError("it is not an even number of digits")
    return Bars(ITF(value, narrow=1, wide=3).build()[0], value)


SYMBOLOGIES = {
    "code128": Symbology("any ASCII text", _code128),
    "gs1-128": Symbology("elements such as '(00)340123450000000017(10)LOT7'", _gs1_128),
    "code39": Symbology("capital letters, digits, space and - . $ / + %", _code39),
    "ean13": Symbology("12 digits, or 13 with the right check digit", _article_number(EAN13, 13)),
    "ean8": Symbology("7 digits, or 8 with the right check digit", _article_number(EAN8, 8)),
    "upca": Symbology("11 digits, or 12 with the right check digit", _article_number(UPCA, 12)),
    "isbn": Symbology("an ISBN of 13 digits such as '978-0-306-40615-7'", _isbn),
    "itf": Symbology("an even number of digits", _itf),
    "itf14": Symbology("13 digits, or 14 with the right check digit", lambda value: _itf(_completed(value, 14))),
    "codabar": Symbology("digits and - $ : / . + between two letters from A to D", _codabar),
}
