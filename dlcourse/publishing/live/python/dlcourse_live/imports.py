"""Changes to libraries, made when (and only if) they are imported: starting Python must not wait for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

Change = Callable[[ModuleType], None]


def after_import(name: str, change: Change) -> None:
    """Call ``change`` with a module as soon as its own code has run, now if it has already.

    Args:
        name: the module's full name.
        change: what to do to it; who imports the module sees it changed.
    """
    if module := sys.modules.get(name):
        change(module)
    else:
        sys.meta_path.insert(0, _Finder(name, change))


class _Finder(MetaPathFinder):
    """Finds one module once, by asking the other finders."""

    def __init__(self, name: str, change: Change) -> None:
        self.name, self.change = name, change

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            # The library may be there later, at another import.
            sys.meta_path.insert(0, self)
            return None
        spec.loader = _Loader(spec.loader, self.change)
        return spec


class _Loader(Loader):
    """Loads as another loader does, then changes the module."""

    def __init__(self, loader: Loader, change: Change) -> None:
        self.loader, self.change = loader, change

    def __getattr__(self, name: str) -> object:
        # Sources and data files are asked of the loader, too: inspect and importlib.resources do.
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.change(module)
