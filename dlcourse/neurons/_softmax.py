"""The activation of a whole layer: softmax, and its logarithm, which must not be computed from it.

Each comes twice, as in :mod:`dlcourse.neurons.activation`: the value, and the value with its pullback.
Chapter: book/neurons/activation.md. Source: Goodfellow et al. (2016), sections 4.1 and 6.2.2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._expect import expect_floating, expect_gradient

Pullback: TypeAlias = Callable[[Float[np.ndarray, "*shape"]], Float[np.ndarray, "*shape"]]


Rows: TypeAlias = Float[np.ndarray, "*batch classes"]


class InfiniteScoreError(ValueError):
    """A row's largest score is infinite, so that no share can be said."""


def _below_top(function: str, z: Rows) -> Rows:
    """Subtract the largest score of each row: no exponential is then above 1."""
    expect_floating(function, z=z)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(
            f"{function} expects scores of shape (..., classes), got {z.shape}: "
            "put the scores of all classes along the last axis"
        )
    top = z.max(axis=-1, keepdims=True)  # (*batch, 1)
    infinite = np.isinf(top)
    if infinite.any():
        raise InfiniteScoreError(
            f"{function} expects a finite largest score in each row, "
            f"got {top[infinite][0]}: an intermediate value has overflowed, "
            "or every class of a row is masked with -inf"
        )
    # What is too far below to be written becomes -inf, and its share 0.
    with np.errstate(over="ignore"):
        return z - top


def softmax(z: Rows) -> Rows:
    r"""Turn the scores of the classes into shares that add up to 1.

    .. math:: p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}
                  = \frac{e^{z_k - m}}{\sum_j e^{z_j - m}}, \quad m = \max_j z_j

    Source: Bridle (1990); Goodfellow et al. (2016), sections 4.1 and 6.2.2.3.

    Args:
        z: scores, ``(*batch, classes)``; ``-inf`` excludes a class.

    Returns:
        Shares in the dtype of ``z``, ``(*batch, classes)``.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.
        ValueError: if there is no class, or a row's largest score is infinite.

    Example:
        >>> softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))
        array([[0.5, 0.5],
               [1. , 0. ]])
    """
    e = np.exp(_below_top("softmax", z))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def softmax_op(z: Rows) -> tuple[Rows, Pullback]:
    r"""Compute softmax and its pullback.

    .. math:: \frac{\partial p_k}{\partial z_j} = p_k (\delta_{kj} - p_j),
              \quad \bar z_k = p_k \Bigl(\bar p_k - \sum_j \bar p_j p_j\Bigr)

    Args:
        z: scores, ``(*batch, classes)``.

    Returns:
        :func:`softmax` of ``z``, and its pullback.

    Example:
        >>> p, pullback = softmax_op(np.array([[0.0, 0.0]]))
        >>> pullback(np.array([[1.0, 0.0]]))
        array([[ 0.25, -0.25]])
    """
    p = softmax(z)

    def pullback(d_p: Rows) -> Rows:
        expect_gradient("softmax", d_p, p)
        d_z = d_p * p
        d_z -= p * d_z.sum(axis=-1, keepdims=True)
        return d_z

    return p, pullback


def log_softmax(z: Rows) -> Rows:
    r"""Compute the logarithm of softmax without computing softmax, whose small shares would round to 0.

    .. math:: \log p_k = z_k - m - \log \sum_j e^{z_j - m}, \qquad m = \max_j z_j

    Source: Goodfellow et al. (2016), section 6.2.2.3.

    Args:
        z: scores, ``(*batch, classes)``.

    Returns:
        Logarithms of the shares [nats], 0 or less, in the dtype of ``z``, ``(*batch, classes)``.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.
        ValueError: if there is no class, or a row's largest score is infinite.

    Example:
        >>> log_softmax(np.array([[0.0, -1000.0]]))
        array([[    0., -1000.]])
    """
    below = _below_top("log_softmax", z)
    below -= np.log(np.exp(below).sum(axis=-1, keepdims=True))
    return below


def log_softmax_op(z: Rows) -> tuple[Rows, Pullback]:
    r"""Compute the logarithm of softmax and its pullback.

    .. math:: \bar z_k = \bar y_k - p_k \sum_j \bar y_j, \qquad y = \log p

    Args:
        z: scores, ``(*batch, classes)``.

    Returns:
        :func:`log_softmax` of ``z``, and its pullback.

    Example:
        >>> y, pullback = log_softmax_op(np.array([[0.0, 0.0]]))
        >>> pullback(np.array([[1.0, 0.0]]))
        array([[ 0.5, -0.5]])
    """
    y = log_softmax(z)

    def pullback(d_y: Rows) -> Rows:
        expect_gradient("log_softmax", d_y, y)
        return d_y - np.exp(y) * d_y.sum(axis=-1, keepdims=True)

    return y, pullback
