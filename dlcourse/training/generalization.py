"""How good is a network on examples that it has never seen? How to find out, and how to fool oneself.

Examples are divided before anything is learned from them: training, validation, test. Errors on both sides of the
division, by capacity and by number of examples, say what is missing. An interval says how much of a difference is
chance. None of it helps where new examples are unlike all of these. Chapter: book/training/generalization.md. Sources:
Hastie, Tibshirani and Friedman (2009), chapter 7; Goodfellow et al. (2016), sections 5.2 and 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from dlcourse.learning.gradient_descent import least_squares
from dlcourse.neurons._arrays import Array
from dlcourse.training._divided import Fold, Parts, folds, split, split_groups
from dlcourse.training._measures import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    error_rate,
)
from dlcourse.training._pictures import centred, noisy

__all__ = [
    "Fold",
    "Interval",
    "LearningCurve",
    "Parts",
    "accuracy_interval",
    "bootstrap_interval",
    "centred",
    "cross_validate",
    "error_rate",
    "folds",
    "learning_curve",
    "noisy",
    "polynomial",
    "split",
    "split_groups",
]

Predict: TypeAlias = Callable[[Any], Any]
Learn: TypeAlias = Callable[[Any, Any], Predict]
"""Whatever learns: from samples and targets it makes a function that predicts."""


def cross_validate(
    learn: Learn,
    x: Array,
    y: Array,
    *,
    k: int = 5,
    rng: np.random.Generator,
    error: Callable[[Any, Any], Any] = error_rate,
) -> Float[np.ndarray, " k"]:
    """Learn k times, each time without one fold, and measure the error on that fold.

    Source: Hastie, Tibshirani and Friedman (2009), section 7.10.

    Args:
        learn: gets samples and targets, and returns a function that predicts.
        x: samples, ``(n, ...)``.
        y: their targets, ``(n, ...)``.
        k: how many folds.
        rng: draws them.
        error: compares predictions and targets; :func:`error_rate` if left out.

    Returns:
        The error on each fold, ``(k,)``.

    Example:
        >>> x, y = np.linspace(-1, 1, 30), np.linspace(-1, 1, 30) ** 2
        >>> rng = np.random.default_rng(0)
        >>> errors = cross_validate(polynomial(2), x, y, k=3, rng=rng, error=lambda a, b: abs(a - b).max())
        >>> errors.round(9)
        array([0., 0., 0.])
    """
    _expect_pairs("cross_validate", x, y)
    return np.array(
        [
            error(learn(x[train], y[train])(x[held_out]), y[held_out])
            for train, held_out in folds(len(x), k, rng=rng)
        ]
    )


class LearningCurve(NamedTuple):
    """Errors by number of training examples.

    Attributes:
        sizes: how many examples were learned from, ``(sizes,)``.
        train: error on these, ``(repeats, sizes)``.
        held_out: error on the held-out examples, ``(repeats, sizes)``.
    """

    sizes: Int[np.ndarray, " sizes"]
    train: Float[np.ndarray, "repeats sizes"]
    held_out: Float[np.ndarray, "repeats sizes"]


def learning_curve(
    learn: Learn,
    x: Array,
    y: Array,
    sizes: Sequence[int],
    *,
    held_out: tuple[Array, Array],
    rng: np.random.Generator,
    repeats: int = 1,
    error: Callable[[Any, Any], Any] = error_rate,
) -> LearningCurve:
    """Measure what more examples would bring, by learning from fewer.

    Each repeat draws an order once and takes the first ``n`` of it, so a larger training set contains the smaller ones.

    Args:
        learn: gets samples and targets, and returns a function that predicts.
        x: samples to learn from, ``(n, ...)``.
        y: their targets, ``(n, ...)``.
        sizes: how many to learn from, each at most ``n``.
        held_out: samples and targets that are not learned from; always the same.
        rng: draws the orders.
        repeats: how many orders.
        error: compares predictions and targets; :func:`error_rate` if left out.

    Returns:
        The errors on both sides.

    Raises:
        ValueError: if a size is below 1 or above ``n``.

    Example:
        >>> x, y = np.linspace(-1, 1, 30), np.linspace(-1, 1, 30) ** 2
        >>> rng = np.random.default_rng(0)
        >>> curve = learning_curve(
        ...     polynomial(1), x, y, [2, 20], held_out=(x, y), rng=rng, error=lambda a, b: ((a - b) ** 2).mean()
        ... )
        >>> curve.train.round(2), curve.held_out.round(2)
        (array([[0.  , 0.11]]), array([[0.85, 0.1 ]]))
    """
    _expect_pairs("learning_curve", x, y)
    _expect_sizes(sizes, len(x))
    found = np.empty((2, repeats, len(sizes)))
    for repeat in range(repeats):
        order = rng.permutation(len(x))
        for i, n in enumerate(sizes):
            rows = order[:n]
            predict = learn(x[rows], y[rows])
            found[0, repeat, i] = error(predict(x[rows]), y[rows])
            found[1, repeat, i] = error(predict(held_out[0]), held_out[1])
    return LearningCurve(np.array(sizes), *found)


def polynomial(degree: int) -> Learn:
    r"""Make a learner with ``degree + 1`` parameters: how bent a curve may be, and nothing else, is its capacity.

    .. math:: \hat y(t) = \sum_{k=0}^{d} c_k P_k(t)

    The :math:`P_k` are Legendre's polynomials. They span the same curves as :math:`t^k`, and rounding errors stay small.

    Args:
        degree: the highest power, 0 or more.

    Returns:
        What learns by :func:`~dlcourse.learning.gradient_descent.least_squares` from inputs ``(n,)`` in [-1, 1] and
        values ``(n,)``.

    Raises:
        ValueError: if ``degree`` is below 0; when it learns or predicts, if an input is not in [-1, 1].

    Example:
        >>> predict = polynomial(2)(np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]))
        >>> predict(np.array([0.5])).round(9)
        array([0.25])
    """
    if degree < 0:
        raise ValueError(f"polynomial expects a degree of at least 0, got {degree}: 0 is a constant")

    def columns(t: Array) -> Array:
        if not (np.abs(t) <= 1).all():
            raise ValueError("polynomial expects inputs from -1 to 1: pass 2 * (t - low) / (high - low) - 1")
        return np.polynomial.legendre.legvander(t, degree)[:, 1:]  # (n, degree), without the constant

    def learn(t: Array, y: Array) -> Predict:
        w, b = least_squares(columns(t), y)
        return lambda t: columns(t) @ w + b

    return learn


def _expect_pairs(function: str, x: Array, y: Array) -> None:
    """Refuse samples without a target each."""
    if len(x) != len(y):
        raise ValueError(f"{function} expects one target a sample, got {len(x)} samples and {len(y)} targets")


def _expect_sizes(sizes: Sequence[int], n: int) -> None:
    """Refuse training sets that are empty or larger than what there is."""
    if not sizes or not 1 <= min(sizes) <= max(sizes) <= n:
        raise ValueError(
            f"learning_curve expects sizes from 1 to the number of examples, {n}, got {list(sizes)}"
        )
