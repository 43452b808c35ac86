"""What a neuron does with its weighted sum: step, sigmoid, tanh, ReLU, GELU, and softmax for a whole layer.

Each activation comes twice. ``sigmoid(z)`` gives the value. ``sigmoid_op(z)`` gives the value and the pullback, which
turns the gradient of the loss with respect to the value into the gradient with respect to ``z``. All of them keep
the dtype, take any finite number without a warning, and pass NaN on; :func:`step` refuses it.
Chapter: book/neurons/activation.md. Source: Goodfellow et al. (2016), sections 6.2.2 and 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from dlcourse.neurons._arrays import Floats
from dlcourse.neurons._expect import expect_floating, expect_gradient
from dlcourse.neurons._normal import FAR, normal_cdf, normal_density
from dlcourse.neurons._softmax import log_softmax, log_softmax_op, softmax, softmax_op
from dlcourse.neurons.neuron import step

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_OPS",
    "gelu",
    "gelu_op",
    "log_softmax",
    "log_softmax_op",
    "relu",
    "relu_op",
    "sigmoid",
    "sigmoid_op",
    "softmax",
    "softmax_op",
    "step",
    "step_op",
    "tanh",
    "tanh_op",
]

Pullback: TypeAlias = Callable[[Floats], Floats]


def step_op(z: Floats) -> tuple[Floats, Pullback]:
    """Fire at or above the threshold 0, with a pullback that is 0 everywhere.

    Args:
        z: weighted sums, any shape.

    Returns:
        :func:`~dlcourse.neurons.neuron.step` of ``z``, and its pullback.

    Example:
        >>> y, pullback = step_op(np.array([-1.0, 2.0]))
        >>> pullback(np.ones(2))
        array([0., 0.])
    """
    y = step(z)

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("step", d_y, y)
        return np.zeros_like(d_y)

    return y, pullback


def sigmoid(z: Floats) -> Floats:
    r"""Rise smoothly from 0 to 1.

    .. math:: \sigma(z) = \frac{1}{1 + e^{-z}}

    Args:
        z: weighted sums, any shape.

    Returns:
        Values from 0 to 1 in the dtype of ``z``, same shape.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
        array([0. , 0.5, 1. ])
    """
    expect_floating("sigmoid", z=z)
    # Far on the left e^-z overflows to inf. That is fine: 1 / inf is 0.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))


def sigmoid_op(z: Floats) -> tuple[Floats, Pullback]:
    r"""Compute the sigmoid and its pullback.

    .. math:: \sigma'(z) = \sigma(z)\,(1 - \sigma(z))

    Args:
        z: weighted sums, any shape.

    Returns:
        :func:`sigmoid` of ``z``, and its pullback.

    Example:
        >>> y, pullback = sigmoid_op(np.array([0.0]))
        >>> pullback(np.ones(1))
        array([0.25])
    """
    y = sigmoid(z)

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("sigmoid", d_y, y)
        return d_y * y * (1 - y)

    return y, pullback


def tanh(z: Floats) -> Floats:
    r"""Rise smoothly from -1 to 1.

    .. math:: \tanh(z) = \frac{e^z - e^{-z}}{e^z + e^{-z}} = 2 \sigma(2 z) - 1

    Args:
        z: weighted sums, any shape.

    Returns:
        Values from -1 to 1 in the dtype of ``z``, same shape.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.

    Example:
        >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
        array([-1.,  0.,  1.])
    """
    expect_floating("tanh", z=z)
    return np.tanh(z)


def tanh_op(z: Floats) -> tuple[Floats, Pullback]:
    r"""Compute tanh and its pullback.

    .. math:: \tanh'(z) = 1 - \tanh^2(z)

    Args:
        z: weighted sums, any shape.

    Returns:
        :func:`tanh` of ``z``, and its pullback.

    Example:
        >>> y, pullback = tanh_op(np.array([0.0]))
        >>> pullback(np.ones(1))
        array([1.])
    """
    y = tanh(z)

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("tanh", d_y, y)
        return d_y * (1 - y * y)

    return y, pullback


def relu(z: Floats) -> Floats:
    r"""Pass what is positive, block the rest.

    .. math:: \mathrm{relu}(z) = \max(z, 0)

    Source: Nair and Hinton (2010); Glorot et al. (2011).

    Args:
        z: weighted sums, any shape.

    Returns:
        Values from 0 up in the dtype of ``z``, same shape.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.

    Example:
        >>> relu(np.array([-2.0, 0.0, 3.0]))
        array([0., 0., 3.])
    """
    expect_floating("relu", z=z)
    return np.maximum(z, 0)


def relu_op(z: Floats) -> tuple[Floats, Pullback]:
    r"""Compute ReLU and its pullback.

    .. math:: \mathrm{relu}'(z) = 1 \text{ if } z > 0, \text{ else } 0

    At exactly 0 there is no derivative; 0 is taken, as everywhere in practice.

    Args:
        z: weighted sums, any shape.

    Returns:
        :func:`relu` of ``z``, and its pullback.

    Example:
        >>> y, pullback = relu_op(np.array([-2.0, 0.0, 3.0]))
        >>> pullback(np.ones(3))
        array([0., 0., 1.])
    """
    y = relu(z)

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("relu", d_y, y)
        return d_y * (y > 0)

    return y, pullback


def gelu(z: Floats) -> Floats:
    r"""Weigh each sum by the share of the normal distribution that lies below it.

    .. math:: \mathrm{gelu}(z) = z \, \Phi(z) = \tfrac{z}{2} \bigl(1 + \operatorname{erf}(z / \sqrt 2)\bigr)

    Source: Hendrycks and Gimpel (2016), section 2; the exact form, not the one with tanh.

    Args:
        z: weighted sums, any shape.

    Returns:
        Values in the dtype of ``z``, same shape.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.

    Example:
        >>> gelu(np.array([-1.0, 0.0, 1.0])).round(6)
        array([-0.158655,  0.      ,  0.841345])
    """
    return gelu_op(z)[0]


def gelu_op(z: Floats) -> tuple[Floats, Pullback]:
    r"""Compute GELU and its pullback.

    .. math:: \mathrm{gelu}'(z) = \Phi(z) + z \, \varphi(z)

    Args:
        z: weighted sums, any shape.

    Returns:
        :func:`gelu` of ``z``, and its pullback.

    Example:
        >>> y, pullback = gelu_op(np.array([0.0]))
        >>> pullback(np.ones(1))
        array([0.5])
    """
    expect_floating("gelu", z=z)
    share = normal_cdf(z)
    y = np.maximum(z, -FAR) * share  # the bound keeps -inf * 0 from being NaN

    def pullback(d_y: Floats) -> Floats:
        expect_gradient("gelu", d_y, y)
        return d_y * (share + np.clip(z, -FAR, FAR) * normal_density(z))

    return y, pullback


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "step": step,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "gelu": gelu,
    "softmax": softmax,
}
"""The activations by name."""

ACTIVATION_OPS: dict[str, Callable[[Floats], tuple[Floats, Pullback]]] = {
    "step": step_op,
    "sigmoid": sigmoid_op,
    "tanh": tanh_op,
    "relu": relu_op,
    "gelu": gelu_op,
    "softmax": softmax_op,
}
"""The same names, with value and pullback."""
