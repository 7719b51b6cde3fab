"""Reading ``$filter``: odata-query's grammar, with the places of everything in the text.

Import this module only where a filter is read: the grammar's tables are not needed by a gateway that nobody asks.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, NoReturn, TypeGuard

from odata_query import ast, exceptions
from odata_query.grammar import ODATA_FUNCTIONS, ODataLexer, ODataParser

from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from sly.lex import Token  # type: ignore[import-untyped]  # It has no types.

FIELD = "$filter"
# Longer than any person writes, and shorter than what could keep the parser busy.
LONGEST_CHARACTERS = 8000
# Of nested groups and functions; `and` and `or` in a row nest nothing.
DEEPEST = 40
SHOWN_CHARACTERS = 30
# OData 2's `contains`, which jsreport's clients still send: what is looked for comes first.
OLD_CONTAINS = "substringof"
# What the grammar would read, and no entity here has.
UNUSED = {
    "=": "expected eq instead of =",
    "/": "expected no path: the properties are all the entity's own",
    ":": "expected no any or all: no property here is a collection that can be searched",
}


class Place(InvalidRequestError):  # noqa: N818  # It is raised as what it points at.
    """Raised for a filter that cannot be served; the text says where in it.

    Args:
        message: What is wrong there.
        position: The place in the filter's text, counted from 0; None: the whole of it.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        where = FIELD if position is None else f"{FIELD}, character {position + 1}"
        super().__init__(f"{where}: {message}", field=FIELD)


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read.

    Attributes:
        tree: Its syntax tree.
        places: Where its names and values begin in the text, by the identity of their nodes.
    """

    tree: ast._Node
    places: dict[int, int]

    def refuse(self, node: ast._Node, message: str) -> NoReturn:
        """Refuse the filter because of a node.

        Raises:
            Place: Always.
        """
        raise Place(message, self.place(node))

    def place(self, node: ast._Node) -> int | None:
        """Return where a node begins; an operator begins where its first operand does."""
        found = [self.places[id(one)] for one in walk(node) if id(one) in self.places]
        return min(found) if found else None


def _pattern(token: str) -> str:
    # sly keeps it at the token's function, which has no room for it in its type.
    return str(vars(getattr(ODataLexer, token))["pattern"])


class _Lexer(ODataLexer):
    """odata-query's lexer, whose words end where words end: ``nullable`` is not ``null`` and an identifier."""

    tokens = ODataLexer.tokens
    literals = ODataLexer.literals

    # And OData 2's dates.
    DATETIME = rf"{_pattern('DATETIME')}|datetime(?:offset)?'[^']*'"  # type: ignore[assignment]  # Redefined as sly wants it.
    BOOLEAN = rf"(?:{_pattern('BOOLEAN')})\b"  # type: ignore[assignment]  # Redefined as sly wants it.
    NULL = rf"{_pattern('NULL')}\b"  # type: ignore[assignment]  # Redefined as sly wants it.
    ANY = rf"{_pattern('ANY')}\b"  # type: ignore[assignment]  # Redefined as sly wants it.
    ALL = rf"{_pattern('ALL')}\b"  # type: ignore[assignment]  # Redefined as sly wants it.
    # Clients write not(...) and in(...), too.
    NOT = r"not(?:\s+|(?=\())"  # type: ignore[assignment]  # Redefined as sly wants it.
    IN = r"\s+in(?:\s+|(?=\())"  # type: ignore[assignment]  # Redefined as sly wants it.


def read(text: str) -> Filter:
    """Read a filter.

    Raises:
        Place: It is too long or too deep, or no filter at all.
    """
    if len(text) > LONGEST_CHARACTERS:
        raise Place(f"it has {len(text)} characters: expected at most {LONGEST_CHARACTERS}")
    if "\0" in text:
        raise Place("expected no NUL character", text.index("\0"))
    if not text.strip():
        raise Place("it is empty: leave it out, or say what to look for")
    places: dict[int, int] = {}
    parser = ODataParser()
    # The rules call it as a method, and would refuse the old function before anybody could look at it.
    parser._function_call = _called  # type: ignore[method-assign,assignment]  # noqa: SLF001
    try:
        tree = parser.parse(_tokens(text, places))
    except (exceptions.TokenizingException, exceptions.ParsingException) as error:
        _refuse(text, len(text) if error.token is None else error.token.index)
    except _CallError as error:
        raise Place(error.message, places.get(id(error.function))) from error
    found = Filter(tree, places)
    if _depth(tree) > DEEPEST:
        raise Place(f"it is nested more than {DEEPEST} deep: write it flatter", found.place(tree))
    return found


