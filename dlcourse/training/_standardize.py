"""Numbers of mean 0 and spread 1 along an axis, with the gradient through the mean and through the spread.

Chapter: book/training/normalization.md. Source: Ioffe and Szegedy (2015), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._arrays import Floats
from dlcourse.neurons._expect import expect_floating, expect_gradient, expect_positive

Moment: TypeAlias = Float[np.ndarray, "*reduced"]


EPS = 1e-5
"""What is added to each variance, so that a constant feature is not divided by 0."""


WHY_EPS = "without it a constant feature is divided by 0; 1e-5 is usual"


def moments(x: Floats, axis: int) -> tuple[Moment, Moment]:
    r"""Return the mean and the biased variance along an axis.

    .. math:: \mu = \frac1n \sum_i x_i, \qquad \sigma^2 = \frac1n \sum_i (x_i - \mu)^2

    Args:
        x: numbers, any shape with at least one axis.
        axis: the axis along which they are compared.

    Returns:
        Mean and variance; the axis stays, with length 1.

    Example:
        >>> moments(np.array([[1.0, 10.0], [3.0, 10.0]]), 0)
        (array([[ 2., 10.]]), array([[1., 0.]]))
    """
    first = x.take([0], axis)
    shifted = x - first  # exactly 0 where all are equal, whereas a mean of large numbers is rounded
    mean = shifted.mean(axis, keepdims=True)
    return first + mean, np.square(shifted - mean).mean(axis, keepdims=True)


def standardize(x: Floats, axis: int, eps: float = EPS) -> Floats:
    r"""Bring the numbers along an axis to mean 0 and spread 1.

    .. math:: y_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}

    Args:
        x: numbers up to a size of 1e15, any shape with at least one axis.
        axis: the axis along which they are compared.
        eps: above 0; it keeps a constant feature at 0.

    Returns:
        Numbers in the dtype of ``x``, same shape.

    Raises:
        TypeError: if ``x`` does not hold floating-point numbers.
        ValueError: if there is no such axis, or nothing along it, or ``eps`` is not above 0.

    Example:
        >>> standardize(np.array([[1.0, 10.0], [3.0, 10.0]]), 0).round(3)
        array([[-1.,  0.],
               [ 1.,  0.]])
    """
    return standardize_op(x, axis, eps)[0]


def standardize_op(x: Floats, axis: int, eps: float = EPS) -> tuple[Floats, Callable[[Floats], Floats]]:
    r"""Standardize and return the pullback, through the mean and through the spread.

    .. math:: \bar x_i = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}
              \Bigl(\bar y_i - \frac1n \sum_j \bar y_j - y_i \, \frac1n \sum_j \bar y_j \, y_j\Bigr)

    Source: Ioffe and Szegedy (2015), section 3.

    Args:
        x: numbers, any shape with at least one axis.
        axis: the axis along which they are compared.
        eps: above 0.

    Returns:
        :func:`standardize` of ``x``, and its pullback.

    Example:
        >>> y, pullback = standardize_op(np.array([1.0, 3.0]), 0)
        >>> pullback(np.ones(2)).round(3)
        array([0., 0.])
    """
    _expect_numbers("standardize", x, axis, eps)
    mean, variance = moments(x, axis)
    spread = np.sqrt(variance + eps)
    y = (x - mean) / spread

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("standardize", d_y, y)
        through_mean = d_y.mean(axis, keepdims=True)
        through_spread = y * (d_y * y).mean(axis, keepdims=True)
        return (d_y - through_mean - through_spread) / spread

    return y, pullback


def _expect_numbers(function: str, x: Floats, axis: int, eps: float) -> None:
    expect_floating(function, x=x)
    if not -x.ndim <= axis < x.ndim or x.shape[axis] == 0:
        raise ValueError(
            f"{function} expects numbers along axis {axis}, got x of shape {x.shape}: "
            "axis 0 compares the samples of a batch, axis -1 the units of a sample"
        )
    expect_positive(function, eps=eps, remedy=WHY_EPS)
