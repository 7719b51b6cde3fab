"""What the tests take from npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
MODULES = CLIENTS / "node_modules"


def install() -> None:
    """Install what `tests/clients` names; skip the test where there is no Node."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    installed = MODULES / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (CLIENTS / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--prefix", CLIENTS], check=True, timeout=110)
