"""Examples are divided before anything is learned from them, so that some of them can stand for the unseen.

Chapter: book/training/generalization.md. Source: Hastie, Tibshirani and Friedman (2009), sections 7.2 and 7.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int, Shaped

from dlcourse.neurons._arrays import Array

Rows: TypeAlias = Int[np.ndarray, " _"]


class Parts(NamedTuple):
    """Which examples are for what, as ascending row numbers.

    Attributes:
        train: those that the parameters are learned from.
        validation: those that choose: when to stop, how many units.
        test: those that are looked at once, at the end.
    """

    train: Rows
    validation: Rows
    test: Rows


def split(
    labels: Shaped[np.ndarray, " n"],
    *,
    validation: float = 0.2,
    test: float = 0.2,
    rng: np.random.Generator,
) -> Parts:
    """Divide examples by chance into three parts, with the same share of each class in each part.

    Source: Hastie, Tibshirani and Friedman (2009), section 7.2.

    Args:
        labels: the class of each example, ``(n,)``; for values pass ``np.zeros(n)``.
        validation: share of the examples to choose with, 0 or more.
        test: share of the examples to judge by, 0 or more.
        rng: draws which example goes where.

    Returns:
        Row numbers; each row is in one part.

    Raises:
        ValueError: if the shares leave nothing to train on, or a part whose share is not 0 gets no example.

    Example:
        >>> y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
        >>> parts = split(y, rng=np.random.default_rng(0))
        >>> [(rows.tolist(), y[rows].tolist()) for rows in parts]
        [([2, 3, 4, 6, 7, 9], [0, 0, 0, 1, 1, 1]), ([0, 5], [0, 1]), ([1, 8], [0, 1])]
    """
    _expect_shares("split", validation, test)
    place = np.empty(len(labels), int)  # (n,) 0 train, 1 validation, 2 test
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = _places(len(members), validation, test)
    return _parts("split", place, validation, test)


def split_groups(
    groups: Shaped[np.ndarray, " n"],
    *,
    validation: float = 0.2,
    test: float = 0.2,
    rng: np.random.Generator,
) -> Parts:
    """Divide examples by chance into three parts, and never a group.

    Copies of one picture, pictures of one patient, hours of one day know of each other. If one is trained on and
    another one tested on, the test is easier than the world.

    Args:
        groups: which group each example belongs to, ``(n,)``, numbers or names.
        validation: share of the groups to choose with, 0 or more.
        test: share of the groups to judge by, 0 or more.
        rng: draws which group goes where.

    Returns:
        Row numbers; all rows of a group are in one part.

    Raises:
        ValueError: as :func:`split`.

    Example:
        >>> parts = split_groups(np.array([7, 7, 8, 8, 9, 9]), validation=0.0, test=1 / 3, rng=np.random.default_rng(0))
        >>> parts.train.tolist(), parts.test.tolist()
        ([0, 1, 4, 5], [2, 3])
    """
    _expect_shares("split_groups", validation, test)
    names, group = np.unique(groups, return_inverse=True)  # (groups,), (n,)
    place = np.empty(len(names), int)
    place[rng.permutation(len(names))] = _places(len(names), validation, test)
    return _parts("split_groups", place[group], validation, test)


def _places(n: int, validation: float, test: float) -> Array:
    """Say for each of n places in a drawn order which part it belongs to, in whole numbers."""
    ends = np.rint(n * np.array([1 - validation - test, 1 - test]) + 1e-9)
    return np.searchsorted(ends, np.arange(n), side="right")


def _parts(function: str, place: Array, validation: float, test: float) -> Parts:
    """Turn places into row numbers, and refuse a part that was asked for and got nothing."""
    parts = Parts(*(np.flatnonzero(place == k) for k in range(3)))
    for name, rows, share in zip(Parts._fields, parts, (1.0, validation, test), strict=True):
        if share > 0 and len(rows) == 0:
            raise ValueError(
                f"{function} expects enough examples for each part, got none for {name}: pass more, or a larger share"
            )
    return parts


class Fold(NamedTuple):
    """One of the ways to divide in cross-validation, as row numbers.

    Attributes:
        train: those to learn from.
        held_out: those to be judged by.
    """

    train: Rows
    held_out: Rows


def folds(n: int, k: int, *, rng: np.random.Generator) -> Iterator[Fold]:
    """Divide examples into k parts of nearly equal size; each part is held out once.

    Source: Hastie, Tibshirani and Friedman (2009), section 7.10.

    Args:
        n: how many examples there are.
        k: how many folds, 2 to n.
        rng: draws the order.

    Returns:
        The folds, one after the other.

    Raises:
        ValueError: if ``k`` is out of its range.

    Example:
        >>> for train, held_out in folds(5, 2, rng=np.random.default_rng(0)):
        ...     print(train, held_out)
        [0 1] [2 4 3]
        [2 4 3] [0 1]
    """
    if not 2 <= k <= n:
        raise ValueError(
            f"folds expects k from 2 to the number of examples, {n}, got {k}: each part is held out"
        )
    parts = np.array_split(rng.permutation(n), k)
    return (Fold(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(k))


def _expect_shares(function: str, validation: float, test: float) -> None:
    """Refuse shares that leave nothing to learn from."""
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ValueError(
            f"{function} expects shares of at least 0 that leave something to train on, "
            f"got validation={validation} and test={test}: pass 0.2 for a fifth"
        )
