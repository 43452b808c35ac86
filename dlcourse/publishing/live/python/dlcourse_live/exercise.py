"""What the page of an exercise asks of Python."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from symtable import symtable


def forget(sources: Iterable[str]) -> None:
    """Take away what earlier versions of an answer defined, so that no check finds it in the place of the newest.

    Args:
        sources: the versions; one that is no Python defined nothing. What they imported stays: others use it too.
    """
    names = vars(sys.modules["__main__"])
    for source in sources:
        try:
            table = symtable(source, "<answer>", "exec")
        except (SyntaxError, ValueError):
            continue
        for symbol in table.get_symbols():
            if symbol.is_assigned() and not symbol.is_imported():
                names.pop(symbol.get_name(), None)
