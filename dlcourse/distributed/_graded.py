"""How a check calls a function of the learner's in several processes, and what it sees of them.

These stand in ``through=`` of a check. Nothing here knows a right answer.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.distributed._processes import ProcessError, run_processes
from dlcourse.distributed._traffic import Traffic
from dlcourse.gpus._device import torch

SECONDS = 7.0
"""Ranks that are not done by then wait for one another: the messages of a check are short, and it has ten seconds."""
WAITING = "the ranks wait for one another"
"""What comes instead of results then."""


def results_on_ranks(work: Callable[..., Any], values: np.ndarray, *arguments: Any) -> Any:
    """Call a function in as many processes as there are rows; each gets its own row as a tensor.

    Args:
        work: the function, which gets the row, then the other arguments.
        values: one row a rank.
        *arguments: the same for all.

    Returns:
        What each rank returned, in the order of ranks; None if all returned None.
    """
    answers = _called(work, values, arguments)
    return answers if isinstance(answers, str) else _or_none([result for result, _ in answers])


def bytes_on_ranks(work: Callable[..., Any], values: np.ndarray, *arguments: Any) -> Any:
    """Call a function as :func:`results_on_ranks` does, and return how many bytes each rank has sent."""
    answers = _called(work, values, arguments)
    return answers if isinstance(answers, str) else [sent for _, sent in answers]


def _called(work: Callable[..., Any], values: np.ndarray, arguments: tuple[Any, ...]) -> Any:
    rows = [torch.from_numpy(row.copy()) for row in values]
    try:
        return run_processes(_one, len(rows), work, rows, arguments, timeout=SECONDS)
    except ProcessError as error:
        if error.late:
            return WAITING
        # Python's own exceptions are known to the checks. Which rank is the first to fail is chance, so it is not told.
        known = getattr(builtins, error.raised, None)
        raises = known if isinstance(known, type) and issubclass(known, Exception) else RuntimeError
        raise raises(f"one of {len(rows)} ranks stopped: {error.said or error}") from None


def _one(work: Callable[..., Any], rows: list[torch.Tensor], arguments: tuple[Any, ...]) -> tuple[Any, int]:
    with Traffic() as traffic:
        result = work(rows[torch.distributed.get_rank()], *arguments)
    # As numbers: another process cannot know a class of the learner's.
    return result.detach().numpy() if isinstance(result, torch.Tensor) else result, traffic.bytes


def _or_none(results: list[Any]) -> list[Any] | None:
    return None if all(result is None for result in results) else results
