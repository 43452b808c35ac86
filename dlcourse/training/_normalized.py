"""A multi-layer perceptron whose hidden layers are normalized between their sums and their activation.

Chapter: book/training/normalization.md. Source: Ioffe and Szegedy (2015), section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from dlcourse.learning.backpropagation import linear_op
from dlcourse.learning.loss import LOSS_OPS, LOSSES
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.activation import ACTIVATION_OPS
from dlcourse.neurons.network import MLP

Pullback = Callable[[Array], tuple[Array, tuple[Array, ...]]]


class Norm(Protocol):
    """What stands between the sums and the activation of a hidden layer."""

    gamma: Array
    beta: Array

    def forward_op(
        self, x: Array, training: bool
    ) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
        """Return the value and its pullback, which returns the gradients of x, gamma and beta."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A norm with more to remember than its parameters."""

    def state(self) -> dict[str, Array]:
        """Return copies of what is remembered."""
        ...

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from a state."""
        ...


class NormalizedMLP:
    """The network of an :class:`~dlcourse.neurons.network.MLP`, normalized, ready to be trained.

    A hidden layer is a matrix product, the norm, and the activation. It has no bias: a norm over the batch would take it
    off again, and beta does its work. So the biases of the hidden layers become the first betas.

    Args:
        net: gives the sizes, the activation, the kind of output and the first parameters, which are copied.
        norm: makes the norm of a layer, as ``norm(n_out, dtype=...)``: ``BatchNorm`` or ``LayerNorm``.

    Attributes:
        parameters: ``W, gamma, beta`` of each hidden layer, then ``W, b`` of the output layer.
        norms: one norm a hidden layer.

    Example:
        >>> from dlcourse.training.normalization import BatchNorm
        >>> net = MLP.draw([3, 4, 2], output="class", rng=np.random.default_rng(0))
        >>> model = NormalizedMLP(net, BatchNorm)
        >>> [parameter.shape for parameter in model.parameters]
        [(3, 4), (4,), (4,), (4, 2), (2,)]
    """

    def __init__(self, net: MLP, norm: Callable[..., Norm]):
        *hidden, last = net.layers
        self.output = net.output
        self.activation = net.activation
        self.norms = tuple(norm(layer.W.shape[1], dtype=layer.W.dtype) for layer in hidden)
        self._weights = tuple(layer.W.copy() for layer in net.layers)
        self._bias = last.b.copy()
        for made, layer in zip(self.norms, hidden, strict=True):
            made.beta[:] = layer.b
        middle = zip(self._weights[:-1], self.norms, strict=True)
        self.parameters: tuple[Array, ...] = (
            *(p for W, made in middle for p in (W, made.gamma, made.beta)),
            self._weights[-1],
            self._bias,
        )

    def sums(self, x: Array, training: bool = False) -> list[Array]:
        """Return what each activation takes in, layer by layer, and the scores of the output layer at the end.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            training: whether norms use, and remember, the statistics of this batch.

        Returns:
            One array a layer, ``(batch, n_out)`` each.
        """
        return self._forward_op(x, training)[0]

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch in training mode and its gradients; see :class:`Trainable`."""
        sums, pullback = self._forward_op(x, training=True)
        value, loss_pullback = LOSS_OPS[self.output](sums[-1], y)
        return float(value), pullback(loss_pullback(value.dtype.type(1)))[1]

    def loss(self, x: Array, y: Array) -> float:
        """Return the loss of a batch in evaluation mode."""
        return float(LOSSES[self.output](self.sums(x)[-1], y))

    def predict(self, x: Array, training: bool = False) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            training: whether to predict in the wrong mode, as the chapter does to show what happens then.
        """
        scores = self.sums(x, training)[-1]
        return scores.argmax(axis=-1) if self.output == "class" else scores

    def state(self) -> dict[str, Array]:
        """Return what a checkpoint needs beside the parameters: the running statistics of each norm that has some."""
        return {
            f"{number} {name}": value
            for number, norm in enumerate(self.norms)
            if isinstance(norm, Remembering)
            for name, value in norm.state().items()
        }

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from a :meth:`state`."""
        for number, norm in enumerate(self.norms):
            if isinstance(norm, Remembering):
                mine = f"{number} "
                norm.load({name.removeprefix(mine): v for name, v in state.items() if name.startswith(mine)})

    def _forward_op(self, x: Array, training: bool) -> tuple[list[Array], Pullback]:
        """Send a batch through all layers; the pullback returns the gradients of x and of the parameters."""
        sums: list[Array] = []
        pullbacks = []
        for W, norm in zip(self._weights[:-1], self.norms, strict=True):
            z, linear_pullback = linear_op(x, W, np.zeros_like(norm.beta))  # (batch, n_out)
            z, norm_pullback = norm.forward_op(z, training)
            x, activation_pullback = ACTIVATION_OPS[self.activation](z)
            sums.append(z)
            pullbacks.append((linear_pullback, norm_pullback, activation_pullback))
        z, last_pullback = linear_op(x, self._weights[-1], self._bias)  # (batch, classes)
        sums.append(z)

        def pullback(d_z: Array) -> tuple[Array, tuple[Array, ...]]:
            d_x, *gradients = last_pullback(d_z)
            for linear_pullback, norm_pullback, activation_pullback in reversed(pullbacks):
                d_z, d_gamma, d_beta = norm_pullback(activation_pullback(d_x))
                d_x, d_W, _ = linear_pullback(d_z)
                gradients = [d_W, d_gamma, d_beta, *gradients]
            return d_x, tuple(gradients)

        return sums, pullback
