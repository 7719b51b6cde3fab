"""OData 4.0 for reading: lists, entities, counts and the description of them all, the same for every set.

Writing is with each feature; ``created`` and ``no_content`` are what its answers are made with.
"""

from __future__ import annotations

from api.odata.answers import created, no_content
from api.odata.routes import blueprint

__all__ = ["blueprint", "created", "no_content"]
