"""A notebook whose names are alive."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlcourse.checks.shortcuts.pasted import source_tree
from dlcourse.checks.shortcuts.reading import NOWHERE, Definition, Paths
from dlcourse.checks.shortcuts.rules import MODULE_NAMES, PACKAGE

_MOST = 200


class World:
    """What all definitions of one notebook have in common.

    Args:
        forbid: dotted names that the answer may not use.
    """

    def __init__(self, forbid: Sequence[str]) -> None:
        self.forbidden = _known(forbid)
        self._trees: dict[int, tuple[Any, ast.AST | None]] = {}

    def tree(self, definition: Any) -> ast.AST | None:
        """Return the tree of a function or class, always the same one, so that recursion is seen."""
        if id(definition) not in self._trees:
            self._trees[id(definition)] = definition, source_tree(definition)
        return self._trees[id(definition)][1]


def _known(forbid: Sequence[str]) -> dict[int, str]:
    """Map the identities of forbidden things, and of what holds them, to their dotted names.

    Only modules that somebody imported are looked into: importing torch takes seconds.
    """
    found: dict[int, str] = {}
    for path in forbid:
        parts = path.split(".")
        root = next(
            (n for n in range(len(parts) - 1, 0, -1) if ".".join(parts[:n]) in sys.modules), len(parts)
        )
        thing: Any = sys.modules.get(".".join(parts[:root]))
        for end in range(root, len(parts)):
            thing = getattr(thing, parts[end], None)
            if thing is None:
                break
            found[id(thing)] = ".".join(parts[: end + 1])
    return found


class LiveScope:
    """The names that one living definition sees.

    Args:
        names: its globals and what it closes over.
        world: the notebook.
    """

    def __init__(self, names: Mapping[str, Any], world: World) -> None:
        self._names, self._world = names, world
        self._module = names.get("__name__", "__main__")

    def paths(self, name: str) -> Paths:
        """Return the dotted name of what a name is bound to now."""
        if name in MODULE_NAMES:
            return frozenset({f"builtins.{name}"})
        if name in self._names:
            return frozenset(filter(None, (self.path(part) for part in parts(self._names[name]))))
        if hasattr(builtins, name):
            return frozenset({f"builtins.{name}"})
        return NOWHERE

    def path(self, thing: Any) -> str:
        """Return the dotted name of a thing that is not the learner's own, or ``""``."""
        if id(thing) in self._world.forbidden:
            return self._world.forbidden[id(thing)]
        if isinstance(thing, types.ModuleType):
            return thing.__name__
        module = _text(thing, "__module__")
        name = _text(thing, "__name__")
        if isinstance(thing, types.MethodDescriptorType):
            return f"{thing.__objclass__.__module__}.{thing.__objclass__.__name__}.{name}"
        if module.split(".")[0] == PACKAGE:
            return f"{module}.{name or type(thing).__name__}"
        return f"{module}.{name}" if name and module not in ("", self._module) and callable(thing) else ""

    def definitions(self, name: str) -> list[Definition]:
        """Return the source of what a name is bound to now, where it is the learner's."""
        return list(self.sources(self._names[name])) if name in self._names else []

    def sources(self, target: Any) -> Iterator[Definition]:
        """Yield the learner's definitions of which a thing is made."""
        for part in parts(target):
            if self.path(part) or not isinstance(part, types.FunctionType | type):
                continue
            tree = self._world.tree(part)
            if tree is not None:
                yield Definition(tree, scope_of(part, self._world))


def scope_of(definition: Any, world: World) -> LiveScope:
    """Return the names that a function or class sees."""
    if isinstance(definition, type):
        methods = [m for m in vars(definition).values() if isinstance(m, types.FunctionType)]
        names = dict(vars(sys.modules.get(definition.__module__, builtins)))
        for method in methods:
            names |= _seen_by(method)
        return LiveScope(names, world)
    return LiveScope(_seen_by(definition), world)


def _seen_by(function: Any) -> dict[str, Any]:
    names = dict(getattr(function, "__globals__", {}))
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(
        getattr(getattr(function, "__code__", None), "co_freevars", ()), cells, strict=False
    ):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return names


def parts(target: Any) -> list[Any]:
    """Take apart what holds functions: partials, bound and wrapped functions, containers, objects of the learner's."""
    queue, found = [target], []
    done: set[int] = set()
    while queue and len(done) < _MOST:
        thing = queue.pop(0)
        if id(thing) in done:
            continue
        done.add(id(thing))
        found.append(thing)
        if type(thing) is functools.partial:
            queue += [thing.func, *thing.args, *thing.keywords.values()]
        elif type(thing) is types.MethodType:
            queue += [thing.__func__, type(thing.__self__)]
        elif type(thing) in (list, tuple, set, frozenset):
            queue += list(thing)[:_MOST]
        elif type(thing) is dict:
            queue += list(thing.values())[:_MOST]
        elif type(thing).__module__ == "numpy" and type(thing).__name__ == "vectorize":
            queue.append(thing.pyfunc)
        elif type(thing).__module__.startswith("triton.runtime."):
            queue.append(getattr(thing, "fn", None))  # a kernel, compiled or interpreted
        elif isinstance(thing, type):
            queue += list(vars(thing).values())[:_MOST] if thing.__module__ == "__main__" else []
        elif type(thing).__module__ == "__main__":
            queue += [type(thing), *list(getattr(thing, "__dict__", {}).values())[:_MOST]]
        elif callable(thing):
            queue.append(unwrapped(thing))
    return found


def unwrapped(thing: Any) -> Any:
    """Return what a decorator has wrapped, as ``functools.wraps`` notes it down."""
    try:
        return inspect.unwrap(thing)
    except Exception:  # a circle, or an object that answers to any name
        return thing


def _text(thing: Any, attribute: str) -> str:
    try:
        found = getattr(thing, attribute, "")
    except Exception:  # an object of the learner's may do anything
        return ""
    return found if isinstance(found, str) else ""
