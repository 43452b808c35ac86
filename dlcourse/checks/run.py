"""Run declared checks where they stand, and read declarations out of a test cell without running them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dlcourse.checks.declare import Check
from dlcourse.checks.faults import reference
from dlcourse.checks.judge import Verdict, judge, judge_on_gpu
from dlcourse.checks.observe import observe
from dlcourse.checks.report import Report
from dlcourse.checks.shortcuts import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Declared:
    """The checks that one call of :func:`run_checks` declares."""

    checks: tuple[Check, ...]
    hidden: bool


_recorder: ContextVar[list[Declared] | None] = ContextVar("recorder", default=None)


def run_checks(
    *checks: Check,
    hidden: bool = False,
    names: dict[str, Any] | None = None,
    seed: int | None = None,
) -> Report:
    """Run checks on the names defined around the call.

    Args:
        checks: what to check.
        hidden: name the kind of mistake only, not the input and the right value.
        names: where the learner's names are; the caller's globals by default.
        seed: seed of the drawn inputs.

    Returns:
        The report, which shows itself as the last value of a cell. A wrong answer never raises.

    Example:
        >>> from dlcourse.checks import Check, given
        >>> add = lambda a, b: a - b
        >>> print(run_checks(Check("add", "adds", on=[given(1, 2)], against="operator.add"), names={"add": add}))
        FAILED  add adds  (0 of 1)
                The values are not right
                for a = 1, b = 2
                expected 3
                got      -1
        0 of 1 points
    """
    recorded = _recorder.get()
    if recorded is not None:
        recorded.append(Declared(checks, hidden))
        return Report((), hidden)
    if names is None:
        frame = inspect.currentframe()
        names = frame.f_back.f_globals if frame and frame.f_back else {}
    return Report(tuple(_verdict(c, names, hidden, seed) for c in checks), hidden)


def _verdict(check: Check, names: dict[str, Any], hidden: bool, seed: int | None) -> Verdict:
    failed = Verdict(check.name, check.what, False, 0.0, check.points)
    if check.name not in names:
        return replace(
            failed, message=f"{check.name} is not defined: run the cell in which you write it first"
        )
    target = names[check.name]
    refused = refusal(
        check.name,
        target,
        against=check.against,
        forbid=check.forbid,
        loops=check.loops,
        skip=check.builds_on,
    )
    if refused:
        return replace(failed, message=refused)
    cases = check.cases(seed)
    verdict = judge(check, cases, observe(target, cases))
    if verdict.passed:
        if (device := gpu()) and any(case.on_device for case in cases):
            verdict = judge_on_gpu(check, cases, observe(target, cases, device=device))
    elif check.builds_on:
        with _stand_ins(getattr(target, "__globals__", names), check.builds_on):
            again = judge(check, cases, observe(target, cases))
        if again.passed:
            others = " and ".join(check.builds_on)
            verdict = replace(again, message=f"Checked with a right {others} in the place of yours")
    return verdict.spared() if hidden else verdict


def gpu() -> str:
    """Name the GPU that torch finds, or return ``""``; who has tensors on one has imported torch."""
    torch: Any = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_available() else ""


@contextmanager
def _stand_ins(scope: Any, builds_on: Mapping[str, str]) -> Iterator[None]:
    """Bind the references of earlier tasks to the learner's names for a moment."""
    before = {name: scope[name] for name in builds_on if name in scope}
    scope.update({name: reference(path) for name, path in builds_on.items()})
    try:
        yield
    finally:
        for name in builds_on:
            del scope[name]
        scope.update(before)


@contextmanager
def recording() -> Iterator[list[Declared]]:
    """Let calls of :func:`run_checks` declare only, and check nothing."""
    found: list[Declared] = []
    token = _recorder.set(found)
    try:
        yield found
    finally:
        _recorder.reset(token)


def declared(sources: Sequence[str]) -> list[list[Declared]]:
    """Read the checks that test cells declare, without running them.

    A grader calls this in its own process, on its own copy of the cells, and then lets another process observe the
    learner's functions.

    Args:
        sources: the test cells of one exercise in order, ours and never the learner's; later ones may use the names of
            earlier ones.

    Returns:
        For each cell one entry for each of its calls of :func:`run_checks`.
    """
    scope: dict[str, Any] = {}
    exec("import numpy as np\nfrom dlcourse.checks import *", scope)
    found = []
    for source in sources:
        with recording() as calls:
            exec(compile(source, "<test cell>", "exec"), scope)
        found.append(calls)
    return found
