"""The milestone of the part "neurons": the perceptron learns what it learned in 1958, left from right.

Rosenblatt's perceptron was shown in July 1958, as a program on an IBM 704: after about fifty cards it told those marked
on the left from those marked on the right. The machine built for it, the Mark I, saw with 20 times 20 photocells. The
cards here are drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from dlcourse.data.split import frozen
from dlcourse.milestones.pieces import (
    Found,
    Milestone,
    Moment,
    Piece,
    Quantity,
    Result,
    Stage,
    Use,
    same,
)
from dlcourse.neurons import neuron as package
from dlcourse.neurons._arrays import Array

SIDE = 20
"""Photocells along one side of a card."""

TRIALS = 50
GOAL = 0.9


def cards(n: int, *, rng: np.random.Generator, dust: float = 0.02) -> tuple[Array, Array]:
    """Draw cards with one dark square, and some dust.

    Args:
        n: how many.
        rng: draws which half of the card is marked, where, how large the square is, and the dust.
        dust: share of the photocells that see the opposite of what is there.

    Returns:
        What the photocells see, 0 or 1, one card a row, ``(n, 400)``, and 1 for a mark on the right, 0 for the left.
    """
    right = rng.integers(0, 2, n)
    seen = np.zeros((n, SIDE, SIDE))
    for card, side in zip(seen, right, strict=True):
        size = rng.integers(4, 8)
        row, column = rng.integers(0, SIDE - size + 1), rng.integers(0, SIDE // 2 - size + 1)
        card[row : row + size, side * SIDE // 2 + column :][:, :size] = 1.0
    flipped = rng.random(seen.shape) < dust
    return np.where(flipped, 1 - seen, seen).reshape(n, -1), right.astype(float)


@cache
def deck() -> tuple[Array, Array, Array, Array]:
    """Draw the cards of this milestone: those to learn from, and others to be tested on; read-only."""
    rng = np.random.default_rng(1958)
    x, y, x_test, y_test = map(frozen, (*cards(TRIALS, rng=rng), *cards(500, rng=rng)))
    return x, y, x_test, y_test


def _dealt() -> tuple[Array, ...]:
    """Return the cards in copies of their own: a wrong piece may write into them."""
    return tuple(array.copy() for array in deck())


def neuron_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``neuron`` from the ``weighted_sum`` in use."""
    return lambda x, w, b: package.step(use.weighted_sum(x, w, b))


def perceptron_update_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``perceptron_update`` from the ``neuron`` in use."""

    def perceptron_update(
        x: Array, y: Array, w: Array, b: float, learning_rate: float
    ) -> tuple[Array, float]:
        mistake = y - use.neuron(x, w, b)
        return w + learning_rate * mistake @ x, b + learning_rate * mistake.sum()

    return perceptron_update


def train_perceptron_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``train_perceptron`` from the pieces in use."""

    def train_perceptron(x: Array, y: Array, passes: int) -> tuple[Array, float, list[int]]:
        w, b = np.zeros(x.shape[1]), 0.0
        wrong = [int(np.sum(use.neuron(x, w, b) != y))]
        while wrong[-1] > 0 and len(wrong) <= passes:
            w, b = use.perceptron_update(x, y, w, b, 1.0)
            wrong.append(int(np.sum(use.neuron(x, w, b) != y)))
        return w, b, wrong

    return train_perceptron


def card_after_card(use: Use) -> Generator[Moment, None, Result]:
    """Show one card after the other, and correct after each wrong answer, as in 1958."""
    x, y, x_test, y_test = _dealt()
    w, b = np.zeros(x.shape[1]), 0.0
    for i in range(TRIALS):
        yield Moment(float(np.mean(use.neuron(x_test, w, b) != y_test)), (w, b))
        w, b = use.perceptron_update(x[i : i + 1], y[i : i + 1], w, b, 1.0)
    return _told_apart(use.neuron(x_test, w, b) == y_test)


def pass_after_pass(use: Use) -> Generator[Moment, None, Result]:
    """Look at all cards again and again, until none is answered wrongly."""
    x, y, x_test, y_test = _dealt()
    w, b, wrong = use.train_perceptron(x, y, PASSES.steps)
    yield Moment(wrong[0] / len(x), (np.zeros(x.shape[1]), 0.0))
    for count in wrong[1:] or wrong:
        yield Moment(count / len(x), (w, b))
    return _told_apart(use.neuron(x_test, w, b) == y_test)


def _told_apart(right: Array) -> Result:
    share = float(np.mean(right))
    return Result(f"{share:.1%} of {len(right)} new cards told apart", share >= GOAL, share)


def _truth(parameters: Sequence[Any]) -> float:
    _, _, x, y = deck()
    w, b = parameters
    return float(np.mean(package.neuron(x, np.asarray(w, dtype=float), float(b)) != y))


CARDS = Stage("the cards (one by one)", "share of wrong answers", TRIALS, card_after_card, _truth, TRIALS - 1)
PASSES = Stage("the cards (pass after pass)", "share of wrong answers", 100, pass_after_pass, _truth, 5)


def probe_sums(use: Use) -> Iterator[Found]:
    """Compare weighted sums and answers with the package's."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((7, 4)), rng.standard_normal(4)
    yield Quantity("weighted sum", "", use.weighted_sum(x, w, 0.5), package.weighted_sum(x, w, 0.5))
    answers, right = np.asarray(use.neuron(x, w, 0.5)), package.neuron(x, w, 0.5)
    if answers.shape == right.shape and (answers != right).any():
        yield f"your neuron gives {int((answers != right).sum())} of 7 samples the wrong answer"


def probe_update(use: Use) -> Iterator[Found]:
    """Compare a correction with the package's, of which some is upwards and some downwards."""
    rng = np.random.default_rng(1)
    x, w, y = rng.standard_normal((7, 4)), rng.standard_normal(4), np.array([0.0, 1, 0, 1, 1, 0, 1])
    after, right = use.perceptron_update(x, y, w, 0.5, 0.25), package.perceptron_update(x, y, w, 0.5, 0.25)
    meant = {1 / 7: "you divided by the batch: this rule sums", 4.0: "you forgot the learning rate"}
    for name, new, wanted, old in zip("wb", after, right, (w, 0.5), strict=True):
        yield Quantity("correction", name, np.asarray(new) - old, np.asarray(wanted) - old, meant)


MILESTONE = Milestone(
    "neurons",
    "The perceptron of 1957 tells left from right",
    (
        Piece("weighted_sum", "neuron", "sum of a neuron", same(package.weighted_sum)),
        Piece("neuron", "neuron", "fire or stay silent", neuron_of),
        Piece("perceptron_update", "neuron", "learn from a mistake", perceptron_update_of),
        Piece("train_perceptron", "neuron", "repeat until nothing is wrong", train_perceptron_of),
    ),
    (CARDS, PASSES),
    (probe_sums, probe_update),
)
