"""How a model gets better: small steps against the gradient of its loss.

:func:`one_step` is the idea. :func:`descend` repeats it, for any function of a few numbers. :func:`train` repeats it for
a model and its examples, each step on a few of them only. Between the two stand the first models that learn this way,
their gradients derived by hand, and the largest rate at which that works.
Chapter: book/learning/gradient_descent.md. Source: Goodfellow et al. (2016), sections 4.3 and 5.9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped

from dlcourse.learning._linear_models import (
    least_squares,
    linear_hessian,
    linear_regression,
    softmax_regression,
)
from dlcourse.neurons._expect import expect_count, expect_floating, expect_pairs

__all__ = [
    "DivergenceError",
    "Training",
    "descend",
    "largest_stable_rate",
    "least_squares",
    "linear_hessian",
    "linear_regression",
    "minibatches",
    "one_step",
    "softmax_regression",
    "train",
]

Number: TypeAlias = Float[np.ndarray, "*shape"] | np.floating | float
Parameters: TypeAlias = tuple[Float[np.ndarray, "*_"], ...]
Model: TypeAlias = Callable[..., tuple[Any, tuple[Any, ...]]]


class DivergenceError(ArithmeticError):
    """The steps were too large: the numbers grew until they were no longer finite."""


def one_step(
    p: Number,
    gradient: Number,
    rate: Float[np.ndarray, ""] | float,
) -> Float[np.ndarray, ...]:
    r"""Take one step downhill: against the gradient, as long as the learning rate says.

    .. math:: p \leftarrow p - \eta \, \nabla L(p)

    Source: Cauchy (1847); Goodfellow et al. (2016), section 4.3.

    Args:
        p: where we are, any shape.
        gradient: the derivative of the loss with respect to each number of ``p``, same shape.
        rate: learning rate :math:`\eta`, above 0.

    Returns:
        Where we are next, same shape, in the dtype of ``p``.

    Raises:
        ValueError: if the rate is not above 0, or the gradient has another shape.

    Example:
        >>> one_step(np.array([3.0, -1.0]), np.array([6.0, -2.0]), 0.25)
        array([ 1.5, -0.5])
    """
    _expect_rate("one_step", float(rate))
    if np.shape(gradient) != np.shape(p):
        raise ValueError(
            f"one_step expects a gradient of the shape of the point, {np.shape(p)}, got {np.shape(gradient)}: give one "
            "derivative for each number of the point"
        )
    return np.asarray(p - float(rate) * gradient)


def descend(
    gradient: Callable[[Any], Any],
    start: Float[np.ndarray, "*n"] | float,
    *,
    rate: float,
    steps: int,
) -> Float[np.ndarray, "points ..."]:
    r"""Walk down a function, step by step, and keep the path.

    .. math:: p_{t+1} = p_t - \eta \, \nabla f(p_t)

    Args:
        gradient: gives the gradient at a point, in the shape of the point.
        start: where the walk begins, ``(*n,)``.
        rate: learning rate :math:`\eta`, above 0.
        steps: how many steps to go.

    Returns:
        The start and the point after each step, ``(steps + 1, *n)``.

    Raises:
        ValueError: if the rate is not above 0, or the gradient does not have the shape of the point.
        DivergenceError: if the path leaves the range of numbers.

    Example:
        >>> descend(lambda p: 2 * p, 8.0, rate=0.25, steps=3)
        array([8., 4., 2., 1.])
    """
    point = np.asarray(start, dtype=float) if isinstance(start, float | int) else start
    expect_floating("descend", start=point)
    expect_count("descend", steps=steps, least=0)
    path = np.empty((steps + 1, *point.shape), point.dtype)  # (steps + 1, *n)
    path[0] = point
    for t in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            slope = np.asarray(gradient(path[t]))
            path[t + 1] = one_step(path[t], slope, rate)
        if not np.isfinite(path[t + 1]).all():
            if t == 0 and not np.isfinite(slope).all():
                raise _not_finite("descend", "gradient")
            raise _diverged("descend", t + 1, rate)
    return path


def largest_stable_rate(hessian: Float[np.ndarray, "n n"]) -> float:
    r"""Return the learning rate from which on the steps no longer lead down.

    .. math:: \eta_\text{max} = \frac{2}{\lambda_\text{max}}

    Along each eigenvector of the Hessian a step multiplies the distance from the minimum by
    :math:`1 - \eta \lambda`. That is a growth where :math:`\eta \lambda` is above 2. This is exact for a quadratic
    function, and holds near a minimum for any other.

    Source: LeCun et al. (1998), Efficient BackProp, section 5.

    Args:
        hessian: second derivatives, symmetric, ``(n, n)``.

    Returns:
        The limit: smaller rates converge, larger ones diverge.

    Raises:
        ValueError: if the matrix is not symmetric, or the function is curved upwards nowhere.

    Example:
        >>> largest_stable_rate(np.diag([1.0, 4.0]))
        0.5
    """
    expect_floating("largest_stable_rate", hessian=hessian)
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1] or not np.allclose(hessian, hessian.T):
        raise ValueError(
            f"largest_stable_rate expects a symmetric matrix of shape (n, n), got shape {hessian.shape}: "
            "entry i, j is the second derivative with respect to parameters i and j"
        )
    steepest = float(np.linalg.eigvalsh(hessian)[-1])
    if steepest <= 0:
        raise ValueError(
            f"largest_stable_rate expects a function that is curved upwards, got a largest eigenvalue of {steepest:.3g}: "
            "such a function has no minimum to go to"
        )
    return 2 / steepest


def minibatches(n: int, size: int, *, rng: np.random.Generator) -> Iterator[Int[np.ndarray, " _"]]:
    """Divide the numbers of ``n`` examples into random batches: one epoch.

    Each example comes once. The order is drawn when this is called, so two epochs have different batches.

    Source: Goodfellow et al. (2016), section 8.1.3.

    Args:
        n: how many examples there are.
        size: how many of them make a batch; the last batch has the rest.
        rng: draws the order.

    Returns:
        The batches, each as an array of indices.

    Raises:
        ValueError: if there is no example, or the size is below 1.

    Example:
        >>> [batch.tolist() for batch in minibatches(5, 2, rng=np.random.default_rng(0))]
        [[2, 4], [3, 0], [1]]
    """
    expect_count("minibatches", n=n, size=size)
    order = rng.permutation(n)  # (n,)
    return (order[first : first + size] for first in range(0, n, size))


class Training(NamedTuple):
    """What :func:`train` found, and how it went.

    Attributes:
        parameters: those after the last step.
        losses: the loss of each step's batch, before the step, ``(steps,)``.
    """

    parameters: Parameters
    losses: Float[np.ndarray, " steps"]


def train(
    model: Model,
    parameters: Sequence[Float[np.ndarray, "*_"] | float],
    x: Float[np.ndarray, "n ..."],
    y: Shaped[np.ndarray, "n ..."],
    *,
    rate: float,
    epochs: int,
    size: int,
    rng: np.random.Generator,
) -> Training:
    r"""Train a model by gradient descent, each step on a random batch of the examples.

    .. math:: p \leftarrow p - \eta \, \nabla_p L(\text{batch})

    With ``size`` as large as the data set this is batch gradient descent, with 1 stochastic gradient descent, and
    mini-batch gradient descent in between.

    Source: Robbins and Monro (1951); Goodfellow et al. (2016), section 5.9.

    Args:
        model: called as ``model(x, y, *parameters)``, gives the loss and a tuple with one gradient a parameter, as
            :func:`linear_regression` does.
        parameters: where to start; they are copied, not changed.
        x: examples, ``(n, ...)``.
        y: what should come out, ``(n, ...)``.
        rate: learning rate :math:`\eta`, above 0.
        epochs: how often to go through all examples.
        size: how many examples make a batch.
        rng: draws the batches.

    Returns:
        The trained parameters, and the loss of each step.

    Raises:
        ValueError: if the rate is not above 0, there is not one target a row, or the loss is NaN from the beginning.
        DivergenceError: if the loss or a parameter leaves the range of numbers.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
        >>> rng = np.random.default_rng(0)
        >>> (w, b), losses = train(linear_regression, [np.zeros(1), 0.0], x, y, rate=0.2, epochs=200, size=2, rng=rng)
        >>> w.round(3), round(float(b), 3), len(losses)
        (array([2.]), 1.0, 400)
    """
    expect_count("train", epochs=epochs, least=0)
    expect_count("train", size=size)
    expect_pairs("train", x, y)
    trained = [np.array(p) for p in parameters]
    expect_floating("train", **{f"parameter_{k}": p for k, p in enumerate(trained, start=1)})
    losses: list[Any] = []
    for _ in range(epochs):
        for batch in minibatches(len(x), size, rng=rng):
            with np.errstate(over="ignore", invalid="ignore"):
                loss, gradients = model(x[batch], y[batch], *trained)
                if not np.isfinite(loss):
                    raise _diverged("train", len(losses), rate) if losses else _not_finite("train", "loss")
                trained = [one_step(p, d_p, rate) for p, d_p in zip(trained, gradients, strict=True)]
            losses.append(loss)
    if not all(np.isfinite(p).all() for p in trained):
        raise _diverged("train", len(losses), rate)
    return Training(tuple(trained), np.array(losses, dtype=float))


def _expect_rate(function: str, rate: float) -> None:
    """Refuse a rate that goes uphill, nowhere, or out of all bounds."""
    if not 0 < rate < np.inf:
        raise ValueError(
            f"{function} expects a learning rate above 0, got {rate}: the minus is already part of the step, so "
            "begin with 0.1"
        )


def _not_finite(function: str, what: str) -> ValueError:
    """Say that the numbers were bad from the beginning."""
    return ValueError(
        f"{function} got a {what} of NaN or inf at the start, before any step: look for NaN in the data and in the "
        "parameters, and scale numbers that are very large"
    )


def _diverged(function: str, step: int, rate: float) -> DivergenceError:
    """Say that the rate made the numbers grow out of range."""
    return DivergenceError(
        f"{function} diverged: after step {step} the numbers are no longer finite, because with the learning rate "
        f"{rate:.3g} the steps grow. Try {rate / 10:.3g}, and bring the inputs to mean 0 and spread 1"
    )
