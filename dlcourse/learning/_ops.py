"""Ops of arrays: each returns its value and its pullback, and knows nothing of what records it.

A pullback takes the gradient of the value and returns a tuple with one gradient an input, in the input's shape. An op of
two inputs is told by ``needs`` which gradients are wanted: it returns None for the others and does no work for them.
Chapter: book/learning/autodiff.md. Source: Griewank and Walther (2008), section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from dlcourse.neurons._arrays import Array
from dlcourse.neurons.activation import sigmoid

Entries: TypeAlias = Any
"""An array of any shape, or the NumPy number that an array without axes becomes where it is computed with."""

Gradients: TypeAlias = tuple[Any, ...]
Pullback: TypeAlias = Callable[[Any], Gradients]
Axes: TypeAlias = int | tuple[int, ...] | None
BOTH = (True, True)


def unbroadcast(d_y: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: a number that was used many times gets the sum of all its gradients.

    Args:
        d_y: gradient of the broadcast array.
        shape: the shape before broadcasting.

    Returns:
        The gradient in that shape.

    Example:
        >>> unbroadcast(np.ones((4, 3)), (3,)), unbroadcast(np.ones((4, 3)), (4, 1)).shape
        (array([4., 4., 4.]), (4, 1))
    """
    if d_y.shape == shape:
        return d_y
    new = d_y.ndim - len(shape)  # axes that broadcasting has put in front
    stretched = tuple(new + i for i, n in enumerate(shape) if n == 1 and d_y.shape[new + i] != 1)
    return d_y.sum(axis=(*range(new), *stretched)).reshape(shape)


def add_op(a: Any, b: Any, needs: Sequence[bool] = BOTH) -> tuple[Any, Pullback]:
    """Add, with broadcasting."""

    def pullback(d_y: Any) -> Gradients:
        return (
            unbroadcast(d_y, a.shape) if needs[0] else None,
            unbroadcast(d_y, b.shape) if needs[1] else None,
        )

    return a + b, pullback


def subtract_op(a: Any, b: Any, needs: Sequence[bool] = BOTH) -> tuple[Any, Pullback]:
    """Subtract, with broadcasting."""

    def pullback(d_y: Any) -> Gradients:
        return (
            unbroadcast(d_y, a.shape) if needs[0] else None,
            unbroadcast(-d_y, b.shape) if needs[1] else None,
        )

    return a - b, pullback


def multiply_op(a: Any, b: Any, needs: Sequence[bool] = BOTH) -> tuple[Any, Pullback]:
    """Multiply entry by entry, with broadcasting."""

    def pullback(d_y: Any) -> Gradients:
        return (
            unbroadcast(d_y * b, a.shape) if needs[0] else None,
            unbroadcast(d_y * a, b.shape) if needs[1] else None,
        )

    return a * b, pullback


def divide_op(a: Any, b: Any, needs: Sequence[bool] = BOTH) -> tuple[Any, Pullback]:
    """Divide entry by entry, with broadcasting."""
    if not np.all(b):
        raise ValueError("/ expects divisors other than 0, got a 0: add something small to it")
    y = a / b

    def pullback(d_y: Any) -> Gradients:
        d_a = d_y / b
        return (
            unbroadcast(d_a, a.shape) if needs[0] else None,
            unbroadcast(-d_a * y, b.shape) if needs[1] else None,
        )

    return y, pullback


def matmul_op(a: Array, b: Array, needs: Sequence[bool] = BOTH) -> tuple[Any, Pullback]:
    """Multiply matrices, ``(..., m, k) @ (..., k, n) -> (..., m, n)``; the axes in front are broadcast."""
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(
            f"@ expects matrices, got shapes {a.shape} and {b.shape}: "
            "make a vector one row or one column with reshape"
        )

    def pullback(d_y: Any) -> Gradients:
        return (
            unbroadcast(d_y @ b.swapaxes(-1, -2), a.shape) if needs[0] else None,  # (m, n) @ (n, k) -> (m, k)
            unbroadcast(a.swapaxes(-1, -2) @ d_y, b.shape) if needs[1] else None,  # (k, m) @ (m, n) -> (k, n)
        )

    return a @ b, pullback


def negative_op(x: Entries) -> tuple[Any, Pullback]:
    """Turn the sign."""
    return -x, lambda d_y: (-d_y,)


