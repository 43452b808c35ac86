"""One job tried by a process that the grader trusts: whatever happens, an outcome comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import warm
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import CODE, NOT_EXECUTED, CellOutcome, Job, Outcome

MEMORY = 4 * 2**30
"""Bytes that a worker may allocate for a job at most; half of the machine's memory if that is less."""


def attempt(job: bytes, unsafe: bool) -> bytes:
    """Execute one job; where the grader itself fails, that costs this notebook and not the class.

    Args:
        job: What to execute.
        unsafe: Whether learners' code may run without a sandbox.

    Returns:
        An outcome.

    Raises:
        GradingError: There is no sandbox.
    """
    try:
        with _limited_memory():
            return execute(job, unsafe=unsafe)
    except GradingError:
        raise
    except Exception as problem:
        warm.close()  # the next job must not meet what this one left
        return given_up(job, f"the grader failed on it ({type(problem).__name__}: {problem})")


def given_up(job: bytes, reason: str) -> bytes:
    """Return the outcome of a job that cannot be executed: no points, and a note.

    Args:
        job: What was to be executed.
        reason: Why it was not, for the instructor.

    Returns:
        An outcome.
    """
    words = "This notebook could not be graded automatically. Your instructor sees it and will look at it."
    output = {"output_type": "error", "ename": "NotGraded", "evalue": words, "traceback": [words]}
    cells = tuple(
        CellOutcome(cell.index) if cell.role == CODE else CellOutcome(cell.index, (output,), 0.0)
        for cell in Job.from_bytes(job).cells
    )
    return Outcome(cells, NOT_EXECUTED, notes=(f"The notebook was not graded: {reason}.",)).to_bytes()


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Keep this process from the system's out-of-memory killer: a reference called with a huge value gets a MemoryError.

    The sandboxes that are started meanwhile have their own, smaller limits.
    """
    if sys.platform == "win32":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    page = os.sysconf("SC_PAGE_SIZE")
    allowed = _data_pages() * page + min(MEMORY, page * os.sysconf("SC_PHYS_PAGES") // 2)
    wanted = allowed if soft == resource.RLIM_INFINITY else min(allowed, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_pages() -> int:
    """Return what counts for the limit already: a notebook server or a test suite that grades has imported much."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:  # not Linux
        return 0
