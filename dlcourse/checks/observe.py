"""The half of a check that runs the learner's code.

It calls what the learner wrote and writes down what came back, as plain data: numbers, strings, arrays, lists. It
knows neither the right answer nor what the answer is compared with, so it can run where nothing is secret.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import io
import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dlcourse.checks.inputs import Case, Tensor
from dlcourse.checks.plain import NotDataError, clean, plain, ready

__all__ = ["NoPullbackError", "NotDataError", "Observation", "observe", "plain"]

_MOST_WARNINGS = 20


@dataclass(frozen=True)
class Observation:
    """What one call gave back.

    Args:
        value: plain data, or ``None`` if the call failed.
        error: name of the exception, or ``""``.
        message: the exception's message, cut if it is long.
        line: line of the learner's code that raised it, or 0.
        warnings: texts of the first warnings that NumPy or Python gave.
        changed: positions of arguments that were changed in place; those of the steps count on after those of the call.
    """

    value: Any = None
    error: str = ""
    message: str = ""
    line: int = 0
    warnings: tuple[str, ...] = ()
    changed: tuple[int, ...] = ()


class NoPullbackError(TypeError):
    """The learner's function did not return a value and a function."""


class Nowhere(io.TextIOBase):
    """Takes any output and keeps nothing of it."""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        return len(text)


def _call(target: Any, args: tuple[Any, ...]) -> Any:
    """Call with the arguments in order; a generator goes to ``rng`` by name where that is the only way to it."""
    if args and isinstance(args[-1], np.random.Generator):
        try:
            rng = inspect.signature(target).parameters.get("rng")
        except (TypeError, ValueError):  # a callable without a signature
            rng = None
        if rng is not None and rng.kind is rng.KEYWORD_ONLY:
            return target(*args[:-1], rng=args[-1])
    return target(*args)


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _run(target: Any, case: Case, args: tuple[Any, ...], steps: Sequence[tuple[Any, ...]]) -> Any:
    if case.args is None:
        return plain(target)
    result = _call(target, args)
    if not case.then:
        return plain(result)
    seen = []
    if any(step.kind == "pull" for step in case.then):
        if not (isinstance(result, list | tuple) and len(result) == 2 and callable(result[1])):
            raise NoPullbackError
        seen.append(plain(result[0]))
    items: Iterator[Any] | None = None
    for step, given in zip(case.then, steps, strict=True):
        if step.kind == "call":
            seen.append(plain(getattr(result, step.name)(*given)))
        elif step.kind == "read":
            seen.append(plain(getattr(result, step.name)))
        elif step.kind == "argument":
            seen.append(plain(args[given[0]]))
        elif step.kind == "take":
            items = iter(result) if items is None else items
            # One at a time: the next item may change the array that the last one was.
            seen.append([plain(item) for item in itertools.islice(items, given[0])])
        else:
            seen.append(plain(result[1](*given)))
    return seen


def _line(error: BaseException, target: Any) -> int:
    """Find the line of the learner's own function that failed, counted from its ``def``."""
    code = getattr(target, "__code__", None)
    trace, line = error.__traceback__, 0
    while trace is not None and code is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno - code.co_firstlineno + 1
        trace = trace.tb_next
    return line


def observe(target: Any, cases: Sequence[Case], *, device: str = "cpu") -> list[Observation]:
    """Call ``target`` on each input and write down what came back.

    Each call gets its own copy of the input. What the call prints is dropped, and nothing it raises comes through,
    except a keyboard interrupt.

    Args:
        target: the learner's function, class or value.
        cases: inputs with nothing left to draw.
        device: where the tensors among the inputs are; what comes back is read on the CPU.

    Returns:
        One observation a case, in order.
    """
    return [_observe_one(target, case, device) for case in cases]


def _observe_one(target: Any, case: Case, device: str) -> Observation:
    args = ready(copy.deepcopy(case.args or ()), device)
    steps = [ready(copy.deepcopy(step.args), device) for step in case.then]
    drop, told = Nowhere(), dict[str, None]()

    def keep(message: Warning | str, *_: Any, **__: Any) -> None:
        if len(told) < _MOST_WARNINGS:
            told[_words(message)] = None

    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(drop),
        contextlib.redirect_stderr(drop),
    ):
        warnings.simplefilter("always")
        warnings.showwarning = keep
        try:
            called = partial(_named(case.through), target) if case.through else target
            result, error, message, line = _run(called, case, args, steps), "", "", 0
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # SystemExit from a learner's sys.exit() included
            result, error, message = None, type.__dict__["__name__"].__get__(type(raised)), _words(raised)
            line = _line(raised, target)
    before = [*(case.args or ()), *(a for step in case.then for a in step.args)]
    after = [*args, *(a for given in steps for a in given)]
    changed = tuple(i for i, (old, new) in enumerate(zip(before, after, strict=True)) if not _same(old, new))
    return Observation(result, error, message, line, tuple(told), changed)


def _words(message: Any) -> str:
    try:
        return clean(str(message))
    except Exception:  # its __str__ is the learner's too
        return ""


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor):
        old, new = plain(ready(old)), plain(new)
    if isinstance(old, np.ndarray):
        return (
            isinstance(new, np.ndarray)
            and old.shape == new.shape
            and np.array_equal(old, new, equal_nan=old.dtype.kind == "f")
        )
    return True
