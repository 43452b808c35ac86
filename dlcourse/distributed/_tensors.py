"""How a check of the exercise on data parallelism calls a function in several processes; it stands in ``through=``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.distributed._graded import results_on_ranks
from dlcourse.gpus._device import torch


def tensors_on_ranks(work: Callable[..., Any], values: np.ndarray, *arguments: Any) -> Any:
    """Call a function in as many processes as there are rows; its row and all arrays come as tensors.

    Args:
        work: the function, which gets the row, then the other arguments.
        values: one row a rank.
        *arguments: the same for all.

    Returns:
        What each rank returned, in the order of ranks.
    """
    tensors = [torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments]
    return results_on_ranks(work, values, *tensors)
