"""Tell an answer from a shortcut.

The package holds the solution of every exercise, in the open, because the chapters show it. An exercise asks the learner
to write it. This module reads what the learner wrote and refuses an answer that calls the package, is the package's
function under another name, or is its source text pasted in. It reads; it does not run. What it cannot see (a
value cannot prove how it was computed) is left to the grader's sandbox, where the reference is not importable.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dlcourse.checks.judge import reference

_PACKAGE = "dlcourse"
_OPEN_ROOMS = ("dlcourse.checks", "dlcourse.data", "dlcourse.figures")
_ROUNDABOUT = {"__import__", "exec", "eval", "compile", "globals", "importlib", "inspect"}


def refusal(
    name: str,
    target: Any,
    *,
    against: str = "",
    forbid: Sequence[str] = (),
    loops: bool = True,
    skip: Collection[str] = (),
) -> str:
    """Say why an answer is refused, or ``""`` if it is not.

    Args:
        name: the learner's name.
        target: what the learner bound to it.
        against: dotted path of the reference.
        forbid: dotted names that the answer may not use.
        loops: whether Python loops and comprehensions are allowed.
        skip: names of other tasks, which are read where they are checked.

    Returns:
        One sentence for the learner, or ``""``.
    """
    if _is_package(target):
        return f"{name} is the package's own {_module(target)} under another name: write it yourself"
    banned = {path: thing for path in forbid if (thing := _loaded(path)) is not None}
    for path, thing in banned.items():
        if target is thing:
            return f"{name} is {path} under another name: this task asks you to write it yourself"
    for definition in _definitions(target, skip):
        tree = _tree(definition)
        if tree is None:
            continue
        sentence = _uses(name, tree, _globals(definition), forbid, banned)
        if sentence:
            return sentence
        if not loops and any(isinstance(node, _LOOPS) for node in ast.walk(tree)):
            return (
                f"{name} loops in Python: write it with whole arrays, "
                "so that NumPy does the loop for all samples at once"
            )
    if against and _pasted(target, reference(against)):
        return f"{name} is the package's own source text, pasted: write it in your own words"
    return ""


_LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)


def _module(target: Any) -> str:
    return str(getattr(target, "__module__", "") or "")


def _is_package(target: Any) -> bool:
    return _is_reference(target.__name__ if isinstance(target, types.ModuleType) else _module(target))


def _is_reference(path: str) -> bool:
    return path.split(".")[0] == _PACKAGE and not path.startswith(_OPEN_ROOMS)


def _loaded(path: str) -> Any:
    """Return the object that a dotted path names, if somebody imported its module; importing torch takes seconds."""
    module, _, attribute = path.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


def _globals(definition: Any) -> dict[str, Any]:
    if isinstance(definition, type):
        methods = [m for m in vars(definition).values() if isinstance(m, types.FunctionType)]
        return methods[0].__globals__ if methods else {}
    return definition.__globals__ if isinstance(definition, types.FunctionType) else {}


def _tree(definition: Any) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(definition)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None


def _definitions(target: Any, skip: Collection[str]) -> Iterator[Any]:
    """Yield the learner's definition and every helper of the learner's that it reaches."""
    queue, done = [target], set()
    while queue:
        thing = queue.pop()
        thing = inspect.unwrap(thing) if callable(thing) else thing
        if not isinstance(thing, types.FunctionType | type) or id(thing) in done:
            continue
        done.add(id(thing))
        yield thing
        tree, names = _tree(thing), _globals(thing)
        for node in ast.walk(tree) if tree else ():
            found = names.get(node.id) if isinstance(node, ast.Name) and node.id not in skip else None
            if isinstance(found, types.FunctionType | type) and _module(found) == _module(thing):
                queue.append(found)


def _uses(
    name: str, tree: ast.AST, names: dict[str, Any], forbid: Sequence[str], banned: Mapping[str, Any]
) -> str:
    local = {
        (alias.asname or alias.name.split(".")[0]): alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (alias.asname or alias.name): f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_reference(node.value):
            return f"{name} names the package's own {node.value}: write it yourself"
        path = _path(node, names, local)
        if not path:
            continue
        if _is_reference(path):
            return f"{name} calls the package's own {path}: write it yourself"
        if path.split(".")[0] in _ROUNDABOUT:
            return f"{name} uses {path}, which no answer here needs: write it directly"
        found = names.get(node.id) if isinstance(node, ast.Name) else None
        for bad in forbid:
            if path == bad or (found is not None and found is banned.get(bad)):
                return f"{name} uses {bad}: this task asks you to write it yourself"
    return ""


def _path(node: ast.AST, names: dict[str, Any], local: dict[str, str]) -> str:
    """Spell out the dotted name that an expression refers to, aliases resolved; ``""`` if none."""
    if isinstance(node, ast.Attribute):
        owner = _path(node.value, names, local)
        return f"{owner}.{node.attr}" if owner else f".{node.attr}"
    if not isinstance(node, ast.Name):
        return ""
    if node.id in local:
        return local[node.id]
    found = names.get(node.id)
    if isinstance(found, types.ModuleType):
        return found.__name__
    if found is not None and _is_package(found):
        return f"{_module(found)}.{getattr(found, '__name__', node.id)}"
    if callable(found) and _module(found) not in ("", "__main__", "builtins"):
        return f"{_module(found)}.{getattr(found, '__name__', node.id)}"
    return node.id


def _pasted(target: Any, original: Any) -> bool:
    mine, theirs = _body(target), _body(original)
    if mine is None or theirs is None:
        return False
    same_words = theirs[1] and len(theirs[1]) > 40 and theirs[1] == mine[1]
    # Short functions come out alike by themselves; a long one that is equal to the letter was not written again.
    long = sum(isinstance(node, ast.stmt) for statement in theirs[0] for node in ast.walk(statement)) > 3
    return bool(same_words) or (long and [*map(ast.dump, mine[0])] == [*map(ast.dump, theirs[0])])


def _body(target: Any) -> tuple[list[ast.stmt], str] | None:
    """Return the statements of a definition without its docstring and annotations, and the docstring."""
    tree = _tree(target) if isinstance(target, types.FunctionType | type) else None
    if not isinstance(tree, ast.Module) or not tree.body:
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef | ast.ClassDef):
        return None
    words = ast.get_docstring(definition) or ""
    return (definition.body[1:] if words else definition.body), words
