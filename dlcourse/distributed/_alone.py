"""What many ranks must end with, computed by one process: the yardstick of the exercise on data parallelism."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dlcourse.distributed.data_parallel import scaled_rate
from dlcourse.gpus._expect import Scalar


def average_everywhere(
    gradients: Float[np.ndarray, "count n"],
) -> list[Float[np.ndarray, " n"]]:
    """Return what each rank has after the gradients were averaged: the mean, everywhere."""
    return [gradients.mean(axis=0) for _ in gradients]


def train_together(
    start: Float[np.ndarray, "count n_in"],
    x: Float[np.ndarray, "batch n_in"],
    y: Float[np.ndarray, " batch"],
    rate: Scalar,
    steps: int,
) -> list[Float[np.ndarray, " n_in"]]:
    """Return the weights of each rank after gradient descent on the squared error.

    Args:
        start: what each rank drew; all begin with the weights of rank 0.
        x: all samples.
        y: their targets.
        rate: of each step.
        steps: how many.
    """
    w = start[0].copy()  # (n_in,)
    for _ in range(steps):
        w -= rate * 2 * x.T @ (x @ w - y) / len(y)
    return [w for _ in start]


def rate_at(rate: Scalar, count: int, warmup: int, step: int) -> float:
    """Return the rate of one step of :func:`~dlcourse.distributed.data_parallel.scaled_rate`."""
    return scaled_rate(float(rate), count, warmup=warmup)(step)
