"""The network of the chapter on backpropagation once more, written for speed.

:class:`FusedMLP` does the arithmetic of :class:`~dlcourse.learning.backpropagation.TrainableMLP`, which is the plain form
and the reference: a test holds the two equal. The operations are the same; what is fast is how they are put. Every array
is made once and written to again, a layer is one step and not three, and all parameters lie in one buffer, so that an
optimizer updates them in one pass. Chapter: book/learning/backpropagation.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse.learning._flat import aligned, flat_views, runs
from dlcourse.learning.loss import LOSSES, _expect_labels, _expect_targets
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP

BLOCK = 1024
"""Samples at a time where nothing is learned, so that their answers stay in the processor's cache."""

_KEPT = 8  # sizes of batches whose buffers are kept; an epoch needs two, an evaluation two more


def _linear(z: Array) -> None:
    pass


def _through_linear(d_h: Array, h: Array) -> None:
    pass


def _relu(z: Array) -> None:
    np.maximum(z, 0, out=z)


def _through_relu(d_h: Array, h: Array) -> None:
    d_h *= h > 0  # the answer is positive exactly where the sum was


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _through_tanh(d_h: Array, h: Array) -> None:
    d_h *= 1 - h * h


def _sigmoid(z: Array) -> None:
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)


def _through_sigmoid(d_h: Array, h: Array) -> None:
    d_h *= h * (1 - h)


IN_PLACE: dict[str, tuple[Callable[[Array], None], Callable[[Array, Array], None]]] = {
    "linear": (_linear, _through_linear),
    "relu": (_relu, _through_relu),
    "tanh": (_tanh, _through_tanh),
    "sigmoid": (_sigmoid, _through_sigmoid),
}
"""Activations whose slope can be told from their value alone: the sums need not be kept and are written over."""


class _Buffers(NamedTuple):
    """What a batch of one size is computed in."""

    answers: list[Array]  # (batch, n_out) a layer; those of the last become the gradient of its sums
    errors: list[Array]  # the same for the hidden layers, on the way back
    ones: Array  # (batch,)
    rows: Array  # 0, 1, ..., batch - 1


