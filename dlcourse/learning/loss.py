"""How wrong a network is, as one number: mean squared error for a value, cross-entropy for a class.

Each loss comes twice. ``cross_entropy(logits, labels)`` gives the number. ``cross_entropy_op`` gives the number and the
pullback, which turns the gradient of what is built on the loss (1, if nothing is) into the gradient with respect to the
prediction. Both losses are means over the batch, so both gradients carry a ``1 / batch``. NaN is passed on.
Chapter: book/learning/loss.md. Sources: Bridle (1990); Goodfellow et al. (2016), sections 4.1, 5.5 and 6.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Integer

from dlcourse.neurons._expect import expect_floating
from dlcourse.neurons.activation import log_softmax

__all__ = [
    "LOSSES",
    "LOSS_OPS",
    "cross_entropy",
    "cross_entropy_op",
    "log_sum_exp",
    "mean_squared_error",
    "mean_squared_error_op",
    "surprise",
]

Values: TypeAlias = Float[np.ndarray, "*shape"]
Logits: TypeAlias = Float[np.ndarray, "batch classes"]
Labels: TypeAlias = Integer[np.ndarray, " batch"]
Scalar: TypeAlias = Any  # one number: np.floating in the dtype of the prediction


def mean_squared_error(predicted: Values, target: Values) -> Scalar:
    r"""Average the squared distances between what was answered and what is right.

    .. math:: L = \frac1N \sum_{i=1}^{N} (\hat y_i - y_i)^2

    The sum runs over all N entries: over the batch, and over the units of the output layer.
    Source: Goodfellow et al. (2016), section 5.1.4.

    Args:
        predicted: answers of the network, usually ``(batch, n_out)``.
        target: right answers in the same unit, of the same shape.

    Returns:
        The loss [square of the unit], one number in the dtype of ``predicted``.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes differ, or there is no entry at all.

    Example:
        >>> float(mean_squared_error(np.array([[12.0], [17.0]]), np.array([[10.0], [18.0]])))
        2.5
    """
    _expect_targets(predicted, target)
    error = predicted - target.astype(predicted.dtype, copy=False)
    return np.mean(error * error)


def mean_squared_error_op(predicted: Values, target: Values) -> tuple[Scalar, Callable[[Any], Values]]:
    r"""Compute the mean squared error and its pullback.

    .. math:: \frac{\partial L}{\partial \hat y_i} = \frac2N (\hat y_i - y_i)

    Args:
        predicted: answers of the network, usually ``(batch, n_out)``.
        target: right answers in the same unit, of the same shape.

    Returns:
        :func:`mean_squared_error`, and its pullback: one number in, one for each entry of ``predicted`` out.

    Example:
        >>> loss, pullback = mean_squared_error_op(np.array([[12.0], [17.0]]), np.array([[10.0], [18.0]]))
        >>> pullback(1.0)
        array([[ 2.],
               [-1.]])
    """
    _expect_targets(predicted, target)
    error = predicted - target.astype(predicted.dtype, copy=False)
    loss = np.mean(error * error)

    def pullback(d_loss: Any) -> Values:
        _expect_number("mean_squared_error", d_loss)
        return error * error.dtype.type(2 * d_loss / error.size)  # (batch, n_out)

    return loss, pullback


def log_sum_exp(z: Float[np.ndarray, "*batch classes"]) -> Float[np.ndarray, "*batch"] | Scalar:
    r"""Add up exponentials and take the logarithm, without computing an exponential that is too large.

    .. math:: \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad m = \max_j z_j

    It is a soft maximum: never below the largest score, and never more than the logarithm of their number above it.
    Source: Goodfellow et al. (2016), section 4.1.

    Args:
        z: scores [nats], ``(*batch, classes)``.

    Returns:
        One number a sample [nats] in the dtype of ``z``, ``(*batch,)``.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.
        ValueError: if there is no class.

    Example:
        >>> log_sum_exp(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))
        array([1000.69314718,    0.        ])
    """
    expect_floating("log_sum_exp", z=z)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(
            f"log_sum_exp expects scores of shape (..., classes), got {z.shape}: "
            "put the scores of all classes along the last axis"
        )
    m = z.max(axis=-1)  # (*batch,)
    m_or_0 = np.where(np.isfinite(m), m, 0)  # inf minus inf would be NaN
    with np.errstate(over="ignore", divide="ignore"):  # what is too far below the largest adds nothing
        return m_or_0 + np.log(np.exp(z - m_or_0[..., None]).sum(axis=-1))  # (*batch, classes) -> (*batch,)


def surprise(logits: Logits, labels: Labels) -> Float[np.ndarray, " batch"]:
    r"""Say for each sample how little the network expected its true class.

    .. math:: \ell_i = -\log \mathrm{softmax}(z_i)_{y_i} = \log \sum_k e^{z_{ik}} - z_{i y_i}

    It is 0 if the true class got the probability 1, 0.69 at one half, and 2.3 at one tenth.
    Source: Goodfellow et al. (2016), sections 3.13 and 6.2.2.3.

    Args:
        logits: scores before softmax [nats], ``(batch, classes)``.
        labels: class indices from 0, ``(batch,)``.

    Returns:
        Losses of the samples [nats], 0 or more, in the dtype of ``logits``, ``(batch,)``.

    Raises:
        TypeError: if ``logits`` does not hold floating-point numbers, or ``labels`` no whole ones.
        ValueError: if the shapes do not fit, a label is no class, or a row's largest score is infinite.

    Example:
        >>> surprise(np.array([[0.0, 0.0], [1000.0, 0.0]]), np.array([0, 1])).round(3)
        array([6.93e-01, 1.00e+03])
    """
    _expect_labels(logits, labels)
    log_p = log_softmax(logits)[np.arange(len(labels)), labels]  # (batch,)
    return 0 - log_p  # where log_p is 0, -log_p would read -0


def cross_entropy(logits: Logits, labels: Labels) -> Scalar:
    r"""Average the surprise over a batch.

    .. math:: L = -\frac1B \sum_{i=1}^{B} \log \mathrm{softmax}(z_i)_{y_i}

    Exact for logits of any size: nothing overflows, and no logarithm meets 0.
    Source: Bridle (1990); Goodfellow et al. (2016), section 6.2.2.3.

    Args:
        logits: scores before softmax [nats], ``(batch, classes)``.
        labels: class indices from 0, ``(batch,)``.

    Returns:
        The loss [nats], one number in the dtype of ``logits``.

    Raises:
        TypeError: if ``logits`` does not hold floating-point numbers, or ``labels`` no whole ones.
        ValueError: if the shapes do not fit, a label is no class, or a row's largest score is infinite.

    Example:
        >>> float(cross_entropy(np.zeros((4, 10)), np.array([3, 1, 4, 1])).round(4))
        2.3026
    """
    return np.mean(surprise(logits, labels))


def cross_entropy_op(logits: Logits, labels: Labels) -> tuple[Scalar, Callable[[Any], Logits]]:
    r"""Compute the cross-entropy and its pullback.

    .. math:: \frac{\partial L}{\partial z_{ik}} = \frac1B \bigl(\mathrm{softmax}(z_i)_k - \mathbb 1[k = y_i]\bigr)

    Args:
        logits: scores before softmax [nats], ``(batch, classes)``.
        labels: class indices from 0, ``(batch,)``.

    Returns:
        :func:`cross_entropy`, and its pullback: one number in, ``(batch, classes)`` out.

    Example:
        >>> loss, pullback = cross_entropy_op(np.zeros((1, 4)), np.array([2]))
        >>> pullback(1.0)
        array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    _expect_labels(logits, labels)
    batch = np.arange(len(labels))
    log_p = log_softmax(logits)  # (batch, classes)
    loss = np.mean(0 - log_p[batch, labels])

    def pullback(d_loss: Any) -> Logits:
        _expect_number("cross_entropy", d_loss)
        d_logits = np.exp(log_p)  # softmax ...
        d_logits[batch, labels] -= 1  # ... minus one-hot
        d_logits *= d_logits.dtype.type(d_loss / len(labels))
        return d_logits  # (batch, classes)

    return loss, pullback


