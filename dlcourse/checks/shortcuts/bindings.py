"""Which names a piece of source text binds, and to what, as far as the text shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.AsyncFor, ast.While, *COMPREHENSIONS)


class Binding(NamedTuple):
    """One name that is bound.

    Args:
        name: the name.
        value: the expression that it is bound to, where the text shows it.
        path: the dotted name that an import binds it to, or ``""``.
    """

    name: str
    value: ast.expr | None = None
    path: str = ""


def bindings(nodes: Iterable[ast.AST]) -> Iterator[Binding]:
    """Yield what some statements bind in the scope in which they stand: not what functions bind inside themselves."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield Binding(node.name)
            continue
        if isinstance(node, ast.comprehension):  # its target lives in a scope of its own
            waiting += [node.iter, *node.ifs]
            continue
        yield from _own(node)
        waiting += ast.iter_child_nodes(node)


def _own(node: ast.AST) -> Iterator[Binding]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.split(".")[0]
            yield Binding(alias.asname or root, path=alias.name if alias.asname else root)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name != "*":
                yield Binding(alias.asname or alias.name, path=f"{node.module or ''}.{alias.name}")
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from targets(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield from targets(node.target, node.value)
    elif isinstance(node, ast.AugAssign):
        yield from targets(node.target, None)
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield from targets(node.target, None)
        for item in getattr(node.iter, "elts", ()):
            yield from targets(node.target, item)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from targets(node.optional_vars, node.context_expr)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield Binding(node.name)
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield Binding(node.rest)


def targets(target: ast.expr, value: ast.expr | None) -> Iterator[Binding]:
    """Yield the names that one assignment binds; ``a, b = f, g`` item by item."""
    if isinstance(target, ast.Name):
        yield Binding(target.id, value)
    elif isinstance(target, ast.Starred):
        yield from targets(target.value, value)
    elif isinstance(target, ast.Tuple | ast.List):
        items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        plain = len(items) == len(target.elts) and not any(
            isinstance(item, ast.Starred) for item in [*items, *target.elts]
        )
        for i, part in enumerate(target.elts):
            # Where the items do not line up, each name may be any of them.
            yield from targets(part, items[i] if plain else value)


def arguments(node: ast.arguments) -> Iterator[Binding]:
    """Yield the parameters of a function, bound to their defaults."""
    positional = [*node.posonlyargs, *node.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(node.defaults))
    for arg, default in zip(positional, [*missing, *node.defaults], strict=True):
        yield Binding(arg.arg, default)
    for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        yield Binding(arg.arg, default)
    for extra in (node.vararg, node.kwarg):
        if extra:
            yield Binding(extra.arg)


def shared(node: ast.AST) -> set[str]:
    """Return the names that a function declares ``global``, wherever it does so inside."""
    return {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}


def loops(tree: ast.AST) -> bool:
    """Tell whether a definition loops in Python; a table that is built once, outside of any function, does not count."""
    inside: list[ast.AST] = [tree] if isinstance(tree, (*FUNCTIONS, ast.ClassDef)) else []
    inside += [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return any(isinstance(node, LOOPS) for part in inside for node in ast.walk(part))
