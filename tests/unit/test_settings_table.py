from __future__ import annotations

from pathlib import Path

from shared.cli import main

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_readmes_settings_are_those_of_the_code(capsys):
    main(["settings"], standalone_mode=False)

    assert capsys.readouterr().out in README.read_text()
