"""A whole layer, and a loss, as one op each: fewer arrays and fewer steps than one op a symbol of the formula.

Like the ops of :mod:`dlcourse.learning._ops`, each returns its value and its pullback.
Chapter: book/learning/autodiff.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.learning import loss
from dlcourse.learning._fused import IN_PLACE
from dlcourse.learning._ops import Gradients, Pullback
from dlcourse.learning.backpropagation import dense_op as plain_dense_op
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import linear


class Room(NamedTuple):
    """Arrays that a layer writes to, where one that is called again and again need not make new ones.

    Args:
        h: for the answers.
        d_x: for the gradients of the input, of the weights and of the biases.
        d_W: the same.
        d_b: the same.
        ones: ones, one a sample.
    """

    h: Array | None = None
    d_x: Array | None = None
    d_W: Array | None = None  # noqa: N815 - a matrix is a capital letter
    d_b: Array | None = None
    ones: Array | None = None


def _add_rows(d_z: Array, into: Room) -> Array:
    """Add up the rows; a product with ones, where there are any, does it sooner."""
    if into.ones is None:
        return np.add.reduce(d_z, axis=0)
    return np.matmul(into.ones, d_z, out=into.d_b)


def dense_op(
    x: Array,
    W: Array,
    b: Array,
    activation: str = "relu",
    room: Room | None = None,
    needs: Sequence[bool] = (True,) * 3,
) -> tuple[Array, Pullback]:
    """Compute a whole layer as one op; the plain form is :func:`dlcourse.learning.backpropagation.dense_op`.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: as in the plain form.
        room: where to write; the pullback then writes over the gradient it is given, too.
        needs: which of the three gradients are wanted.
    """
    if activation not in IN_PLACE:
        h, plain = plain_dense_op(x, W, b, activation)
        return h, lambda d_h: tuple([d if need else None for d, need in zip(plain(d_h), needs, strict=True)])
    if x.ndim != 2 or W.ndim != 2 or x.shape[1] != W.shape[0] or b.shape != W.shape[1:]:
        linear(x, W, b)  # says what is wrong
    activate, through = IN_PLACE[activation]
    into = Room() if room is None else room
    h = np.matmul(x, W, out=into.h)  # (batch, n_in) @ (n_in, n_out) -> (batch, n_out)
    h += b
    activate(h)

    def pullback(d_h: Array) -> Gradients:
        d_z = d_h
        if activation != "linear":
            d_z = d_h.copy() if room is None else d_h
            through(d_z, h)
        return (
            np.matmul(d_z, W.T, out=into.d_x) if needs[0] else None,  # (batch, n_out) @ (n_out, n_in)
            np.matmul(x.T, d_z, out=into.d_W) if needs[1] else None,  # (n_in, batch) @ (batch, n_out)
            _add_rows(d_z, into) if needs[2] else None,  # (batch, n_out) -> (n_out,)
        )

    return h, pullback


def mean_squared_error_op(predicted: Array, target: Array) -> tuple[Any, Pullback]:
    """Compute the mean squared error of :mod:`dlcourse.learning.loss` as an op of one input."""
    value, pullback = loss.mean_squared_error_op(predicted, target)
    return value, lambda d_value: (pullback(d_value),)


def cross_entropy_op(logits: Array, labels: Array) -> tuple[Any, Pullback]:
    """Compute the cross-entropy of :mod:`dlcourse.learning.loss` as an op of one input."""
    value, pullback = loss.cross_entropy_op(logits, labels)
    return value, lambda d_value: (pullback(d_value),)


def turned_op(
    turn: Callable[[Array, Array, Array], float], z: Array, target: Array, rows: Array
) -> tuple[Any, Pullback]:
    """Compute a loss and turn the answers into its gradient where they stand, as nobody needs them any more."""
    return z.dtype.type(turn(z, target, rows)), lambda d_loss: (z if d_loss == 1 else z * d_loss,)
