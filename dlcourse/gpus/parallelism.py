"""How much arithmetic a network needs, what a machine can do in a second, and which of its two speeds is the limit.

First the multiplications and additions are counted: of a layer, a network, a step, a whole training run. Then the bytes
that must come from memory meanwhile. Both together tell what a machine is waiting for (:func:`roofline`), what more cores
bring (:func:`amdahl`), and when a GPU is not worth the way to it (:func:`gpu_seconds`).
Chapter: book/gpus/parallelism.md. Sources: Williams et al. (2009); Amdahl (1967); Kaplan et al. (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, inf

import numpy as np

from dlcourse.gpus._expect import (
    Number,
    Numbers,
    Scalar,
    expect_above_0,
    expect_cores,
    expect_positive,
    expect_share,
    expect_sizes,
)
from dlcourse.gpus._machine import PUBLISHED, Machine
from dlcourse.gpus._measured import libraries, measure_call, measure_layer, measure_machine

__all__ = [
    "PUBLISHED",
    "Machine",
    "amdahl",
    "gpu_seconds",
    "intensity",
    "libraries",
    "linear_bytes",
    "linear_flops",
    "measure_call",
    "measure_layer",
    "measure_machine",
    "mlp_flops",
    "roofline",
    "run_flops",
    "smallest_batch",
    "training_flops",
]


def linear_flops(batch: int, n_in: int, n_out: int) -> int:
    r"""Count the multiplications and additions of a layer's matrix product.

    .. math:: 2 \cdot \text{batch} \cdot n_\text{in} \cdot n_\text{out}

    Each of the ``batch * n_out`` sums takes ``n_in`` products, and as many additions. The bias is left out: it adds one
    operation to ``2 * n_in``.

    Args:
        batch: number of samples.
        n_in: inputs of the layer.
        n_out: units of the layer.

    Returns:
        Floating-point operations [FLOP].

    Raises:
        ValueError: if a number is below 1.

    Example:
        >>> linear_flops(32, 784, 128)
        6422528
    """
    expect_positive("linear_flops", batch=batch, n_in=n_in, n_out=n_out)
    return 2 * batch * n_in * n_out


def mlp_flops(sizes: Sequence[int], batch: int) -> int:
    """Count the operations of one way forward through a multi-layer perceptron.

    Args:
        sizes: the inputs, then the units of each layer.
        batch: number of samples.

    Returns:
        Floating-point operations [FLOP], those of the matrix products.

    Example:
        >>> mlp_flops([784, 128, 64, 10], 1)
        218368
    """
    expect_sizes("mlp_flops", sizes)
    return sum(linear_flops(batch, n_in, n_out) for n_in, n_out in pairwise(sizes))


def training_flops(sizes: Sequence[int], batch: int) -> int:
    r"""Count the operations of one training step: the way forward, and twice as much on the way back.

    .. math:: Z = X W, \qquad \bar W = X^\top \bar Z, \qquad \bar X = \bar Z W^\top

    Back through a layer there are two products of the same size: one for the weights, one for the inputs. The first
    layer needs none for its inputs: they are the data, which nobody changes.

    Source: Kaplan et al. (2020), section 2.1.

    Args:
        sizes: the inputs, then the units of each layer.
        batch: number of samples.

    Returns:
        Floating-point operations [FLOP], those of the matrix products.

    Example:
        >>> training_flops([784, 128, 64, 10], 1)
        454400
    """
    forward = mlp_flops(sizes, batch)
    return 3 * forward - linear_flops(batch, sizes[0], sizes[1])


def run_flops(parameters: Number, samples: Number) -> Number:
    r"""Estimate the operations of a whole training run from two numbers alone.

    .. math:: C \approx 6 N D

    Each weight takes one multiplication and one addition a sample on the way forward, and four on the way back.

    Source: Kaplan et al. (2020), section 2.1.

    Args:
        parameters: how many weights there are, :math:`N`.
        samples: how many samples or tokens go through in all epochs together, :math:`D`.

    Returns:
        Floating-point operations [FLOP].

    Example:
        >>> f"{run_flops(175e9, 300e9):.3g}"  # GPT-3
        '3.15e+23'
    """
    expect_above_0("run_flops", parameters=parameters, samples=samples)
    return 6 * parameters * samples


def linear_bytes(batch: int, n_in: int, n_out: int, itemsize: int = 4) -> int:
    r"""Count the bytes that a layer's matrix product must move at least: read both factors, write the result.

    .. math:: \text{itemsize} \cdot
              (\text{batch} \, n_\text{in} + n_\text{in} n_\text{out} + \text{batch} \, n_\text{out})

    Args:
        batch: number of samples.
        n_in: inputs of the layer.
        n_out: units of the layer.
        itemsize: bytes of one number: 8 for float64, 4 for float32, 2 for bfloat16.

    Returns:
        Bytes between the memory and the cores, if each number makes the way once.

    Example:
        >>> linear_bytes(32, 784, 128)
        518144
    """
    expect_positive("linear_bytes", batch=batch, n_in=n_in, n_out=n_out, itemsize=itemsize)
    return itemsize * (batch * n_in + n_in * n_out + batch * n_out)


def intensity(flops: Number, moved: Number) -> float:
    """Return how many operations are done with each byte that moves: the arithmetic intensity [FLOP/byte].

    Source: Williams et al. (2009).

    Args:
        flops: floating-point operations.
        moved: bytes between the memory and the cores.

    Example:
        >>> intensity(linear_flops(1, 4096, 4096), linear_bytes(1, 4096, 4096)) < 0.5
        True
    """
    expect_above_0("intensity", moved=moved)
    return flops / moved


def roofline(intensity: Numbers, peak: Scalar, bandwidth: Scalar) -> Numbers:
    r"""Return how fast a machine can be at best, for work of a given arithmetic intensity.

    .. math:: \min(\text{peak},\; \text{intensity} \cdot \text{bandwidth})

    Source: Williams et al. (2009).

    Args:
        intensity: operations for each byte that moves [FLOP/byte], any shape.
        peak: how much the machine can compute [FLOP/s].
        bandwidth: how much its memory can move [byte/s].

    Returns:
        The bound [FLOP/s], same shape.

    Example:
        >>> roofline(np.array([0.5, 50.0]), 100e9, 20e9) / 1e9
        array([ 10., 100.])
    """
    expect_above_0("roofline", peak=peak, bandwidth=bandwidth)
    bound = np.minimum(peak, np.asarray(intensity) * bandwidth)
    return bound if isinstance(intensity, np.ndarray) else float(bound)


def smallest_batch(
    n: int,
    peak: Scalar,
    bandwidth: Scalar,
    itemsize: int = 4,
) -> Number:
    r"""Find the smallest batch for which a layer of ``n`` inputs and ``n`` units keeps the cores busy.

    .. math:: \frac{2 b n^2}{s \, (2 b n + n^2)} \ge r
              \quad\Longleftrightarrow\quad b \ge \frac{r s \, n}{2 \, (n - r s)},
              \qquad r = \frac{\text{peak}}{\text{bandwidth}}

    Args:
        n: inputs and units of the layer.
        peak: how much the machine can compute [FLOP/s].
        bandwidth: how much its memory can move [byte/s].
        itemsize: bytes of one number, :math:`s`.

    Returns:
        Number of samples; infinity for a layer so narrow that no batch is large enough.

    Example:
        >>> smallest_batch(1024, peak=100e9, bandwidth=20e9)
        11
    """
    expect_positive("smallest_batch", n=n, itemsize=itemsize)
    expect_above_0("smallest_batch", peak=peak, bandwidth=bandwidth)
    needed = float(peak / bandwidth * itemsize)  # FLOP while a number moves
    return ceil(needed * n / (2 * (n - needed))) if n > needed else inf


def amdahl(parallel: Scalar, cores: Numbers) -> Numbers:
    r"""Return how many times faster many cores are, if only a part of the work can be shared.

    .. math:: S = \frac{1}{(1 - p) + p / n}

    Source: Amdahl (1967).

    Args:
        parallel: share :math:`p` of the time on one core that can be shared, 0 to 1.
        cores: how many cores, :math:`n`, any shape.

    Returns:
        The speed-up, same shape; never more than :math:`1 / (1 - p)`.

    Raises:
        ValueError: if the share is not between 0 and 1, or there is less than one core.

    Example:
        >>> round(amdahl(0.95, 1000), 1)
        19.6
    """
    expect_share("amdahl", parallel)
    expect_cores("amdahl", cores)
    return 1 / ((1 - parallel) + parallel / cores)


def gpu_seconds(
    flops: Number,
    moved: Number,
    *,
    gpu: Machine,
    carried: Number = 0,
    bus: float = 64e9,
    launches: int = 1,
    launch: float = 5e-6,
) -> float:
    r"""Return how long a GPU needs at least, with all that comes before its arithmetic.

    .. math:: \text{launches} \cdot t_\text{launch} + \frac{\text{carried}}{\text{bus}} +
              \max\Bigl( \frac{\text{flops}}{\text{peak}}, \frac{\text{moved}}{\text{bandwidth}} \Bigr)

    It is a model: nothing overlaps, and every launch costs the same.

    Args:
        flops: floating-point operations.
        moved: bytes between the GPU's memory and its cores.
        gpu: its two speeds.
        carried: bytes that have to go from the computer to the GPU, and back.
        bus: how much the way between them can carry [byte/s]; PCIe 5.0 x16 has 64e9 in each direction.
        launches: how many kernels are started.
        launch: what it costs to start one [s]; some microseconds.

    Returns:
        Seconds.

    Example:
        >>> gpu_seconds(2e9, 1e6, gpu=PUBLISHED["H100 float32"], carried=0) < 1e-3
        True
    """
    expect_above_0("gpu_seconds", bus=bus)
    return launches * launch + carried / bus + gpu.seconds(flops, moved)
