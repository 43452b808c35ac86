"""Readings of a spacecraft's sensors, few of them unusual: how one would notice that something is about to fail.

The order in time was lost at the source, so a reading is judged by itself. One in fourteen is unusual: whoever always
says "usual" is right in 93 of 100 cases and of no use. Source: Statlog (Shuttle), UCI data set 148; licence and changes
in ``NOTICE.md`` beside this file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int16

from dlcourse.data.split import Split, frozen

_SHIPPED = Path(__file__).with_name("shuttle.npz")


@dataclass(frozen=True)
class Shuttle:
    """Readings of nine sensors of a spacecraft's radiators, in drawn order.

    Attributes:
        readings: what the sensors say, without units, ``(n, 9)``.
        anomaly: whether an expert called the state unusual, ``(n,)``.
    """

    readings: Int16[np.ndarray, "n 9"]
    anomaly: Bool[np.ndarray, " n"]


def load() -> Shuttle:
    """Load all 49,097 readings.

    Returns:
        The readings, read-only.

    Example:
        >>> shuttle = load()
        >>> shuttle.readings.shape, int(shuttle.anomaly.sum())
        ((49097, 9), 3511)
    """
    with np.load(_SHIPPED) as file:
        return Shuttle(frozen(file["readings"]), frozen(file["anomaly"]))


def split() -> Split:
    """Divide the readings: the last fifth of the drawn order is held out.

    Returns:
        Readings (in their units, not scaled) and 1 for an anomaly, 0 for none, twice.

    Example:
        >>> [part.shape for part in split()]
        [(39278, 9), (39278,), (9819, 9), (9819,)]
    """
    shuttle = load()
    x, y = shuttle.readings.astype(np.float32), shuttle.anomaly.astype(np.int64)
    held_out = len(y) // 5
    return Split(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])
