"""How a network learns which of its many weights is to blame: the error flows back through it, layer by layer.

The chain rule takes the gradient of the loss apart into one small step a line of the forward pass. First all steps of a
network of two layers are written out, then the step of one layer becomes an op, and a network is such ops in a row.
Chapter: book/learning/backpropagation.md. Sources: Rumelhart et al. (1986); Goodfellow et al. (2016), section 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Integer

from dlcourse.learning.loss import LOSS_OPS, LOSSES, surprise
from dlcourse.neurons._arrays import Array
from dlcourse.neurons._expect import expect_gradient
from dlcourse.neurons.activation import ACTIVATION_OPS, softmax
from dlcourse.neurons.network import MLP, Layer, expect_forward, linear

LayerGradients: TypeAlias = tuple[
    Float[np.ndarray, "batch n_in"], Float[np.ndarray, "n_in n_out"], Float[np.ndarray, " n_out"]
]
LayerPullback: TypeAlias = Callable[[Float[np.ndarray, "batch n_out"]], LayerGradients]
NetworkPullback: TypeAlias = Callable[[Array], tuple[Array, list[tuple[Array, Array]]]]


def nudged_gradients(
    loss: Callable[[], float], parameters: Sequence[Float[np.ndarray, "*_"]], *, eps: float = 1e-5
) -> tuple[Float[np.ndarray, "*_"], ...]:
    r"""Find gradients without any derivative: nudge each number in turn and look what the loss does.

    .. math:: \frac{\partial L}{\partial w} \approx \frac{L(w + \epsilon) - L(w - \epsilon)}{2 \epsilon}

    Two forward passes for each number: right, but far too slow to learn with.

    Args:
        loss: computes the loss from ``parameters`` as they are at the moment.
        parameters: float64 arrays; each number is changed and put back.
        eps: how far each number is nudged.

    Returns:
        One gradient a parameter, in order.

    Raises:
        TypeError: if a parameter is not float64, which is too coarse for a difference.

    Example:
        >>> w = np.array([1.0, 2.0])
        >>> nudged_gradients(lambda: float(w @ w), [w])[0].round(6)
        array([2., 4.])
    """
    gradients = []
    for number, parameter in enumerate(parameters, start=1):
        if parameter.dtype != np.float64:
            raise TypeError(
                f"nudged_gradients expects float64, got {parameter.dtype} as parameter {number}: build the network "
                "with dtype=np.float64"
            )
        gradient = np.zeros_like(parameter)
        for place in np.ndindex(parameter.shape):
            kept = parameter[place]
            parameter[place] = kept + eps
            above = loss()
            parameter[place] = kept - eps
            below = loss()
            parameter[place] = kept
            gradient[place] = (above - below) / (2 * eps)
        gradients.append(gradient)
    return tuple(gradients)


def two_layer_gradients(
    x: Float[np.ndarray, "batch n_in"],
    labels: Integer[np.ndarray, " batch"],
    W1: Float[np.ndarray, "n_in hidden"],
    b1: Float[np.ndarray, " hidden"],
    W2: Float[np.ndarray, "hidden classes"],
    b2: Float[np.ndarray, " classes"],
) -> tuple[float, tuple[Float[np.ndarray, "*_"], ...]]:
    r"""Compute the loss of a network of two layers and its gradients, each line of the derivation a line of code.

    .. math::
        Z_1 = X W_1 + b_1, \quad H = \max(Z_1, 0), \quad Z_2 = H W_2 + b_2, \quad
        L = -\tfrac{1}{\text{batch}} \sum_i \log \mathrm{softmax}(Z_2)_{i y_i}

    Source: Rumelhart et al. (1986), equations 4 to 7, with ReLU and cross-entropy.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
        W1: weights of the hidden layer, ``(n_in, hidden)``.
        b1: its biases, ``(hidden,)``.
        W2: weights of the output layer, ``(hidden, classes)``.
        b2: its biases, ``(classes,)``.

    Returns:
        The loss [nats], and its gradients with respect to ``W1, b1, W2, b2``.

    Example:
        >>> x, labels = np.array([[1.0], [2.0]]), np.array([0, 1])
        >>> W1, b1, W2, b2 = np.ones((1, 1)), np.zeros(1), np.array([[0.0, 0.0]]), np.zeros(2)
        >>> loss, (d_W1, d_b1, d_W2, d_b2) = two_layer_gradients(x, labels, W1, b1, W2, b2)
        >>> round(loss, 4), d_W2
        (0.6931, array([[ 0.25, -0.25]]))
    """
    batch = len(x)

    Z1 = x @ W1 + b1  # (batch, hidden)
    H = np.maximum(Z1, 0)
    Z2 = H @ W2 + b2  # (batch, classes)
    loss = surprise(Z2, labels).mean()

    d_Z2 = softmax(Z2)  # (batch, classes)
    d_Z2[np.arange(batch), labels] -= 1
    d_Z2 /= batch

    d_W2 = H.T @ d_Z2  # (hidden, classes)
    d_b2 = d_Z2.sum(axis=0)  # (classes,)
    d_H = d_Z2 @ W2.T  # (batch, hidden)

    d_Z1 = d_H * (Z1 > 0)

    d_W1 = x.T @ d_Z1  # (n_in, hidden)
    d_b1 = d_Z1.sum(axis=0)  # (hidden,)
    return float(loss), (d_W1, d_b1, d_W2, d_b2)


def linear_op(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "n_in n_out"],
    b: Float[np.ndarray, " n_out"],
) -> tuple[Float[np.ndarray, "batch n_out"], LayerPullback]:
    r"""Compute the sums of a layer and the pullback.

    .. math:: \bar X = \bar Z W^\top, \qquad \bar W = X^\top \bar Z, \qquad \bar b_k = \sum_i \bar z_{ik}

    Source: Goodfellow et al. (2016), section 6.5.6.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.

    Returns:
        :func:`~dlcourse.neurons.network.linear` of the three, ``(batch, n_out)``, and its pullback, which turns
        ``d_z`` into ``d_x``, ``d_W`` and ``d_b``.

    Example:
        >>> z, pullback = linear_op(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.zeros(1))
        >>> pullback(np.ones((1, 1)))
        (array([[3., 4.]]), array([[1.],
               [2.]]), array([1.]))
    """
    z = linear(x, W, b)

    def pullback(d_z: Float[np.ndarray, "batch n_out"]) -> LayerGradients:
        expect_gradient("linear", d_z, z)
        d_x = d_z @ W.T  # (batch, n_out) @ (n_out, n_in) -> (batch, n_in)
        d_W = x.T @ d_z  # (n_in, batch) @ (batch, n_out) -> (n_in, n_out)
        d_b = d_z.sum(axis=0)  # (batch, n_out) -> (n_out,)
        return d_x, d_W, d_b

    return z, pullback


def dense_op(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "n_in n_out"],
    b: Float[np.ndarray, " n_out"],
    activation: str = "relu",
) -> tuple[Float[np.ndarray, "batch n_out"], LayerPullback]:
    r"""Compute the answers of a layer and the pullback: first through the activation, then through the sums.

    .. math:: H = f(Z), \qquad \bar Z = \bar H \odot f'(Z)

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: ``"linear"`` for none, or a name from :data:`dlcourse.neurons.activation.ACTIVATION_OPS`.

    Returns:
        :func:`~dlcourse.neurons.network.dense` of the same, ``(batch, n_out)``, and its pullback, which turns ``d_h``
        into ``d_x``, ``d_W`` and ``d_b``.

    Raises:
        ValueError: if there is no such activation.

    Example:
        >>> h, pullback = dense_op(np.array([[1.0]]), np.array([[2.0, -2.0]]), np.zeros(2))
        >>> pullback(np.ones((1, 2)))
        (array([[2.]]), array([[1., 0.]]), array([1., 0.]))
    """
    z, linear_pullback = linear_op(x, W, b)
    if activation == "linear":
        return z, linear_pullback
    if activation not in ACTIVATION_OPS:
        raise ValueError(f"there is no activation {activation!r}: choose linear, {', '.join(ACTIVATION_OPS)}")
    h, activation_pullback = ACTIVATION_OPS[activation](z)

    def pullback(d_h: Float[np.ndarray, "batch n_out"]) -> LayerGradients:
        d_z = activation_pullback(d_h)
        return linear_pullback(d_z)

    return h, pullback


def forward_op(
    x: Float[np.ndarray, "batch n_in"], layers: Sequence[tuple[Array, Array, str]]
) -> tuple[Float[np.ndarray, "batch n_out"], NetworkPullback]:
    r"""Send a batch through the layers, and give back the way for the error: the same layers, last one first.

    .. math:: \bar H^{(L)} \to \bar H^{(L-1)} \to \dots \to \bar H^{(0)} = \bar X

    Source: Goodfellow et al. (2016), algorithms 6.3 and 6.4.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        layers: at least one :class:`~dlcourse.neurons.network.Layer`, or ``(W, b, activation)``; each takes as many
            inputs as the one before has units.

    Returns:
        The answers of the output layer, ``(batch, n_out)``, and the pullback, which turns ``d_answers`` into ``d_x`` and
        a list with ``(d_W, d_b)`` of each layer, the first layer first.

    Raises:
        ValueError: if two layers do not fit, or ``x`` holds NaN or inf.

    Example:
        >>> layers = [Layer(np.ones((2, 3)), np.zeros(3)), Layer(np.ones((3, 1)), np.zeros(1), "linear")]
        >>> answers, pullback = forward_op(np.ones((5, 2)), layers)
        >>> d_x, gradients = pullback(np.ones((5, 1)))
        >>> d_x.shape, [(d_W.shape, d_b.shape) for d_W, d_b in gradients]
        ((5, 2), [((2, 3), (3,)), ((3, 1), (1,))])
    """
    expect_forward(x, [Layer(*layer) for layer in layers])
    h, pullbacks = x, []
    for W, b, activation in layers:
        h, layer_pullback = dense_op(h, W, b, activation)  # (batch, n_in) -> (batch, n_out)
        pullbacks.append(layer_pullback)

    def pullback(d_answers: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        d_h, gradients = d_answers, []
        for layer_pullback in reversed(pullbacks):
            d_h, d_W, d_b = layer_pullback(d_h)  # (batch, n_out) -> (batch, n_in)
            gradients.append((d_W, d_b))
        return d_h, gradients[::-1]

    return h, pullback


class TrainableMLP:
    """A multi-layer perceptron with the gradients of its loss: cross-entropy for a class, squared error for a value.

    It shares the parameters of ``net``: what changes them trains ``net``. Softmax and cross-entropy are taken together,
    so while training the last layer gives its sums.

    Args:
        net: the network to train.

    Attributes:
        net: the same.
        parameters: weights and biases in turn, the arrays of ``net`` themselves.

    Example:
        >>> net = MLP("value", np.array([[2.0]]), np.array([0.0]))
        >>> model = TrainableMLP(net)
        >>> loss, (d_W, d_b) = model.loss_and_gradients(np.array([[1.0]]), np.array([[5.0]]))
        >>> loss, d_W, d_b
        (9.0, array([[-6.]]), array([-6.]))
    """

    def __init__(self, net: MLP):
        self.net = net
        self.parameters: tuple[Array, ...] = net.parameters
        self._layers = (*net.layers[:-1], net.layers[-1]._replace(activation="linear"))

    def loss_and_gradients(
        self, x: Float[np.ndarray, "batch n_in"], y: Array
    ) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``."""
        answers, pullback = forward_op(x, self._layers)
        loss, loss_pullback = LOSS_OPS[self.net.output](answers, y)
        _, gradients = pullback(loss_pullback(1.0))
        return float(loss), tuple(gradient for of_layer in gradients for gradient in of_layer)

    def loss(self, x: Float[np.ndarray, "batch n_in"], y: Array) -> float:
        """Return the loss of a batch."""
        answers, _ = forward_op(x, self._layers)
        return float(LOSSES[self.net.output](answers, y))

    def predict(self, x: Float[np.ndarray, "batch n_in"]) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``."""
        return self.net.predict(x)
