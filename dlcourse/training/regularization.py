"""What keeps a network from learning its samples by heart: weight decay, dropout, early stopping, augmentation.

Each makes it harder to answer the training set rightly, and the answers to unseen samples better. Weight decay holds the
weights small, dropout makes units fail, early stopping ends the training in time, augmentation shows each picture a
little differently. Chapter: book/training/regularization.md. Sources: Krogh and Hertz (1992); Srivastava et al. (2014);
Prechelt (1998); Simard et al. (2003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse.learning.backpropagation import dense_op
from dlcourse.learning.loss import LOSS_OPS, LOSSES
from dlcourse.neurons._arrays import Array, FloatArrays, Floats
from dlcourse.neurons._expect import expect_floating, expect_gradient
from dlcourse.neurons.network import MLP
from dlcourse.training import _checkpoint
from dlcourse.training._pictures import augment, rotate, shift

__all__ = [
    "RegularizedMLP",
    "Stop",
    "augment",
    "dropout",
    "dropout_op",
    "l2_penalty",
    "l2_penalty_op",
    "rotate",
    "shift",
    "stop_early",
]


def l2_penalty(weights: FloatArrays, decay: float) -> Any:
    """Return the value of :func:`l2_penalty_op`."""
    return l2_penalty_op(weights, decay)[0]


def l2_penalty_op(
    weights: FloatArrays, decay: float
) -> tuple[Any, Callable[[Any], tuple[Float[np.ndarray, "*_"], ...]]]:
    r"""Charge for large weights: what is added to the loss, and the pullback.

    .. math:: P = \frac{\lambda}{2} \sum_j w_j^2, \qquad \bar w_j = \bar P \, \lambda w_j

    A step of gradient descent on the loss with this penalty is a step with ``weight_decay`` on the loss alone.

    Source: Krogh and Hertz (1992), equation 1.

    Args:
        weights: arrays of one dtype, any shapes; at least one. Leave out the biases.
        decay: the factor ``λ``, 0 or more.

    Returns:
        The penalty, ``()``, in the dtype of the weights, and its pullback, which turns the gradient of the penalty into
        one gradient an array.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if there is no array, or ``decay`` is below 0.

    Example:
        >>> penalty, pullback = l2_penalty_op([np.array([3.0, -1.0])], decay=0.1)
        >>> float(penalty), pullback(1.0)[0]
        (0.5, array([ 0.3, -0.1]))
    """
    _expect_penalty(weights, decay)
    dtype = weights[0].dtype.type
    value = dtype(decay / 2) * sum((np.square(W).sum() for W in weights), dtype(0))

    def pullback(d_value: Any) -> tuple[Float[np.ndarray, "*_"], ...]:
        return tuple(dtype(d_value * decay) * W for W in weights)

    return value, pullback


def dropout(x: Floats, rate: float, training: bool = True, *, rng: np.random.Generator) -> Floats:
    """Return the value of :func:`dropout_op`."""
    return dropout_op(x, rate, training, rng=rng)[0]


def dropout_op(
    x: Floats, rate: float, training: bool = True, *, rng: np.random.Generator
) -> tuple[Floats, Callable[[Floats], Floats]]:
    r"""Set a random share of the numbers to 0 and make the others larger, so that their mean stays.

    .. math:: y_i = \frac{m_i}{1 - p} \, x_i, \qquad P(m_i = 0) = p, \quad P(m_i = 1) = 1 - p, \qquad
              \bar x_i = \frac{m_i}{1 - p} \, \bar y_i

    In evaluation mode nothing is set to 0 and nothing has to be made larger: the value is ``x`` itself, and nothing is
    drawn.

    Source: Srivastava et al. (2014), sections 4 and 10.

    Args:
        x: numbers, any shape; usually the answers of a hidden layer.
        rate: the probability ``p`` of a 0, from 0 to below 1.
        training: whether this is training mode.
        rng: draws which numbers are kept, anew at each call.

    Returns:
        ``y`` in the dtype of ``x``, same shape, and its pullback, which remembers what was kept.

    Raises:
        TypeError: if ``x`` does not hold floating-point numbers.
        ValueError: if ``rate`` is out of its range.

    Example:
        >>> y, pullback = dropout_op(np.array([1.0, 2.0, 3.0, 4.0]), 0.5, rng=np.random.default_rng(1))
        >>> y, pullback(np.ones(4))
        (array([2., 4., 0., 8.]), array([2., 2., 0., 2.]))
    """
    expect_floating("dropout", x=x)
    _expect_rate("dropout", rate)
    factor = x.dtype.type(1)
    if training and rate > 0:
        keep = rng.random(x.shape) >= rate
        factor = keep / x.dtype.type(1 - rate)  # 0 or 1 / (1 - rate)
    y = x * factor

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("dropout", d_y, y)
        return d_y * factor

    return y, pullback


class Stop(NamedTuple):
    """When a training run ends.

    Attributes:
        best: the epoch whose parameters are kept, from 1.
        epochs: how many epochs are run in all.
    """

    best: int
    epochs: int


def stop_early(losses: Sequence[float] | Float[np.ndarray, " epochs"], patience: int) -> Stop:
    """Say when early stopping would have ended a run, and which epoch it would have kept.

    The best epoch is the first one with the smallest loss so far. The run ends as soon as ``patience`` epochs in a row
    brought nothing smaller. The rule is that of :func:`dlcourse.training.fit`.

    Source: Prechelt (1998), section 2.

    Args:
        losses: validation loss after each epoch.
        patience: how many epochs without a smaller loss are waited for, at least 1.

    Returns:
        The best epoch and the last one, both counted from 1.

    Raises:
        ValueError: if there is no loss, one is not finite, or ``patience`` is below 1.

    Example:
        >>> stop_early([0.9, 0.5, 0.6, 0.4, 0.5, 0.5, 0.3], patience=2)
        Stop(best=4, epochs=6)
    """
    _expect_losses(losses, patience)
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        if epoch - best >= patience:
            break
    return Stop(best, epoch)


class RegularizedMLP:
    """The network of an :class:`~dlcourse.neurons.network.MLP`, ready to be trained with three kinds of regularization.

    Only :meth:`loss_and_gradients` knows of them: it changes the samples, drops hidden units, and adds the penalty. The
    loss of held-out samples and all predictions are those of the plain network. The parameters of ``net`` are shared.

    Args:
        net: the network to train.
        dropout: share of each hidden layer's answers that is set to 0, from 0 to below 1.
        decay: factor of the penalty on the weights; biases are free.
        augment: changes the samples of each batch, as ``augment(x, rng=rng)``.
        rng: draws which units fail and how samples change. Its state is part of :meth:`state`, so that
            :func:`~dlcourse.training.fit` goes on from a checkpoint bit for bit.

    Attributes:
        net: the same.
        parameters: weights and biases in turn, the arrays of ``net`` themselves.

    Raises:
        ValueError: if ``dropout`` or ``decay`` is out of its range.

    Example:
        >>> net = MLP.draw([3, 8, 2], output="class", rng=np.random.default_rng(0))
        >>> model = RegularizedMLP(net, dropout=0.5, rng=np.random.default_rng(1))
        >>> x, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
        >>> model.loss(x, y) == model.loss(x, y), model.loss_and_gradients(x, y)[0] == model.loss(x, y)
        (True, False)
    """

    def __init__(
        self,
        net: MLP,
        *,
        dropout: float = 0.0,
        decay: float = 0.0,
        augment: Callable[..., Array] | None = None,
        rng: np.random.Generator,
    ):
        _expect_rate("RegularizedMLP", dropout)
        self.net = net
        self.dropout = dropout
        self.decay = decay
        self.augment = augment
        self.rng = rng
        self.parameters: tuple[Array, ...] = net.parameters
        self._layers = (*net.layers[:-1], net.layers[-1]._replace(activation="linear"))
        self._penalty_op()  # refuses a decay that is out of its range

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch in training mode, the penalty included, and its gradients."""
        if self.augment is not None:
            x = self.augment(x, rng=self.rng)
        scores, pullback = self._forward_op(x, training=True)
        loss, loss_pullback = LOSS_OPS[self.net.output](scores, y)
        penalty, penalty_pullback = self._penalty_op()
        gradients = pullback(loss_pullback(scores.dtype.type(1)))
        if self.decay:
            for d_W, of_penalty in zip(gradients[::2], penalty_pullback(1.0), strict=True):
                d_W += of_penalty
        return float(loss + penalty), gradients

    def loss(self, x: Array, y: Array) -> float:
        """Return the loss of a batch in evaluation mode, without the penalty."""
        return float(LOSSES[self.net.output](self.scores(x), y))

    def scores(self, x: Array, training: bool = False) -> Array:
        """Return the sums of the output layer, ``(batch, n_out)``.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            training: whether units fail, too.
        """
        return self._forward_op(x, training)[0]

    def predict(self, x: Array, training: bool = False) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            training: whether to predict in the wrong mode, as the chapter does to show what happens then.
        """
        scores = self.scores(x, training)
        return scores.argmax(axis=-1) if self.net.output == "class" else scores

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside the parameters: the state of the random generator, as text."""
        return {"rng": _checkpoint.to_text(self.rng.bit_generator.state)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a :meth:`state`: the next draws are then the same.

        Args:
            state: from a model whose generator is of the same kind.

        Raises:
            ValueError: if it is the state of another kind of model or generator.
        """
        mine = type(self.rng.bit_generator).__name__
        given = _checkpoint.from_text(str(state["rng"])) if "rng" in state else {"bit_generator": "none"}
        if given["bit_generator"] != mine:
            raise ValueError(
                f"RegularizedMLP expects the state of a generator {mine}, got {given['bit_generator']}: "
                "load what state() of the same kind of model gave"
            )
        self.rng.bit_generator.state = given

    def _penalty_op(self) -> Any:
        return l2_penalty_op(self.parameters[::2], self.decay)

    def _forward_op(self, x: Array, training: bool) -> Any:
        """Send a batch through all layers; the pullback returns the gradients of the parameters."""
        pullbacks = []
        for W, b, activation in self._layers[:-1]:
            x, dense_pullback = dense_op(x, W, b, activation)  # (batch, n_out)
            x, dropout_pullback = dropout_op(x, self.dropout, training, rng=self.rng)
            pullbacks.append((dense_pullback, dropout_pullback))
        scores, last_pullback = dense_op(x, *self._layers[-1])  # (batch, classes)

        def pullback(d_scores: Array) -> tuple[Array, ...]:
            d_h, *gradients = last_pullback(d_scores)
            for dense_pullback, dropout_pullback in reversed(pullbacks):
                d_h, d_W, d_b = dense_pullback(dropout_pullback(d_h))
                gradients = [d_W, d_b, *gradients]
            return tuple(gradients)

        return scores, pullback


def _expect_rate(function: str, rate: float) -> None:
    """Refuse a probability out of its range."""
    if not 0 <= rate < 1:
        raise ValueError(
            f"{function} expects a rate from 0 to below 1, got {rate}: it is the share of numbers that is set to 0, "
            "and some must be left"
        )


def _expect_penalty(weights: FloatArrays, decay: float) -> None:
    """Refuse what has no penalty."""
    if not weights:
        raise ValueError(
            "l2_penalty expects at least one array of weights, got none: pass net.parameters[::2]"
        )
    expect_floating("l2_penalty", **{f"weights[{i}]": W for i, W in enumerate(weights)})
    if not (isfinite(decay) and decay >= 0):
        raise ValueError(
            f"l2_penalty expects a decay of at least 0, got {decay}: below 0 it would feed the weights"
        )


def _expect_losses(losses: Sequence[float] | Float[np.ndarray, " epochs"], patience: int) -> None:
    """Refuse losses among which there is no best one, and a run without an epoch."""
    if len(losses) == 0 or not np.isfinite(losses).all():
        raise ValueError(
            f"stop_early expects at least one loss, all of them finite, got {list(losses)}: "
            "pass history.validation_loss"
        )
    if patience < 1:
        raise ValueError(f"stop_early expects patience of at least 1, got {patience}: 0 would never begin")
