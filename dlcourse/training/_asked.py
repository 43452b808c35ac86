"""Two functions of the chapter on initialization as its exercise asks for them: plain lists, and ReLU alone.

Chapter: book/training/initialization.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.neurons.network import Layer
from dlcourse.training.initialization import initialize, signals

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
