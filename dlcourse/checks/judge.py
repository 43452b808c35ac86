"""The half of a check that knows the answer.

It compares what :mod:`dlcourse.checks.observe` wrote down with the reference, and finds the sentence that helps: first
the mistakes that the check declares, then what can be seen from the values alone. It never calls the learner's code.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcourse.checks.compare import NOT_RIGHT, show
from dlcourse.checks.declare import Check
from dlcourse.checks.faults import UNREAD, arguments, difference_in, fault_in, parameters, readable, reference
from dlcourse.checks.inputs import Case
from dlcourse.checks.observe import Observation, observe
from dlcourse.checks.plain import clean, plain, ready

GPU_RTOL, GPU_ATOL = 1e-3, 1e-4
"""The least tolerances on a GPU: matrix products may be in tf32 there, whose grain is 2**-11, about 5e-4."""


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Args:
        name: the learner's name that was checked.
        what: the statement that was checked.
        passed: whether it holds.
        points: points earned.
        total: points possible.
        message: what is wrong, in one sentence; where it passed, a remark or ``""``.
        example: the smallest failing input with what was expected and what came; ``""`` if there is none to show.
        kind: what is wrong, without anything of the input, of a value, or of the learner's own words.
    """

    name: str
    what: str
    passed: bool
    points: float
    total: float
    message: str = ""
    example: str = ""
    kind: str = ""

    def spared(self) -> Verdict:
        """Return what may be said of a hidden check: the kind of mistake only.

        The learner's code knows the hidden inputs while it runs. It must not be able to write them into a report.
        """
        return self if self.passed else replace(self, message=self.kind or NOT_RIGHT, example="")


def judge(
    check: Check, cases: Sequence[Case], seen: Sequence[Observation], *, explain: bool = True
) -> Verdict:
    """Compare observations with the reference.

    What was seen may come from a process that the learner's code has taken over. Whatever it is, the result is a verdict.

    Args:
        check: the declaration.
        cases: the inputs, from ``check.cases(seed)``.
        seen: what came back for each, from :func:`~dlcourse.checks.observe.observe`.
        explain: whether to look for the sentence that helps, which takes longer than to see that something is wrong.

    Returns:
        The verdict, with the sentence for the smallest failing input.

    Raises:
        RuntimeError: if the reference itself fails on an input.
    """
    right = _right(check)
    expected = (
        observe(right, [replace(case, through="") for case in cases])
        if right is not None
        else [Observation()] * len(cases)
    )
    for case, want in zip(cases, expected, strict=True):
        if want.error and want.error != case.raises:
            raise RuntimeError(
                f"the reference {check.expects or check.against} itself fails with {want.error}: {want.message}; "
                f"correct the inputs of the check {check.name!r}, {check.what!r}"
            )
    if len(seen) > len(cases):
        seen = ()
    missing = [Observation(error=UNREAD)] * (len(cases) - len(seen))
    read = [readable(got) for got in seen] + missing
    failures = []
    for index, (case, want, got) in enumerate(zip(cases, expected, read, strict=True)):
        fault = fault_in(check, case, want, got)
        if fault:
            failures.append((case.size, index, fault))
    if not failures:
        return Verdict(check.name, check.what, True, check.points, check.points)
    if not explain:
        return Verdict(check.name, check.what, False, 0.0, check.points)
    _, index, fault = min(failures)
    declared = _declared_mistake(check, cases, expected, read)
    message, kind = (declared, declared) if declared else fault
    example = _example(check, right, cases[index], expected[index], read[index])
    return Verdict(check.name, check.what, False, 0.0, check.points, message, example, kind)


def judge_on_gpu(
    check: Check, cases: Sequence[Case], seen: Sequence[Observation], *, explain: bool = True
) -> Verdict:
    """Compare what was seen with the tensors on a GPU, where sums have another order and a coarser grain.

    On the CPU the same cases have passed already. The arguments are those of :func:`judge`, and so is the reference's
    device: the CPU.
    """
    coarser = replace(check, rtol=max(check.rtol, GPU_RTOL), atol=max(check.atol, GPU_ATOL))
    verdict = judge(coarser, cases, seen, explain=explain)
    return verdict if verdict.passed else only_on_gpu(verdict)


def only_on_gpu(failed: Verdict) -> Verdict:
    """Say of a failure that it is one on the GPU only."""
    message, kind = (
        s and f"On the CPU this is right, on the GPU not: {s}" for s in (failed.message, failed.kind)
    )
    return replace(failed, message=message, kind=kind)


def _right(check: Check) -> Any:
    """Return what gives the right results, or ``None`` where the check accepts values without them."""
    return reference(check.expects or check.against) if check.against else None


def _declared_mistake(
    check: Check,
    cases: Sequence[Case],
    expected: Sequence[Observation],
    seen: Sequence[Observation],
) -> str:
    """Find the declared mistake that explains every observation, or ``""``."""
    right = _right(check)
    for sentence, wrong in check.mistakes.items():
        tells = False
        for case, want, got in zip(cases, expected, seen, strict=True):
            if case.raises:
                continue
            made = _mistaken(right, wrong, case)
            if made.error or got.error:
                if (made.error, made.message) != (got.error, got.message):
                    break
                tells = True
            elif difference_in(check, made.value, got.value):
                break
            else:
                tells = tells or bool(fault_in(check, case, want, made))
        else:
            if tells:
                return sentence
    return ""


def _mistaken(right: Any, wrong: Any, case: Case) -> Observation:
    def answer(*args: Any) -> Any:
        return observe(right, [Case(tuple(args), case.then)])[0].value

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            pulled = [a for step in case.then if step.kind == "pull" for a in step.args]
            return Observation(plain(wrong(answer, *arguments(case), *ready(pulled))))
        except Exception as error:
            return Observation(error=type(error).__name__, message=clean(str(error)))


def _example(check: Check, right: Any, case: Case, want: Observation, got: Observation) -> str:
    if case.args is None or got.error in ("NotImplementedError", "NoPullbackError"):
        return ""
    names = parameters(right, case)
    inputs = ", ".join(f"{n} = {show(a)}" for n, a in zip(names, case.args, strict=True))
    steps = "".join(
        f", then {s.name or s.kind}({', '.join(show(a) for a in s.args)})"
        for s in case.then
        if s.kind != "read"
    )
    lines = [f"for {inputs}{steps}"]
    if case.raises:
        lines.append(f"expected {case.raises}")
    elif check.accept is None:
        lines.append(f"expected {show(want.value)}")
    lines.append(f"got      {got.error or show(got.value)}")
    return "\n".join(lines)
