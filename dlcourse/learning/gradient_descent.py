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

from dlcourse.learning.loss import cross_entropy_op
from dlcourse.neurons._expect import expect_count, expect_floating
from dlcourse.neurons.network import linear
from dlcourse.neurons.neuron import weighted_sum

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
    _expect_targets("linear_regression", x, y)
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
    _expect_targets("least_squares", x, y)
    _expect_flat("least_squares", y)
    best = np.linalg.lstsq(_with_ones(x), y, rcond=None)[0]  # (n_in + 1,)
    return best[:-1], best[-1]


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
    _expect_targets("train", x, y)
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


def _with_ones(x: Float[np.ndarray, "batch n_in"]) -> Float[np.ndarray, "batch n"]:
    """Append the input that is always 1, whose weight is the bias."""
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)


def _expect_rate(function: str, rate: float) -> None:
    """Refuse a rate that goes uphill, nowhere, or out of all bounds."""
    if not 0 < rate < np.inf:
        raise ValueError(
            f"{function} expects a learning rate above 0, got {rate}: the minus is already part of the step, so "
            "begin with 0.1"
        )


def _expect_targets(function: str, x: Any, y: Any) -> None:
    """Refuse targets that do not stand beside the examples: NumPy would stretch them silently."""
    if np.ndim(x) < 1 or len(x) == 0 or np.shape(y)[:1] != np.shape(x)[:1]:
        raise ValueError(
            f"{function} expects one target for each example and at least one of them, got x of shape {np.shape(x)} "
            f"and y of shape {np.shape(y)}: one example is one row of x and one entry of y"
        )


def _expect_flat(function: str, y: Any) -> None:
    """Refuse targets in a column: subtracted from a row they would make a table."""
    if y.ndim != 1:
        raise ValueError(
            f"{function} expects y of shape (batch,), got {y.shape}: make it flat with y.reshape(-1)"
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
