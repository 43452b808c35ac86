"""Whose code is running: how long, how often, and not for ever.

A learner's function may print, may loop for ever, may be slow. The clock calls it, drops what it prints, ends it after
a while, and counts the time of each piece without that of the pieces that it calls.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Final

from dlcourse.checks.observe import Nowhere

GRACE: Final = 5.0
"""Seconds after which code that catches its own interruption ends the whole process."""

_MOST_ITEMS = 100_000
_LOOK, _AGAIN = 0.05, 0.5


class OvertimeError(Exception):
    """A learner's code took too long and was ended."""


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; the text says what was going on."""


class Watch:
    """Interrupts the main thread where one call takes too long.

    Args:
        seconds: how long a call may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._deadline = float("inf")
        self._fired = 0
        self._what = ""
        self._thread: threading.Thread | None = None

    def call(self, what: str, function: Callable[[], Any]) -> Any:
        """Call a function that takes no arguments.

        Args:
            what: what is going on, as the middle of a sentence: "your dense_op".
            function: what to call. Outside of the main thread it has no time limit.

        Returns:
            What it returns.

        Raises:
            OvertimeError: It did not come back in time.
            Interrupted: Somebody pressed Ctrl-C meanwhile.
        """
        if threading.current_thread() is not threading.main_thread():
            return function()
        self._start()
        self._what, self._fired = what, 0
        try:
            try:
                with self._lock:
                    self._deadline = time.monotonic() + self.seconds
                return function()
            finally:
                with self._lock:
                    self._deadline = float("inf")
        except KeyboardInterrupt as interrupt:
            self._deadline = float("inf")
            if self._fired:
                raise OvertimeError(
                    f"{what} did not come back within {self.seconds:g} s: look for a loop that never ends"
                ) from None
            raise Interrupted(what) from interrupt

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="milestone watch", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        idle = 0
        while True:
            time.sleep(_LOOK)
            with self._lock:
                now = time.monotonic()
                if now < self._deadline:
                    idle = idle + 1 if self._deadline == float("inf") else 0
                    if idle * _LOOK > 1:
                        self._thread = None
                        return
                    continue
                self._fired += 1
                self._deadline = now + _AGAIN
                if self._fired * _AGAIN > GRACE:
                    sentence = (
                        f"{self._what} cannot be stopped; look for a loop that catches every exception.\n"
                    )
                    os.write(2, sentence.encode())
                    os._exit(1)
                _interrupt_main()


def _interrupt_main() -> None:
    """Raise KeyboardInterrupt in the main thread, also where it sleeps."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what a learner's code prints, and let it read nothing from the keyboard."""
    kept = sys.stdin, sys.stdout, sys.stderr
    drop = Nowhere()
    sys.stdin = sys.stdout = sys.stderr = drop
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


class Clock:
    """Counts the calls and the time of each piece while a network trains.

    Args:
        watch: ends what takes too long.

    Attributes:
        calls: how often each piece was called.
        seconds: how long each piece ran, without the pieces that it called.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.calls: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._since = 0.0
        self._guarded = False

    def timed(self, name: str, function: Callable[..., Any], *, guarded: bool) -> Callable[..., Any]:
        """Return the same function, observed; so are the functions and objects that it returns.

        Args:
            name: the piece.
            function: what to call.
            guarded: whether it is a learner's: quiet, and ended after a while.
        """
        is_class = isinstance(function, type)

        def call(*args: Any, **kwargs: Any) -> Any:
            if not is_class:
                self.calls[name] += 1
            return self._run(name, lambda: function(*args, **kwargs), guarded)

        return call if is_class else wraps(function)(call)

    def _run(self, name: str, call: Callable[[], Any], guarded: bool) -> Any:
        if not guarded or self._guarded:
            return self._measure(name, call, guarded)
        self._guarded = True
        try:
            with quiet():
                return self.watch.call(f"your {name}", lambda: self._measure(name, call, guarded))
        finally:
            self._guarded = False

    def _measure(self, name: str, call: Callable[[], Any], guarded: bool) -> Any:
        self._charge()
        self._inside.append(name)
        try:
            return self._observed(name, call(), guarded)
        finally:
            self._charge()
            self._inside.pop()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._inside:
            self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    def _observed(self, name: str, result: Any, guarded: bool) -> Any:
        if isinstance(result, tuple):
            return tuple(self._observed(name, item, guarded) for item in result)
        if isinstance(result, Iterator):
            return list(islice(result, _MOST_ITEMS))
        if callable(result):
            return lambda *args: self._run(name, lambda: result(*args), guarded)
        if hasattr(result, "__dict__") and not hasattr(result, "dtype"):
            return _Observed(result, self, name, guarded)
        return result


class _Observed:
    """An object whose methods are observed."""

    def __init__(self, inner: Any, clock: Clock, name: str, guarded: bool) -> None:
        self._parts = inner, clock, name, guarded

    def __getattr__(self, attribute: str) -> Any:
        inner, clock, name, guarded = self._parts
        found = getattr(inner, attribute)
        return clock.timed(name, found, guarded=guarded) if callable(found) else found
