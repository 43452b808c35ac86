"""Errors that say what was expected, what came, and what to do."""

from __future__ import annotations

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
