"""What collectives must give on all ranks together, without a process: what a grader compares with.

Each function gets one row a rank, as the learner's function is called by :mod:`dlcourse.distributed._graded`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from dlcourse.distributed.collectives import ring_step

Rows: TypeAlias = Float[np.ndarray, "count n"]
EveryRank: TypeAlias = list[Float[np.ndarray, "..."]]


def broadcast(values: Rows, source: int) -> EveryRank:
    """Return the row of one rank, for every rank."""
    return [values[source] for _ in values]


def broadcast_bytes(values: Rows, source: int) -> list[int]:
    """Return the bytes that each rank sends where the source sends to all others."""
    return [values[0].nbytes * (len(values) - 1) if rank == source else 0 for rank in range(len(values))]


def all_gather(values: Rows) -> EveryRank:
    """Return all rows, for every rank."""
    return [values for _ in values]


def all_gather_bytes(values: Rows) -> list[int]:
    """Return the bytes that each rank sends around a ring: all rows but one."""
    return [values[0].nbytes * (len(values) - 1) for _ in values]


def all_reduce(values: Rows) -> EveryRank:
    """Return the sum of all rows, for every rank."""
    return [values.sum(axis=0) for _ in values]


def ring_bytes(values: Rows) -> list[int]:
    """Return the bytes that each rank sends in a ring all-reduce, exact for pieces that are not equally long."""
    count = len(values)
    pieces = [piece.nbytes for piece in np.array_split(values[0], count)]
    steps = range(2 * (count - 1))
    return [sum(pieces[ring_step(rank, step, count)[0]] for step in steps) for rank in range(count)]
