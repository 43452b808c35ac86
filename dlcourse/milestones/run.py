"""A milestone from the learner's notebooks to the curve: read, put in place, train, say whose code it was."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from dlcourse.grading.errors import did_you_mean
from dlcourse.milestones.clock import Clock, Interrupted, OvertimeError, Watch
from dlcourse.milestones.diagnosis import broken
from dlcourse.milestones.pieces import Milestone, MilestoneError, Result, Stage, Use
from dlcourse.milestones.reading import RIGHT, WRONG, Handed, Work, read

PARTS = ("neurons", "learning", "training")
"""The parts that have a milestone; each is a module of this room."""

Progress = Callable[[int, int, str], None]
"""Called with how many steps are done, how many there are, and what is going on."""


@dataclass(frozen=True)
class Line:
    """One row of the table: a piece and what became of it.

    Args:
        work: what the learner has of it.
        yours: whether the learner's was used.
        calls: how often it was called.
        seconds: how long it ran, without the pieces that it called.
        breaks: what it breaks, where it is wrong.
    """

    work: Work
    yours: bool
    calls: int
    seconds: float
    breaks: str = ""


@dataclass(frozen=True)
class Trained:
    """How a stage went.

    Args:
        stage: which.
        curve: its measure, step by step.
        result: how it ended; None if it stopped before.
        stopped: why it stopped, or an empty string.
    """

    stage: Stage
    curve: list[float]
    result: Result | None
    stopped: str = ""


@dataclass(frozen=True)
class Report:
    """What a milestone showed.

    Args:
        milestone: which.
        handed: what the learner's notebooks hold.
        lines: one a piece, in order.
        trained: one a stage, in order.
        seconds: how long the stages took together.
    """

    milestone: Milestone
    handed: Handed
    lines: tuple[Line, ...]
    trained: tuple[Trained, ...]
    seconds: float

    @property
    def yours(self) -> float:
        """Share of the run's time that went to the learner's code."""
        return sum(line.seconds for line in self.lines if line.yours) / self.seconds

    @property
    def wrong(self) -> tuple[Line, ...]:
        """The pieces that are wrong."""
        return tuple(line for line in self.lines if line.work.state == WRONG)

    @property
    def reached(self) -> bool:
        """Whether every stage came to its goal, and no piece is wrong."""
        return not self.wrong and all(trained.result and trained.result.reached for trained in self.trained)


def milestone(part: str) -> Milestone:
    """Return the milestone of a part.

    Args:
        part: the part.

    Raises:
        MilestoneError: There is none.
    """
    if part not in PARTS:
        raise MilestoneError(
            f"There is no milestone {part!r}.{did_you_mean(part, PARTS)} There are: {', '.join(PARTS)}."
        )
    found: Milestone = import_module(f"dlcourse.milestones.{part}").MILESTONE
    return found


def run(
    milestone: Milestone,
    files: Sequence[Path],
    *,
    limit: float = 10.0,
    as_is: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Let a learner's own code learn.

    Args:
        milestone: what it is to do.
        files: the learner's notebooks.
        limit: seconds that one cell or one call of a piece may take.
        as_is: put the wrong pieces in place, too, and look what happens.
        progress: told how far it is.

    Returns:
        What happened.

    Raises:
        Interrupted: Somebody pressed Ctrl-C; the text says what was going on.
    """
    tell = progress or (lambda done, total, now: None)
    doing = "reading your notebooks"
    try:
        tell(0, 1, doing)
        watch = Watch(limit)
        handed = read(milestone, files, watch)
        breaks = {}
        for work in handed.of(WRONG):
            doing = f"looking what your {work.piece.name} breaks"
            tell(0, 1, doing)
            breaks[work.piece.name] = look(milestone, handed, work, watch)
        clock = Clock(watch)
        wanted = {work.piece.name for work in handed.of(RIGHT, *([WRONG] if as_is else []))}
        use = assemble(milestone, handed, wanted, clock)
        trained, done, total = [], 0, sum(stage.steps for stage in milestone.stages)
        started = time.perf_counter()
        for stage in milestone.stages:
            doing = f"training on {stage.name}"
            trained.append(train(stage, use, partial(_tell_stage, tell, done, total, doing)))
            done += stage.steps
        seconds = time.perf_counter() - started
    except KeyboardInterrupt as interrupt:
        inside = f", in {interrupt}" if isinstance(interrupt, Interrupted) else ""
        raise Interrupted(f"Stopped while {doing}{inside}.") from None
    lines = tuple(
        Line(
            work,
            work.piece.name in wanted and work.value is not None,
            clock.calls[work.piece.name],
            clock.seconds[work.piece.name],
            breaks.get(work.piece.name, ""),
        )
        for work in handed.works
    )
    return Report(milestone, handed, lines, tuple(trained), seconds)


def assemble(milestone: Milestone, handed: Handed, wanted: set[str], clock: Clock) -> Use:
    """Put the learner's pieces in place, and the package's for the others.

    Where one of the learner's functions calls another, it finds what is in use: its notebook is given the pieces by name.

    Args:
        milestone: what they are for.
        handed: what the learner has.
        wanted: the names of the learner's pieces to use.
        clock: counts and times them.
    """
    yours = {
        work.piece.name: work.value
        for work in handed.works
        if work.piece.name in wanted and work.value is not None
    }
    use = Use(milestone.pieces, yours, clock)
    for work in handed.works:
        if not isinstance(work.value, type):
            work.scope.update({work.piece.name: getattr(use, work.piece.name)} if work.scope else {})
    return use


def train(stage: Stage, use: Use, tell: Callable[[int], None] = lambda step: None) -> Trained:
    """Take all steps of a stage.

    Args:
        stage: what learns.
        use: the pieces.
        tell: called with how many steps are done.
    """
    curve: list[float] = []
    steps = stage.run(use)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            while True:
                curve.append(next(steps).seen)
                if len(curve) % 20 == 0 or len(curve) == stage.steps:
                    tell(len(curve))
        except StopIteration as end:
            return Trained(stage, curve, end.value)
        except Exception as error:  # a wrong piece that was put in place as it is
            why = str(error) if isinstance(error, OvertimeError) else f"{type(error).__name__}: {error}"
            return Trained(stage, curve, None, (why.strip().splitlines() or [""])[0])


def _tell_stage(tell: Progress, done: int, total: int, doing: str, step: int) -> None:
    tell(done + step, total, doing)


def look(milestone: Milestone, handed: Handed, work: Work, watch: Watch) -> str:
    """Say what a wrong piece breaks.

    Args:
        milestone: what it is for.
        handed: what the learner has.
        work: the wrong piece.
        watch: ends what takes too long.
    """
    if work.value is None:
        return f"Nothing can be trained with it: {work.told.rstrip('.')}."
    use = assemble(milestone, handed, {work.piece.name}, Clock(watch))
    return broken(milestone, use)
