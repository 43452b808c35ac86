"""The first models that learn by gradient descent, gradients derived by hand: a neuron for values, a layer for classes.

Chapter: book/learning/gradient_descent.md. Source: Goodfellow et al. (2016), sections 5.1.4 and 6.2.2.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dlcourse.learning.loss import cross_entropy_op
from dlcourse.neurons._expect import expect_floating, expect_pairs
from dlcourse.neurons.network import linear
from dlcourse.neurons.neuron import weighted_sum


def linear_regression(
    x: Float[np.ndarray, "batch n_in"],
    y: Float[np.ndarray, " batch"],
    w: Float[np.ndarray, " n_in"],
    b: Float[np.ndarray, ""] | float,
) -> tuple[np.floating, tuple[Float[np.ndarray, " n_in"], np.floating]]:
    r"""Compute the mean squared error of one neuron without an activation, and its gradient.

    .. math:: r = X w + b - y, \qquad L = \frac1B \sum_i r_i^2, \qquad
              \frac{\partial L}{\partial w} = \frac2B X^\top r, \qquad \frac{\partial L}{\partial b} = \frac2B \sum_i r_i

    Source: Goodfellow et al. (2016), section 5.1.4.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        y: what should come out, ``(batch,)``.
        w: one weight an input, ``(n_in,)``.
        b: bias, ``()``.

    Returns:
        The loss, and its gradients with respect to ``w`` and ``b``.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes do not fit.

    Example:
        >>> loss, (d_w, d_b) = linear_regression(np.array([[1.0], [3.0]]), np.array([2.0, 4.0]), np.array([1.0]), 0.0)
        >>> float(loss), d_w, float(d_b)
        (1.0, array([-4.]), -2.0)
    """
    expect_floating("linear_regression", y=y)
    expect_pairs("linear_regression", x, y)
    _expect_flat("linear_regression", y)
    r = weighted_sum(x, w, b) - y  # (batch,)
    d_w = 2 / len(y) * (x.T @ r)  # (n_in, batch) @ (batch,) -> (n_in,)
    d_b = 2 * r.mean()
    return (r * r).mean(), (d_w, d_b)


def softmax_regression(
    x: Float[np.ndarray, "batch n_in"],
    labels: Int[np.ndarray, " batch"],
    W: Float[np.ndarray, "n_in classes"],
    b: Float[np.ndarray, " classes"],
) -> tuple[np.floating, tuple[Float[np.ndarray, "n_in classes"], Float[np.ndarray, " classes"]]]:
    r"""Compute the cross-entropy of one layer with softmax, and its gradient.

    .. math:: Z = X W + b, \qquad \frac{\partial L}{\partial W} = X^\top \frac{\partial L}{\partial Z}, \qquad
              \frac{\partial L}{\partial b} = \sum_i \frac{\partial L}{\partial z_i}

    Source: Goodfellow et al. (2016), section 6.2.2.3.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
        W: one class a column, ``(n_in, classes)``.
        b: one bias a class, ``(classes,)``.

    Returns:
        The loss [nats], and its gradients with respect to ``W`` and ``b``.

    Example:
        >>> x, labels = np.array([[1.0], [3.0]]), np.array([0, 1])
        >>> loss, (d_W, d_b) = softmax_regression(x, labels, np.zeros((1, 2)), np.zeros(2))
        >>> round(float(loss), 3), d_W, d_b
        (0.693, array([[ 0.5, -0.5]]), array([0., 0.]))
    """
    loss, pullback = cross_entropy_op(linear(x, W, b), labels)
    d_z = pullback(1.0)  # (batch, classes)
    return loss, (x.T @ d_z, d_z.sum(axis=0))  # (n_in, classes), (classes,)


def linear_hessian(x: Float[np.ndarray, "batch n_in"]) -> Float[np.ndarray, "n n"]:
    r"""Compute the second derivatives of :func:`linear_regression` with respect to all weights and the bias.

    .. math:: H = \frac2B \tilde X^\top \tilde X

    :math:`\tilde X` is :math:`X` with a column of ones for the bias. Neither the targets nor the weights appear: the bowl
    has the same shape everywhere.

    Args:
        x: one sample a row, ``(batch, n_in)``.

    Returns:
        The Hessian, the bias last, ``(n_in + 1, n_in + 1)``.

    Example:
        >>> linear_hessian(np.array([[1.0], [3.0]]))
        array([[10.,  4.],
               [ 4.,  2.]])
    """
    expect_floating("linear_hessian", x=x)
    ones = _with_ones(x)  # (batch, n_in + 1)
    return 2 / len(x) * (ones.T @ ones)


def least_squares(
    x: Float[np.ndarray, "batch n_in"], y: Float[np.ndarray, " batch"]
) -> tuple[Float[np.ndarray, " n_in"], np.floating]:
    r"""Solve for the weights and the bias at which the gradient of :func:`linear_regression` is 0.

    .. math:: \tilde X^\top \tilde X \begin{pmatrix} w \\ b \end{pmatrix} = \tilde X^\top y

    A linear model is the rare case in which the bottom of the valley can be computed at once. It is what descent comes
    ever closer to. If several minima are equally low, the one with the smallest parameters is returned.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        y: what should come out, ``(batch,)``.

    Returns:
        The best weights, ``(n_in,)``, and the best bias.

    Example:
        >>> w, b = least_squares(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]))
        >>> w.round(6), round(float(b), 6)
        (array([2.]), 1.0)
    """
    expect_floating("least_squares", x=x, y=y)
    expect_pairs("least_squares", x, y)
    _expect_flat("least_squares", y)
    best = np.linalg.lstsq(_with_ones(x), y, rcond=None)[0]  # (n_in + 1,)
    return best[:-1], best[-1]


def _with_ones(x: Float[np.ndarray, "batch n_in"]) -> Float[np.ndarray, "batch n"]:
    """Append the input that is always 1, whose weight is the bias."""
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)


def _expect_flat(function: str, y: Any) -> None:
    """Refuse targets in a column: subtracted from a row they would make a table."""
    if y.ndim != 1:
        raise ValueError(
            f"{function} expects y of shape (batch,), got {y.shape}: make it flat with y.reshape(-1)"
        )
