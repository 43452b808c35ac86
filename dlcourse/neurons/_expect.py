"""Errors that say what was expected, what came, and what to do."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np


def expect_floating(function: str, **arrays: Any) -> None:
    """Refuse arrays of integers: they cannot hold a weighted sum or a derivative.

    Args:
        function: name for the message.
        arrays: arrays by the name of their argument.

    Raises:
        TypeError: if one is not a NumPy array of floating-point numbers.
    """
    for name, array in arrays.items():
        kind = getattr(array, "dtype", type(array).__name__)
        if not isinstance(array, np.ndarray | np.floating) or array.dtype.kind != "f":
            raise TypeError(
                f"{function} expects {name} as an array of floating-point numbers, got {kind}: "
                f"convert it with np.asarray({name}, dtype=float)"
            )


def expect_matching(function: str, left: tuple[str, Any, int], right: tuple[str, Any, int], axis: str) -> int:
    """Hold two arrays to the same length along an axis they share.

    Args:
        function: name for the message.
        left: name, array and axis number of the one.
        right: name, array and axis number of the other.
        axis: name of the shared axis.

    Returns:
        The length.

    Raises:
        ValueError: if the lengths differ.
    """
    (a_name, a, a_axis), (b_name, b, b_axis) = left, right
    if a.shape[a_axis] != b.shape[b_axis]:
        raise ValueError(
            f"{function} expects the same {axis} in {a_name} and {b_name}, got {a_name} of shape {a.shape} and "
            f"{b_name} of shape {b.shape}: axis {a_axis} of {a_name} must be as long as axis {b_axis} of {b_name}"
        )
    return int(a.shape[a_axis])


def expect_gradient(function: str, d_y: Any, y: Any) -> None:
    """Hold what a pullback takes to the shape of the value: NumPy would stretch it silently.

    Args:
        function: name for the message.
        d_y: gradient of the value.
        y: value.

    Raises:
        ValueError: if the shapes differ.
    """
    if np.shape(d_y) != np.shape(y):
        raise ValueError(
            f"the pullback of {function} expects the gradient of its value, of shape {np.shape(y)}, "
            f"got shape {np.shape(d_y)}: give one number for each number of the value"
        )


def expect_positive(function: str, *, remedy: str = "", **settings: float) -> None:
    """Refuse settings that are not above 0, or not finite.

    Args:
        function: name for the message.
        remedy: what to do, where the name of the setting does not say it.
        settings: numbers by the name of their argument.

    Raises:
        ValueError: if one is 0, negative, infinite or NaN.
    """
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            said = f": {remedy}" if remedy else ""
            raise ValueError(f"{function} expects a finite {name} above 0, got {value}{said}")


def expect_count(function: str, *, least: int = 1, **counts: int) -> None:
    """Refuse numbers of things that are not whole, or too small.

    Args:
        function: name for the message.
        least: the smallest number that makes sense.
        counts: numbers by the name of their argument.

    Raises:
        TypeError: if one is no whole number.
        ValueError: if one is too small.
    """
    for name, count in counts.items():
        if index(count) < least:
            raise ValueError(f"{function} expects {name} of at least {least}, got {count}")


def expect_pairs(function: str, x: Any, y: Any) -> None:
    """Refuse targets that do not stand beside the examples: NumPy would stretch them silently.

    Args:
        function: name for the message.
        x: examples, one a row.
        y: targets, one a row.

    Raises:
        ValueError: if there are not as many targets as examples, or none.
    """
    if np.ndim(x) < 1 or len(x) == 0 or np.shape(y)[:1] != np.shape(x)[:1]:
        raise ValueError(
            f"{function} expects one target for each example and at least one of them, got x of shape {np.shape(x)} "
            f"and y of shape {np.shape(y)}: one example is one row of x and one entry of y"
        )
