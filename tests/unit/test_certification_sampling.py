"""Which renders are compared again, and what a certificate holds for."""

from __future__ import annotations

import pytest

from workers.certification import environment
from workers.certification.sampling import Sampling


def compared(sampling, renders, *, samples=0):
    found = []
    for number in range(1, renders + 1):
        if sampling.is_due("s", samples=samples):
            found.append(number)
            sampling.done("s")
    return found


def test_the_first_renders_are_compared_more_densely_and_then_one_of_so_many():
    assert compared(Sampling(interval=100), 500) == [1, 2, 4, 8, 16, 32, 64, 100, 200, 300, 400, 500]


def test_of_a_proven_certificate_a_childs_first_and_hundredth_are_and_then_one_of_so_many():
    assert compared(Sampling(interval=1000), 2500, samples=8) == [1, 100, 1100, 2100]
    assert compared(Sampling(interval=0), 2500, samples=8) == [1, 100]


@pytest.mark.parametrize("samples", [0, 8, 10_000])
@pytest.mark.parametrize("since", [0, 1, 50, 99])
def test_one_of_any_200_first_renders_is_compared(samples, since):
    found = compared(Sampling(interval=0), 200, samples=samples)
    assert any(number > since for number in found)


def test_what_is_due_stays_so_until_it_is_done():
    sampling = Sampling(interval=0)
    assert [sampling.is_due("s", samples=8) for _ in range(3)] == [True] * 3
    sampling.done("s")
    assert not sampling.is_due("s", samples=8)
    assert sampling.is_due("other", samples=8)


def configured(tmp_path, monkeypatch):
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    file = tmp_path / "fonts.conf"
    file.write_text(
        f'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{fonts}</dir></fontconfig>'
    )
    monkeypatch.setenv("FONTCONFIG_FILE", str(file))
    return fonts, file


def test_another_font_is_another_environment(tmp_path, monkeypatch):
    here = environment.current()
    fonts, file = configured(tmp_path, monkeypatch)
    without = environment.current()
    (fonts / "a.ttf").write_bytes(b"font")
    with_font = environment.current()
    file.write_text(file.read_text() + " ")
    other_configuration = environment.current()

    assert len({here, without, with_font, other_configuration}) == 4
    assert here.rpartition(", ")[0] == without.rpartition(", ")[0]
    assert environment.current() == other_configuration
