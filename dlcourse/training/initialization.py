"""Where training starts: weights that keep the signals of a deep network as large as they were.

A sum of many terms is larger than one of them, and 50 layers multiply that factor 50 times, forward for the activations
and backward for the gradients. The schemes choose the spread of the weights so that the factor is 1. Biases start at 0.
Chapter: book/training/initialization.md. Sources: Glorot and Bengio (2010); He et al. (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._expect import expect_positive
from dlcourse.neurons.network import MLP, OUTPUTS, count_parameters
from dlcourse.training._signals import Signals, signals

__all__ = [
    "DISTRIBUTIONS",
    "GAINS",
    "SCHEMES",
    "Signals",
    "he",
    "he_scale",
    "initialize",
    "normal",
    "signals",
    "uniform",
    "xavier",
    "xavier_scale",
    "zeros",
]

GAINS = {
    "linear": 1.0,
    "softmax": 1.0,
    "sigmoid": 1.0,
    "step": np.sqrt(2.0),
    "relu": np.sqrt(2.0),
    "gelu": 1 / np.sqrt(1 / 3 + 1 / (2 * np.sqrt(3.0) * np.pi)),
    "tanh": 5 / 3,
}
r"""By how much the weights before an activation must be larger, because the activation makes its input smaller.

For step, ReLU and GELU it is :math:`1 / \sqrt{\mathbb E\,f(z)^2}` with :math:`z \sim \mathcal N(0, 1)`. That fits sums of
any size for ReLU, and sums of spread 1 only for GELU. For tanh it is PyTorch's 5/3, which leads sums of any size to
one middle size; for the sigmoid it is PyTorch's 1.
"""

SCHEMES = ("zeros", "normal", "xavier", "he")
"""The names that :func:`initialize` takes."""

_NOT_ZERO = "for weights that are all 0 there is zeros"

Weights = Float[np.ndarray, "n_in n_out"]


def zeros(
    shape: tuple[int, int], *, rng: np.random.Generator | None = None, dtype: Any = np.float64
) -> Weights:
    """Start with zeros: all units of a layer are then equal, and no training makes them differ.

    Args:
        shape: ``(n_in, n_out)``.
        rng: not used; here because the other schemes have it.
        dtype: dtype of the weights.

    Returns:
        The weights, one unit a column.

    Raises:
        ValueError: if the shape is not that of a matrix of weights.

    Example:
        >>> zeros((2, 3))
        array([[0., 0., 0.],
               [0., 0., 0.]])
    """
    _expect_shape(shape)
    return np.zeros(shape, dtype)


def normal(
    shape: tuple[int, int], scale: float, *, rng: np.random.Generator, dtype: Any = np.float64
) -> Weights:
    r"""Draw normally distributed weights of a given spread.

    .. math:: W_{jk} \sim \mathcal N(0, s^2)

    Args:
        shape: ``(n_in, n_out)``.
        scale: standard deviation :math:`s` of the weights.
        rng: draws the weights.
        dtype: dtype of the weights; they are drawn in float64 and then rounded.

    Returns:
        The weights, one unit a column.

    Raises:
        ValueError: if the shape is not that of a matrix of weights, or the scale is not a positive number.

    Example:
        >>> normal((1000, 100), 0.01, rng=np.random.default_rng(0)).std().round(4)
        np.float64(0.01)
    """
    _expect_shape(shape)
    expect_positive("normal", scale=scale, remedy=_NOT_ZERO)
    return (scale * rng.standard_normal(shape)).astype(dtype)


def uniform(
    shape: tuple[int, int], scale: float, *, rng: np.random.Generator, dtype: Any = np.float64
) -> Weights:
    r"""Draw weights of a given spread evenly between two bounds, which none of them exceeds.

    .. math:: W_{jk} \sim \mathcal U(-\sqrt 3\,s, \sqrt 3\,s)

    Args:
        shape: ``(n_in, n_out)``.
        scale: standard deviation :math:`s` of the weights, not their bound.
        rng: draws the weights.
        dtype: dtype of the weights; they are drawn in float64 and then rounded.

    Returns:
        The weights, one unit a column.

    Raises:
        ValueError: if the shape is not that of a matrix of weights, or the scale is not a positive number.

    Example:
        >>> W = uniform((1000, 100), 1.0, rng=np.random.default_rng(0))
        >>> W.std().round(2), W.max().round(2)
        (np.float64(1.0), np.float64(1.73))
    """
    _expect_shape(shape)
    expect_positive("uniform", scale=scale, remedy=_NOT_ZERO)
    bound = np.sqrt(3) * scale
    return rng.uniform(-bound, bound, shape).astype(dtype)


DISTRIBUTIONS = {"normal": normal, "uniform": uniform}
"""What :func:`xavier` and :func:`he` can draw from, by name."""


def xavier_scale(n_in: int, n_out: int, gain: float = 1.0) -> float:
    r"""Return the standard deviation that serves the activations and the gradients half each.

    .. math:: s = g \sqrt{\frac{2}{n_{in} + n_{out}}}

    Source: Glorot and Bengio (2010), equations 12 and 16.

    Args:
        n_in: number of inputs of the layer.
        n_out: number of units of the layer.
        gain: factor :math:`g` for the activation; see :data:`GAINS`.

    Example:
        >>> xavier_scale(6, 2)
        0.5
    """
    return float(gain * np.sqrt(2 / (n_in + n_out)))


def xavier(
    shape: tuple[int, int],
    *,
    rng: np.random.Generator,
    gain: float = 1.0,
    distribution: str = "normal",
    dtype: Any = np.float64,
) -> Weights:
    """Draw weights for an activation that passes its sum nearly unchanged, such as tanh near 0.

    Their standard deviation is :func:`xavier_scale`.

    Source: Glorot and Bengio (2010), equations 12 and 16.

    Args:
        shape: ``(n_in, n_out)``.
        rng: draws the weights.
        gain: factor for the activation; see :data:`GAINS`.
        distribution: ``"normal"`` or ``"uniform"``.
        dtype: dtype of the weights; they are drawn in float64 and then rounded.

    Returns:
        The weights, one unit a column.

    Raises:
        ValueError: if the shape is not that of a matrix of weights, the gain is not a positive number, or there is no
            such distribution.

    Example:
        >>> W = xavier((600, 200), distribution="uniform", rng=np.random.default_rng(0))
        >>> W.std().round(3), np.abs(W).max().round(3)
        (np.float64(0.05), np.float64(0.087))
    """
    _expect_shape(shape)
    expect_positive("xavier", gain=gain, remedy=_NOT_ZERO)
    return _distribution(distribution)(shape, xavier_scale(*shape, gain), rng=rng, dtype=dtype)


def he_scale(n_in: int, gain: float = GAINS["relu"]) -> float:
    r"""Return the standard deviation that keeps the activations as large as they were.

    .. math:: s = \frac{g}{\sqrt{n_{in}}}

    Source: He et al. (2015), section 2.2, equation 10.

    Args:
        n_in: number of inputs of the layer.
        gain: factor :math:`g` for the activation; see :data:`GAINS`.

    Example:
        >>> he_scale(8)
        0.5
    """
    return float(gain / np.sqrt(n_in))


def he(
    shape: tuple[int, int],
    *,
    rng: np.random.Generator,
    gain: float = GAINS["relu"],
    distribution: str = "normal",
    dtype: Any = np.float64,
) -> Weights:
    """Draw weights for ReLU, which blocks half of all sums, or for another activation by its gain.

    Their standard deviation is :func:`he_scale`.

    Source: He et al. (2015), section 2.2, equation 10.

    Args:
        shape: ``(n_in, n_out)``.
        rng: draws the weights.
        gain: factor for the activation; see :data:`GAINS`.
        distribution: ``"normal"`` or ``"uniform"``.
        dtype: dtype of the weights; they are drawn in float64 and then rounded.

    Returns:
        The weights, one unit a column.

    Raises:
        ValueError: if the shape is not that of a matrix of weights, the gain is not a positive number, or there is no
            such distribution.

    Example:
        >>> he((800, 200), rng=np.random.default_rng(0)).std().round(3)
        np.float64(0.05)
    """
    _expect_shape(shape)
    expect_positive("he", gain=gain, remedy=_NOT_ZERO)
    return _distribution(distribution)(shape, he_scale(shape[0], gain), rng=rng, dtype=dtype)


def initialize(
    sizes: Sequence[int],
    scheme: str = "he",
    *,
    output: str,
    rng: np.random.Generator,
    activation: str = "relu",
    scale: float | None = None,
    dtype: Any = np.float64,
) -> MLP:
    """Make an untrained network, its weights drawn by a scheme, its biases 0.

    ``"xavier"`` has the gain 1 of its paper everywhere. ``"he"`` takes for each layer the gain of that layer's
    activation, 1 for the output layer: with ReLU, the mean square is then expected to stay the same from layer to layer.

    Args:
        sizes: number of units a layer, the input layer first.
        scheme: ``"zeros"``, ``"normal"``, ``"xavier"`` or ``"he"``.
        output: ``"class"`` or ``"value"``.
        rng: draws the weights.
        activation: name of the hidden layers' activation.
        scale: standard deviation of the weights, for ``"normal"`` only.
        dtype: dtype of the parameters; the same ``rng`` gives the same network in each, but for rounding.

    Returns:
        The network.

    Raises:
        ValueError: if there is no such scheme, output or activation, or the scale is missing or not wanted.

    Example:
        >>> net = initialize([784, 200, 10], "he", output="class", rng=np.random.default_rng(0))
        >>> [round(float(layer.W.std()), 3) for layer in net.layers]
        [0.051, 0.072]
    """
    if scheme not in SCHEMES:
        raise ValueError(f"there is no scheme {scheme!r}: choose {', '.join(SCHEMES)}")
    if (scale is not None) != (scheme == "normal"):
        raise ValueError(
            f"initialize expects a scale with the scheme 'normal' and with no other, got scheme {scheme!r} and "
            f"scale {scale}: the others choose the scale themselves"
        )
    for name, known in ((activation, GAINS), (output, OUTPUTS)):
        if name not in known:
            raise ValueError(f"initialize knows no {name!r}: choose {', '.join(known)}")
    count_parameters(sizes)  # refuses impossible sizes
    activations = [activation] * (len(sizes) - 2) + [OUTPUTS[output]]
    parameters: list[np.ndarray[Any, Any]] = []
    for (n_in, n_out), name in zip(pairwise(sizes), activations, strict=True):
        shape = (n_in, n_out)
        if scheme == "zeros":
            W = zeros(shape, dtype=dtype)
        elif scheme == "xavier":
            W = xavier(shape, rng=rng, dtype=dtype)
        elif scheme == "he":
            W = he(shape, gain=GAINS[name], rng=rng, dtype=dtype)
        else:
            assert scale is not None
            W = normal(shape, scale, rng=rng, dtype=dtype)
        parameters += [W, np.zeros(n_out, dtype)]
    return MLP(output, *parameters, activation=activation)


def _expect_shape(shape: tuple[int, int]) -> None:
    """Refuse what is not the shape of a matrix of weights."""
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(
            f"weights need a shape (n_in, n_out) of at least one input and one unit, got {tuple(shape)}: "
            "write the number of inputs first, as in (784, 32)"
        )


def _distribution(name: str) -> Callable[..., Weights]:
    if name not in DISTRIBUTIONS:
        raise ValueError(f"there is no distribution {name!r}: choose {', '.join(DISTRIBUTIONS)}")
    return DISTRIBUTIONS[name]
