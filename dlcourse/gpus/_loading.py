"""Samples that have to be fetched one by one: a data set as PyTorch wants it, and loaders that make its batches.

Chapter: book/gpus/memory.md. Source: Paszke et al. (2019).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from dlcourse.gpus._device import torch


class Pictures(torch.utils.data.Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pictures that are kept packed, as files are, and unpacked when they are asked for.

    Args:
        images: grey values from 0 to 1, one picture a row, ``(n, n_in)``.
        labels: class indices, ``(n,)``.
        wait: seconds until a picture is there, as from a disk that is far away; waiting needs no processor.

    Example:
        >>> data = Pictures(np.ones((3, 4), np.float32), np.array([7, 8, 9]))
        >>> x, label = data[1]
        >>> len(data), x, label
        (3, tensor([1., 1., 1., 1.]), tensor(8))
    """

    def __init__(
        self, images: Float[np.ndarray, "n n_in"], labels: Integer[np.ndarray, " n"], *, wait: float = 0.0
    ):
        if len(images) != len(labels):
            raise ValueError(
                f"Pictures expects a label for each picture, got {len(images)} pictures and {len(labels)} labels"
            )
        self.packed = [zlib.compress(np.rint(255 * image).astype(np.uint8).tobytes()) for image in images]
        self.labels, self.wait = labels, wait

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.packed)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Fetch one picture and its label."""
        if self.wait:
            time.sleep(self.wait)
        grey = np.frombuffer(zlib.decompress(self.packed[index]), np.uint8)
        return torch.from_numpy(grey / np.float32(255)), torch.tensor(self.labels[index])


def loader(
    data: torch.utils.data.Dataset[Any], *, batch: int, workers: int = 0, seed: int = 0, **how: Any
) -> torch.utils.data.DataLoader[Any]:
    """Make a loader that shuffles and cuts; with workers, other processes fetch the next batches meanwhile.

    The workers are new processes. Copies of this one would be made faster, but a copy of a process in which PyTorch
    has started threads or a GPU may wait for ever.

    Args:
        data: knows its length and its samples.
        batch: samples of a batch.
        workers: processes that fetch; with none this process fetches by itself.
        seed: of the order.
        how: what ``DataLoader`` takes besides, such as ``pin_memory``.
    """
    if workers:
        how = {"multiprocessing_context": "spawn", "persistent_workers": True} | how
    order = torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(data, batch, shuffle=True, num_workers=workers, generator=order, **how)


def seconds_waited(batches: Iterable[Any], work: Callable[[Any], object]) -> tuple[float, float, float]:
    """Go through the batches once, and measure who waits.

    Args:
        batches: a loader.
        work: what is done with each batch.

    Returns:
        Seconds until the first batch, those waited for all others, and those of the work.

    Example:
        >>> first, waited, worked = seconds_waited([1, 2, 3], work=lambda batch: time.sleep(0.01))
        >>> worked > 0.03 > first + waited
        True
    """
    waited, worked, first = 0.0, 0.0, 0.0
    start = time.perf_counter()
    for number, batch in enumerate(batches):
        here = time.perf_counter()
        if number:
            waited += here - start
        else:
            first = here - start
        work(batch)
        start = time.perf_counter()
        worked += start - here
    return first, waited, worked
