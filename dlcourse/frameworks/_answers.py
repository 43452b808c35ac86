"""What the exercises of this part are compared with: NumPy, whatever framework the answer is written in.

So the process that judges an answer imports none of the three, and what it expects was derived in earlier chapters.
Tensors may come in; arrays go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.activation import softmax
from dlcourse.neurons.network import MLP


def _in_float64(*arrays: Any) -> list[Array]:
    return [np.asarray(a).astype(np.float64) for a in arrays]


def cross_entropy(W: Any, b: Any, x: Any, labels: Any) -> float:
    """Return the mean cross-entropy of one linear layer [nats].

    Args:
        W: one unit a column, ``(n_in, classes)``.
        b: one bias a unit, ``(classes,)``.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
    """
    model = TrainableMLP(MLP("class", *_in_float64(W, b)))
    return model.loss(_in_float64(x)[0], np.asarray(labels))


def loss_gradients(W: Any, b: Any, x: Any, labels: Any) -> tuple[Array, ...]:
    """Return the gradients of :func:`cross_entropy` with respect to ``W`` and ``b``.

    Args:
        W: one unit a column, ``(n_in, classes)``.
        b: one bias a unit, ``(classes,)``.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
    """
    model = TrainableMLP(MLP("class", *_in_float64(W, b)))
    return model.loss_and_gradients(_in_float64(x)[0], np.asarray(labels))[1]


def gradients_by_sample(W: Any, b: Any, x: Any, labels: Any) -> tuple[Array, Array]:
    """Return what :func:`loss_gradients` gives for each sample alone: ``(batch, n_in, classes)``, ``(batch, classes)``.

    Args:
        W: one unit a column, ``(n_in, classes)``.
        b: one bias a unit, ``(classes,)``.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
    """
    W, b, x = _in_float64(W, b, x)
    d_z = softmax(x @ W + b)  # (batch, classes)
    d_z[np.arange(len(x)), np.asarray(labels)] -= 1
    return x[:, :, None] * d_z[:, None, :], d_z


def momentum_step(
    parameters: Sequence[Any],
    velocities: Sequence[Any],
    gradients: Sequence[Any],
    rate: float,
    momentum: float,
) -> tuple[list[Array], list[Array]]:
    """Return new parameters and new velocities, as stochastic gradient descent with momentum gives them.

    Args:
        parameters: any arrays.
        velocities: arrays of the same shapes.
        gradients: arrays of the same shapes.
        rate: size of the step.
        momentum: how much of the velocity is kept.
    """
    new = [momentum * v + g for v, g in zip(_in_float64(*velocities), _in_float64(*gradients), strict=True)]
    return [p - rate * v for p, v in zip(_in_float64(*parameters), new, strict=True)], new


def train(W: Any, b: Any, x: Any, labels: Any, rate: float, steps: int) -> list[float]:
    """Take steps of gradient descent on one batch, and return the loss before each.

    Args:
        W: one unit a column, ``(n_in, classes)``.
        b: one bias a unit, ``(classes,)``.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
        rate: size of a step.
        steps: how many.
    """
    W, b = _in_float64(W, b)
    losses = []
    for _ in range(steps):
        losses.append(cross_entropy(W, b, x, labels))
        d_W, d_b = loss_gradients(W, b, x, labels)
        W, b = W - rate * d_W, b - rate * d_b
    return losses


class Unit:
    """A layer as PyTorch holds it: one unit a row.

    Args:
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
    """

    def __init__(self, W: Any, b: Any):
        W, self.bias = _in_float64(W, b)
        self.weight = W.T  # (n_in, n_out) -> (n_out, n_in)

    def forward(self, x: Any) -> Array:
        """Return the sums, ``(batch, n_in) -> (batch, n_out)``."""
        return _in_float64(x)[0] @ self.weight.T + self.bias


class Network:
    """A multi-layer perceptron with ReLU that gives logits.

    Args:
        parameters: weights and biases in turn, ``W1, b1, W2, b2, ...``.
    """

    def __init__(self, *parameters: Any):
        self.parameters = _in_float64(*parameters)

    def forward(self, x: Any) -> Array:
        """Return the logits, ``(batch, n_in) -> (batch, classes)``."""
        (h,) = _in_float64(x)
        for W, b in zip(self.parameters[:-2:2], self.parameters[1:-2:2], strict=True):
            h = np.maximum(h @ W + b, 0)
        return h @ self.parameters[-2] + self.parameters[-1]

    def __call__(self, x: Any) -> Array:
        """Return the logits, ``(batch, n_in) -> (batch, classes)``."""
        return self.forward(x)

    def count_params(self) -> int:
        """Count the numbers that training may change."""
        return sum(p.size for p in self.parameters)


def leaky(x: Any) -> Array:
    """Return positive numbers as they are, and others divided by 10.

    Args:
        x: any shape.
    """
    (x,) = _in_float64(x)
    return np.where(x > 0, x, 0.1 * x)