def power_op(x: Entries, n: float | int) -> tuple[Any, Pullback]:
    """Raise to a fixed power."""
    if n < 1 and n != 0 and not np.all(x):
        raise ValueError(
            f"** expects numbers other than 0 for the exponent {n}, got a 0: add something small"
        )
    if n % 1 and (x < 0).any():
        raise ValueError(
            f"** expects numbers from 0 up for the exponent {n}, got {x.min()}: take abs or clip"
        )

    def pullback(d_y: Any) -> Gradients:
        return (np.zeros_like(x) if n == 0 else d_y * (n * x ** (n - 1)),)

    return x**n, pullback


def exp_op(x: Entries) -> tuple[Any, Pullback]:
    """Raise e to each entry."""
    y = np.exp(x)
    return y, lambda d_y: (d_y * y,)


def log_op(x: Entries) -> tuple[Any, Pullback]:
    """Take the natural logarithm of each entry."""
    if (x <= 0).any():
        raise ValueError(f"log expects numbers above 0, got {x.min()}: add something small, or clip them")
    return np.log(x), lambda d_y: (d_y / x,)


def relu_op(x: Entries) -> tuple[Any, Pullback]:
    """Pass what is positive, block the rest."""
    y = np.maximum(x, 0)
    return y, lambda d_y: (d_y * (y > 0),)


def tanh_op(x: Entries) -> tuple[Any, Pullback]:
    """Squeeze each entry between -1 and 1."""
    y = np.tanh(x)
    return y, lambda d_y: (d_y * (1 - y * y),)


def sigmoid_op(x: Entries) -> tuple[Any, Pullback]:
    """Squeeze each entry between 0 and 1."""
    y = sigmoid(x)
    return y, lambda d_y: (d_y * (y * (1 - y)),)


def sum_op(x: Entries, axis: Axes = None, keepdims: bool = False) -> tuple[Any, Pullback]:
    """Add up along axes, or everything."""

    def pullback(d_y: Any) -> Gradients:
        return (np.broadcast_to(_spread(d_y, axis, keepdims), x.shape),)

    return x.sum(axis=axis, keepdims=keepdims), pullback


def mean_op(x: Entries, axis: Axes = None, keepdims: bool = False) -> tuple[Any, Pullback]:
    """Average along axes, or everything."""
    y = x.mean(axis=axis, keepdims=keepdims)
    share = x.dtype.type(y.size / x.size) if x.size else 0

    def pullback(d_y: Any) -> Gradients:
        return (np.broadcast_to(_spread(d_y * share, axis, keepdims), x.shape),)

    return y, pullback


def max_op(x: Entries, axis: Axes = None, keepdims: bool = False) -> tuple[Any, Pullback]:
    """Take the largest along axes, or of everything; equal largest ones share the gradient."""
    y = x.max(axis=axis, keepdims=keepdims)

    def pullback(d_y: Any) -> Gradients:
        largest = x == _spread(y, axis, keepdims)
        return (
            _spread(d_y, axis, keepdims) * largest / largest.sum(axis=axis, keepdims=True, dtype=x.dtype),
        )

    return y, pullback


def _spread(d_y: Any, axis: Axes, keepdims: bool) -> Any:
    """Give back the axes that were reduced, each of length 1."""
    return d_y if axis is None or keepdims else np.expand_dims(d_y, axis)


def reshape_op(x: Entries, shape: tuple[int, ...]) -> tuple[Any, Pullback]:
    """Put the same numbers into another shape."""
    return x.reshape(shape), lambda d_y: (d_y.reshape(x.shape),)


def transpose_op(x: Entries, axes: tuple[int, ...] | None = None) -> tuple[Any, Pullback]:
    """Reorder the axes; without ``axes``, reverse them."""
    back = None if axes is None else tuple(int(i) for i in np.argsort([i % x.ndim for i in axes]))
    return x.transpose(axes), lambda d_y: (d_y.transpose(back),)


def index_op(x: Entries, index: Any) -> tuple[Any, Pullback]:
    """Take entries; one that is taken twice gets the sum of both gradients."""

    def pullback(d_y: Any) -> Gradients:
        d_x = np.zeros_like(x)
        np.add.at(d_x, index, d_y)
        return (d_x,)

    return x[index], pullback
