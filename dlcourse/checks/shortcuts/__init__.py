"""Tell an answer from a shortcut.

The package holds the solution of every exercise, in the open, because the chapters show it. An exercise asks the learner
to write it. This part reads what the learner wrote and refuses an answer that calls the package, is the package's
function under another name, or is its source text pasted in. It reads; it does not run. What it cannot see (a
value cannot prove how it was computed) is left to the grader's sandbox, where the reference is not importable.

There are two ways in, to the same rules: :func:`refusal` for a notebook that is running, :func:`refusal_in` for one of
which only the text is known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from dlcourse.checks.faults import reference
from dlcourse.checks.shortcuts.live import World, parts, scope_of, unwrapped
from dlcourse.checks.shortcuts.pasted import is_pasted, source_tree
from dlcourse.checks.shortcuts.reading import Definition, read
from dlcourse.checks.shortcuts.rules import broken, named
from dlcourse.checks.shortcuts.text import TextScope

__all__ = ["refusal", "refusal_in"]


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
    scope = scope_of(unwrapped(target) if callable(target) else target, World(forbid))
    paths = {path for part in parts(target) if (path := scope.path(part))}
    return named(name, paths, forbid) or _refused(
        name, list(scope.sources(target)), against=against, forbid=forbid, loops=loops, skip=skip
    )


def refusal_in(
    name: str,
    sources: Sequence[str],
    *,
    against: str = "",
    forbid: Sequence[str] = (),
    loops: bool = True,
    skip: Collection[str] = (),
) -> str:
    """Say from the text of a notebook why an answer is refused, or ``""`` if it is not.

    Every line that binds the name counts, whichever of them was run last. A cell that is not Python is left out.

    Args:
        name: the learner's name.
        sources: the code cells in order, the learner's and those that came with the notebook.
        against: dotted path of the reference.
        forbid: dotted names that the answer may not use.
        loops: whether Python loops and comprehensions are allowed.
        skip: names of other tasks, which are read where they are checked.

    Returns:
        One sentence for the learner, or ``""``.
    """
    scope = _scope(tuple(sources))
    if any(re.search(rf"\b{name}\b", source) for source in scope.unread):
        return _TOO_DEEP.format(name=name)
    return named(name, scope.paths(name), forbid) or _refused(
        name, scope.definitions(name), against=against, forbid=forbid, loops=loops, skip=skip
    )


@lru_cache(maxsize=2)  # a notebook is asked for each of its checks
def _scope(sources: tuple[str, ...]) -> TextScope:
    return TextScope(sources)


@lru_cache(maxsize=64)
def _original(against: str) -> ast.AST | None:
    return source_tree(reference(against))


_TOO_DEEP = "{name} is nested too deeply to be read: write it in more, shorter lines"


def _refused(
    name: str,
    definitions: Sequence[Definition],
    *,
    against: str,
    forbid: Sequence[str],
    loops: bool,
    skip: Collection[str],
) -> str:
    try:
        uses = read(definitions, skip)
        sentence = broken(name, uses, against=against, forbid=forbid, loops=loops)
        if not sentence and against and is_pasted(uses.trees, _original(against)):
            return f"{name} is the package's own source text, pasted: write it in your own words"
    except RecursionError:
        return _TOO_DEEP.format(name=name)
    return sentence
