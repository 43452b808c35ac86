"""Read a definition, with the scopes of Python in mind, and list what it uses.

An expression is followed to the dotted names that it may stand for: ``s.softmax`` after ``import scipy.special as s`` is
``scipy.special.softmax``. A built-in is called ``builtins.exec``. What cannot be followed has no path, but its attributes
are listed by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from dlcourse.checks.shortcuts.bindings import COMPREHENSIONS, Binding, arguments, bindings
from dlcourse.checks.shortcuts.bindings import loops as has_loops
from dlcourse.checks.shortcuts.strings import folded

Paths = frozenset[str]
NOWHERE: Paths = frozenset()
# A text can name no end of paths (f = f.a or f.b); an honest one needs a handful.
_LONGEST, _MOST, _ROUNDS = 8, 50, 3


class Definition(NamedTuple):
    """One piece of the learner's source text, and where its names are looked up."""

    tree: ast.AST
    scope: Scope


class Scope(Protocol):
    """The names of a notebook, whether they are alive or only text."""

    def paths(self, name: str) -> Paths:
        """Return the dotted names that a name may stand for; none if it is the learner's own or unknown."""

    def definitions(self, name: str) -> Sequence[Definition]:
        """Return the learner's definitions of a name."""


@dataclass
class Uses:
    """What some definitions use.

    Args:
        paths: dotted names.
        bare: those of them that are handed on as values instead of being called or looked into.
        attributes: attributes of values that cannot be followed.
        computed: what is asked for an attribute whose name is computed.
        strings: text constants, docstrings left out.
        own: attributes that the definitions themselves define.
        loops: whether they loop in Python.
        trees: the definitions.
    """

    paths: dict[str, None] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    attributes: dict[str, None] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    strings: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)
    loops: bool = False
    trees: list[ast.AST] = field(default_factory=list)


def read(start: Sequence[Definition], skip: Iterable[str] = ()) -> Uses:
    """List what definitions use, they and all of the learner's own that they reach.

    Args:
        start: where to begin.
        skip: names that are not followed.

    Raises:
        RecursionError: if an expression is nested too deeply.
    """
    known: dict[str, Paths] = {}
    uses = Uses()
    for _ in range(_ROUNDS):  # a module kept in an attribute may be found after the attribute is used
        uses, before = Uses(), sum(map(len, known.values()))
        queue, done = list(start), set()
        while queue:
            definition = queue.pop(0)
            if id(definition.tree) in done:
                continue
            done.add(id(definition.tree))
            reader = Reader(definition.scope, uses, known, frozenset(skip))
            reader.visit(definition.tree)
            uses.trees.append(definition.tree)
            uses.loops = uses.loops or has_loops(definition.tree)
            for name in reader.free:
                queue += definition.scope.definitions(name)
        if sum(map(len, known.values())) == before:
            break
    return uses


class _Frame:
    def __init__(self, found: Iterable[Binding], *, inner: bool = False) -> None:
        self.found = list(found)
        self.names: dict[str, Paths] = {binding.name: NOWHERE for binding in self.found}
        self.is_class = inner


