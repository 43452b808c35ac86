"""What a wrong piece breaks, in one sentence drawn from measurements.

The piece is put in the place of the package's, all others are right. Then every stage takes a few steps, beside the same
steps without the piece, and every gradient is compared with one that was found by nudging.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from dlcourse.milestones.clock import Clock, OvertimeError, Watch
from dlcourse.milestones.pieces import Found, Milestone, Quantity, Stage, Use
from dlcourse.neurons._arrays import Array

_LITTLE, _HARDLY, _MUCH = 0.05, 0.3, 0.8
_DIRECTIONS = "gradient", "clipped gradient", "step", "correction", "velocity"


class Fault(NamedTuple):
    """What is wrong with one quantity, as the end of a sentence about one and about several."""

    kind: str
    of: str
    one: str
    many: str
    why: str = ""


def broken(milestone: Milestone, use: Use) -> str:
    """Say what a wrong piece breaks.

    Args:
        milestone: what it is a piece of.
        use: the pieces, the wrong one among them.

    Returns:
        One sentence.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            causes = list(_causes(milestone, use))
            harm = _harm(milestone, use)
        except OvertimeError as error:
            return f"Nothing can be trained with it: {error}."
    if not causes:
        return f"{harm}." if harm else "It learns all the same: on these data nothing suffers."
    return f"{harm}: {causes[0]}." if harm else f"It learns all the same, but {causes[0]}."


def _harm(milestone: Milestone, use: Use) -> str:
    """Say what becomes of the stage that suffers most; empty if none does."""
    found = [_harm_to(milestone, stage, use) for stage in milestone.stages]
    return max(found, key=lambda harm: harm[0])[1]


def _harm_to(milestone: Milestone, stage: Stage, use: Use) -> tuple[int, str]:
    """Return how bad it is for one stage, from 0 on, and how to say that."""
    before_right, after_right = _few_right_steps(milestone, stage)
    wanted = max(before_right - after_right, 1e-12)
    what = f"The {stage.measure} on {stage.name}"
    try:
        before, after = _few_steps(stage, use)
    except OvertimeError:
        raise
    except Exception:
        return 5, f"Training on {stage.name} stops"
    fell, lacks = (before - after) / wanted, (after - after_right) / wanted
    if not np.isfinite(fell):
        return 4, f"{what} becomes NaN"
    if lacks <= 1 - _MUCH:
        return 0, ""
    if fell < -_LITTLE:
        return 3, f"{what} rises"
    if fell < _LITTLE:
        return 2, f"{what} does not fall"
    return 1, f"{what} {'hardly falls' if fell < _HARDLY else 'falls more slowly than it should'}"


@cache
def _few_right_steps(milestone: Milestone, stage: Stage) -> tuple[float, float]:
    """Train a little with the package alone; it is the same each time."""
    return _few_steps(stage, Use(milestone.pieces, {}, Clock(Watch(float("inf")))))


def _few_steps(stage: Stage, use: Use) -> tuple[float, float]:
    """Train a little, and return the measure before and after, as the package computes it."""
    before, steps = 0.0, stage.run(use)
    last: Sequence[Any] = ()
    for number, moment in enumerate(steps):
        if number == 0:
            before = stage.truth(moment.parameters)
        last = moment.parameters
        if number == stage.few:
            break
    steps.close()
    return before, stage.truth(last)


def _causes(milestone: Milestone, use: Use) -> Iterator[str]:
    """Return what the measurements find, the first thing first."""
    stopped = ""
    for probe in milestone.probes:
        found: list[Found] = []
        try:
            found += probe(use)
        except OvertimeError:
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            stopped = stopped or f"{type(error).__name__}: {first}".rstrip(": .")
        yield from said(fault for what in found if isinstance(what, Quantity) if (fault := compared(what)))
        yield from (what for what in found if isinstance(what, str))
    if stopped:
        yield stopped


def compared(quantity: Quantity) -> Fault | None:
    """Compare a quantity with the right one.

    Args:
        quantity: both.

    Returns:
        What is wrong, or None.
    """
    kind, of = quantity.kind, quantity.of
    try:
        got, right = np.asarray(quantity.got, dtype=float), np.asarray(quantity.right, dtype=float)
    except (TypeError, ValueError):
        return Fault(kind, of, "is no array of numbers", "are no arrays of numbers")
    if got.shape != right.shape:
        shapes = f"{got.shape} in place of {right.shape}"
        return Fault(kind, of, f"has the shape {shapes}", f"have the shape {shapes}")
    if not np.isfinite(got).all():
        return Fault(kind, of, "is not a finite number", "are not finite numbers")
    if np.allclose(got, right, rtol=1e-4, atol=1e-6):
        return None
    return _turned(kind, of, got.ravel(), right.ravel(), quantity)


def _turned(kind: str, of: str, got: Array, right: Array, quantity: Quantity) -> Fault:
    """Say how one array of numbers lies to the right one: its direction, then its length."""
    length, wanted = float(np.linalg.norm(got)), float(np.linalg.norm(right))
    if length == 0 or wanted == 0:
        return (
            Fault(kind, of, "is 0", "are 0") if length == 0 else Fault(kind, of, "should be 0", "should be 0")
        )
    direction = kind in _DIRECTIONS
    cosine, ratio = float(got @ right) / (length * wanted), length / wanted
    number, apart = got.size == 1, got - right
    if not number and np.allclose(apart, apart[0], rtol=1e-6):
        size = f"{abs(apart[0]):.3g} too {'large' if apart[0] > 0 else 'small'} everywhere"
        return Fault(kind, of, f"is {size}", f"are {size}")
    if cosine < -0.999:
        if number or not direction:
            return Fault(kind, of, "has the wrong sign", "have the wrong sign")
        return Fault(kind, of, "points the wrong way", "point the wrong way")
    if cosine > 0.999:
        times = ratio if ratio > 1 else 1 / ratio
        long, short = ("long", "short") if direction and not number else ("large", "small")
        size = f"{times:.3g} times too {long if ratio > 1 else short}"
        why = next((why for scale, why in quantity.scales.items() if abs(ratio / scale - 1) < 1e-3), "")
        return Fault(kind, of, f"is {size}", f"are {size}", why)
    if not direction:
        far = f"off the right one by up to {np.abs(apart).max():.2g}"
        return Fault(kind, of, f"is {far}", f"are {far}")
    if cosine < 0:
        return Fault(kind, of, "points away from the right direction", "point away from the right direction")
    angle = f"by more than {'45' if cosine < 0.707 else '2'} degrees"
    return Fault(kind, of, f"is off the right direction {angle}", f"are off the right direction {angle}")


def said(faults: Iterable[Fault]) -> Iterator[str]:
    """Say once what is wrong with several quantities in the same way.

    Args:
        faults: what was found.

    Yields:
        "your gradients of W1 and b1 point the wrong way", and so on; what is wrong with gradients comes first.
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for fault in faults:
        groups.setdefault((fault.kind, fault.one, fault.many, fault.why), []).append(fault.of)
    for (kind, one, many, why), names in sorted(groups.items(), key=lambda item: item[0][0] == "loss"):
        names = list(filter(None, names))
        listed = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
        of = f" of {listed}" if names else ""
        sentence = f"your {kind}s{of} {many}" if len(names) > 1 else f"your {kind}{of} {one}"
        yield f"{sentence} ({why})" if why else sentence
