"""The half of a check that runs the learner's code.

It calls what the learner wrote and writes down what came back, as plain data: numbers, strings, arrays, lists. It
knows neither the right answer nor what the answer is compared with, so it can run where nothing is secret.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.checks.declare import Case


@dataclass(frozen=True)
class Observation:
    """What one call gave back.

    Args:
        value: plain data, or ``None`` if the call failed.
        error: name of the exception, or ``""``.
        message: the exception's message.
        line: line of the learner's code that raised it, or 0.
        warnings: texts of the warnings that NumPy or Python gave.
        changed: positions of arguments that were changed in place; those of the steps count on after those of the call.
    """

    value: Any = None
    error: str = ""
    message: str = ""
    line: int = 0
    warnings: tuple[str, ...] = ()
    changed: tuple[int, ...] = ()


class NotDataError(TypeError):
    """The learner's value is not made of numbers, strings, arrays and lists."""


class NoPullbackError(TypeError):
    """The learner's function did not return a value and a function."""


def plain(result: Any) -> Any:
    """Turn a result into plain data.

    Args:
        result: number, string, array, tensor, or a list, tuple or dictionary of these.

    Returns:
        The same with arrays of kind b, i, u or f; tuples become lists, tensors arrays.

    Raises:
        NotDataError: if something else is inside, since only data can be compared.
    """
    if result is None or type(result) in (bool, int, float, str):
        return result
    if isinstance(result, np.generic):
        result = np.asarray(result)
    if hasattr(result, "detach"):  # a torch tensor, without importing torch
        result = result.detach().cpu().numpy()
    if isinstance(result, np.ndarray):
        if result.dtype.kind in "biuf":
            return np.array(result, subok=False)
        raise NotDataError(
            f"an array of dtype {result.dtype} came back; numbers were expected, so build it from "
            "lists of equal length"
        )
    if isinstance(result, list | tuple):
        return [plain(item) for item in result]
    if isinstance(result, dict):
        return {str(key): plain(item) for key, item in result.items()}
    raise NotDataError(
        f"a {type(result).__name__} came back; a number, an array or a list of them was expected"
    )


def _run(target: Any, case: Case, args: tuple[Any, ...], steps: Sequence[tuple[Any, ...]]) -> Any:
    if case.args is None:
        return plain(target)
    result = target(*args)
    if not case.then:
        return plain(result)
    seen = []
    if any(step.kind == "pull" for step in case.then):
        if not (isinstance(result, list | tuple) and len(result) == 2 and callable(result[1])):
            raise NoPullbackError
        seen.append(plain(result[0]))
    for step, given in zip(case.then, steps, strict=True):
        if step.kind == "call":
            seen.append(plain(getattr(result, step.name)(*given)))
        elif step.kind == "read":
            seen.append(plain(getattr(result, step.name)))
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


def observe(target: Any, cases: Sequence[Case]) -> list[Observation]:
    """Call ``target`` on each input and write down what came back.

    Each call gets its own copy of the input. What the call prints is dropped, and nothing it raises comes through,
    except a keyboard interrupt.

    Args:
        target: the learner's function, class or value.
        cases: inputs with nothing left to draw.

    Returns:
        One observation a case, in order.
    """
    return [_observe_one(target, case) for case in cases]


def _observe_one(target: Any, case: Case) -> Observation:
    args = copy.deepcopy(case.args or ())
    steps = [copy.deepcopy(step.args) for step in case.then]
    drop = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(drop),
        contextlib.redirect_stderr(drop),
    ):
        warnings.simplefilter("always")
        try:
            result, error, message, line = _run(target, case, args, steps), "", "", 0
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # SystemExit from a learner's sys.exit() included
            result, error, message = None, type(raised).__name__, str(raised)
            line = _line(raised, target)
    before = [*(case.args or ()), *(a for step in case.then for a in step.args)]
    after = [*args, *(a for given in steps for a in given)]
    changed = tuple(i for i, (old, new) in enumerate(zip(before, after, strict=True)) if not _same(old, new))
    return Observation(
        result, error, message, line, tuple(dict.fromkeys(str(w.message) for w in caught)), changed
    )


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray):
        return (
            isinstance(new, np.ndarray)
            and old.shape == new.shape
            and np.array_equal(old, new, equal_nan=old.dtype.kind == "f")
        )
    return True