LOSSES: dict[str, Callable[..., Scalar]] = {"class": cross_entropy, "value": mean_squared_error}
"""The loss for each kind of answer that a network gives."""

LOSS_OPS: dict[str, Callable[..., tuple[Scalar, Callable[[Any], Any]]]] = {
    "class": cross_entropy_op,
    "value": mean_squared_error_op,
}
"""The same names, with value and pullback."""


def _expect_targets(predicted: Any, target: Any) -> None:
    """Refuse shapes that differ: NumPy would compare each prediction with each target."""
    expect_floating("mean_squared_error", predicted=predicted, target=target)
    if predicted.shape != target.shape:
        remedy = "give one target for each prediction"
        if predicted.shape == (*target.shape, 1):
            remedy = "make the target a column with target[:, None]"
        elif target.shape == (*predicted.shape, 1):
            remedy = "take the column of the target with target[:, 0]"
        raise ValueError(
            f"mean_squared_error expects predicted and target of the same shape, got {predicted.shape} and "
            f"{target.shape}: {remedy}"
        )
    if predicted.size == 0:
        raise ValueError(f"mean_squared_error expects at least one prediction, got shape {predicted.shape}")


def _expect_labels(logits: Any, labels: Any) -> None:
    """Refuse what is not one class index for each row of logits."""
    expect_floating("cross_entropy", logits=logits)
    if logits.ndim != 2 or logits.size == 0:
        raise ValueError(
            f"cross_entropy expects logits of shape (batch, classes), got {logits.shape}: "
            "put one sample into a row of its own with logits[None, :]"
        )
    kind = getattr(labels, "dtype", type(labels).__name__)
    if np.shape(labels) != logits.shape[:1]:
        one_hot = np.shape(labels) == logits.shape
        remedy = (
            "pass class indices, not one-hot rows: labels.argmax(axis=-1)"
            if one_hot
            else "one class a sample"
        )
        raise ValueError(
            f"cross_entropy expects labels of shape (batch,) = {logits.shape[:1]}, got {np.shape(labels)}: {remedy}"
        )
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise TypeError(
            f"cross_entropy expects labels as an array of class indices, got {kind}: "
            "convert them with np.asarray(labels, dtype=int)"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"cross_entropy expects labels from 0 to {logits.shape[1] - 1}, one for each of the {logits.shape[1]} "
            f"columns of logits, got {labels.min()} to {labels.max()}: count the classes from 0"
        )


def _expect_number(function: str, d_loss: Any) -> None:
    if np.shape(d_loss) != ():
        raise ValueError(
            f"the pullback of {function} expects the gradient of its value, one number, got shape {np.shape(d_loss)}: "
            "pass 1.0 if nothing is computed from the loss"
        )
