"""How two values differ, in words.

Numbers are compared with a tolerance; what can be seen from them alone is said: a shape, NaN, a sign, a factor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dlcourse.checks.declare import Check
from dlcourse.checks.inputs import Tensor
from dlcourse.checks.plain import clean


class Fault(NamedTuple):
    """What is wrong.

    Args:
        message: one clause for the learner.
        kind: the same without anything of the input, of a value, or of the learner's own words, for a hidden check.
    """

    message: str
    kind: str


NOT_RIGHT = "The values are not right"


def difference(check: Check, want: Any, got: Any, where: str = "") -> Fault | None:
    """Say how two values differ; lists that are arrays compare as arrays.

    Args:
        check: says how close is close enough, and whether the dtype counts.
        want: the right value, plain data.
        got: the learner's value, plain data.
        where: which part of the result this is, for the sentence.

    Returns:
        The fault, or ``None``.
    """
    if isinstance(want, list) and (isinstance(got, list) or _is_tree(want)):
        if not isinstance(got, list) or len(want) != len(got):
            came = f"{len(got)} came back" if isinstance(got, list) else "one came back"
            return Fault(
                f"{len(want)} values were expected{where}, but {came}",
                f"Another number of values was expected{where}",
            )
        for i, (w, g) in enumerate(zip(want, got, strict=True)):
            fault = difference(check, w, g, f" in part {i + 1} of the result")
            if fault:
                return fault
        return None
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(want) != set(got):
            return Fault(
                f"a dictionary with the keys {', '.join(want)} was expected{where}",
                f"A dictionary with other keys was expected{where}",
            )
        for key in want:
            fault = difference(check, want[key], got[key], f" under {key!r}")
            if fault:
                return fault
        return None
    if isinstance(want, str) or isinstance(got, str | dict) or want is None or got is None:
        if type(want) is type(got) and want == got:
            return None
        return Fault(
            f"{show(want)} was expected{where}, but {show(got)} came back",
            f"Another value, or another kind of value, was expected{where}",
        )
    if _is_tree(got):
        return Fault(
            f"one array was expected{where}, but {len(got)} values of different shapes came back",
            f"One array was expected{where}, but values of different shapes came back",
        )
    right, numbers = _numbers(want), _numbers(got)
    if numbers is None or right is None:  # beyond every float
        return (
            None
            if type(want) is type(got) is int and want == got
            else _alike(f"The values{where} are not right")
        )
    return _array_difference(check, right, numbers, where)


def _numbers(value: Any) -> np.ndarray[Any, Any] | None:
    """Return a value as an array of numbers, or ``None`` if a whole number in it is too large for any dtype."""
    found = np.asarray(value)
    if found.dtype.kind in "biuf":
        return found
    try:
        return np.asarray(value, dtype=float)
    except (OverflowError, TypeError, ValueError):
        return None


def _close(check: Check, want: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> bool:
    coarse = got.dtype.kind == "f" and got.dtype.itemsize < 8
    rtol, atol = (max(check.rtol, 1e-4), max(check.atol, 1e-5)) if coarse else (check.rtol, check.atol)
    with np.errstate(all="ignore"):
        return bool(np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True))


def _is_tree(value: Any) -> bool:
    """Tell whether a value has parts of different shapes, so that it is not one array."""
    if isinstance(value, dict | str) or value is None:
        return True
    if isinstance(value, list):
        shapes = {np.shape(item) if not _is_tree(item) else None for item in value}
        return None in shapes or len(shapes) > 1
    return False


def _alike(sentence: str) -> Fault:
    return Fault(sentence, sentence)


def _array_difference(
    check: Check, want: np.ndarray[Any, Any], got: np.ndarray[Any, Any], where: str
) -> Fault | None:
    if want.shape != got.shape:
        hint = ""
        if want.shape == got.shape[::-1]:
            hint = ": the axes are swapped"
        elif want.size == got.size:
            hint = ": the numbers may be right, the axes are not"
        return Fault(
            f"The shape{where} should be {want.shape}, but it is {got.shape}{hint}",
            f"The shape{where} is not right{hint}",
        )
    if _close(check, want, got):
        if check.dtype and want.dtype != got.dtype:
            return _alike(
                f"The values are right, but the dtype{where} is {got.dtype} where {want.dtype} went in"
            )
        return None
    # From here on it is about words only: in float64, where there is a minus sign for truth values too.
    coarse = got.dtype.kind == "f" and got.dtype.itemsize < 8
    want, got = want.astype(float), got.astype(np.float32 if coarse else float)
    if np.isnan(got).any() and not np.isnan(want).any():
        return _alike(f"There is NaN{where}: something was divided by zero, or inf was subtracted from inf")
    if np.isinf(got).any() and not np.isinf(want).any():
        return _alike(f"There is inf{where}: an intermediate value is too large for the dtype")
    if _close(check, -want, got):
        return _alike(f"The sign{where} is wrong: every value is the negative of the right one")
    factor = _factor(check, want, got)
    if factor:
        return Fault(
            f"Every value{where} is {factor} times the right one",
            f"Every value{where} is the same multiple of the right one",
        )
    return _alike(f"The values{where} are not right")


def _factor(check: Check, want: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> str:
    nonzero = np.abs(want) > check.atol
    if want.size < 2 or nonzero.sum() < 2:
        return ""
    with np.errstate(all="ignore"):
        ratio = float(np.median(np.asarray(got, float)[nonzero] / np.asarray(want, float)[nonzero]))
        if (
            not np.isfinite(ratio)
            or ratio == 0
            or abs(ratio - 1) < 0.01
            or not _close(check, ratio * want, got)
        ):
            return ""
        whole = 1 / ratio
    if abs(ratio) < 1 and abs(whole) < 1e6 and abs(whole - round(whole)) < 1e-6:
        return f"1/{round(whole)}"
    return f"{ratio:.4g}"


_FEW, _WIDE = 12, 300


def show(value: Any) -> str:
    """Write a value as a learner would type it, shortened if it is long."""
    return clean(_shown(value))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=4, suppress=True, threshold=12, edgeitems=2):
            return np.array2string(value, separator=", ")
    if isinstance(value, Tensor):
        return f"tensor({_shown(value.value)})"
    if isinstance(value, np.random.Generator):
        return "a random generator"
    if isinstance(value, float):
        return f"{value:.1f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, list | tuple):
        words = [_shown(item) for item in value[:_FEW]] + ["..."] * (len(value) > _FEW)
        text = ", ".join(words)[:_WIDE]
        return f"[{text}]" if isinstance(value, list) else f"({text}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        pairs = list(value.items())[:_FEW]
        return "{" + ", ".join(f"{k[:40]!r}: {_shown(v)}" for k, v in pairs)[:_WIDE] + "}"
    if isinstance(value, str):
        return repr(value[:_WIDE])
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value)
