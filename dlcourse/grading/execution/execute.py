"""The pure function in the middle of the grader: a job as bytes becomes an outcome as bytes.

The process that calls it is trusted: it reads the hidden checks, knows the references and judges. The learner's code runs
in a sandbox that this process starts, keeps warm, and uses for one submission after the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from dlcourse.checks import Case, Check, Observation, Report, Verdict, declared, judge
from dlcourse.checks.faults import reference
from dlcourse.checks.run import Declared
from dlcourse.checks.shortcuts import refusal_in
from dlcourse.grading import sandbox
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import warm, words
from dlcourse.grading.execution.bound import bindings, only_calls
from dlcourse.grading.execution.jobs import ASSERTS, CHECKS, CODE, CellOutcome, Job, JobCell, Outcome
from dlcourse.grading.execution.outputs import Shown, calm, failure, points_of
from dlcourse.grading.execution.session import LostError, Session

MOST_LOSSES = 5
"""How many sandboxes one submission may end."""
_TOGETHER_SECONDS = 2.0
"""How long all checks may take in one process before each gets its own."""
_LONGEST = 2000
_READABLE = 300_000
_TYPED = ("EOFError", "StdinNotImplementedError")
"""What input() raises where nobody types."""


def execute(job: bytes, *, unsafe: bool = False) -> bytes:
    """Run a notebook's cells in a sandbox and judge what its checks see.

    Args:
        job: What `Job.to_bytes` wrote.
        unsafe: Run the learner's code as a plain process where there is no sandbox.

    Returns:
        What `Outcome.from_bytes` reads. The same job gives the same points.

    Raises:
        GradingError: There is no sandbox here, or a test cell of the exercise itself fails.
    """
    isolation = sandbox.isolation()
    if isolation.backend is None:
        if not unsafe:
            raise GradingError(
                f"Learners' code would run without a sandbox here: {isolation.words}. Mend that, or say --unsafe if "
                "you trust everybody who handed in."
            )
        isolation = sandbox.unsafe()
    return _Execution(Job.from_bytes(job), isolation).run().to_bytes()


class _Execution:
    """One job on its way to an outcome."""

    def __init__(self, job: Job, isolation: sandbox.Isolation) -> None:
        self.job, self.isolation = job, isolation
        self.until = time.monotonic() + job.limits.notebook_seconds
        # Cells that never end must not take the time of the checks.
        self.cells_until = self.until - job.limits.notebook_seconds / 2
        self.losses = 0
        self.session: Session | None = None
        self.worked: list[tuple[str, bool]] = []
        self.passed: dict[int, Verdict] = {}
        self.errors: list[tuple[str, str]] = []
        self.notes: dict[str, None] = {}
        self.refused: dict[tuple[Any, ...], str] = {}
        self.shown = Shown(job.limits.output)

    def run(self) -> Outcome:
        """Run the cells, then the checks: visible ones first, since what they show must not come from hidden inputs."""
        declarations = self._declarations()
        try:
            made = {cell.index: self._ran(cell) for cell in self.job.cells}
            for hidden in (False, True):
                self._try_together(declarations, hidden)
                for cell in self._checks(declarations, hidden):
                    made[cell.index] = self._reported(cell, declarations[cell.index])
            self._end()
            for hidden in (False, True):
                self._look_again(made, declarations, hidden)
        except BaseException:  # an interrupt: this submission is still in the sandbox
            warm.drop(self._key())
            raise
        low_trust = tuple(cell.name for cell in self.job.cells if cell.role == ASSERTS)
        cells = tuple(made[cell.index] for cell in self.job.cells)
        return Outcome(cells, self.isolation.words, low_trust, tuple(self.notes))

    def _checks(self, declarations: Mapping[int, Sequence[Declared]], hidden: bool) -> list[JobCell]:
        return [
            cell
            for cell in self.job.cells
            if cell.role == CHECKS and any(call.hidden for call in declarations[cell.index]) == hidden
        ]

    def _try_together(self, declarations: Mapping[int, Sequence[Declared]], hidden: bool) -> None:
        """Ask all questions in one process, which is quick; what is not right then gets a process of its own."""
        checks = [
            check
            for cell in self._checks(declarations, hidden)
            for call in declarations[cell.index]
            for check in call.checks
            if not self._refused(check)
        ]
        seconds = min(_TOGETHER_SECONDS, self._seconds(self.job.limits.check_seconds, self.until) / 2)
        if len(checks) < 2 or not seconds:
            return
        questions = [(check.name, check.cases(self.job.seed if hidden else None)) for check in checks]
        for check, (_, cases), reply in zip(
            checks, questions, self._ask(questions, seconds, {}), strict=True
        ):
            if "seen" in reply:
                verdict = judge(check, cases, reply["seen"], explain=False)
                if verdict.passed:
                    self.passed[id(check)] = verdict

    def _look_again(
        self, made: dict[int, CellOutcome], declarations: Mapping[int, Sequence[Declared]], hidden: bool
    ) -> None:
        """Check in its place what failed at the end, if later cells gave names another meaning.

        In a notebook a check sees what is above it. Who tries something below, under a name used before, has not undone
        the answer.
        """
        if sum(len(cell.source) for cell in self.job.cells) > _READABLE:
            return
        bound = {cell.index: bindings(cell.source) for cell in self.job.cells if cell.role == CODE}
        again = set()
        for cell in self._checks(declarations, hidden):
            above: dict[str, str] = {}
            for index, names in bound.items():
                above |= names if index < cell.index else {}
            undone = any(
                name in above and not (origin and origin == above[name])
                for index, names in bound.items()
                if index > cell.index
                for name, origin in names.items()
            )
            if undone and (made[cell.index].points or 0.0) < cell.points:
                again.add(cell.index)
        if not again:
            return
        self.session, self.worked = None, []
        for cell in self.job.cells:
            if cell.index > max(again):
                break
            self._ran(cell)
            if cell.index in again:
                found = self._reported(cell, declarations[cell.index])
                if (found.points or 0.0) > (made[cell.index].points or 0.0):
                    made[cell.index] = found
        self._end()

    def _declarations(self) -> dict[int, list[Declared]]:
        cells = [cell for cell in self.job.cells if cell.role == CHECKS]
        try:
            found = _declared(tuple(cell.tests for cell in cells))
            return {cell.index: calls for cell, calls in zip(cells, found, strict=True)}
        except Exception as error:
            raise GradingError(
                f"A test cell of {self.job.chapter} fails by itself, with {type(error).__name__}: {error}; mend the "
                "exercise and release it again."
            ) from error

    def _ran(self, cell: JobCell) -> CellOutcome:
        """Run a cell; of a cell of checks only the names that it defines stay."""
        if cell.role == CHECKS and only_calls(cell.source):
            return CellOutcome(cell.index)
        seconds = self._seconds(self.job.limits.cell_seconds, self.cells_until)
        reply = self._cell(cell.source, seconds, quiet=cell.role == CHECKS) if seconds else {"state": "over"}
        outputs, error = self.shown.read(reply)
        state = reply.get("state")
        if state:
            error, sentence = words.of_cell(str(state), seconds)
            outputs = [failure(error, sentence)]
            self._note("A cell had to be stopped, or ended its process: see its output.")
        elif error == "KeyboardInterrupt":
            error, sentence = words.of_cell("slow", seconds)
            outputs = [*outputs[:-1], failure(error, sentence)]
        elif error in _TYPED and "input" in cell.source:
            outputs = [*outputs[:-1], failure(error, words.INPUT)]
        self.errors.append((cell.source, error))
        if cell.role == CHECKS:
            return CellOutcome(cell.index)
        if cell.role == ASSERTS:
            outputs = [calm(output) for output in outputs]
            return CellOutcome(cell.index, tuple(outputs), points_of(outputs, cell.points))
        return CellOutcome(cell.index, tuple(outputs))

    def _reported(self, cell: JobCell, calls: Sequence[Declared]) -> CellOutcome:
        verdicts = [_short(self._verdict(check, call.hidden)) for call in calls for check in call.checks]
        report = Report(tuple(verdicts), any(call.hidden for call in calls))
        bundle = report._repr_mimebundle_()
        points = min(report.points, cell.points)
        bundle["text/plain"] = f"{points:g}"
        output = {"output_type": "execute_result", "execution_count": None, "data": bundle, "metadata": {}}
        return CellOutcome(cell.index, (output,), points, report.data())

    def _verdict(self, check: Check, hidden: bool) -> Verdict:
        failed = Verdict(check.name, check.what, False, 0.0, check.points)
        refused = self._refused(check)
        if refused:
            return replace(failed, message=refused)
        if id(check) in self.passed:
            return self.passed[id(check)]
        verdict = self._judged(check, hidden, failed, {})
        if not verdict.passed and check.builds_on:
            instead = {name: reference(path) for name, path in check.builds_on.items()}
            again = self._judged(check, hidden, failed, instead)
            if again.passed:
                others = " and ".join(check.builds_on)
                return replace(again, message=f"Checked with a right {others} in the place of yours")
        return verdict

    def _refused(self, check: Check) -> str:
        rules = (check.name, check.against, tuple(check.forbid), check.loops, tuple(check.builds_on))
        if rules not in self.refused:
            sources = [cell.source for cell in self.job.cells if cell.role != CHECKS]
            if sum(map(len, sources)) > _READABLE:
                return "The code of this notebook is too long to be read: hand in what the tasks ask for"
            self.refused[rules] = refusal_in(
                check.name,
                sources,
                against=check.against,
                forbid=check.forbid,
                loops=check.loops,
                skip=check.builds_on,
            )
        return self.refused[rules]

    def _judged(self, check: Check, hidden: bool, failed: Verdict, instead: dict[str, Any]) -> Verdict:
        cases = check.cases(self.job.seed if hidden else None)
        seconds = self._seconds(self.job.limits.check_seconds, self.until)
        reply: dict[str, Any] = {"state": "over"}
        if seconds:
            (reply,) = self._ask([(check.name, cases)], seconds, instead)
        if reply.get("missing"):
            return replace(failed, message=words.of_missing(check.name, self.errors))
        if "seen" not in reply:
            message = words.of_check(check.name, reply, seconds, self.job.limits.memory)
            return replace(failed, message=message)
        verdict = judge(check, cases, [_worded(one) for one in reply["seen"]])
        return verdict.spared() if hidden else verdict

    def _seconds(self, limit: float, until: float) -> float:
        left = until - time.monotonic()
        return min(limit, left) if left > 0.05 else 0.0

    def _cell(self, source: str, seconds: float, *, quiet: bool) -> dict[str, Any]:
        try:
            reply = self._live().cell(source, seconds, quiet=quiet)
        except LostError:
            return self._lost()
        if "state" not in reply:
            self.worked.append((source, quiet))
        return reply

    def _ask(
        self, questions: Sequence[tuple[str, Sequence[Case]]], seconds: float, instead: dict[str, Any]
    ) -> list[dict[str, Any]]:
        try:
            return self._live().ask(questions, seconds, instead)
        except LostError:
            return [self._lost()] * len(questions)

    def _lost(self) -> dict[str, Any]:
        self.losses += 1
        self.session = None
        warm.drop(self._key())
        self._note("It ended the sandbox in which it ran: look at what it does.")
        return {"state": "lost"}

    def _live(self) -> Session:
        """Return the session; where it was lost, one in another sandbox, with the cells that worked."""
        if self.session is None:
            if self.losses > MOST_LOSSES:
                raise LostError("too many sandboxes were ended")
            self.session = Session(
                warm.get(self.isolation, self._key()),
                self.job.files,
                memory=self.job.limits.memory,
                output=self.job.limits.output,
            )
            for source, quiet in self.worked:
                self.session.cell(source, self.job.limits.cell_seconds, quiet=quiet)
        return self.session

    def _end(self) -> None:
        if self.session is None:
            return
        try:
            self.session.end()
        except LostError:
            warm.drop(self._key())
            return
        if not self.session.sandbox.nests:
            warm.drop(self._key())  # the next submission must not find what this one left

    def _key(self) -> warm.Key:
        return self.job.modules, self.job.warm

    def _note(self, sentence: str) -> None:
        self.notes[sentence] = None


@lru_cache(maxsize=8)  # a class is graded on the same test cells
def _declared(tests: tuple[str, ...]) -> list[list[Declared]]:
    return declared(tests)


def _short(verdict: Verdict) -> Verdict:
    """Return a verdict that fits on a page, whatever the learner's function gave."""
    if len(verdict.message) <= _LONGEST and len(verdict.example) <= _LONGEST:
        return verdict
    return replace(verdict, message=_cut(verdict.message), example=_cut(verdict.example))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _worded(seen: Observation) -> Observation:
    return replace(seen, message=words.INPUT) if seen.error in _TYPED else seen
