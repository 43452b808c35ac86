"""What training holds in memory: the state that does not depend on the batch, and a transformer's activations.

Chapter: book/gpus/memory.md. Sources: Rajbhandari et al. (2020), section 3; Korthikanti et al. (2022), section 4.
"""

from __future__ import annotations

from typing import NamedTuple

from dlcourse.gpus._expect import expect_at_least_0, expect_known, expect_positive

GIB = 2**30
"""Bytes of a gibibyte: 7 % more than a gigabyte, which is 10**9."""

MOMENTS = {"sgd": 0, "momentum": 1, "adam": 2}
"""Numbers that an optimizer keeps for each parameter."""


class Memory(NamedTuple):
    """Where the bytes of a training step go.

    Args:
        parameters: bytes of all weights and biases.
        gradients: bytes of one number for each of them.
        optimizer: bytes of what the optimizer keeps from step to step.
        activations: bytes that the way forward keeps for the way back, the inputs among them.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int = 0

    @property
    def state(self) -> int:
        """Bytes that do not depend on the batch."""
        return self.parameters + self.gradients + self.optimizer

    @property
    def total(self) -> int:
        """All bytes together."""
        return self.state + self.activations


def state_memory(parameters: int, *, itemsize: int = 4, optimizer: str = "adam") -> Memory:
    """Return the bytes of a model that is trained, before the first sample comes.

    Args:
        parameters: how many weights and biases there are.
        itemsize: bytes of one number: 8 for float64, 4 for float32, 2 for bfloat16.
        optimizer: a name in :data:`MOMENTS`.

    Example:
        >>> state_memory(7_000_000_000).total / 1e9
        112.0
    """
    expect_positive("state_memory", parameters=parameters, itemsize=itemsize)
    expect_known("state_memory", "optimizer", optimizer, MOMENTS)
    held = itemsize * parameters
    return Memory(held, held, MOMENTS[optimizer] * held)


def state_gib(parameters: int, itemsize: int, moments: int) -> float:
    r"""Return the memory of a model that is trained, before the first sample comes, in gibibytes.

    .. math:: \frac{s \, (1 + 1 + m) \, N}{2^{30}}

    Args:
        parameters: how many weights and biases there are, :math:`N`.
        itemsize: bytes of one number, :math:`s`.
        moments: numbers that the optimizer keeps for each parameter, :math:`m`.

    Example:
        >>> state_gib(2**30, itemsize=4, moments=2)
        16.0
    """
    expect_positive("state_gib", parameters=parameters, itemsize=itemsize)
    expect_at_least_0("state_gib", moments=moments)
    return itemsize * (2 + moments) * parameters / GIB


def block_activations(batch: int, time: int, width: int, *, heads: int = 0) -> int:
    r"""Count the numbers that one block of a transformer keeps for the way back.

    .. math:: 16 \cdot \text{batch} \cdot \text{time} \cdot \text{width}
              + \text{heads} \cdot \text{batch} \cdot \text{time}^2

    Sixteen arrays of the width: what comes into both norms (2) and out of them (2), query, key and value (3), what
    attention gives (1), and before and after the GELU four times the width (8). With attention as one kernel there is
    nothing more. Written out, it keeps the table of its probabilities, ``time`` times ``time`` numbers for each head.

    Source: Korthikanti et al. (2022), section 4.1: their 34 bytes are these 16 numbers of 2 bytes and two dropout masks.

    Args:
        batch: number of texts.
        time: tokens of each text.
        width: numbers for each token.
        heads: how many heads write out their table; 0 if attention is one kernel.

    Example:
        >>> block_activations(1, 1024, 1600) / 1e6
        26.2144
    """
    expect_positive("block_activations", batch=batch, time=time, width=width)
    expect_at_least_0("block_activations", heads=heads)
    return batch * time * (16 * width + heads * time)


def transformer_memory(
    batch: int,
    *,
    layers: int,
    width: int,
    time: int,
    vocabulary: int,
    itemsize: int = 4,
    optimizer: str = "adam",
    heads: int = 0,
) -> Memory:
    """Predict where the memory goes when a language model such as GPT-2 is trained.

    Args:
        batch: number of texts.
        layers: number of blocks.
        width: numbers for each token.
        time: tokens of each text.
        vocabulary: number of different tokens; their embedding is the last layer, too.
        itemsize: bytes of one number.
        optimizer: a name in :data:`MOMENTS`.
        heads: as for :func:`block_activations`.

    Example:
        >>> gpt2 = transformer_memory(8, layers=48, width=1600, time=1024, vocabulary=50257)
        >>> gpt2.parameters // 4, round(gpt2.total / 1e9)
        (1557611200, 67)
    """
    expect_positive("transformer_memory", layers=layers, vocabulary=vocabulary)
    block = (
        12 * width**2 + 13 * width
    )  # four matrices of attention, eight of the layers after it; biases; norms
    count = layers * block + (vocabulary + time + 2) * width
    kept = layers * block_activations(batch, time, width, heads=heads)
    kept += batch * time * (2 * width + vocabulary)  # the last norm, and the logarithms of the probabilities
    return state_memory(count, itemsize=itemsize, optimizer=optimizer)._replace(activations=itemsize * kept)
