"""Where learners' notebooks are executed: on this machine or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from dlcourse.grading.errors import GradingError

Run = Callable[[Mapping[str, bytes], Callable[[str, bytes], None]], None]
"""Executes jobs and calls back with each outcome, in this thread."""


@contextmanager
def runner(*, dask: str | None, workers: int | None, unsafe: bool, expected: int) -> Iterator[Run]:
    """Lend what executes jobs.

    Args:
        dask: The address of a Dask cluster's scheduler, or None for this machine.
        workers: How many processes; one a core by default.
        unsafe: Whether learners' code may run without a sandbox.
        expected: How many jobs are likely to come: their processes start at once.

    Yields:
        A function of jobs and of what is called with each outcome.

    Raises:
        GradingError: Both a cluster and a number of processes are asked for.
    """
    if dask and workers:
        raise GradingError(
            "A cluster has its own workers, and all of them are used: leave out --workers, or leave out --dask."
        )
    if dask:
        from dlcourse.grading.execution import cluster

        yield partial(cluster.run, address=dask, unsafe=unsafe)
        return
    from dlcourse.grading.execution import pool

    with pool.Crew(workers or _processes(), unsafe=unsafe) as crew:
        crew.start(expected)
        yield partial(pool.run, crew=crew)


def _processes() -> int:
    """Return how many processes execute if nobody says: one a core that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
