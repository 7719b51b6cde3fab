"""Check the settings and bring the database up to date: what must succeed before any program of the farm starts."""

from __future__ import annotations

import os
import sys

from shared.exceptions import SettingsError
from shared.settings import check_exposure, load_settings


def main() -> None:
    """Run before the farm, as a process of its own, so that the launcher need not hold these modules for ever."""
    try:
        check_exposure(load_settings())
    except SettingsError as error:
        sys.exit(str(error))
    os.execvp("pressroom", ["pressroom", "migrate"])  # noqa: S606, S607 - the launcher put the environment's own folder first in PATH.


if __name__ == "__main__":
    main()
