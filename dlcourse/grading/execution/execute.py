"""The pure function in the middle of the grader: a job as bytes becomes an outcome as bytes.

The process that calls it is trusted: it reads the hidden checks, knows the references and judges. The learner's code runs
in a sandbox that this process starts, keeps warm, and uses for one submission after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from dlcourse.checks import Case, Check, Observation, Report, Verdict, declared
from dlcourse.checks.faults import reference
from dlcourse.checks.judge import only_on_gpu
from dlcourse.checks.run import Declared
from dlcourse.checks.shortcuts import refusal_in
from dlcourse.grading import sandbox
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import words
from dlcourse.grading.execution.bound import bindings, only_calls, undone_below
from dlcourse.grading.execution.channel import NO_DEVICE
from dlcourse.grading.execution.jobs import ASSERTS, CHECKS, CODE, CPU, CellOutcome, Job, JobCell, Outcome
from dlcourse.grading.execution.outputs import Shown, calm, failure, points_of, short
from dlcourse.grading.execution.place import Place
from dlcourse.grading.sandbox import gpu

_TOGETHER_SECONDS = 2.0
"""How long all checks may take in one process before each gets its own."""
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
        self.cpu = Place(job, isolation, self._note)
        self.gpu: Place | None = None
        self.may_have_gpu = job.device != CPU and bool(gpu.nodes())
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
            for place in self._places():
                place.drop()
            raise
        low_trust = tuple(cell.name for cell in self.job.cells if cell.role == ASSERTS)
        cells = tuple(made[cell.index] for cell in self.job.cells)
        on = self.gpu if self.gpu and self.gpu.answered else self.cpu
        return Outcome(cells, on.isolation.words, low_trust, tuple(self.notes))

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
        self._ask_together(self.cpu, checks, hidden)
        right = [check for check in checks if id(check) in self.cpu.passed and self._gpu_for(check, hidden)]
        if self.gpu:
            self._ask_together(self.gpu, right, hidden)

    def _ask_together(self, place: Place, checks: Sequence[Check], hidden: bool) -> None:
        seconds = min(_TOGETHER_SECONDS + place.warming, place.seconds(self.job.limits.check_seconds) / 2)
        if len(checks) < 2 or not seconds:
            return
        questions = [(check.name, self._cases(check, hidden)) for check in checks]
        for check, (_, cases), reply in zip(
            checks, questions, place.ask(questions, seconds, {}), strict=True
        ):
            if "seen" in reply:
                verdict = place.judge(check, cases, reply["seen"], explain=False)
                if verdict.passed:
                    place.passed[id(check)] = verdict

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
        again = {
            cell.index
            for cell in self._checks(declarations, hidden)
            if undone_below(bound, cell.index) and (made[cell.index].points or 0.0) < cell.points
        }
        if not again:
            return
        self.cpu.worked.clear()
        for cell in self.job.cells:
            if cell.index > max(again):
                break
            self._ran(cell)
            if cell.index in again:
                if self.gpu:
                    self.gpu.end()
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
        seconds = self.cpu.seconds(self.job.limits.cell_seconds, cells=True)
        reply: dict[str, Any] = {"state": "over"}
        if seconds:
            reply = self.cpu.cell(cell.source, seconds, quiet=cell.role == CHECKS)
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
        verdicts = [short(self._verdict(check, call.hidden)) for call in calls for check in call.checks]
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
        verdict = self._judged(self.cpu, check, hidden, failed, {})
        if verdict.passed:
            place = self._gpu_for(check, hidden)
            return self._judged(place, check, hidden, failed, {}) if place else verdict
        if check.builds_on:
            instead = {name: reference(path) for name, path in check.builds_on.items()}
            again = self._judged(self.cpu, check, hidden, failed, instead)
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

    def _judged(
        self, place: Place, check: Check, hidden: bool, failed: Verdict, instead: dict[str, Any]
    ) -> Verdict:
        if id(check) in place.passed:
            return place.passed[id(check)]
        cases = self._cases(check, hidden)
        seconds = place.seconds(self.job.limits.check_seconds)
        reply: dict[str, Any] = {"state": "over"}
        if seconds:
            (reply,) = place.ask([(check.name, cases)], seconds, instead)
        if place is self.gpu and reply.get("state") == NO_DEVICE:
            self.may_have_gpu = False
            self._note("The GPU could not be used: what was right on the CPU counts as right.")
            return self.cpu.passed[id(check)]
        if "seen" in reply:
            verdict = place.judge(check, cases, [_worded(one) for one in reply["seen"]])
            if verdict.passed and not instead:
                place.passed[id(check)] = verdict
            return verdict.spared() if hidden else verdict
        if reply.get("missing"):
            message = words.of_missing(check.name, self.errors)
        else:
            message = words.of_check(check.name, reply, seconds, self.job.limits.memory)
        failed = replace(failed, message=message)
        return only_on_gpu(failed) if place is self.gpu else failed

    def _cases(self, check: Check, hidden: bool) -> list[Case]:
        return check.cases(self.job.seed if hidden else None)

    def _gpu_for(self, check: Check, hidden: bool) -> Place | None:
        """Return where a check with tensors among its inputs is asked a second time, if there is a GPU.

        It is a place of its own: what is right on the CPU is found out where no GPU can be seen.
        """
        if not self.may_have_gpu or not any(case.on_device for case in self._cases(check, hidden)):
            return None
        if self.gpu is None:
            found = sandbox.with_gpu(self.isolation)
            self.may_have_gpu = found.backend is not None
            if found.backend:
                self.gpu = Place(self.job, found, self._note, self.cpu.worked)
        return self.gpu

    def _places(self) -> list[Place]:
        return [self.cpu, self.gpu] if self.gpu else [self.cpu]

    def _end(self) -> None:
        for place in self._places():
            place.end()

    def _note(self, sentence: str) -> None:
        self.notes[sentence] = None


@lru_cache(maxsize=8)  # a class is graded on the same test cells
def _declared(tests: tuple[str, ...]) -> list[list[Declared]]:
    return declared(tests)


def _worded(seen: Observation) -> Observation:
    return replace(seen, message=words.INPUT) if seen.error in _TYPED else seen
