"""The engines and recipes that work on this machine, loaded once, before the worker forks its children."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared import catalogue
from shared.liveness import WORKING
from shared.tracing import logger
from workers.recipes import RecipeUnavailableError

if TYPE_CHECKING:
    from workers.engines import Engine
    from workers.recipes import Recipe

log = logger(__name__)


@dataclass(slots=True)
class Registry:
    """What a worker can do.

    Attributes:
        engines: Templating engines by name.
        recipes: Recipes by name.
        states: Every installed recipe with ``"ok"``, or the reason why it does not work here.
    """

    engines: dict[str, Engine] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)


def load() -> Registry:
    """Load everything that is installed. What does not work here is remembered with its reason, not raised."""
    registry = Registry()
    for name, entry in catalogue.installed(catalogue.ENGINES).items():
        registry.engines[name] = entry.load()()
    for name, entry in catalogue.installed(catalogue.RECIPES).items():
        try:
            registry.recipes[name] = entry.load()()
        except (RecipeUnavailableError, ImportError) as error:
            registry.states[name] = str(error)
            log.warning("recipe unavailable", recipe=name, reason=str(error))
        else:
            registry.states[name] = WORKING
    return registry
