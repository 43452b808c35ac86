"""Errors that say what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Number: TypeAlias = int | float
Scalar: TypeAlias = Float[np.ndarray, ""] | float
Numbers: TypeAlias = Float[np.ndarray, "*shape"] | Number


def expect_positive(function: str, **counts: int) -> None:
    """Refuse numbers of things that are not whole, or below 1."""
    for name, count in counts.items():
        if index(count) < 1:
            raise ValueError(f"{function} expects {name} to be a whole number from 1 on, got {count}")


def expect_above_0(function: str, **numbers: Number | Scalar) -> None:
    """Refuse what cannot be divided by, and speeds at which nothing moves."""
    for name, number in numbers.items():
        if not 0 < number < np.inf:
            raise ValueError(f"{function} expects {name} above 0, got {number}")


def expect_sizes(function: str, sizes: Sequence[int]) -> None:
    """Refuse a network without a layer."""
    if len(sizes) < 2:
        raise ValueError(
            f"{function} expects the inputs and at least one layer, such as [784, 10], got {list(sizes)}"
        )


def expect_share(function: str, share: Scalar) -> None:
    """Refuse a share that is less than nothing or more than all."""
    if not 0 <= share <= 1:
        raise ValueError(
            f"{function} expects a share from 0 to 1, got {share}: divide by 100 what is in per cent"
        )


def expect_cores(function: str, cores: Numbers) -> None:
    """Refuse a part of a core."""
    if np.any(np.asarray(cores) < 1):
        raise ValueError(f"{function} expects at least 1 core, got {cores}: with one core the speed-up is 1")


def expect_at_least_0(function: str, **numbers: Number | Scalar) -> None:
    """Refuse less than nothing."""
    for name, number in numbers.items():
        if not number >= 0:
            raise ValueError(f"{function} expects {name} to be 0 or more, got {number}")


def expect_known(function: str, what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is in no table."""
    if name not in (names := list(known)):
        raise ValueError(f"{function} expects {what} to be one of {', '.join(names)}, got {name!r}")
