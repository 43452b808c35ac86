"""Wheels that are unpacked when a cell first imports what needs them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable

Unpack = Callable[[str], str]
"""Puts the wheels that a module needs in place; returns "" or a sentence on why it could not."""


class _Finder:
    """Is asked first for every module, and finds none: it only sees to it that others do."""

    def __init__(self, names: Iterable[str], unpack: Unpack) -> None:
        self._names = set(names)
        self._unpack = unpack

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Unpack what a module needs, before it is looked for."""
        if name not in self._names:
            return
        if refusal := self._unpack(name):
            raise ImportError(refusal, name=name)
        self._names.discard(name)
        importlib.invalidate_caches()


def install(names: Iterable[str], unpack: Unpack) -> None:
    """Call ``unpack`` before one of the modules ``names`` is imported for the first time."""
    sys.meta_path.insert(0, _Finder(names, unpack))
