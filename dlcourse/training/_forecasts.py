"""Forecasts of a time series: samples that do not know the future, sets that do not know each other, and their worth.

Chapter: book/training/evaluation.md. Source: Murphy (1988), for the skill score.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer


class Windows(NamedTuple):
    """Samples cut from a time series.

    Attributes:
        x: what was known, the oldest time first and the columns of a time side by side, ``(n, past * columns)``.
        y: what came out ``ahead`` steps later, ``(n,)``.
        now: the last time that was known, as a row of the series, ``(n,)``.
    """

    x: Float[np.ndarray, "n n_in"]
    y: Float[np.ndarray, " n"]
    now: Int[np.ndarray, " n"]


def lagged_windows(
    columns: Float[np.ndarray, "time columns"], target: Float[np.ndarray, " time"], past: int, ahead: int
) -> Windows:
    r"""Cut a time series into samples: the last ``past`` steps, and the target ``ahead`` steps later.

    .. math:: x_t = (s_{t - p + 1}, \dots, s_{t - 1}, s_t), \qquad y_t = r_{t + a}

    What is asked for is never part of what is known, since ``ahead`` is at least 1. A sample in which a number is missing
    is left out; the times do not close up.

    Args:
        columns: what was measured at each step, NaN where it was not, ``(time, columns)``.
        target: what is to be predicted, ``(time,)``.
        past: number of steps that are known, at least 1.
        ahead: how far the target lies behind the last of them, at least 1.

    Returns:
        The samples, in order of time.

    Raises:
        ValueError: if ``past`` or ``ahead`` is below 1, or the series is too short or of other length than the target.

    Example:
        >>> series = np.array([10.0, 11.0, 12.0, 13.0, 14.0])
        >>> lagged_windows(series[:, None], series, past=2, ahead=1)
        Windows(x=array([[10., 11.],
               [11., 12.],
               [12., 13.]]), y=array([12., 13., 14.]), now=array([1, 2, 3]))
    """
    _expect_series(columns, target, past, ahead)
    views = np.lib.stride_tricks.sliding_window_view(
        columns, past, axis=0
    )  # (time - past + 1, columns, past)
    x = views[:-ahead].transpose(0, 2, 1).reshape(len(views) - ahead, -1)  # (n, past * columns)
    now = np.arange(past - 1, len(target) - ahead)  # (n,)
    y = target[now + ahead]
    whole = np.isfinite(x).all(axis=1) & np.isfinite(y)
    return Windows(x[whole], y[whole], now[whole])


def apart(
    now: Integer[np.ndarray, " n"], held_out: Integer[np.ndarray, " m"], reach: int
) -> Bool[np.ndarray, " n"]:
    """Say which samples share no step with any held-out one.

    A sample covers the ``past`` steps up to ``now`` and the ``ahead`` steps behind it. Two of them share nothing if their
    times are at least ``past + ahead`` apart.

    Args:
        now: times of the samples, ``(n,)``.
        held_out: times of the held-out samples, in any order, ``(m,)``.
        reach: ``past + ahead``.

    Returns:
        Whether each sample may be trained on, ``(n,)``.

    Raises:
        ValueError: if nothing is held out, or ``reach`` is below 1.

    Example:
        >>> apart(np.arange(10), np.array([6, 7]), reach=3)
        array([ True,  True,  True,  True, False, False, False, False, False,
               False])
    """
    _expect_reach(held_out, reach)
    ends = np.sort(held_out).astype(np.int64)
    after = np.searchsorted(ends, now)  # (n,) place of the first held-out time that is not earlier
    earlier = ends[np.maximum(after - 1, 0)]
    later = ends[np.minimum(after, len(ends) - 1)]
    return (np.abs(now - earlier) >= reach) & (np.abs(later - now) >= reach)


def skill_score(
    predicted: Float[np.ndarray, " n"], target: Float[np.ndarray, " n"], baseline: Float[np.ndarray, " n"]
) -> float:
    r"""Return which share of a simple forecast's error is gone.

    .. math:: S = 1 - \frac{\sum_i |\hat y_i - y_i|}{\sum_i |r_i - y_i|}

    1 is a perfect forecast, 0 one that is as good as the simple one, and below 0 it is worse.

    Source: Murphy (1988), with absolute errors in the place of squared ones.

    Args:
        predicted: the forecast, ``(n,)``.
        target: what came, ``(n,)``.
        baseline: the simple forecast, such as the last known value: persistence, ``(n,)``.

    Raises:
        ValueError: if the shapes differ, or the simple forecast is never wrong.

    Example:
        >>> skill_score(np.array([11.0, 12.0]), np.array([12.0, 12.0]), baseline=np.array([10.0, 10.0]))
        0.75
    """
    _expect_forecasts(predicted, target, baseline)
    return 1 - float(np.abs(predicted - target).sum()) / float(np.abs(baseline - target).sum())


def _expect_reach(held_out: Any, reach: int) -> None:
    """Refuse a set that nothing could be apart from."""
    if len(held_out) == 0 or reach < 1:
        raise ValueError(
            f"apart expects at least one held-out time and a reach of at least 1, got {len(held_out)} and {reach}: "
            "the reach is past + ahead"
        )


def _expect_forecasts(predicted: Any, target: Any, baseline: Any) -> None:
    """Refuse a comparison that NumPy would stretch, or that would divide by 0."""
    if not predicted.shape == target.shape == baseline.shape or predicted.ndim != 1:
        raise ValueError(
            f"skill_score expects three arrays of shape (n,), got {predicted.shape}, {target.shape} and "
            f"{baseline.shape}: a column becomes flat with [:, 0]"
        )
    if (baseline == target).all():
        raise ValueError(
            "skill_score expects a simple forecast that is wrong at least once, got one without error: "
            "nothing can be better, so compare the mean absolute errors themselves"
        )


def _expect_series(columns: Any, target: Any, past: int, ahead: int) -> None:
    """Refuse windows that would be empty or see their own answer."""
    if columns.ndim != 2 or target.shape != columns.shape[:1]:
        raise ValueError(
            f"lagged_windows expects columns of shape (time, columns) and a target of shape (time,), got "
            f"{columns.shape} and {target.shape}: make one series a column with series[:, None]"
        )
    if past < 1 or ahead < 1:
        raise ValueError(
            f"lagged_windows expects past and ahead of at least 1, got {past} and {ahead}: with 0 ahead the answer "
            "would stand among the inputs"
        )
    if len(target) < past + ahead:
        raise ValueError(
            f"lagged_windows expects at least past + ahead = {past + ahead} steps, got {len(target)}: "
            "use shorter windows or a longer series"
        )
