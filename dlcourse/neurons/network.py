"""Neurons in layers: what one neuron cannot tell apart, several can, one layer after the other.

A layer is one matrix product for a whole batch of samples, and a network is such layers in a row. The last layer decides
what the network answers: a class or a continuous value. Chapter: book/neurons/network.md. Sources: Rumelhart et al.
(1986); Goodfellow et al. (2016), chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dlcourse.neurons._expect import expect_floating, expect_matching
from dlcourse.neurons.activation import ACTIVATIONS

OUTPUTS = {"class": "softmax", "value": "linear"}
"""The activation of the last layer for each kind of answer."""


def linear(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "n_in n_out"],
    b: Float[np.ndarray, " n_out"],
) -> Float[np.ndarray, "batch n_out"]:
    r"""Weigh the inputs of each unit of a layer and add its bias.

    .. math:: z_{ik} = \sum_j x_{ij} W_{jk} + b_k

    Source: Goodfellow et al. (2016), section 6.1.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.

    Returns:
        The sums, one unit a column, ``(batch, n_out)``.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes do not fit.

    Example:
        >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 2.0]]), np.array([0.0, 0.5, 1.0]))
        array([[1. , 2.5, 4. ]])
    """
    expect_floating("linear", x=x, W=W, b=b)
    if x.ndim != 2 or W.ndim != 2:
        raise ValueError(
            f"linear expects x of shape (batch, n_in) and W of shape (n_in, n_out), got {x.shape} and {W.shape}: "
            "put one sample into a row of its own with x[None, :]"
        )
    if x.shape[1] != W.shape[0] and x.shape[1] == W.shape[1]:
        raise ValueError(
            f"linear expects one row of W for each input, got x of shape {x.shape} and W of shape {W.shape}: "
            "this W has one unit a row, so pass W.T"
        )
    expect_matching("linear", ("x", x, 1), ("W", W, 0), "n_in")
    if b.shape != W.shape[1:]:
        raise ValueError(
            f"linear expects one bias for each of the {W.shape[1]} units, b of shape (n_out,) = {W.shape[1:]}, got "
            f"{b.shape}: make it flat with b.reshape(-1), and as long as W is wide"
        )
    return x @ W + b  # (batch, n_in) @ (n_in, n_out) + (n_out,) -> (batch, n_out)


def dense(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "n_in n_out"],
    b: Float[np.ndarray, " n_out"],
    activation: str = "relu",
) -> Float[np.ndarray, "batch n_out"]:
    r"""Send a batch through one layer in which each unit sees each input.

    .. math:: H = f(X W + b)

    Source: Goodfellow et al. (2016), section 6.4.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: ``"linear"`` for none, or a name from :data:`dlcourse.neurons.activation.ACTIVATIONS`.

    Returns:
        The answers of the units, ``(batch, n_out)``.

    Raises:
        ValueError: if there is no such activation.

    Example:
        >>> dense(np.array([[1.0, 2.0]]), np.array([[1.0, -1.0], [0.0, -1.0]]), np.array([0.5, 0.0]))
        array([[1.5, 0. ]])
    """
    return _function(activation)(linear(x, W, b))  # (batch, n_out)


class Layer(NamedTuple):
    """What one layer consists of; unpacks as the last three arguments of :func:`dense`.

    Args:
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: its name, as :func:`dense` takes it.
    """

    W: Float[np.ndarray, "n_in n_out"]
    b: Float[np.ndarray, " n_out"]
    activation: str = "relu"


def forward_all(
    x: Float[np.ndarray, "batch n_in"], layers: Sequence[Layer]
) -> list[Float[np.ndarray, "batch _"]]:
    r"""Send a batch through the layers, one after the other, and keep what each one answers.

    .. math:: H^{(0)} = X, \qquad H^{(l)} = f^{(l)}\bigl(H^{(l-1)} W^{(l)} + b^{(l)}\bigr)

    Source: Goodfellow et al. (2016), algorithm 6.3.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        layers: at least one; each takes as many inputs as the one before has units.

    Returns:
        ``x`` and then the answers of each layer, ``(batch, n_out)``: one array more than there are layers.

    Raises:
        ValueError: if two layers do not fit, or ``x`` holds NaN or inf.

    Example:
        >>> x = np.ones((5, 2))
        >>> [h.shape for h in forward_all(x, [Layer(np.ones((2, 3)), np.zeros(3)), Layer(np.ones((3, 1)), np.zeros(1))])]
        [(5, 2), (5, 3), (5, 1)]
    """
    expect_forward(x, layers)
    answers = [x]
    for layer in layers:
        answers.append(dense(answers[-1], *layer))  # (batch, n_in) -> (batch, n_out)
    return answers


def forward(x: Float[np.ndarray, "batch n_in"], layers: Sequence[Layer]) -> Float[np.ndarray, "batch n_out"]:
    """Send a batch through the layers and return what the last one answers; see :func:`forward_all`.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        layers: at least one.

    Returns:
        The answers of the output layer, ``(batch, n_out)``.

    Example:
        >>> from dlcourse.neurons.neuron import GATE_INPUTS
        >>> forward(GATE_INPUTS, xor_layers()).ravel()
        array([0., 1., 1., 0.])
    """
    return forward_all(x, layers)[-1]


def xor_layers() -> tuple[Layer, Layer]:
    """Return a network for the gate XOR, its weights set by hand.

    The first hidden unit is OR, the second is AND. The output unit fires if OR fires and AND does not.

    Source: Minsky and Papert (1969), for the problem; Goodfellow et al. (2016), section 6.1, for another solution.

    Returns:
        A hidden layer of two units and an output layer of one.

    Example:
        >>> [layer.W.shape for layer in xor_layers()]
        [(2, 2), (2, 1)]
    """
    hidden = Layer(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([-0.5, -1.5]), "step")
    return hidden, Layer(np.array([[1.0], [-1.0]]), np.array([-0.5]), "step")


def count_parameters(sizes: Sequence[int]) -> int:
    r"""Count the weights and biases of a network in which each unit sees all units before it.

    .. math:: \sum_l n_{l-1} n_l + n_l

    Args:
        sizes: number of units a layer, the input layer first.

    Returns:
        How many numbers training has to find.

    Raises:
        ValueError: if there are fewer than two layers, or one has no unit.

    Example:
        >>> count_parameters([784, 32, 10])
        25450
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            f"a network needs at least two layers of at least one unit, got sizes {list(sizes)}: "
            "write the input layer first and the output layer last, as in [784, 32, 10]"
        )
    return sum(n_in * n_out + n_out for n_in, n_out in pairwise(sizes))


