"""How many bytes are really held: between two steps, and from moment to moment within one.

Chapter: book/distributed/sharding.md.
"""

from __future__ import annotations

import os
from bisect import bisect
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import NamedTuple

from dlcourse.gpus._device import torch


def held_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Count the bytes behind some tensors; what several of them share is counted once.

    Example:
        >>> a = torch.ones(1000)
        >>> held_bytes([a, a[:10], torch.ones(1)])
        4004
    """
    blocks = [tensor.untyped_storage() for tensor in tensors]
    return sum({block.data_ptr(): block.nbytes() for block in blocks if block.nbytes()}.values())


class Curve(NamedTuple):
    """How many bytes were held, from moment to moment.

    Args:
        held: bytes after each array that came or went, beginning with 0.
        begins: positions in ``held`` at which the parts began that were marked.
    """

    held: list[int]
    begins: list[int]


def recorded(work: Callable[[], object], mark: str = "step") -> Curve:
    """Record how many bytes PyTorch holds on this CPU while something is done, from its first array on.

    The allocator itself is asked, so scratch memory and buffers of the collectives are seen, too. Arrays from before are
    not: let ``work`` make all that it needs.

    Args:
        work: what is recorded, without arguments.
        mark: what ``torch.profiler.record_function`` calls the parts whose beginning is wanted.

    Example:
        >>> recorded(lambda: torch.ones(1000).relu())
        Curve(held=[0, 4000, 8000, 4000, 0], begins=[])
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else each recording says on the terminal that it begins
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    memory = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    times = [time for time, _ in memory]
    begins = sorted(bisect(times, event.start_ns()) for event in events if event.name() == mark)
    return Curve([0, *accumulate(size for _, size in memory)], begins)