def name_of(identifier: ast.Identifier) -> str:
    """Return a name as it was written."""
    return ".".join((*identifier.namespace, identifier.name))


def is_property(node: ast._Node, properties: Container[str]) -> TypeGuard[ast.Identifier]:
    """Say whether a node is the name of a property."""
    return isinstance(node, ast.Identifier) and name_of(node) in properties


def members(node: ast._Node) -> Sequence[ast._Node]:
    """Return what is in a list."""
    return node.val if isinstance(node, ast.List) else [node]


def children(node: ast._Node) -> Iterator[ast._Node]:
    """Return the nodes right under a node."""
    for member in dataclasses.fields(node):
        value = getattr(node, member.name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast._Node):  # noqa: SLF001  # Its root class has no other name.
                yield one


def walk(node: ast._Node) -> Iterator[ast._Node]:
    """Return a node and everything under it. Not by recursion: a long row of `or` is a deep tree."""
    left = [node]
    while left:
        one = left.pop()
        yield one
        left.extend(children(one))


def terms(node: ast._Node, operator: type[ast._BoolOpToken]) -> list[ast._Node]:
    """Return the parts of a row of ``and``, or of ``or``, from left to right; of anything else, itself."""
    found: list[ast._Node] = []
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, ast.BoolOp) and isinstance(one.op, operator):
            left += [one.right, one.left]
        else:
            found.append(one)
    return found


class _CallError(Exception):
    def __init__(self, message: str, function: ast.Identifier) -> None:
        super().__init__(message)
        self.message = message
        self.function = function


def _called(function: ast.Identifier, arguments: Sequence[ast._Node]) -> ast.Call:
    name = name_of(function)
    expected = 2 if name == OLD_CONTAINS else ODATA_FUNCTIONS.get(name)
    if isinstance(expected, int) and len(arguments) != expected:
        raise _CallError(f"{name} takes {expected} arguments, not {len(arguments)}", function)
    return ast.Call(function, list(arguments))


def _tokens(text: str, places: dict[int, int]) -> Iterator[Token]:
    """Split the text, and note where its names and values are."""
    # For each open bracket, whether it is the list of an `in`, which needs its comma also when it has one member.
    brackets: list[bool] = []
    before = ""
    start = len(text) - len(text.lstrip())
    for token in _Lexer().tokenize(text.rstrip(), index=start):
        if token.type in UNUSED:
            raise Place(UNUSED[token.type], token.index)
        if token.type == "(":
            brackets.append(before == "IN")
        elif token.type == "," and brackets:
            brackets[-1] = False
        elif token.type == ")" and brackets and brackets.pop():
            yield _comma(token)
        if isinstance(token.value, ast._Node):  # noqa: SLF001  # Its root class has no other name.
            places[id(token.value)] = token.index
        before = token.type
        yield token


def _comma(token: Token) -> Token:
    comma = type(token)()
    comma.type = comma.value = ","
    comma.index, comma.lineno = token.index, token.lineno
    return comma


def _depth(tree: ast._Node) -> int:
    deepest = 0
    left = [(tree, 1)]
    while left:
        node, depth = left.pop()
        deepest = max(deepest, depth)
        under = terms(node, type(node.op)) if isinstance(node, ast.BoolOp) else children(node)
        left.extend((one, depth + 1) for one in under)
    return deepest


def _refuse(text: str, position: int) -> NoReturn:
    """Refuse what stands at a place, or behind the space there."""
    rest = text[position:].lstrip()
    if not rest:
        raise Place("it ends too early: expected more", len(text))
    position = len(text) - len(rest)
    if rest[0] in UNUSED:
        raise Place(UNUSED[rest[0]], position)
    found = re.match(r"[\w.'$@-]+", rest)
    shown = found[0] if found else rest[0]
    shown = shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
    raise Place(f"{shown!r} cannot stand here", position)
