"""One artificial neuron: it weighs its inputs, adds a bias, and fires or stays silent.

With a rule that corrects the weights after each mistake it becomes the perceptron, the first machine that learned from
examples. Chapter: book/neurons/neuron.md. Sources: McCulloch and Pitts (1943); Rosenblatt (1958).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._expect import expect_floating, expect_matching

GATE_INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
"""The four possible inputs of a gate with two inputs, ``(4, 2)``."""

GATES = {
    "AND": np.array([0.0, 0.0, 0.0, 1.0]),
    "OR": np.array([0.0, 1.0, 1.0, 1.0]),
    "NAND": np.array([1.0, 1.0, 1.0, 0.0]),
    "XOR": np.array([0.0, 1.0, 1.0, 0.0]),
}
"""What each gate answers to the rows of :data:`GATE_INPUTS`, ``(4,)``."""


def weighted_sum(
    x: Float[np.ndarray, "batch n_in"],
    w: Float[np.ndarray, " n_in"],
    b: Float[np.ndarray, ""] | float,
) -> Float[np.ndarray, " batch"]:
    r"""Weigh the inputs and add the bias.

    .. math:: z_i = \sum_j x_{ij} w_j + b

    Source: Rosenblatt (1958).

    Args:
        x: one sample a row, ``(batch, n_in)``.
        w: one weight an input, ``(n_in,)``.
        b: bias, ``()``.

    Returns:
        The sums, ``(batch,)``.

    Raises:
        TypeError: if ``x`` or ``w`` does not hold floating-point numbers.
        ValueError: if ``x`` is not a table of samples, or there are not as many weights as inputs.

    Example:
        >>> weighted_sum(np.array([[1.0, 2.0]]), np.array([0.5, -1.0]), 0.25)
        array([-1.25])
    """
    expect_floating("weighted_sum", x=x, w=w)
    if x.ndim != 2 or w.ndim != 1:
        raise ValueError(
            f"weighted_sum expects x of shape (batch, n_in) and w of shape (n_in,), got {x.shape} and {w.shape}: "
            "put one sample into a row of its own with x[None, :]"
        )
    expect_matching("weighted_sum", ("x", x, 1), ("w", w, 0), "n_in")
    return x @ w + b  # (batch, n_in) @ (n_in,) -> (batch,)


def step(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    r"""Fire at or above the threshold 0.

    .. math:: \mathrm{step}(z) = 1 \text{ if } z \ge 0, \text{ else } 0

    Source: McCulloch and Pitts (1943).

    Args:
        z: weighted sums, any shape.

    Returns:
        0 or 1 in the dtype of ``z``, same shape.

    Raises:
        TypeError: if ``z`` does not hold floating-point numbers.
        ValueError: if ``z`` holds NaN, which is neither above nor below the threshold.

    Example:
        >>> step(np.array([-0.1, 0.0, 3.0]))
        array([0., 1., 1.])
    """
    expect_floating("step", z=z)
    if np.isnan(z).any():
        raise ValueError("step expects numbers, got NaN: look for a division by zero in what came before")
    return (z >= 0).astype(z.dtype)


def neuron(
    x: Float[np.ndarray, "batch n_in"],
    w: Float[np.ndarray, " n_in"],
    b: Float[np.ndarray, ""] | float,
) -> Float[np.ndarray, " batch"]:
    r"""Answer 1 for the samples whose weighted sum reaches the threshold.

    .. math:: \hat y_i = \mathrm{step}\Bigl(\sum_j x_{ij} w_j + b\Bigr)

    Source: McCulloch and Pitts (1943).

    Args:
        x: one sample a row, ``(batch, n_in)``.
        w: one weight an input, ``(n_in,)``.
        b: bias; the neuron fires where the inputs alone reach ``-b``, ``()``.

    Returns:
        0 or 1 a sample, ``(batch,)``.

    Example:
        >>> neuron(GATE_INPUTS, np.array([1.0, 1.0]), -1.5)  # AND
        array([0., 0., 0., 1.])
    """
    return step(weighted_sum(x, w, b))


def perceptron_update(
    x: Float[np.ndarray, "batch n_in"],
    y: Float[np.ndarray, " batch"],
    w: Float[np.ndarray, " n_in"],
    b: float,
    learning_rate: float = 1.0,
) -> tuple[Float[np.ndarray, " n_in"], float]:
    r"""Correct the weights and the bias by the mistakes on some samples.

    .. math:: w \leftarrow w + \eta \sum_i (y_i - \hat y_i)\, x_i, \qquad
              b \leftarrow b + \eta \sum_i (y_i - \hat y_i)

    A sample that is answered rightly changes nothing. With one sample in ``x`` this is Rosenblatt's rule.

    Source: Rosenblatt (1958); Goodfellow et al. (2016), section 1.2.1.

    Args:
        x: samples, ``(batch, n_in)``.
        y: right answers, 0 or 1, ``(batch,)``.
        w: weights, ``(n_in,)``.
        b: bias.
        learning_rate: :math:`\eta`, above 0.

    Returns:
        New weights ``(n_in,)`` and new bias; ``w`` itself is not changed.

    Raises:
        ValueError: if ``y`` holds anything but one 0 or 1 a sample.

    Example:
        >>> perceptron_update(np.array([[1.0, 2.0]]), np.array([0.0]), np.array([1.0, 1.0]), 0.0)
        (array([ 0., -1.]), -1.0)
    """
    expect_floating("perceptron_update", y=y)
    if y.shape != x.shape[:1] or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(
            f"perceptron_update expects one answer, 0 or 1, a sample: y of shape (batch,) = {x.shape[:1]}, got "
            f"shape {y.shape} with values from {y.min():g} to {y.max():g}: compare the labels with the class, "
            "(labels == 1).astype(float)"
        )
    error = y - neuron(x, w, b)  # (batch,): 1 fired too little, -1 fired too much, 0 right
    return w + learning_rate * (error @ x), float(b + learning_rate * error.sum())


class Perceptron(NamedTuple):
    """A trained perceptron.

    Args:
        w: weights, ``(n_in,)``.
        b: bias.
        mistakes: how many samples were answered wrongly before each pass over the data, and after the last.
    """

    w: Float[np.ndarray, " n_in"]
    b: float
    mistakes: list[int]


def train_perceptron(
    x: Float[np.ndarray, "batch n_in"],
    y: Float[np.ndarray, " batch"],
    passes: int,
    learning_rate: float = 1.0,
) -> Perceptron:
    """Start with zero weights and correct them, pass after pass, until nothing is wrong or the passes are used up.

    If a line (a plane, a hyperplane) separates the two classes, this ends without mistakes after a number of passes
    that is finite but not known in advance. If none does, it never ends by itself.

    Source: Novikoff (1962).

    Args:
        x: samples, ``(batch, n_in)``.
        y: right answers, 0 or 1, ``(batch,)``.
        passes: most passes over the data, at least 1.
        learning_rate: above 0; without effect on the answers, since the start is zero.

    Returns:
        Weights, bias and the number of mistakes along the way.

    Raises:
        ValueError: if there is no sample or no pass.

    Example:
        >>> train_perceptron(GATE_INPUTS, GATES["OR"], passes=20).mistakes
        [1, 3, 1, 1, 1, 0]
    """
    if passes < 1 or len(x) == 0:
        raise ValueError(
            f"train_perceptron expects samples and at least one pass, got {len(x)} samples and {passes} passes"
        )
    w, b = np.zeros_like(x[0]), 0.0
    mistakes = [int(np.sum(neuron(x, w, b) != y))]
    for _ in range(passes):
        if mistakes[-1] == 0:
            break
        w, b = perceptron_update(x, y, w, b, learning_rate)
        mistakes.append(int(np.sum(neuron(x, w, b) != y)))
    return Perceptron(w, b, mistakes)
