"""What an idle gateway must not pay for."""

from __future__ import annotations

import subprocess
import sys


def test_the_grammar_of_filters_is_loaded_by_the_first_filter_only():
    loaded = "import api.app, sys; print([name for name in ('odata_query', 'sly') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