class MLP:
    """A multi-layer perceptron: hidden layers with one activation, and an output layer for a class or a value.

    Source: Rumelhart et al. (1986); Goodfellow et al. (2016), chapter 6.

    Args:
        output: ``"class"`` for one probability a class, ``"value"`` for continuous values.
        parameters: weights and biases in turn, ``W1, b1, W2, b2, ...``.
        activation: name of the hidden layers' activation.

    Attributes:
        layers: the layers, the output layer last.

    Raises:
        ValueError: if there is no such output or activation, or the parameters do not fit together.

    Example:
        >>> net = MLP.draw([784, 32, 10], output="class", rng=np.random.default_rng(0))
        >>> net
        MLP(784-32-10, relu, class: 25,450 parameters)
        >>> net.forward(np.zeros((1, 784))).round(2)
        array([[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]])
    """

    def __init__(self, output: str, *parameters: Float[np.ndarray, "*_"], activation: str = "relu"):
        if output not in OUTPUTS:
            raise ValueError(f"MLP expects the output {' or '.join(map(repr, OUTPUTS))}, got {output!r}")
        if len(parameters) % 2:
            raise ValueError(
                f"MLP expects weights and biases in turn, W1, b1, W2, b2, ..., got {len(parameters)} arrays: "
                "each W needs its b"
            )
        last = len(parameters) - 2
        self.output = output
        self.activation = activation
        self.layers = tuple(
            Layer(parameters[i], parameters[i + 1], OUTPUTS[output] if i == last else activation)
            for i in range(0, len(parameters), 2)
        )
        _expect_chain(self.layers)

    @classmethod
    def draw(
        cls,
        sizes: Sequence[int],
        *,
        output: str,
        rng: np.random.Generator,
        activation: str = "relu",
        dtype: Any = np.float64,
    ) -> MLP:
        r"""Draw an untrained network: weights from :math:`\mathcal N(0, 1/n_{in})`, biases 0.

        The sums of a layer are then about as large as its inputs, however many there are.

        Source: LeCun et al. (1998), Efficient BackProp, section 4.6.

        Args:
            sizes: number of units a layer, the input layer first.
            output: ``"class"`` or ``"value"``.
            rng: draws the weights.
            activation: name of the hidden layers' activation.
            dtype: dtype of the parameters; the same ``rng`` gives the same network in each, but for rounding.

        Returns:
            The network.
        """
        count_parameters(sizes)  # refuses impossible sizes
        parameters: list[np.ndarray[Any, Any]] = []
        for n_in, n_out in pairwise(sizes):
            W = rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)
            parameters += [W.astype(dtype), np.zeros(n_out, dtype)]
        return cls(output, *parameters, activation=activation)

    @property
    def parameters(self) -> tuple[Float[np.ndarray, "*_"], ...]:
        """Weights and biases in turn, as the constructor takes them."""
        return tuple(p for layer in self.layers for p in (layer.W, layer.b))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of units a layer, the input layer first."""
        return (self.layers[0].W.shape[0], *(layer.W.shape[1] for layer in self.layers))

    def forward(self, x: Float[np.ndarray, "batch n_in"]) -> Float[np.ndarray, "batch n_out"]:
        """Return probabilities (each row sums to 1) or values, ``(batch, n_in) -> (batch, n_out)``."""
        return forward(x, self.layers)

    def predict(
        self, x: Float[np.ndarray, "batch n_in"]
    ) -> Int[np.ndarray, " batch"] | Float[np.ndarray, "batch n_out"]:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``."""
        answers = self.forward(x)
        return answers.argmax(axis=-1) if self.output == "class" else answers

    def __repr__(self) -> str:
        shape = "-".join(str(n) for n in self.sizes)
        return f"MLP({shape}, {self.activation}, {self.output}: {count_parameters(self.sizes):,} parameters)"


