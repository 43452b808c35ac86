"""Wheels that are unpacked when a cell first imports them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder

Unpack = Callable[[str], str]
"""Puts the wheels of a module in place: "" if there are none for it, "yes" if done, else a sentence on why not."""


class Finder:
    """Looks for a module that is not there among the wheels of the site."""

    def __init__(self, unpack: Unpack) -> None:
        self._unpack = unpack

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find a module after its wheels were unpacked."""
        if path is not None or not (answer := self._unpack(name)):
            return None
        if answer != "yes":
            raise ImportError(answer, name=name)
        importlib.invalidate_caches()
        return PathFinder.find_spec(name)


def install(unpack: Unpack) -> None:
    """Ask ``unpack`` for every module that is not there."""
    sys.meta_path.append(Finder(unpack))
