"""Where one submission's cells run and its functions are asked: in a sandbox, and in another one if that is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlcourse.checks import Case, Verdict, judge
from dlcourse.checks.judge import judge_on_gpu
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import warm
from dlcourse.grading.execution.channel import NO_DEVICE
from dlcourse.grading.execution.jobs import Job
from dlcourse.grading.execution.session import LostError, Session
from dlcourse.grading.sandbox import Isolation

MOST_LOSSES = 5
"""How many sandboxes one submission may end."""
WARMING = 20.0
"""Seconds that the first touch of a GPU may take in a process: CUDA loads its libraries, Triton compiles."""

Questions = Sequence[tuple[str, Sequence[Case]]]
Worked = list[tuple[str, bool]]
"""The cells that worked, in order: their texts, and whether they ran for the names that they define only."""


class Place:
    """One submission in sandboxes of one kind.

    Args:
        job: The submission.
        isolation: How to start a sandbox, and on which device tensors are made there.
        note: Told what an instructor should look at.
        worked: Cells that ran elsewhere, and are run here before the first question.
    """

    def __init__(
        self, job: Job, isolation: Isolation, note: Callable[[str], None], worked: Worked | None = None
    ) -> None:
        self.job, self.isolation, self.note = job, isolation, note
        self.key = (job.modules, job.warm, isolation.device)
        self.warming = WARMING if isolation.device else 0.0
        self.until = time.monotonic() + job.limits.notebook_seconds
        # Cells that never end must not take the time of the checks.
        self.cells_until = self.until - job.limits.notebook_seconds / 2
        self.worked: Worked = [] if worked is None else worked
        self.judge = judge_on_gpu if isolation.device else judge
        self.answered = False
        self.passed: dict[int, Verdict] = {}
        self.losses = 0
        self.session: Session | None = None

    def seconds(self, limit: float, *, cells: bool = False) -> float:
        """Return how long something may take; 0 if the time of the notebook is used up.

        Args:
            limit: The most.
            cells: Whether it is a cell.
        """
        left = (self.cells_until if cells else self.until) - time.monotonic()
        return min(limit + self.warming, left) if left > 0.05 else 0.0

    def cell(self, source: str, seconds: float, *, quiet: bool) -> dict[str, Any]:
        """Run a cell; see `Session.cell`. Where the sandbox is lost, that is the answer."""
        try:
            reply = self._live().cell(source, seconds, quiet=quiet)
        except LostError:
            return self._lost()
        if "state" not in reply:
            self.worked.append((source, quiet))
        return reply

    def ask(self, questions: Questions, seconds: float, instead: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Ask; see `Session.ask`. Where the sandbox is lost, that is the answer."""
        try:
            replies = self._live().ask(questions, seconds, instead, device=self.isolation.device or "cpu")
            self.answered = self.answered or any("seen" in reply for reply in replies)
            return replies
        except LostError:
            return [self._lost()] * len(questions)
        except GradingError:
            if not self.isolation.device:
                raise
            return [{"state": NO_DEVICE}] * len(questions)  # without the GPU it started

    def end(self) -> None:
        """End the submission here; what comes after this starts anew, with the cells that worked."""
        if self.session is None:
            return
        session, self.session = self.session, None
        try:
            session.end()
        except LostError:
            self.drop()
            return
        if not session.sandbox.nests:
            self.drop()  # the next submission must not find what this one left

    def drop(self) -> None:
        """End the sandbox, with whatever is in it."""
        warm.drop(self.key)

    def _lost(self) -> dict[str, Any]:
        self.losses += 1
        self.session = None
        self.drop()
        self.note("It ended the sandbox in which it ran: look at what it does.")
        return {"state": "lost"}

    def _live(self) -> Session:
        """Return the session; where there is none, one in another sandbox, with the cells that worked."""
        if self.session is None:
            if self.losses > MOST_LOSSES:
                raise LostError("too many sandboxes were ended")
            self.session = Session(
                warm.get(self.isolation, self.key),
                self.job.files,
                memory=self.job.limits.memory,
                output=self.job.limits.output,
            )
            for source, quiet in self.worked:
                self.session.cell(source, self.job.limits.cell_seconds, quiet=quiet)
        return self.session
