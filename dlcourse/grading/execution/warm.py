"""Sandboxes that stay warm between submissions: to start one takes longer than to use it."""

from __future__ import annotations

from multiprocessing.util import Finalize

from dlcourse.grading import sandbox
from dlcourse.grading.execution.session import Sandboxed

MOST = 2
"""How many are kept: each holds what its chapter imports."""

Key = tuple[tuple[str, ...], tuple[str, ...], str]
"""The parts of the package that are seen inside, what was imported there, and the GPU that is let in."""

_sandboxes: dict[Key, Sandboxed] = {}


def get(isolation: sandbox.Isolation, key: Key) -> Sandboxed:
    """Return a warm sandbox; if there are too many, the one that was not used for longest ends.

    Args:
        isolation: How to start one.
        key: What it is for.
    """
    found = _sandboxes.pop(key, None)
    if found is None:
        while len(_sandboxes) >= MOST:
            drop(next(iter(_sandboxes)))
        assert isolation.backend
        found = Sandboxed(isolation.backend, *key[:2])
    _sandboxes[key] = found
    return found


def drop(key: Key) -> None:
    """End a sandbox, if it is there."""
    found = _sandboxes.pop(key, None)
    if found is not None:
        found.close()


def close() -> None:
    """End all of them."""
    for key in list(_sandboxes):
        drop(key)


# Unlike `atexit`, this is heeded by worker processes too.
Finalize(None, close, exitpriority=10)
