"""Functions of this part as its exercises ask for them, where that is simpler than what the package needs.

Chapters: book/training/initialization.md, book/training/regularization.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlcourse.learning.backpropagation import linear_op
from dlcourse.neurons.network import Layer
from dlcourse.training.initialization import initialize, signals
from dlcourse.training.regularization import l2_penalty_op, shift

Array = np.ndarray[Any, np.dtype[Any]]


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
