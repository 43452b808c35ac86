"""What `torch.compile` gains, and what it costs before: both measured.

Chapter: book/gpus/kernels.md. Source: Ansel et al. (2024).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, NamedTuple

from dlcourse.gpus._device import synchronize, torch


class Gain(NamedTuple):
    """How long some work takes line by line, and compiled.

    Args:
        eager: seconds of one call, an operation after the other.
        compiled: seconds of one call of the compiled form.
        warm_up: seconds of its first call, in which it is compiled.
    """

    eager: float
    compiled: float
    warm_up: float

    @property
    def speed_up(self) -> float:
        """How many times as fast the compiled form is."""
        return self.eager / self.compiled

    @property
    def pays_after(self) -> float:
        """Calls after which the first one is paid back; infinity if it never is.

        Example:
            >>> Gain(eager=0.75, compiled=0.25, warm_up=8.25).pays_after
            16.0
        """
        saved = self.eager - self.compiled
        return max(0.0, (self.warm_up - self.compiled) / saved) if saved > 0 else inf


def compiler_missing(where: torch.device) -> str:
    """Say in a sentence that nothing can be compiled for a device here; an empty text where it can."""
    if where.type != "cpu":
        return ""
    if any(shutil.which(name) for name in (os.environ.get("CXX") or "", "g++", "c++", "clang++")):
        return ""
    how = {"linux": "on Debian and Ubuntu with apt-get install g++", "darwin": "with xcode-select --install"}
    return (
        "torch.compile writes C++ for a processor, and no compiler for it was found here: install one, "
        f"{how.get(sys.platform, 'such as the Build Tools for Visual Studio')}."
    )


@contextmanager
def nothing_compiled_before() -> Iterator[None]:
    """Compile from the beginning: neither this process nor an earlier one has left anything."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="dlcourse-compiled-", ignore_cleanup_errors=True) as folder:
        os.environ[name] = folder
        torch.compiler.reset()
        try:
            yield
        finally:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before


def measure_gain(
    work: Callable[..., Any], *given: Any, where: torch.device, at_most: float = 0.5, **how: Any
) -> Gain:
    """Compile some work, and measure the fastest round before and after.

    On a processor its own time is counted, that of the compiler included, and not the time of other programs.

    Args:
        work: a function or module; it is to give the same result each time.
        given: its arguments.
        where: the device on which they are.
        at_most: seconds for measuring each form.
        how: what ``torch.compile`` takes besides, such as ``backend``.

    Raises:
        AssertionError: if both forms do not give the same.
    """
    with nothing_compiled_before():
        compiled = torch.compile(work, **how)
        start = _spent(where)
        found = compiled(*given)
        warm_up = _spent(where) - start
        torch.testing.assert_close(found, work(*given), rtol=1e-4, atol=1e-5)
        eager, after = (_fastest(form, given, where, at_most) for form in (work, compiled))
        return Gain(eager, after, warm_up)


def _spent(where: torch.device) -> float:
    """Return seconds since some moment: of this process and what it has started, or on a GPU of the clock on the wall."""
    synchronize(where)
    if where.type != "cpu":
        return time.perf_counter()
    started = os.times()
    return time.process_time() + started.children_user + started.children_system


def _fastest(work: Callable[..., Any], given: tuple[Any, ...], where: torch.device, at_most: float) -> float:
    best, turns, begun = inf, 1, time.perf_counter()
    work(*given)
    while best == inf or time.perf_counter() - begun < at_most:
        start = _spent(where)
        for _ in range(turns):
            work(*given)
        took = _spent(where) - start
        if took < 2e-3:  # a shorter round drowns in the grain of the clock
            turns *= 2
        else:
            best = min(best, took / turns)
    return best
