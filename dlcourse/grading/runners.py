"""What executes jobs: processes of this machine, or a cluster of machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from dlcourse.grading.errors import GradingError

Run = Callable[[Mapping[str, bytes], Callable[[str, bytes], None]], None]
"""Executes jobs and calls back with each outcome, in this thread."""


def runner(*, dask: str | None, workers: int | None, unsafe: bool) -> Run:
    """Return what executes jobs.

    Args:
        dask: The address of a Dask cluster; None for this machine.
        workers: How many processes execute; one a core by default.
        unsafe: Whether learners' code may run without a sandbox.

    Returns:
        A function of jobs and of what is called with each outcome.

    Raises:
        GradingError: Both a cluster and a number of processes are asked for.
    """
    if dask and workers:
        raise GradingError(
            "A cluster has its own workers, and all of them are used: leave out --workers, or leave out --dask."
        )

    def run(jobs: Mapping[str, bytes], on_done: Callable[[str, bytes], None]) -> None:
        if dask:
            from dlcourse.grading.execution import cluster

            cluster.run(jobs, address=dask, unsafe=unsafe, on_done=on_done)
        else:
            from dlcourse.grading.execution import pool

            pool.run(jobs, workers=workers or _processes(), unsafe=unsafe, on_done=on_done)

    return run


def _processes() -> int:
    """Return how many processes execute if nobody says: one a core that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