class Reader(ast.NodeVisitor):
    """Walks through one definition.

    Args:
        scope: where free names are looked up.
        uses: where to write what is found.
        known: attributes that were bound to something with a path, such as a module kept in a class; read and added to.
        skip: names that are not followed.
    """

    def __init__(self, scope: Scope, uses: Uses, known: dict[str, Paths], skip: frozenset[str]) -> None:
        self.scope, self.uses, self.known, self.skip = scope, uses, known, skip
        self.frames: list[_Frame] = []
        self.free: dict[str, None] = {}

    def resolve(self, name: str) -> Paths:
        """Look a name up as Python does: a class's names are not seen by its methods."""
        for depth, frame in enumerate(reversed(self.frames)):
            if name in frame.names and not (frame.is_class and depth):
                return frame.names[name]
        if name in self.skip:
            return NOWHERE
        self.free[name] = None
        return self.scope.paths(name)

    def paths(self, node: ast.AST | None) -> Paths:
        """Return the dotted names that an expression may stand for; a container stands for each of its items."""
        match node:
            case ast.Name():
                return self.resolve(node.id)
            case ast.Attribute():
                return self._attribute(self.paths(node.value), node.attr)
            case ast.Call(func=function, args=[first, *rest]):
                called = self.paths(function)
                if "functools.partial" in called:
                    return self.paths(first)
                if "builtins.getattr" in called and rest and (attribute := folded(rest[0])):
                    return self._attribute(self.paths(first), attribute)
                return NOWHERE
            case ast.IfExp():
                return self.paths(node.body) | self.paths(node.orelse)
            case ast.BoolOp():
                return NOWHERE.union(*map(self.paths, node.values))
            case ast.Tuple() | ast.List() | ast.Set():
                return NOWHERE.union(*map(self.paths, node.elts))
            case ast.Dict():
                return NOWHERE.union(*map(self.paths, node.values))
            case ast.NamedExpr() | ast.Starred() | ast.Subscript():
                return self.paths(node.value)
        return NOWHERE

    def _attribute(self, owners: Paths, attribute: str) -> Paths:
        if not owners:
            return self.known.get(attribute, NOWHERE)
        longer = (f"{owner}.{attribute}" for owner in sorted(owners)[:_MOST] if owner.count(".") < _LONGEST)
        return frozenset(longer)

    def _enter(self, frame: _Frame, *parts: ast.AST | None) -> None:
        self.frames.append(frame)
        for _ in range(_ROUNDS):  # f = g; g = np.linalg in any order
            for name, value, path in frame.found:
                frame.names[name] |= {path} if path else self.paths(value)
        if frame.is_class:
            for name, paths in frame.names.items():
                self._keep(name, paths)
        for part in parts:
            if part is not None:
                self.visit(part)
        self.frames.pop()

    def _keep(self, attribute: str, paths: Paths) -> None:
        self.uses.own.add(attribute)
        if paths:
            self.known[attribute] = frozenset(sorted(self.known.get(attribute, NOWHERE) | paths)[:_MOST])

    def _note(self, paths: Paths, *, bare: bool = False) -> None:
        self.uses.paths.update(dict.fromkeys(sorted(paths)))
        if bare:
            self.uses.bare |= paths

    def visit_Expr(self, node: ast.Expr) -> None:
        """Leave docstrings out."""
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that is used as a value."""
        if isinstance(node.ctx, ast.Load):
            self._note(self.resolve(node.id), bare=True)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note a dotted name, whole."""
        owners = self.paths(node.value)
        if isinstance(node.ctx, ast.Load):
            self._note(self._attribute(owners, node.attr), bare=True)
            if not owners:
                self.uses.attributes[node.attr] = None
        inner: ast.AST = node.value
        while owners and isinstance(inner, ast.Attribute):
            inner = inner.value
        if not owners or not isinstance(inner, ast.Name):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Note what ``getattr``, ``vars`` and their like reach."""
        called = self.paths(node.func)
        self._note(self.paths(node))
        owners = self.paths(node.args[0]) if node.args else NOWHERE
        if "builtins.vars" in called:
            self._note(frozenset(f"{owner}.__dict__" for owner in owners))
        elif called & {"builtins.getattr", "builtins.hasattr"} and len(node.args) > 1:
            attribute = folded(node.args[1])
            if attribute and not owners:
                self.uses.attributes[attribute] = None
            elif not attribute:
                self.uses.computed |= owners
        elif called & {"operator.attrgetter", "operator.methodcaller"}:
            for name in map(folded, node.args[:1] if "operator.methodcaller" in called else node.args):
                if name is None:
                    self.uses.computed |= called
                else:
                    self.uses.attributes.update(dict.fromkeys(name.split(".")))
        self._visit_text(node)

    def _visit_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            self._note(frozenset(alias.name for alias in node.names if "." in alias.name))
        elif not node.level:
            self._note(frozenset(f"{node.module}.{alias.name}" for alias in node.names))

    visit_Import = visit_ImportFrom = _visit_import  # noqa: N815  (ast's names)

    def _visit_text(self, node: ast.expr) -> None:
        text = folded(node)
        if text is None:
            self.generic_visit(node)
        else:
            self.uses.strings.append(text)

    visit_Constant = visit_BinOp = visit_JoinedStr = visit_Subscript = _visit_text  # noqa: N815  (ast's names)

    def _visit_assignment(self, node: ast.Assign | ast.AnnAssign) -> None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute):
                self._keep(target.attr, self.paths(node.value))
            self.visit(target)
        if node.value is not None:
            self.visit(node.value)

    visit_Assign = visit_AnnAssign = _visit_assignment  # noqa: N815  (ast's names)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        outer = {
            name
            for part in ast.walk(node)
            if isinstance(part, ast.Global | ast.Nonlocal)
            for name in part.names
        }
        found = [b for b in (*self._defaults(node.args), *bindings(node.body)) if b.name not in outer]
        self._enter(_Frame(found), *node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function  # noqa: N815  (ast's names)

    def _defaults(self, node: ast.arguments) -> list[Binding]:
        """Return the parameters with what their defaults stand for outside, where the names may mean something else."""
        found = []
        for name, default, _ in arguments(node):
            found.append(Binding(name))
            found += [Binding(name, path=path) for path in self.paths(default)]
        return found

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Read a lambda in a scope of its own."""
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._enter(_Frame(self._defaults(node.args)), node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Read a class in a scope that its methods do not see."""
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        self._enter(_Frame(bindings(node.body), inner=True), *node.body)

    def generic_visit(self, node: ast.AST) -> None:
        """Read a comprehension in a scope of its own, and all else as it stands."""
        if isinstance(node, COMPREHENSIONS):
            pairs = [ast.For(g.target, g.iter, [], []) for g in node.generators]
            self._enter(_Frame(bindings(pairs)), *ast.iter_child_nodes(node))
        else:
            super().generic_visit(node)
