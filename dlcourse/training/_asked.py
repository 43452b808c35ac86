"""Functions of this part as its exercises ask for them, where that is simpler than what the package needs.

Chapters: book/training/initialization.md, book/training/regularization.md, book/training/generalization.md,
book/training/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dlcourse.learning.backpropagation import linear_op
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import Layer
from dlcourse.training.evaluation import lagged_windows, skill_score
from dlcourse.training.generalization import error_rate, folds, split
from dlcourse.training.initialization import initialize, signals
from dlcourse.training.regularization import l2_penalty_op, shift


def draw_parameters(sizes: Sequence[int], *, rng: np.random.Generator) -> list[Array]:
    """Draw the weights and biases of a network with ReLU by He's scheme.

    Args:
        sizes: number of units a layer, the input layer first.
        rng: draws the weights.

    Returns:
        Weights and biases in turn.
    """
    return list(initialize(sizes, "he", output="value", rng=rng).parameters)


def signal_sizes(x: Array, weights: Sequence[Array], d_h: Array) -> tuple[list[float], list[float]]:
    """Measure activations and gradients in a network with ReLU in all layers and no biases.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        weights: one matrix a layer.
        d_h: gradient of the loss with respect to the last answers, ``(batch, n_out)``.

    Returns:
        Root mean squares of the activations and of the gradients, the input first.
    """
    layers = [Layer(W, np.zeros(W.shape[1]), "relu") for W in weights]
    found = signals(x, layers, d_h)
    return found.activations.tolist(), found.gradients.tolist()


def regularized_layer_op(
    h: Array, factor: Array, W: Array, b: Array, decay: float
) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
    """Compute the sums of a layer in training mode, behind dropout and with a penalty on its weights.

    Args:
        h: answers of the layer before, ``(batch, n_in)``.
        factor: what dropout multiplies them by, ``(batch, n_in)``.
        W: weights, ``(n_in, n_out)``.
        b: biases, ``(n_out,)``.
        decay: factor of the penalty on ``W``.

    Returns:
        The sums, ``(batch, n_out)``, and the pullback, which returns the gradients of ``h``, ``W`` and ``b`` for the loss
        and the penalty together.
    """
    z, linear_pullback = linear_op(h * factor, W, b)

    def pullback(d_z: Array) -> tuple[Array, Array, Array]:
        d_dropped, d_W, d_b = linear_pullback(d_z)
        (of_penalty,) = l2_penalty_op([W], decay)[1](1.0)
        return d_dropped * factor, d_W + of_penalty, d_b

    return z, pullback


def shift_all(images: Array, down: int, right: int) -> Array:
    """Move all pictures by the same number of whole pixels.

    Args:
        images: grey values, ``(batch, h, w)``.
        down: how far down; below 0 up.
        right: how far to the right; below 0 to the left.

    Returns:
        Pictures of the same shape; what comes in from outside is 0.
    """
    every = np.ones(len(images))
    return shift(images, down * every, right * every)


def hold_out_groups(groups: Array, names: Array) -> tuple[Array, Array]:
    """Divide examples so that some groups are held out as a whole.

    Args:
        groups: the group of each example, ``(n,)``.
        names: the groups that are held out.

    Returns:
        Row numbers to train on, and those held out, ascending.
    """
    unseen = np.isin(groups, names)
    return np.flatnonzero(~unseen), np.flatnonzero(unseen)


def split_once(labels: Array, share: float, *, rng: np.random.Generator) -> tuple[Array, Array]:
    """Divide examples by chance into two parts, with the same share of each class in both.

    Args:
        labels: class indices, ``(n,)``.
        share: share of each class that is held out, above 0 and below 1.
        rng: draws an order for each class, the smallest class first.

    Returns:
        Row numbers to train on, and those held out, ascending.
    """
    parts = split(labels, validation=0.0, test=share, rng=rng)
    return parts.train, parts.test


def list_folds(n: int, k: int, *, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """List the folds of a cross-validation.

    Args:
        n: how many examples there are.
        k: how many folds.
        rng: draws the order.

    Returns:
        Row numbers to train on, and those held out, once a fold.
    """
    return [(train, held_out) for train, held_out in folds(n, k, rng=rng)]


def class_means(x: Array, y: Array, new: Array) -> Array:
    """Answer with the class whose mean is nearest: the simplest learner of all.

    Args:
        x: samples to learn from, ``(n, n_in)``.
        y: their classes, ``(n,)``.
        new: samples to classify, ``(batch, n_in)``.

    Returns:
        One class a sample, ``(batch,)``.
    """
    classes = np.unique(y)
    means = np.stack([x[y == label].mean(axis=0) for label in classes])  # (classes, n_in)
    return classes[np.square(new[:, None] - means).sum(axis=2).argmin(axis=1)]


def growing_sets(x: Array, y: Array, x_valid: Array, y_valid: Array, sizes: Array) -> Array:
    """Measure the errors of :func:`class_means` learned from the first samples.

    Args:
        x: samples to learn from, in random order, ``(n, n_in)``.
        y: their classes, ``(n,)``.
        x_valid: samples that are not learned from, ``(m, n_in)``.
        y_valid: their classes, ``(m,)``.
        sizes: how many of the first samples to learn from, ``(sizes,)``.

    Returns:
        Error on the samples learned from, and on the others, ``(sizes, 2)``.
    """
    return np.array(
        [
            [
                error_rate(class_means(x[:n], y[:n], new), truth)
                for new, truth in ((x[:n], y[:n]), (x_valid, y_valid))
            ]
            for n in sizes
        ]
    )


def past_and_future(series: Array, past: int, ahead: int) -> tuple[Array, Array]:
    """Cut a series without gaps into samples.

    Args:
        series: one number a step, ``(time,)``.
        past: number of steps that are known.
        ahead: how far the target lies behind the last of them.

    Returns:
        What is known, ``(n, past)``, and the target, ``(n,)``.
    """
    x, y, _ = lagged_windows(series[:, None], series, past, ahead)
    return x, y


def forecast_skill(series: Array, past: int, ahead: int, w: Array, b: float) -> float:
    """Compare the forecasts of a linear model with persistence.

    Args:
        series: one number a step, ``(time,)``.
        past: number of steps that are known.
        ahead: how far ahead is predicted.
        w: weights of the known steps, ``(past,)``.
        b: bias.

    Returns:
        The share of persistence's error that is gone.
    """
    x, y = past_and_future(series, past, ahead)
    return skill_score(x @ w + b, y, baseline=x[:, -1])
