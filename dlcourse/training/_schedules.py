"""How large a step is at which time: the rate as a function of the number of steps already taken.

Chapter: book/training/optimizers.md. Sources: Loshchilov and Hutter (2017), section 3, for the cosine; Goyal et al.
(2017), section 2.2, for the warm-up.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, isfinite, pi
from typing import TypeAlias

from dlcourse.neurons._expect import expect_count

Schedule: TypeAlias = Callable[[int], float]
"""Gives the rate of the next step, if so many steps have been taken: ``schedule(0)`` is the rate of the first."""


def constant(rate: float) -> Schedule:
    """Keep one rate.

    Args:
        rate: of each step, 0 or more.

    Returns:
        The schedule.

    Example:
        >>> schedule = constant(0.1)
        >>> schedule(0), schedule(1000)
        (0.1, 0.1)
    """
    expect_rate("constant", rate)
    return lambda step: rate


def step_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    r"""Multiply the rate by a factor again and again, and keep it in between.

    .. math:: \eta_t = \eta \, f^{\lfloor t / n \rfloor}

    Args:
        rate: of the first steps.
        every: number of steps ``n`` from one drop to the next.
        factor: what is left of the rate at a drop, ``f``.

    Returns:
        The schedule.

    Example:
        >>> schedule = step_decay(1.0, every=100, factor=0.5)
        >>> schedule(99), schedule(100), schedule(200)
        (1.0, 0.5, 0.25)
    """
    expect_rate("step_decay", rate)
    expect_count("step_decay", every=every)
    return lambda step: rate * factor ** (step // every)


def cosine(rate: float, steps: int, lowest: float = 0.0) -> Schedule:
    r"""Lower the rate along half a wave of the cosine: slowly, then fast, then slowly again.

    .. math:: \eta_t = \eta_\text{low} + \tfrac12 (\eta - \eta_\text{low}) \bigl(1 + \cos(\pi t / n)\bigr)

    Source: Loshchilov and Hutter (2017), equation 5, without restarts.

    Args:
        rate: of the first step.
        steps: number of steps ``n`` after which the lowest rate is reached; it stays there.
        lowest: the lowest rate.

    Returns:
        The schedule.

    Example:
        >>> schedule = cosine(1.0, steps=100)
        >>> [round(schedule(step), 3) for step in (0, 10, 50, 90, 100, 1000)]
        [1.0, 0.976, 0.5, 0.024, 0.0, 0.0]
    """
    expect_rate("cosine", rate)
    expect_rate("cosine", lowest)
    expect_count("cosine", steps=steps)
    fall = rate - lowest
    return lambda step: lowest + fall * (1 + cos(pi * min(step / steps, 1))) / 2


def warmup(schedule: float | Schedule, steps: int) -> Schedule:
    r"""Rise evenly to the first rate of a schedule, and follow it from there.

    .. math:: \eta_t = \frac{t + 1}{n + 1} \, \eta'_0 \text{ for } t < n,
              \qquad \eta_t = \eta'_{t - n} \text{ from then on}

    Source: Goyal et al. (2017), section 2.2.

    Args:
        schedule: what comes afterwards, or one rate.
        steps: how many steps ``n`` are smaller than its first.

    Returns:
        The schedule.

    Example:
        >>> schedule = warmup(1.0, steps=3)
        >>> [schedule(step) for step in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    expect_count("warmup", steps=steps)
    after = as_schedule(schedule)
    return lambda step: after(0) * (step + 1) / (steps + 1) if step < steps else after(step - steps)


def as_schedule(rate: float | Schedule) -> Schedule:
    """Return a schedule as it is, and a number as a constant one."""
    return rate if callable(rate) else constant(rate)


def expect_rate(function: str, rate: float) -> None:
    """Refuse a rate that is negative or no finite number."""
    if not (isfinite(rate) and rate >= 0):
        raise ValueError(
            f"{function} expects a rate that is finite and at least 0, got {rate}: "
            "a negative rate would climb; start with 0.001 for Adam or 0.1 for SGD"
        )
