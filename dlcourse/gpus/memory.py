"""Where the memory of a training step goes, counted beforehand, and how the same step is done with less of it.

Parameters, their gradients and what an optimizer keeps beside them do not depend on the batch. Activations do: they are
kept on the way forward, because the way back needs them (:func:`training_memory`). Followed through a step, they give the
moment at which the most is needed (:func:`step_curve`). Two ways to need less: to take the batch in pieces
(:func:`accumulate`), and to compute some activations twice (:func:`checkpoint_arrays`). Here it is counted with plain
numbers; :mod:`dlcourse.gpus._recorded` measures it with PyTorch.
Chapter: book/gpus/memory.md. Sources: Chen et al. (2016); Korthikanti et al. (2022); Rajbhandari et al. (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate as running
from itertools import pairwise
from math import ceil
from typing import Any

from dlcourse.gpus._budget import (
    GIB,
    MOMENTS,
    Memory,
    block_activations,
    state_gib,
    state_memory,
    transformer_memory,
)
from dlcourse.gpus._expect import Number, expect_at_least_0, expect_known, expect_positive, expect_sizes
from dlcourse.gpus._pieces import accumulate, held_gradients

__all__ = [
    "GIB",
    "KEPT",
    "MOMENTS",
    "Memory",
    "accumulate",
    "activation_bytes",
    "best_segment",
    "block_activations",
    "checkpoint_arrays",
    "held_gradients",
    "largest_batch",
    "parameter_count",
    "state_gib",
    "state_memory",
    "step_curve",
    "training_memory",
    "transformer_memory",
]

KEPT = {"relu": 1, "tanh": 1, "sigmoid": 1, "gelu": 2}
"""Arrays that a hidden layer keeps for the way back: its result, and for GELU what came in besides."""


def parameter_count(sizes: Sequence[int]) -> int:
    """Count the weights and biases of a multi-layer perceptron.

    Args:
        sizes: the inputs, then the units of each layer.

    Example:
        >>> parameter_count([784, 128, 64, 10])
        109386
    """
    expect_sizes("parameter_count", sizes)
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def activation_bytes(
    sizes: Sequence[int],
    batch: int,
    itemsize: int = 4,
    activation: str = "relu",
) -> int:
    r"""Count the bytes that the way forward through a classifier keeps for the way back.

    .. math:: s \cdot \text{batch} \, \Bigl( n_0 + k \sum_{l=1}^{L-1} n_l + n_L \Bigr)

    The inputs are kept for the gradient of the first weights, and the last layer keeps the logarithms of its
    probabilities. The labels, 8 bytes a sample, are not counted.

    Args:
        sizes: the inputs, then the units of each layer, :math:`n_0` to :math:`n_L`.
        batch: number of samples.
        itemsize: bytes of one number, :math:`s`.
        activation: that of the hidden layers, a name in :data:`KEPT`, where :math:`k` stands.

    Example:
        >>> activation_bytes([784, 128, 64, 10], 32)
        126208
    """
    expect_sizes("activation_bytes", sizes)
    expect_positive("activation_bytes", batch=batch, itemsize=itemsize)
    expect_known("activation_bytes", "activation", activation, KEPT)
    hidden = KEPT[activation] * sum(sizes[1:-1])
    return itemsize * batch * (sizes[0] + hidden + sizes[-1])


def training_memory(
    sizes: Sequence[int],
    batch: int,
    *,
    itemsize: int = 4,
    optimizer: str = "adam",
    activation: str = "relu",
) -> Memory:
    """Predict where the memory goes when a multi-layer perceptron is trained as a classifier.

    Args:
        sizes: the inputs, then the units of each layer.
        batch: number of samples.
        itemsize: bytes of one number.
        optimizer: a name in :data:`MOMENTS`.
        activation: that of the hidden layers, a name in :data:`KEPT`.

    Example:
        >>> training_memory([784, 128, 64, 10], 32)
        Memory(parameters=437544, gradients=437544, optimizer=875088, activations=126208)
    """
    kept = activation_bytes(sizes, batch, itemsize, activation)
    return state_memory(parameter_count(sizes), itemsize=itemsize, optimizer=optimizer)._replace(
        activations=kept
    )


def largest_batch(sizes: Sequence[int], room: Number, **how: Any) -> int:
    """Find the largest batch whose training fits into a memory; 0 if the model alone does not leave room for one sample.

    Args:
        sizes: the inputs, then the units of each layer.
        room: bytes that there are.
        how: ``itemsize``, ``optimizer`` and ``activation``, as :func:`training_memory` takes them.

    Example:
        >>> largest_batch([784, 128, 64, 10], 4 * 2**20)
        619
    """
    expect_at_least_0("largest_batch", room=room)
    one = training_memory(sizes, 1, **how)
    return max(0, int((room - one.state) // one.activations))


def step_curve(
    sizes: Sequence[int],
    batch: int,
    *,
    itemsize: int = 4,
    optimizer: str = "adam",
    activation: str = "relu",
    keep_gradients: bool = False,
) -> dict[str, list[int]]:
    """Predict how many bytes are held after each array that comes or goes, through one training step.

    It does what PyTorch does: an array lives until the last one who needs it is done. The largest number of all is what
    the step needs. The sum of the parts is not: gradients come while activations go, and there is scratch memory.

    Args:
        sizes: the inputs, then the units of each layer.
        batch: number of samples.
        itemsize: bytes of one number.
        optimizer: a name in :data:`MOMENTS`.
        activation: that of the hidden layers, a name in :data:`KEPT`.
        keep_gradients: whether gradients are there from the step before, to be added to.

    Returns:
        Bytes held, in order, for the parts ``"forward"``, ``"backward"`` and ``"step"``.

    Example:
        >>> curve = step_curve([784, 128, 64, 10], 32)
        >>> max(map(max, curve.values())), training_memory([784, 128, 64, 10], 32).total
        (2653344, 1876384)
    """
    said = training_memory(
        sizes,
        batch,
        itemsize=itemsize,
        optimizer=optimizer,
        activation=activation,
    )
    row = [itemsize * batch * n for n in sizes]  # bytes of (batch, n)
    own = [itemsize * (n + 1) * m for n, m in pairwise(sizes)]  # of W and b
    stays = KEPT[activation] > 1  # is what came into the activation kept?

    forward = [said.parameters + said.optimizer + row[0]]
    forward[0] += keep_gradients * said.gradients
    for size in row[1:-1]:
        forward += [size, size]  # z, then h
        forward += [] if stays else [-size]  # z goes
    # Logits; the logarithms of the probabilities; logits go.
    forward += [row[-1], row[-1], -row[-1]]

    # Two steps back through the loss, and what both had needed.
    backward = [row[-1], row[-1], -row[-1], -row[-1]]
    for k in reversed(range(len(own))):
        backward += [row[k]] if k > 0 else []  # d_h of the layer before
        backward += [own[k]]  # d_W and d_b
        backward += [-own[k]] if keep_gradients else []  # they were added
        backward += [-row[k + 1]]  # d_z goes
        if k > 0:
            backward += [-row[k]] if stays else []  # h goes
            backward += [row[k]]  # d_z of the layer before
            backward += [-2 * row[k]]  # d_h goes, and what was kept

    # Adam computes a root and a quotient, one parameter after the other.
    largest = itemsize * max(n * m for n, m in pairwise(sizes))
    used = 2 * largest if optimizer == "adam" else 0
    step = [used, -used, (keep_gradients - 1) * said.gradients]

    held = list(running(forward + backward + step))
    there, back = len(forward), len(forward) + len(backward)
    return {
        "forward": held[:there],
        "backward": held[there:back],
        "step": held[back:],
    }


def checkpoint_arrays(layers: int, segment: int) -> int:
    r"""Count the activations held at once if only every ``segment``-th one is kept and the others are computed again.

    .. math:: \Bigl\lceil \frac{L}{k} \Bigr\rceil + k

    What goes into each of the segments is kept, and the activations of one segment at a time are there besides.

    Source: Chen et al. (2016), section 4.2.

    Args:
        layers: number of equal layers, :math:`L`.
        segment: layers between two activations that are kept, :math:`k`.

    Example:
        >>> checkpoint_arrays(100, 100), checkpoint_arrays(100, 10)
        (101, 20)
    """
    expect_positive("checkpoint_arrays", layers=layers, segment=segment)
    return ceil(layers / segment) + min(segment, layers)


def best_segment(layers: int) -> int:
    """Find the length of the segments that needs the least memory, about the root of the number of layers.

    Args:
        layers: number of equal layers.

    Returns:
        Layers of a segment; the smallest one if several are equally good.

    Example:
        >>> best_segment(64), checkpoint_arrays(64, best_segment(64))
        (8, 16)
    """
    expect_positive("best_segment", layers=layers)
    return min(range(1, layers + 1), key=lambda segment: checkpoint_arrays(layers, segment))
