"""How two values differ, in words.

Numbers are compared with a tolerance; what can be seen from them alone is said: a shape, NaN, a sign, a factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.checks.declare import Check


def difference(check: Check, want: Any, got: Any, where: str = "") -> str:
    """Say how two values differ; lists that are arrays compare as arrays.

    Args:
        check: says how close is close enough, and whether the dtype counts.
        want: the right value, plain data.
        got: the learner's value, plain data.
        where: which part of the result this is, for the sentence.

    Returns:
        One clause for the learner, or ``""``.
    """
    if isinstance(want, list) and (isinstance(got, list) or _is_tree(want)):
        if not isinstance(got, list):
            return f"{len(want)} values were expected{where}, but one came back"
        if len(want) != len(got):
            return f"{len(want)} values were expected{where}, but {len(got)} came back"
        for i, (w, g) in enumerate(zip(want, got, strict=True)):
            fault = difference(check, w, g, f" in part {i + 1} of the result")
            if fault:
                return fault
        return ""
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(want) != set(got):
            return f"a dictionary with the keys {', '.join(want)} was expected{where}"
        for key in want:
            fault = difference(check, want[key], got[key], f" under {key!r}")
            if fault:
                return fault
        return ""
    if isinstance(want, str) or isinstance(got, str | dict) or want is None or got is None:
        same = type(want) is type(got) and want == got
        return "" if same else f"{show(want)} was expected{where}, but {show(got)} came back"
    if _is_tree(got):
        return f"one array was expected{where}, but {len(got)} values of different shapes came back"
    return _array_difference(check, np.asarray(want), np.asarray(got), where)


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


def _array_difference(check: Check, want: np.ndarray[Any, Any], got: np.ndarray[Any, Any], where: str) -> str:
    if want.shape != got.shape:
        hint = ""
        if want.shape == got.shape[::-1]:
            hint = ": the axes are swapped"
        elif want.size == got.size:
            hint = ": the numbers may be right, the axes are not"
        return f"The shape{where} should be {want.shape}, but it is {got.shape}{hint}"
    if _close(check, want, got):
        if check.dtype and want.dtype != got.dtype:
            return f"The values are right, but the dtype{where} is {got.dtype} where {want.dtype} went in"
        return ""
    if np.isnan(got).any() and not np.isnan(want).any():
        return f"There is NaN{where}: something was divided by zero, or inf was subtracted from inf"
    if np.isinf(got).any() and not np.isinf(want).any():
        return f"There is inf{where}: an intermediate value is too large for the dtype"
    if _close(check, -want, got):
        return f"The sign{where} is wrong: every value is the negative of the right one"
    factor = _factor(check, want, got)
    if factor:
        return f"Every value{where} is {factor} times the right one"
    return f"The values{where} are not right"


def _factor(check: Check, want: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> str:
    nonzero = np.abs(want) > check.atol
    if want.size < 2 or nonzero.sum() < 2:
        return ""
    ratio = float(np.median(np.asarray(got, float)[nonzero] / np.asarray(want, float)[nonzero]))
    if ratio == 0 or abs(ratio - 1) < 0.01 or not _close(check, ratio * want, got):
        return ""
    if abs(1 / ratio - round(1 / ratio)) < 1e-6 and abs(ratio) < 1:
        return f"1/{round(1 / ratio)}"
    return f"{ratio:.4g}"


def show(value: Any) -> str:
    """Write a value as a learner would type it, shortened if it is long."""
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=4, suppress=True, threshold=12, edgeitems=2):
            text = np.array2string(value, separator=", ")
        return " ".join(text.split())
    if isinstance(value, float):
        return f"{value:.1f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return repr(value)
