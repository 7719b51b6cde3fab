"""Certifying: may the fast engine make a template's documents, since they look as those of the reference do?

The reference is WeasyPrint, the fast engine PlutoPrint. `demands` looks for what only the reference can do; what is
left is made by both and compared: `layout` reads where the words stand, and what lies behind them (links, metadata,
attachments), `drift` says how two layouts differ, `painting` compares the pages as they are painted. `certifier` does
all that for one certificate, `certification` asks for it while renders are made, and `sampling` says when a real render
is compared once more. `shared.certificates` has the rules and the row's life.
"""


class UnreadableError(Exception):
    """Raised when an engine made what is no PDF."""
