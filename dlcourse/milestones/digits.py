"""What the milestones that read digits have in common: the digits, their networks, and gradients found by nudging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from dlcourse.data import digits
from dlcourse.data.split import frozen
from dlcourse.learning.backpropagation import nudged_gradients
from dlcourse.learning.loss import cross_entropy
from dlcourse.milestones.pieces import Found, Quantity, Result
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import Layer

GOAL = 0.9
"""Share of the held-out digits that are read rightly where the milestone is reached."""


@cache
def images() -> tuple[Array, Array, Array, Array]:
    """Load the digits in float64, as the exercises have it; read-only."""
    x, y, x_test, y_test = digits.split()
    return frozen(x.astype(np.float64)), frozen(y), frozen(x_test.astype(np.float64)), frozen(y_test)


def layers_of(parameters: Sequence[Array], hidden: str) -> list[Layer]:
    """Put parameters into layers: one activation in the hidden ones, none in the last."""
    pairs = list(zip(parameters[0::2], parameters[1::2], strict=True))
    return [Layer(W, b, hidden if i < len(pairs) - 1 else "linear") for i, (W, b) in enumerate(pairs)]


def held_out(right: Array) -> Result:
    """Say how many of the held-out digits were read rightly."""
    share = float(np.mean(right))
    return Result(f"{share:.1%} of {len(right):,} held-out digits right", share >= GOAL, share)


def digits_truth(answer: Callable[[Array], Array]) -> float:
    """Return the cross-entropy of some held-out digits, by the package alone."""
    _, _, x, y = images()
    return float(cross_entropy(answer(x[:500]), y[:500]))


def mean_scales(batch: int, entries: int = 0) -> dict[float, str]:
    """Say what a wrong factor means where the loss is a mean."""
    meant = {1 / batch: "you divided by the batch twice", 2.0: "there is a 2 too many", 0.5: "a 2 is missing"}
    if entries:
        meant[float(entries)] = f"you forgot 1/N, with N = {entries} entries here"
    return meant | {float(batch): f"you forgot 1/batch, with {batch} samples in a batch here"}


def beside_nudged(
    value: float,
    gradients: Sequence[Any],
    right: Callable[[], float],
    parameters: Mapping[str, Array],
    scales: dict[float, str],
) -> Iterator[Found]:
    """Put gradients beside those that nudging each number finds.

    Args:
        value: the loss, as the pieces in use say it.
        gradients: one a parameter, as the pieces in use say them.
        right: computes the loss by the package alone, from ``parameters`` as they are at the moment.
        parameters: the arrays of the network, by name.
        scales: what a wrong factor means.
    """
    if len(gradients) != len(parameters):
        yield f"you returned {len(gradients)} gradients for {len(parameters)} parameters"
        return
    yield Quantity("loss", "", value, right(), scales)
    nudged = nudged_gradients(right, list(parameters.values()))
    for name, got, wanted in zip(parameters, gradients, nudged, strict=True):
        yield Quantity("gradient", name, got, wanted, scales)
