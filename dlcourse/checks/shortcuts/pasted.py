"""Tell whether a definition is the package's own source text."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
import types
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from dlcourse.checks.shortcuts.bindings import FUNCTIONS, arguments, bindings

_LONG_WORDS = 40
_SHORT = 45


def source_tree(definition: Any) -> ast.AST | None:
    """Return the tree of a living function or class, or ``None`` where its source text cannot be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(definition)))
    except (OSError, TypeError, SyntaxError, ValueError, RecursionError, MemoryError):
        return _tree_of_class(definition) if isinstance(definition, type) else None
    if getattr(definition, "__name__", "") == "<lambda>":
        return _lambda_in(tree, definition)
    return tree.body[0] if tree.body else None


def _lambda_in(tree: ast.AST, function: Any) -> ast.AST | None:
    """Find a lambda in the lines around it, where other things stand too."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    found: list[ast.expr] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args)) == names
    ]
    return ast.Tuple(found, ast.Load()) if found else None


def _tree_of_class(kind: type) -> ast.AST | None:
    """Find a class of a notebook, which has no file, around one of its methods."""
    for method in vars(kind).values():
        if not isinstance(method, types.FunctionType):
            continue
        try:
            tree = ast.parse("".join(linecache.getlines(method.__code__.co_filename)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        line = method.__code__.co_firstlineno
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef) or node.name != kind.__name__:
                continue
            if node.lineno <= line <= (node.end_lineno or 0):
                return node
    return None


def is_pasted(trees: Iterable[ast.AST], original: ast.AST | None) -> bool:
    """Tell whether one of the learner's definitions is the original, its variables renamed or not.

    Args:
        trees: the learner's definitions.
        original: the package's.
    """
    theirs = _body(original)
    if theirs is None:
        return False
    statements, words = theirs
    shape = _shape_of_long(original)
    for tree in trees:
        mine = _body(tree)
        if mine is None:
            continue
        if len(words) > _LONG_WORDS and words == mine[1]:
            return True
        if shape and _kinds(mine[0]) == _kinds(statements) and _shape(tree) == shape:
            return True
    return False


def _kinds(statements: list[ast.stmt]) -> list[type[ast.stmt]]:
    return [type(statement) for statement in statements]


@lru_cache(maxsize=64)  # many answers are held against the same original
def _shape_of_long(original: ast.AST) -> str:
    """Return the shape of a definition; of a short one nothing, since short functions come out alike by themselves."""
    body = _body(original)
    statements = body[0] if body else []
    size = sum(not isinstance(node, ast.expr_context) for part in statements for node in ast.walk(part))
    return _shape(original) if size > _SHORT else ""


def _body(tree: ast.AST | None) -> tuple[list[ast.stmt], str] | None:
    if not isinstance(tree, (*FUNCTIONS, ast.ClassDef)):
        return None
    words = ast.get_docstring(tree) or ""
    return (tree.body[1:] if words else tree.body), words


def _shape(tree: ast.AST | None) -> str:
    """Write a definition down without its docstrings and annotations, and with its own names numbered."""
    own: dict[str, str] = {}
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            for name in arguments(node.args):
                own.setdefault(name.name, "")
        if isinstance(node, FUNCTIONS):
            for name in bindings(node.body):
                own.setdefault(name.name, "")
        if isinstance(node, ast.comprehension):
            for part in ast.walk(node.target):
                if isinstance(part, ast.Name):
                    own.setdefault(part.id, "")
    lines: list[str] = []
    numbers: dict[str, int] = {}

    def write(node: Any) -> None:
        if isinstance(node, list):
            lines.append("[")
            for item in node:
                write(item)
            lines.append("]")
        elif isinstance(node, ast.AST):
            lines.append(type(node).__name__)
            parts = dict(ast.iter_fields(node))
            if (body := _body(node)) is not None:
                parts["body"] = body[0]
            for key, value in parts.items():
                if key in (
                    "annotation",
                    "returns",
                    "decorator_list",
                    "ctx",
                    "type_comment",
                    "kind",
                    "simple",
                ):
                    continue
                write(value)
        else:
            lines.append(f"#{numbers.setdefault(node, len(numbers))}" if node in own else repr(node))

    body = _body(tree)
    write(body[0] if body else None)
    return " ".join(lines)
