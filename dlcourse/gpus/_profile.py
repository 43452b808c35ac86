"""Where the time of some work goes: its operations, as PyTorch's own profiler sees them.

Chapter: book/gpus/kernels.md. Source: Paszke et al. (2019).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from dlcourse.gpus._device import synchronize, torch

REST = "all the others"


class Operation(NamedTuple):
    """One kind of operation of PyTorch, within some work.

    Args:
        name: what PyTorch calls it, without ``aten::``.
        seconds: in it for each time the work is done, without the operations that it calls.
        calls: how often it is called for each time the work is done.
    """

    name: str
    seconds: float
    calls: float


def operations(
    work: Callable[[], object], where: torch.device, *, rounds: int = 10, first: int | None = None
) -> list[Operation]:
    """Profile some work: the operations that it consists of, the longest first.

    On a GPU it is the GPU's time that counts, and the processor's otherwise.

    Args:
        work: what is watched, without arguments; it is done once before, and then ``rounds`` times.
        where: the device that it runs on.
        rounds: how many times it is watched.
        first: how many operations are listed; the others are put together as :data:`REST`.

    Raises:
        ValueError: if no round is asked for.

    Example:
        >>> a = torch.ones(200, 200)
        >>> found = operations(lambda: (a @ a).relu(), torch.device("cpu"), rounds=2)
        >>> {one.name: one.calls for one in found if one.name in ("mm", "clamp_min")}
        {'mm': 1.0, 'clamp_min': 1.0}
    """
    if rounds < 1:
        raise ValueError(f"operations expects at least 1 round to watch, got {rounds}")
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else it tells about itself on standard error
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if where.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    work()
    synchronize(where)
    with torch.profiler.profile(activities=kinds) as watched:
        for _ in range(rounds):
            work()
        synchronize(where)
    times: dict[str, list[float]] = defaultdict(list)
    for event in watched.events():  # in the order in which they began
        if event.key.startswith("aten::"):  # else a name that somebody gave to a stretch of the program
            micro = event.self_cpu_time_total if where.type == "cpu" else event.self_device_time_total
            times[event.key.removeprefix("aten::")].append(1e-6 * micro)
    found = [Operation(name, _each(taken, rounds), len(taken) / rounds) for name, taken in times.items()]
    found.sort(key=lambda one: one.seconds, reverse=True)
    if first is None or len(found) <= first:
        return found
    others = found[first:]
    return [*found[:first], Operation(REST, sum(o.seconds for o in others), sum(o.calls for o in others))]


def _each(taken: list[float], rounds: int) -> float:
    """Return what an operation takes in a round; if all rounds are alike, a program that came between does not count."""
    if len(taken) % rounds:
        return sum(taken) / rounds
    turns = len(taken) // rounds
    return sum(median(taken[turn::turns]) for turn in range(turns))
