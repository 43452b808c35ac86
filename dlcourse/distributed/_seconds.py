"""How long messages and all-reduces take, by formulas that know of latency and bandwidth alone.

Chapters: book/distributed/collectives.md, book/distributed/cost.md. Sources: Hockney (1994); Patarasuk and Yuan (2009);
Sanders et al. (2009).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Num

from dlcourse.gpus._expect import expect_above_0

Number: TypeAlias = Num[np.ndarray, ""] | int | float
Numbers: TypeAlias = Num[np.ndarray, "*shape"] | int | float


def message_seconds(size: Number, bandwidth: Number, latency: Number = 0.0) -> float:
    r"""Estimate how long a message is on its way.

    .. math:: \alpha + \frac{S}{\beta}

    Source: Hockney (1994).

    Args:
        size: its bytes, :math:`S`.
        bandwidth: bytes that go from one rank to another in a second, :math:`\beta`.
        latency: seconds that a message takes, however short it is, :math:`\alpha`.

    Example:
        >>> message_seconds(1000, bandwidth=1e6, latency=1e-3)
        0.002
    """
    _expect_message("message_seconds", size, bandwidth, latency)
    return float(latency + size / bandwidth)


def ring_seconds(size: Number, count: Numbers, bandwidth: Number, latency: Number = 0.0) -> Numbers:
    r"""Estimate the time of an all-reduce around a ring, in which all send at the same time.

    .. math:: 2 (n - 1) \Bigl(\alpha + \frac{S}{n \beta}\Bigr)

    Source: Patarasuk and Yuan (2009).

    Args:
        size: bytes of the tensor, :math:`S`.
        count: how many ranks there are, :math:`n`, any shape.
        bandwidth: bytes that go from one rank to another in a second, :math:`\beta`.
        latency: seconds that a message takes, however short it is, :math:`\alpha`.

    Returns:
        Seconds, same shape, 0 for one rank; those of the additions are left out.

    Example:
        >>> ring_seconds(14e9, np.array([1, 2, 1024]), bandwidth=50e9)
        array([0.        , 0.28      , 0.55945313])
    """
    _expect_message("ring_seconds", size, bandwidth, latency)
    expect_ranks("ring_seconds", count)
    return 2 * (count - 1) * (latency + size / (count * bandwidth))


def tree_seconds(size: Number, count: Numbers, bandwidth: Number, latency: Number = 0.0) -> Numbers:
    r"""Estimate the time if the numbers go up a tree and the sum comes down: few hops, and the same bytes.

    .. math:: 2 \, \lceil \log_2 n \rceil \, \alpha + \frac{2 S}{\beta}

    Source: Sanders et al. (2009), with two trees at once and small pieces, so that each rank sends all the time.

    Args:
        size: bytes of the tensor, :math:`S`.
        count: how many ranks there are, :math:`n`, any shape.
        bandwidth: bytes that go from one rank to another in a second, :math:`\beta`.
        latency: seconds that a message takes, however short it is, :math:`\alpha`.

    Returns:
        Seconds, same shape, 0 for one rank; those of the additions are left out.

    Example:
        >>> tree_seconds(14e9, np.array([1, 2, 1024]), bandwidth=50e9)
        array([0.  , 0.56, 0.56])
    """
    _expect_message("tree_seconds", size, bandwidth, latency)
    expect_ranks("tree_seconds", count)
    many = np.asarray(count) > 1
    seconds = many * (2 * np.ceil(np.log2(count)) * latency + 2 * size / bandwidth)
    return seconds if isinstance(count, np.ndarray) else float(seconds)


def expect_ranks(function: str, count: Numbers) -> None:
    """Refuse a part of a rank, or of a device."""
    if np.any(np.asarray(count) < 1):
        raise ValueError(f"{function} expects at least 1 device, got {count}")


def _expect_message(function: str, size: Number, bandwidth: Number, latency: Number) -> None:
    """Refuse messages without bytes, without speed, or from the past."""
    expect_above_0(function, size=float(size), bandwidth=float(bandwidth))
    if latency < 0:
        raise ValueError(f"{function} expects a latency from 0 seconds on, got {latency}")
