"""The roofline of the machine at hand: how fast it really computes and moves bytes, with NumPy and with PyTorch.

A limit is what a machine reaches at its best, so the fastest of several rounds counts. Chapter: book/gpus/parallelism.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from dlcourse.gpus._machine import Machine, processor, timed, torch_missing

MIB = 2**20


class Library(NamedTuple):
    """A library on a device, as far as measuring needs it.

    Args:
        name: what made the numbers, for a caption.
        large: whether this is a device that only large work keeps busy.
        ones: makes an array of float32 of a shape.
        product: multiplies two matrices into a third.
        copy: copies into an array, from another one.
        relu: takes the maximum of each number and 0, into another array.
        seconds: measures the fastest round of some work, in at most so many seconds.
    """

    name: str
    large: bool
    ones: Callable[[tuple[int, ...]], Any]
    product: Callable[[Any, Any, Any], object]
    copy: Callable[[Any, Any], object]
    relu: Callable[[Any, Any], object]
    seconds: Callable[[Callable[[], object], float], float]


def _numpy() -> Library:
    asked = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    return Library(
        f"NumPy, {processor()}" + (", one core" if asked == "1" else ""),
        large=False,
        ones=lambda shape: np.ones(shape, np.float32),
        product=lambda a, b, out: np.matmul(a, b, out=out),
        copy=np.copyto,
        relu=lambda a, out: np.maximum(a, np.float32(0), out=out),
        seconds=lambda work, at_most: timed(work, at_most=at_most, choose=min),
    )


def _torch(asked: str) -> Library:
    from dlcourse.gpus._device import device, name, seconds, torch

    where = device(asked)
    return Library(
        f"PyTorch, {name(where)}",
        large=where.type != "cpu",
        ones=lambda shape: torch.ones(shape, device=where),
        product=lambda a, b, out: torch.matmul(a, b, out=out),
        copy=lambda to, a: to.copy_(a),
        relu=lambda a, out: torch.clamp(a, min=0, out=out),
        seconds=lambda work, at_most: seconds(work, where, at_most=at_most, choose=min),
    )


def libraries() -> list[Library]:
    """List what there is to measure: NumPy; PyTorch on the CPU, if it is installed; PyTorch on a GPU, if there is one."""
    found = [_numpy()]
    if not torch_missing():
        found.append(_torch("cpu"))
        best = _torch("auto")
        if best.large:
            found.append(best)
    return found


def measure_machine(
    library: Library, *, sizes: Sequence[int] = (), copied: int = 0, at_most: float = 0.5
) -> Machine:
    """Measure the two speeds of a machine: large matrix products in float32, and a large copy.

    Args:
        library: one of :func:`libraries`.
        sizes: rows of the square matrices that are tried; the fastest counts.
        copied: bytes that are copied; each of them is read and written. More than all caches hold, or it is the speed
            of a cache.
        at_most: seconds for each of them.

    Returns:
        The machine, with its name.
    """
    sizes = sizes or ((2048, 4096, 8192) if library.large else (256, 512, 1024))
    copied = copied or (1024 if library.large else 128) * MIB
    peak = 0.0
    for n in sizes:
        a, out = library.ones((n, n)), library.ones((n, n))
        peak = max(peak, 2 * n**3 / library.seconds(partial(library.product, a, a, out), at_most))
    here, there = library.ones((copied // 4,)), library.ones((copied // 4,))
    bandwidth = 2 * copied / library.seconds(partial(library.copy, there, here), at_most)
    return Machine(library.name, peak, bandwidth)


def measure_layer(
    library: Library, batches: Sequence[int], *, n: int = 2048, layers: int = 8, at_most: float = 0.3
) -> list[float]:
    """Measure how fast layers of ``n`` inputs and ``n`` units are, for batches of several sizes.

    The layers take turns, as in a deep network: then the weights come from memory each time, and not from a cache.

    Args:
        library: one of :func:`libraries`.
        batches: numbers of samples.
        n: inputs and units of each layer.
        layers: how many take turns.
        at_most: seconds for each size.

    Returns:
        Speed of the matrix product for each batch [FLOP/s].
    """
    weights = cycle([library.ones((n, n)) for _ in range(layers)])
    speeds = []
    for batch in batches:
        x, out = library.ones((batch, n)), library.ones((batch, n))

        def turn(x: Any = x, out: Any = out) -> None:
            for _ in range(layers):
                library.product(x, next(weights), out)

        speeds.append(layers * 2 * batch * n * n / library.seconds(turn, at_most))
    return speeds


def measure_call(library: Library, *, at_most: float = 0.2) -> float:
    """Measure what the smallest work costs: an activation of one number. All of it is the way there and back [s].

    Args:
        library: one of :func:`libraries`.
        at_most: seconds that this may take.
    """
    a, out = library.ones((1,)), library.ones((1,))
    return library.seconds(partial(library.relu, a, out), at_most)