def accuracy(predicted: Int[np.ndarray, " batch"], labels: Int[np.ndarray, " batch"]) -> float:
    """Return the share of samples whose class was predicted rightly.

    Args:
        predicted: class indices, ``(batch,)``.
        labels: right class indices, ``(batch,)``.

    Raises:
        ValueError: if there is not one prediction for each label, or no label at all.

    Example:
        >>> accuracy(np.array([3, 1, 4, 1]), np.array([3, 1, 4, 2]))
        0.75
    """
    if predicted.shape != labels.shape or labels.ndim != 1 or len(labels) == 0:
        raise ValueError(
            f"accuracy expects class indices of shape (batch,) twice, got {predicted.shape} and {labels.shape}: "
            "take the class from probabilities with argmax(axis=-1)"
        )
    return float(np.mean(predicted == labels))


def _function(name: str) -> Callable[[Any], Any]:
    if name != "linear" and name not in ACTIVATIONS:
        raise ValueError(f"there is no activation {name!r}: choose linear, {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS.get(name, lambda z: z)


def expect_forward(x: Float[np.ndarray, "batch n_in"], layers: Sequence[Layer]) -> None:
    """Refuse a batch that does not fit the layers, or layers that do not fit one after the other.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        layers: at least one.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes do not fit, or ``x`` holds NaN or inf.
    """
    expect_floating("forward", x=x)
    _expect_chain(layers)
    if x.ndim == 2 and x.shape[1] != layers[0].W.shape[0]:
        raise ValueError(
            f"layer 1 expects {layers[0].W.shape[0]} inputs but x of shape {x.shape} has {x.shape[1]}: "
            "put one sample into each row of x, and give layer 1 a W with as many rows as x has columns"
        )
    if not np.isfinite(x).all():
        raise ValueError(
            "forward expects numbers, got NaN or inf in x: leave out or fill what was not measured"
        )


def _expect_chain(layers: Sequence[Layer]) -> None:
    """Refuse layers that do not fit one after the other."""
    if len(layers) == 0:
        raise ValueError("a network needs at least one layer, got none: pass Layer(W, b, activation)")
    for number, layer in enumerate(layers, start=1):
        _function(layer.activation)
        expect_floating(f"layer {number}", W=layer.W, b=layer.b)
        if layer.W.ndim != 2 or layer.b.shape != layer.W.shape[1:]:
            raise ValueError(
                f"layer {number} expects W of shape (n_in, n_out) and b of shape (n_out,), got {layer.W.shape} and "
                f"{layer.b.shape}: one unit is one column of W and one entry of b"
            )
    for number, (before, layer) in enumerate(pairwise(layers), start=2):
        gives, expects = before.W.shape[1], layer.W.shape[0]
        if gives != expects:
            raise ValueError(
                f"layer {number} expects {expects} inputs but layer {number - 1} gives {gives}: give layer {number} a W "
                f"of shape ({gives}, {layer.W.shape[1]}), got {layer.W.shape}"
            )
