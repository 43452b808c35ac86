"""The names that a cell gives a meaning to, read from its text."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache


def bindings(source: str) -> dict[str, str]:
    """Return the names that a cell binds or deletes for the cells below it.

    Args:
        source: The text of a cell.

    Returns:
        Each name with what is imported under it, or an empty string; nothing of a cell that is not Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    names: dict[str, str] = {}
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = ""
        elif isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                names[(alias.asname or alias.name).split(".")[0]] = origin + alias.name
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names[node.id] = ""
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += ast.iter_child_nodes(node)
    return names


def undone_below(bound: Mapping[int, Mapping[str, str]], index: int) -> bool:
    """Tell whether cells below a place give a name another meaning than cells above it.

    Args:
        bound: What `bindings` returned for each cell, by its place.
        index: The place.
    """
    above: dict[str, str] = {}
    for place, names in bound.items():
        above |= names if place < index else {}
    return any(
        name in above and not (origin and origin == above[name])
        for place, names in bound.items()
        if place > index
        for name, origin in names.items()
    )


@lru_cache(maxsize=256)  # a class is graded on the same test cells
def only_calls(source: str, name: str = "run_checks") -> bool:
    """Tell whether a cell does nothing but call one function, so that nothing of it stays.

    Args:
        source: The text of a cell.
        name: The function.
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    calls = [statement.value for statement in statements if isinstance(statement, ast.Expr)]
    return (
        len(calls) == len(statements)
        and all(isinstance(call, ast.Call) and ast.unparse(call.func) == name for call in calls)
        and not bindings(source)
    )
