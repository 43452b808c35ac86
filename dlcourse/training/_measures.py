"""How wrong a network is, and how sure one can be of that number.

Chapter: book/training/generalization.md. Sources: Wilson (1927); Efron and Tibshirani (1993), chapters 6 and 13.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dlcourse.neurons._expect import expect_floating
from dlcourse.neurons.network import accuracy


def error_rate(predicted: Int[np.ndarray, " batch"], labels: Int[np.ndarray, " batch"]) -> float:
    """Return the share of wrong answers, the other side of :func:`~dlcourse.neurons.network.accuracy`."""
    return 1 - accuracy(predicted, labels)


class Interval(NamedTuple):
    """Where a number probably lies.

    Attributes:
        low: its lower end.
        high: its upper end.
    """

    low: float
    high: float


def accuracy_interval(right: int, n: int, z: float = 1.96) -> Interval:
    r"""Say how far the accuracy on a test set may be from the accuracy on all examples there are.

    .. math:: \frac{p + \frac{z^2}{2n} \pm z \sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}

    It never leaves [0, 1], and its width is not 0 where all answers were right.

    Source: Wilson (1927), equation 1.

    Args:
        right: how many answers were right.
        n: how many there were, each example drawn independently of the others.
        z: how many standard errors to either side: 1.96 for an interval that holds the true value 95 times in a hundred.

    Returns:
        The interval.

    Raises:
        ValueError: if ``right`` is not between 0 and ``n``, or ``n`` is 0.

    Example:
        >>> low, high = accuracy_interval(952, 1000)
        >>> round(low, 3), round(high, 3)
        (0.937, 0.964)
    """
    _expect_counts(right, n)
    p = right / n
    middle = p + z**2 / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    share = 1 + z**2 / n
    # At the ends the formula gives 0 and 1, but for rounding.
    low = (middle - half) / share if right > 0 else 0.0
    high = (middle + half) / share if right < n else 1.0
    return Interval(low, high)


def bootstrap_interval(
    values: Float[np.ndarray, " n"], *, rng: np.random.Generator, times: int = 2000, level: float = 0.95
) -> Interval:
    """Say how far a mean may be from the mean of all examples there are, whatever the numbers are.

    The test set is drawn again from itself, with repetition, as if it were the world. How much the mean changes from
    draw to draw shows how much it could have changed from test set to test set. To compare two networks, pass their
    differences example by example: if 0 is in the interval, chance may explain it.

    Source: Efron and Tibshirani (1993), chapter 13.

    Args:
        values: one number an example, ``(n,)``, such as 1 for right and 0 for wrong.
        rng: draws the repetitions.
        times: how many.
        level: how often the interval is to hold the true value, between 0 and 1.

    Returns:
        The interval.

    Raises:
        TypeError: if ``values`` does not hold floating-point numbers.
        ValueError: if there is no value, or ``level`` is not between 0 and 1.

    Example:
        >>> differences = np.array([1.0] * 40 + [-1.0] * 36 + [0.0] * 924)  # 40 better, 36 worse
        >>> low, high = bootstrap_interval(differences, rng=np.random.default_rng(0))
        >>> low < 0 < high
        True
    """
    _expect_bootstrap(values, times, level)
    n = len(values)
    means = [values[rng.integers(n, size=n)].mean() for _ in range(times)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _expect_counts(right: int, n: int) -> None:
    """Refuse what is no share."""
    if not (n >= 1 and 0 <= right <= n):
        raise ValueError(
            f"accuracy_interval expects right from 0 to n, and n of at least 1, got {right} of {n}"
        )


def _expect_bootstrap(values: Float[np.ndarray, " n"], times: int, level: float) -> None:
    """Refuse what has no mean, and an interval that holds nothing or everything."""
    expect_floating("bootstrap_interval", values=values)
    if len(values) == 0 or times < 1 or not 0 < level < 1:
        raise ValueError(
            f"bootstrap_interval expects values, times of at least 1 and a level between 0 and 1, "
            f"got {len(values)} values, times={times}, level={level}"
        )
