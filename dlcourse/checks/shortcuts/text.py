"""A notebook of which only the text is known."""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence

from dlcourse.checks.shortcuts.bindings import FUNCTIONS, Binding, bindings, shared
from dlcourse.checks.shortcuts.reading import NOWHERE, Definition, Paths, Reader, Uses
from dlcourse.checks.shortcuts.rules import MODULE_NAMES, PACKAGE
from dlcourse.checks.shortcuts.strings import folded

_TIMED = re.compile(r"^(\s*)%{1,2}(?:time|timeit|capture|prun)\b(?:[ \t]+-\w+(?:[ \t]+\d+)?)*[ \t]*")
_MAGIC = re.compile(r"^\s*(?:[%!?/,;]|[\w.,\s\[\]]+=\s*[%!]|.*\?\s*$)")
_ROUNDS = 3
_FILLING = ("append", "extend", "insert", "update", "setdefault", "add")
_BINDING_WORDS = ("exec", "eval", "globals", "locals", "vars", "setattr", "get_ipython", "__import__")


def parsed(source: str) -> list[ast.stmt]:
    """Return the statements of a cell, without IPython's magics; none if it is not Python.

    Raises:
        RecursionError: if it is nested too deeply.
    """
    for text in (source, _without_magics(source)):
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError):
            continue
        except MemoryError as error:
            raise RecursionError("the cell is nested too deeply") from error
    return []


def _without_magics(source: str) -> str:
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not _TIMED.match(first):
        return ""  # %%bash, %%html: not Python
    kept = []
    for line in lines:
        line = _TIMED.sub(r"\1", line)
        # What stands in its place keeps the block around it whole.
        kept.append(re.sub(r"\S.*", "pass", line, count=1) if _MAGIC.match(line) else line)
    return "\n".join(kept)


class TextScope:
    """The names that the cells of a notebook bind, in whatever order they were run.

    Args:
        sources: the texts of the code cells.

    Attributes:
        unread: cells that are nested too deeply to be read.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._definitions: dict[str, list[Definition]] = {}
        self._values: list[tuple[str, ast.expr | None]] = []
        self._paths: dict[str, Paths] = {}
        self._wild: list[ast.stmt] = []
        self._stars: list[str] = []
        self.unread: list[str] = []
        for source in sources:
            try:
                for statement in parsed(source):
                    self._read(statement)
            except RecursionError:
                self.unread.append(source)
        reader = Reader(self, Uses(), {}, frozenset())
        for _ in range(_ROUNDS):  # f = g; g = np.linalg in any order
            for name, value in self._values:
                with contextlib.suppress(RecursionError):  # told where the value is used
                    found = reader.paths(value) - {f"builtins.{name}"}
                    self._paths[name] |= found

    def _read(self, statement: ast.stmt) -> None:
        for name, value, path in self._bound(statement):
            self._paths.setdefault(name, NOWHERE)
            if path:
                self._paths[name] |= {path}
            else:
                self._values.append((name, value))
                self._define(name, self._part(statement, name))
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self._stars.append(node.module or "")
            if isinstance(node, ast.Name) and node.id in _BINDING_WORDS and statement not in self._wild:
                self._wild.append(statement)

    @staticmethod
    def _part(statement: ast.stmt, name: str) -> ast.AST:
        """Return the definition itself where it stands inside ``if`` or ``try``."""
        for node in ast.walk(statement):
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name == name:
                return node
        return statement

    def _define(self, name: str, tree: ast.AST) -> None:
        known = self._definitions.setdefault(name, [])
        if all(tree is not definition.tree for definition in known):
            known.append(Definition(tree, self))

    @staticmethod
    def _bound(statement: ast.stmt) -> Iterator[Binding]:
        yield from bindings([statement])
        for node in ast.walk(statement):
            if isinstance(node, FUNCTIONS) and (names := shared(node)):
                yield from (binding for binding in bindings(node.body) if binding.name in names)
            # table["f"] = g, f.__code__ = g.__code__, table.append(g)
            goal: ast.AST | None = None
            if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
                goal = node
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _FILLING
            ):
                goal = node.func
            while isinstance(goal, ast.Attribute | ast.Subscript):
                goal = goal.value
            if isinstance(goal, ast.Name):
                yield Binding(goal.id)

    def paths(self, name: str) -> Paths:
        """Return the dotted names that a name stands for in any of the cells."""
        if name in MODULE_NAMES:
            found = frozenset({f"builtins.{name}"})
        elif name in self._paths:
            found = self._paths[name]
        elif hasattr(builtins, name):
            found = frozenset({f"builtins.{name}"})
        else:
            found = NOWHERE
        return found | {f"{module}.{name}" for module in self._stars if self._brings(module, name)}

    @staticmethod
    def _brings(module: str, name: str) -> bool:
        if module.split(".")[0] == PACKAGE:
            try:
                found = importlib.import_module(module)
            except ImportError:
                return False
            return name in getattr(found, "__all__", [n for n in vars(found) if not n.startswith("_")])
        return module not in sys.modules or name in vars(sys.modules[module])

    def definitions(self, name: str) -> list[Definition]:
        """Return every statement that binds a name, in the order of the cells."""
        found = list(self._definitions.get(name, ()))
        # A name that is bound in the open is not accused of what another cell puts together, nor is an import.
        known = name in self._paths or hasattr(builtins, name)
        for statement in self._wild:
            named = (found or not known) and _names(statement, name)
            wild = named or (not known and _executes_anything(statement))
            if wild and all(statement is not d.tree for d in found):
                found.append(Definition(statement, self))
        return found


def _names(statement: ast.stmt, name: str) -> bool:
    """Tell whether a statement binds a name by its text: ``globals()["f"] = ...``, ``exec("f = ...")``."""
    binding = re.compile(rf"^{name}$|\b(?:def|class|import|as)\s+{name}\b|\b{name}\s*[:,=]")
    return any(
        isinstance(node, ast.expr) and (text := folded(node)) is not None and binding.search(text)
        for node in ast.walk(statement)
    )


def _executes_anything(statement: ast.stmt) -> bool:
    """Tell whether a statement executes a text that cannot be read here."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "exec"
        and any(folded(arg) is None for arg in node.args[:1])
        for node in ast.walk(statement)
    )
