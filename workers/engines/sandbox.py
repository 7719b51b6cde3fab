"""The Jinja environment in which strangers' templates run.

Jinja's own sandbox keeps a template away from Python's internals and from changing the data. What is added here makes
JSON data convenient, makes an attempt to leave the sandbox fail where it is made, and stops single operations that
would take all memory or time at once. Loops are stopped from outside, by the render's time and memory limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2.runtime import Context

    from workers.engines.others import Others

LONGEST_REPETITION = 1_000_000
MOST_BITS = 10_000


class Sandbox(ImmutableSandboxedEnvironment):
    """An immutable sandbox for templates over JSON data."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, *, autoescape: bool, others: Others, join: Callable[[Iterable[str]], str]) -> None:
        """Make an environment.

        Args:
            autoescape: Whether values are escaped for HTML and XML.
            others: The only way from a template to others.
            join: Makes one text of the pieces that a template, a macro or a block puts out.
        """
        super().__init__(autoescape=autoescape, loader=others, keep_trailing_newline=True, cache_size=0)
        self._others = others
        self.concat = join  # type: ignore[method-assign]  # What compiled templates call; Jinja's own is an attribute, too.
        # Random filler text makes a document differ from run to run.
        del self.globals["lipsum"]

    def join_path(self, template: Any, parent: str) -> Any:
        """Note that one template names another; a name means the same everywhere.

        Raises:
            TemplateError: They would go in a circle.
        """
        self._others.note(parent, template)
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read ``obj.attribute``; of an object of the data, a key wins over a method of its Python type."""
        # `order.items` means the data's items; Jinja alone would return dict's method.
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Refuse an unsafe attribute at once, where Jinja alone would print nothing for it.

        Raises:
            SecurityError: Always.
        """
        raise SecurityError(f"a template may not use {attribute!r} of a value of type {type(obj).__name__!r}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply or raise to a power, unless the result alone would be out of all proportion.

        Raises:
            OverflowError: The result would be too long or too large.
        """
        if operator == "*":
            _check_product(left, right)
        elif _is_whole(left) and _is_whole(right) and left.bit_length() * right > MOST_BITS:
            raise OverflowError(f"the power is too large: expected a result of at most {MOST_BITS} bits")
        return super().call_binop(context, operator, left, right)


def _check_product(left: Any, right: Any) -> None:
    if _is_whole(left) and _is_whole(right):
        if left.bit_length() + right.bit_length() > MOST_BITS:
            raise OverflowError(f"the product is too large: expected a result of at most {MOST_BITS} bits")
        return
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and _is_whole(count) and len(sequence) * count > LONGEST_REPETITION:
            raise OverflowError(f"the repetition is too long: expected a result of at most {LONGEST_REPETITION}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int)
