"""How many bytes are really held: between two steps, and from moment to moment within one.

Chapter: book/distributed/sharding.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import accumulate

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


def recorded(work: Callable[[], object]) -> list[int]:
    """Record how many bytes PyTorch holds on this CPU while something is done, from its first array on.

    The allocator itself is asked, so scratch memory and buffers of the collectives are seen, too. Arrays from before are
    not: let ``work`` make all that it needs.

    Args:
        work: what is recorded, without arguments.

    Returns:
        Bytes after each array that came or went, beginning with 0.

    Example:
        >>> recorded(lambda: torch.ones(1000).relu())
        [0, 4000, 8000, 4000, 0]
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else each recording says on the terminal that it begins
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    memory = sorted(
        (event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns()
    )
    return [0, *accumulate(event.nbytes() for event in memory)]
