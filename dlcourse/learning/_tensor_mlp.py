"""A network whose gradients the tensor engine finds, as fast as the one whose gradients are written by hand.

It is re-exported by :mod:`dlcourse.learning.autodiff`. Chapter: book/learning/autodiff.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.learning._fused import FusedMLP, _Buffers, _cross_entropy, _mean_squared_error
from dlcourse.learning._layer_ops import Room, turned_op
from dlcourse.learning._tensor import Tensor, _layer, _unary
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP


class TensorMLP(FusedMLP):
    """A multi-layer perceptron whose gradients :meth:`Tensor.backward` finds: one op a layer, and one for the loss.

    Equal to :class:`~dlcourse.learning.backpropagation.TrainableMLP`. It writes into the buffers of
    :class:`~dlcourse.learning._fused.FusedMLP`, which is why recording costs so little.

    Args:
        net: the network to train; its hidden activation is linear, relu, tanh or sigmoid.

    Example:
        >>> from dlcourse.neurons.network import MLP
        >>> model = TensorMLP(MLP("value", np.array([[2.0]]), np.array([0.0])))
        >>> loss, (d_W, d_b) = model.loss_and_gradients(np.array([[1.0]]), np.array([[5.0]]))
        >>> loss, d_W, d_b
        (9.0, array([[-6.]]), array([-6.]))
    """

    def __init__(self, net: MLP):
        super().__init__(net)
        # The parameters stay where they are, and so do the buffers: they are wrapped once, not batch by batch.
        self._leaves = [Tensor._around(p, g) for p, g in zip(self.parameters, self.gradients, strict=True)]
        self._known: tuple[_Buffers, list[Room]] | None = None

    @np.errstate(over="ignore", invalid="ignore")
    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``.

        The arrays are the same at each call: copy what is to be kept.

        Args:
            x: one sample a row, in the dtype of the parameters, ``(batch, n_in)``.
            y: class indices, ``(batch,)``, or values, ``(batch, n_out)``.
        """
        self._expect_batch(x)
        buffers = self._buffers_for(len(x))
        h: Any = x
        for number, room in enumerate(self._rooms_in(buffers)):
            last = number == len(buffers.answers) - 1
            W, b = self._leaves[2 * number : 2 * number + 2]
            h = _layer(h, W, b, "linear" if last else self.net.activation, room)
        turn = _cross_entropy if self.net.output == "class" else _mean_squared_error
        loss = _unary(h, turned_op(turn, h._data, y, buffers.rows))
        loss.backward()
        return loss.item(), self.gradients

    def _rooms_in(self, buffers: _Buffers) -> list[Room]:
        """Tell each layer where to write; the same as at the last call, if that batch had the same size."""
        if self._known is None or self._known[0] is not buffers:
            weights, biases = self.gradients[::2], self.gradients[1::2]
            errors = [None, *buffers.errors]  # nobody asks for the gradient of x
            places = zip(buffers.answers, errors, weights, biases, strict=True)
            self._known = buffers, [Room(*place, buffers.ones) for place in places]
        return self._known[1]
