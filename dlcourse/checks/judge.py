"""The half of a check that knows the answer.

It compares what :mod:`dlcourse.checks.observe` wrote down with the reference, and finds the sentence that helps: first
the mistakes that the check declares, then what can be seen from the values alone. It never calls the learner's code.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.checks.compare import difference, show
from dlcourse.checks.declare import Case, Check
from dlcourse.checks.observe import Observation, observe, plain


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
    """

    name: str
    what: str
    passed: bool
    points: float
    total: float
    message: str = ""
    example: str = ""


def reference(path: str) -> Any:
    """Import the object that a dotted path names.

    Args:
        path: module and attribute, ``"dlcourse.neurons.neuron.weighted_sum"``.

    Raises:
        LookupError: if there is no such module or attribute.
    """
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LookupError(
            f"a check compares with {path!r}, which cannot be imported ({error}): correct against="
        ) from error


def judge(check: Check, cases: Sequence[Case], seen: Sequence[Observation]) -> Verdict:
    """Compare observations with the reference.

    Args:
        check: the declaration.
        cases: the inputs, from ``check.cases(seed)``.
        seen: what came back for each, from :func:`~dlcourse.checks.observe.observe`.

    Returns:
        The verdict, with the sentence for the smallest failing input.
    """
    right = reference(check.against) if check.against else None
    expected = observe(right, cases) if right is not None else [Observation()] * len(cases)
    for case, want in zip(cases, expected, strict=True):
        if want.error and want.error != case.raises:
            raise RuntimeError(
                f"the reference {check.against} itself fails with {want.error}: {want.message}; "
                f"correct the inputs of the check {check.name!r}, {check.what!r}"
            )
    failures = []
    for index, (case, want, got) in enumerate(zip(cases, expected, seen, strict=True)):
        fault = _fault(check, case, want, got)
        if fault:
            failures.append((case.size, index, fault))
    if not failures:
        return Verdict(check.name, check.what, True, check.points, check.points)
    _, index, fault = min(failures)
    message = _declared_mistake(check, cases, expected, seen) or fault
    example = _example(check, right, cases[index], expected[index], seen[index])
    return Verdict(check.name, check.what, False, 0.0, check.points, message, example)


def _fault(check: Check, case: Case, want: Observation, got: Observation) -> str:
    """Say what is wrong with one observation, or ``""``."""
    if case.raises:
        return _fault_raises(case.raises, got)
    if got.error:
        return _fault_error(check.name, got)
    if got.value is None:
        return f"{check.name} returned None: is a return missing?"
    if check.accept is not None:
        return _accept(check, got.value, case)
    fault = difference(check, want.value, got.value)
    if fault:
        return fault
    extra = set(got.changed) - set(want.changed)
    if extra:
        names = _parameters(reference(check.against), case)
        which = f"argument {names[min(extra)]}" if min(extra) < len(names) else "input after the first call"
        return f"{check.name} changed its {which} in place: work on a copy"
    if check.quiet and got.warnings:
        remedy = f". {check.quiet}" if isinstance(check.quiet, str) else ""
        return f"The values are right, but NumPy warned: {got.warnings[0]}{remedy}"
    return ""


def _accept(check: Check, value: Any, case: Case) -> str:
    assert check.accept is not None
    try:
        return check.accept(value, *(case.args or ())) or ""
    except Exception:  # whatever the learner bound to the name, the verdict is a sentence
        return f"{check.name} has not the form that the task asks for: {show(value)}"


def _fault_raises(name: str, got: Observation) -> str:
    if got.error == name:
        return ""
    if got.error:
        return f"Bad input should raise {name}, but {got.error} was raised: {got.message}"
    return f"Bad input should raise {name}, but an answer came back"


def _fault_error(name: str, got: Observation) -> str:
    if got.error == "NotImplementedError":
        return f"{name}, or what it calls, is not written yet: replace the line `raise NotImplementedError()`"
    if got.error == "NoPullbackError":
        return (
            f"{name} should return two things, the value and its pullback, which is a function: "
            "define the pullback inside, and return it without calling it"
        )
    if got.error == "NotDataError":
        return f"{name} gave no numbers to compare: {got.message}"
    where = f" in line {got.line} of {name}" if got.line else ""
    return f"{got.error}{where}: {got.message}"


def _declared_mistake(
    check: Check,
    cases: Sequence[Case],
    expected: Sequence[Observation],
    seen: Sequence[Observation],
) -> str:
    """Find the declared mistake that explains every observation, or ``""``."""
    right = reference(check.against) if check.against else None
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
            elif difference(check, made.value, got.value):
                break
            else:
                tells = tells or bool(_fault(check, case, want, made))
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
            return Observation(plain(wrong(answer, *(case.args or ()), *pulled)))
        except Exception as error:
            return Observation(error=type(error).__name__, message=str(error))


def _parameters(target: Any, case: Case) -> list[str]:
    """Name the arguments of a case as the reference's signature does."""
    args = case.args or ()
    try:
        known = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        known = []
    names = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((f"{p.name}[{{}}]" for p in known if p.kind is p.VAR_POSITIONAL), "argument {}")
    first = 0 if "[" in rest else len(names) + 1
    return names[: len(args)] + [rest.format(first + i) for i in range(len(args) - len(names))]


def _example(check: Check, right: Any, case: Case, want: Observation, got: Observation) -> str:
    if case.args is None or got.error in ("NotImplementedError", "NoPullbackError"):
        return ""
    names = _parameters(right, case)
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