class FusedMLP:
    """A multi-layer perceptron with the gradients of its loss, as fast as NumPy can be made to do it.

    The parameters of ``net`` move into one buffer and stay the parameters of ``net``: what changes them trains ``net``.
    float32 halves the memory to be moved and doubles the numbers an instruction takes: draw the network with
    ``dtype=np.float32``.

    Args:
        net: the network to train; its hidden activation is linear, relu, tanh or sigmoid.

    Attributes:
        net: the same.
        parameters: weights and biases in turn, views of one buffer.
        gradients: theirs, views of another buffer; the next batch writes over them.

    Raises:
        TypeError: if the parameters are of several dtypes.
        ValueError: if the slope of the activation cannot be told from its value.

    Example:
        >>> model = FusedMLP(MLP("value", np.array([[2.0]]), np.array([0.0])))
        >>> loss, (d_W, d_b) = model.loss_and_gradients(np.array([[1.0]]), np.array([[5.0]]))
        >>> loss, d_W, d_b
        (9.0, array([[-6.]]), array([-6.]))
    """

    def __init__(self, net: MLP):
        if len(net.layers) > 1 and net.activation not in IN_PLACE:
            raise ValueError(
                f"FusedMLP expects a hidden activation of {', '.join(IN_PLACE)}, got {net.activation!r}: "
                "train this network with TrainableMLP"
            )
        dtypes = {p.dtype for p in net.parameters}
        if len(dtypes) > 1:
            raise TypeError(
                f"FusedMLP expects parameters of one dtype, got {', '.join(sorted(map(str, dtypes)))}: "
                "convert them with astype(np.float32)"
            )
        (self._dtype,) = dtypes
        self._n_in = net.sizes[0]
        shapes = [p.shape for p in net.parameters]
        _, self.gradients = flat_views(shapes, self._dtype)
        if not _in_one_buffer(net.parameters):
            _, moved = flat_views(shapes, self._dtype)
            for new, old in zip(moved, net.parameters, strict=True):
                new[...] = old
            pairs = zip(net.layers, moved[::2], moved[1::2], strict=True)
            net.layers = tuple(layer._replace(W=W, b=b) for layer, W, b in pairs)
        self.net = net
        self.parameters: tuple[Array, ...] = net.parameters
        self._activate, self._through = IN_PLACE[net.activation if len(net.layers) > 1 else "linear"]
        self._buffers: dict[int, _Buffers] = {}

    @np.errstate(over="ignore", invalid="ignore")  # half the time of a with statement
    def loss_and_gradients(
        self, x: Float[np.ndarray, "batch n_in"], y: Array
    ) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``.

        The arrays are the same at each call: copy what is to be kept. A loss that is not finite is returned as it is,
        without a warning.

        Args:
            x: one sample a row, in the dtype of the parameters, ``(batch, n_in)``.
            y: class indices, ``(batch,)``, or values, ``(batch, n_out)``.
        """
        buffers = self._forward(x)
        turn = _cross_entropy if self.net.output == "class" else _mean_squared_error
        loss = turn(buffers.answers[-1], y, buffers.rows)
        self._backward(x, buffers)
        return loss, self.gradients

    def loss(self, x: Float[np.ndarray, "batch n_in"], y: Array) -> float:
        """Return the loss of any number of samples.

        Args:
            x: one sample a row, in the dtype of the parameters, ``(batch, n_in)``.
            y: class indices, ``(batch,)``, or values, ``(batch, n_out)``.
        """
        if len(y) != len(x):
            raise ValueError(f"loss expects one target a sample, got {len(x)} samples and {len(y)} targets")
        mean = LOSSES[self.net.output]
        self._expect_batch(x)
        total = 0.0
        for i in range(0, len(x), BLOCK):
            of_block = y[i : i + BLOCK]
            total += float(mean(self._forward(x[i : i + BLOCK]).answers[-1], of_block)) * len(of_block)
        return total / len(x)

    def predict(self, x: Float[np.ndarray, "batch n_in"]) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``.

        Args:
            x: one sample a row, in the dtype of the parameters, ``(batch, n_in)``.
        """
        self._expect_batch(x)
        found = []
        for i in range(0, len(x), BLOCK):
            answers = self._forward(x[i : i + BLOCK]).answers[-1]
            found.append(answers.argmax(axis=-1) if self.net.output == "class" else answers.copy())
        return np.concatenate(found)

    def _forward(self, x: Array) -> _Buffers:
        """Send a batch through the layers; the last one gives its sums."""
        self._expect_batch(x)
        buffers = self._buffers_for(len(x))
        last = len(self.net.layers) - 1
        h = x
        for number, (layer, z) in enumerate(zip(self.net.layers, buffers.answers, strict=True)):
            np.matmul(h, layer.W, out=z)  # (batch, n_in) @ (n_in, n_out) -> (batch, n_out)
            z += layer.b
            if number < last:
                self._activate(z)
            h = z
        return buffers

    def _backward(self, x: Array, buffers: _Buffers) -> None:
        """Lead the error back, from the gradient of the last sums, which stands in the last answers."""
        d_z = buffers.answers[-1]
        for number in reversed(range(len(self.net.layers))):
            h = buffers.answers[number - 1] if number else x
            np.matmul(h.T, d_z, out=self.gradients[2 * number])  # (n_in, batch) @ (batch, n_out)
            # A row of ones times a matrix adds up its rows: the same sum as d_z.sum(axis=0), in less than half the time.
            np.matmul(buffers.ones, d_z, out=self.gradients[2 * number + 1])
            if number:  # nobody asks for the gradient of x, and it would cost as much as that of W1
                d_h = buffers.errors[number - 1]
                np.matmul(d_z, self.net.layers[number].W.T, out=d_h)  # (batch, n_out) @ (n_out, n_in)
                self._through(d_h, h)
                d_z = d_h

    def _buffers_for(self, batch: int) -> _Buffers:
        if batch not in self._buffers:
            if len(self._buffers) == _KEPT:
                self._buffers.clear()
            *hidden, n_out = self.net.sizes[1:]
            answers, errors = ([aligned((batch, n), self._dtype) for n in hidden] for _ in range(2))
            # The loss looks for the largest of each sample's few logits, and adds up its exponentials. Both take a
            # quarter of the time where the logits of all samples for one class lie side by side.
            answers.append(aligned((n_out, batch), self._dtype).T)
            self._buffers[batch] = _Buffers(answers, errors, np.ones(batch, self._dtype), np.arange(batch))
        return self._buffers[batch]

    def _expect_batch(self, x: Array) -> None:
        if x.ndim != 2 or x.shape[1] != self._n_in or len(x) == 0:
            raise ValueError(
                f"FusedMLP expects x of shape (batch, {self._n_in}) with at least one sample, got {x.shape}: "
                "put one sample into each row"
            )
        if x.dtype != self._dtype:
            raise TypeError(
                f"FusedMLP expects x in the dtype of its parameters, {self._dtype}, got {x.dtype}: convert all samples "
                f"once, before training, with x.astype(np.{self._dtype})"
            )


def _cross_entropy(z: Array, labels: Array, rows: Array) -> float:
    """Return the cross-entropy of logits, and turn them into their gradient: softmax less one-hot, over the batch.

    So few numbers are done before Python has found the right function: ufuncs are called without their wrappers, and
    labels that are right are let through without a call.
    """
    of_right_kind = (
        isinstance(labels, np.ndarray) and labels.shape == rows.shape and labels.dtype.kind in "iu"
    )
    if not (of_right_kind and np.minimum.reduce(labels) >= 0 and np.maximum.reduce(labels) < z.shape[1]):
        _expect_labels(z, labels)  # says what is wrong
    right = rows, labels
    z -= np.maximum.reduce(z, axis=1, keepdims=True)  # no exponential is then above 1
    of_label = np.add.reduce(z[right])
    np.exp(z, out=z)
    total = np.add.reduce(z, axis=1, keepdims=True)  # (batch, 1)
    loss = (np.add.reduce(np.log(total), axis=None) - of_label) / len(z)
    total *= len(z)  # softmax and 1 / batch in one division
    z /= total
    z[right] -= z.dtype.type(1 / len(z))
    return float(loss)


def _mean_squared_error(z: Array, target: Array, rows: Array) -> float:
    """Return the mean squared error of values, and turn them into their gradient."""
    _expect_targets(z, target)
    z -= target
    loss = float(np.vdot(z, z) / z.size)
    z *= z.dtype.type(2 / z.size)
    return loss


def _in_one_buffer(parameters: tuple[Array, ...]) -> bool:
    return all(p.flags.c_contiguous for p in parameters) and len(runs(parameters)) == 1
