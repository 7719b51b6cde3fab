"""What a render may take beyond its own time limit, until the farm takes it for lost."""

from __future__ import annotations

# What comes after the layout: storing the document (`STORE_SECONDS` in `workers.rendering`, and a last try, whose body
# is sent twice at most) and writing the end (`END_SECONDS`, and a last try). A child that is still not done then is
# killed.
STORING_SECONDS = 300
# Beyond all that a render counts as lost although its worker lives: this is for the case that no limit acted.
OVERDUE_SECONDS = STORING_SECONDS + 30
