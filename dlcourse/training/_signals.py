"""How large the numbers are that flow through a network, forward and backward: what a scheme for weights is judged by.

Chapter: book/training/initialization.md. Source: Glorot and Bengio (2010), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse.learning.backpropagation import dense_op
from dlcourse.neurons.network import Layer


class Signals(NamedTuple):
    r"""How large the numbers are that flow through a network: root mean squares, one a layer, the input first.

    Args:
        activations: sizes of :math:`H^{(0)} = X, H^{(1)}, \dots, H^{(L)}`.
        gradients: sizes of the gradients of the loss with respect to the same.
    """

    activations: Float[np.ndarray, " layers"]
    gradients: Float[np.ndarray, " layers"]


def signals(
    x: Float[np.ndarray, "batch n_in"], layers: Sequence[Layer], d_answers: Float[np.ndarray, "batch n_out"]
) -> Signals:
    r"""Measure the activations on their way through the layers, and the gradients on their way back.

    .. math:: \operatorname{rms}(A) = \sqrt{\operatorname{mean}_{ij} A_{ij}^2}

    Args:
        x: one sample a row, ``(batch, n_in)``.
        layers: at least one, as :func:`~dlcourse.neurons.network.forward_all` takes them.
        d_answers: gradient of the loss with respect to the last answers, ``(batch, n_out)``.

    Returns:
        The sizes at the input and behind each layer.

    Raises:
        ValueError: if there is no layer, or the shapes do not fit.

    Example:
        >>> halve = Layer(np.array([[0.5]]), np.zeros(1))
        >>> found = signals(np.array([[8.0]]), [halve, halve], np.array([[1.0]]))
        >>> found.activations.tolist(), found.gradients.tolist()
        ([8.0, 4.0, 2.0], [0.25, 0.5, 1.0])
    """
    if len(layers) == 0:
        raise ValueError(
            "signals expects at least one layer, got none: pass the layers of a network, net.layers"
        )
    activations, pullbacks = [_size(x)], []
    for layer in layers:
        x, pullback = dense_op(x, *layer)  # (batch, n_in) -> (batch, n_out)
        activations.append(_size(x))
        pullbacks.append(pullback)
    gradients = [_size(d_answers)]
    for pullback in reversed(pullbacks):
        d_answers, _, _ = pullback(d_answers)  # (batch, n_out) -> (batch, n_in)
        gradients.append(_size(d_answers))
    return Signals(np.array(activations), np.array(gradients[::-1]))


def _size(array: Float[np.ndarray, "batch n"]) -> float:
    """Return the root mean square, also of numbers whose squares could not be written."""
    largest = float(np.abs(array).max())
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean((array / largest) ** 2)))
