"""The half of a check that knows the answer.

It compares what :mod:`dlcourse.checks.observe` wrote down with the reference, and finds the sentence that helps: first
the mistakes that the check declares, then what can be seen from the values alone. It never calls the learner's code.
"""

from __future__ import annotations

import builtins
import copy
import importlib
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcourse.checks.compare import NOT_RIGHT, Fault, difference, show
from dlcourse.checks.declare import Case, Check
from dlcourse.checks.observe import Observation, observe
from dlcourse.checks.plain import clean, plain, ready


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
    right = reference(check.against) if check.against else None
    expected = observe(right, cases) if right is not None else [Observation()] * len(cases)
    for case, want in zip(cases, expected, strict=True):
        if want.error and want.error != case.raises:
            raise RuntimeError(
                f"the reference {check.against} itself fails with {want.error}: {want.message}; "
                f"correct the inputs of the check {check.name!r}, {check.what!r}"
            )
    if len(seen) > len(cases):
        seen = ()
    missing = [Observation(error=_UNREAD)] * (len(cases) - len(seen))
    read = [_readable(got) for got in seen] + missing
    failures = []
    for index, (case, want, got) in enumerate(zip(cases, expected, read, strict=True)):
        fault = _fault(check, case, want, got)
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


_UNREAD = "no answer"


def _readable(got: Any) -> Observation:
    """Return an observation in which everything has the type that it should have, and texts can be shown."""
    try:
        fields = (got.error, got.message, got.line, got.warnings, got.changed)
        error, message, line, told, changed = fields
        if not (
            type(error) is type(message) is str
            and type(line) is int
            and type(told) in (list, tuple)
            and type(changed) in (list, tuple)
            and all(type(text) is str for text in told)
            and all(type(index) is int for index in changed)
        ):
            return Observation(error=_UNREAD)
        # A value beside an error is not an answer, and an error needs the name of an exception.
        if error and not (error.isidentifier() and len(error) <= 100 and got.value is None):
            return Observation(error=_UNREAD)
        return Observation(
            plain(got.value),
            error,
            clean(message),
            line if 0 <= line < 10**6 else 0,
            tuple(clean(text) for text in told[:20]),
            tuple(changed),
        )
    except (AttributeError, TypeError, ValueError):
        return Observation(error=_UNREAD)


def _fault(check: Check, case: Case, want: Observation, got: Observation) -> Fault | None:
    """Say what is wrong with one observation, or ``None``."""
    if got.error == _UNREAD:
        sentence = f"{check.name} gave no answer that can be read: return numbers, arrays or lists of them"
        return Fault(sentence, sentence)
    if case.raises:
        return _fault_raises(case.raises, got)
    if got.error:
        return _fault_error(check.name, got)
    if got.value is None:
        sentence = f"{check.name} returned None: is a return missing?"
        return Fault(sentence, sentence)
    if check.accept is not None:
        return _accept(check, got.value, case)
    fault = _difference(check, want.value, got.value)
    if fault:
        return fault
    extra = {index for index in got.changed if index >= 0} - set(want.changed) - case.watched
    if extra:
        names = _parameters(reference(check.against), case)
        name = names[min(extra)] if min(extra) < len(names) else "input after the first call"
        which = f"argument {name}" if name.isidentifier() else name
        sentence = f"{check.name} changed its {which} in place: work on a copy"
        return Fault(sentence, sentence)
    if check.quiet and got.warnings:
        remedy = f". {check.quiet}" if isinstance(check.quiet, str) else ""
        start, text = "The values are right, but NumPy warned", got.warnings[0]
        known = next((f": {word}" for word in _WARNINGS if text.startswith(word)), "")
        return Fault(f"{start}: {text}{remedy}", f"{start}{known}{remedy}")
    return None


# How NumPy's own warnings begin.
_WARNINGS = ("overflow", "divide by zero", "invalid value", "underflow")


def _difference(check: Check, want: Any, got: Any) -> Fault | None:
    try:
        return difference(check, want, got)
    except (TypeError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return Fault(NOT_RIGHT, NOT_RIGHT)  # data that nobody honest returns


def _arguments(case: Case) -> Any:
    """Return the arguments of a case as the learner's code gets them, in a copy of their own."""
    return ready(copy.deepcopy(case.args or ()))


def _accept(check: Check, value: Any, case: Case) -> Fault | None:
    assert check.accept is not None
    try:
        sentence = check.accept(value, *_arguments(case)) or ""
    except Exception:  # whatever the learner bound to the name, the verdict is a sentence
        sentence = f"{check.name} has not the form that the task asks for: {show(value)}"
    return Fault(str(sentence), f"{check.name} is not what the task asks for") if sentence else None


def _exception(name: str) -> str:
    """Return the name of an exception, if the learner's code cannot have chosen it freely."""
    kind = getattr(builtins, name, None)
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    return name if known or name == "LinAlgError" else "An exception"


def _fault_raises(name: str, got: Observation) -> Fault | None:
    if got.error == name:
        return None
    if got.error:
        start = f"Bad input should raise {name}, but"
        return Fault(
            f"{start} {got.error} was raised: {got.message}", f"{start} {_exception(got.error)} was raised"
        )
    sentence = f"Bad input should raise {name}, but an answer came back"
    return Fault(sentence, sentence)


def _fault_error(name: str, got: Observation) -> Fault:
    if got.error == "NotImplementedError":
        sentence = (
            f"{name}, or what it calls, is not written yet: replace the line `raise NotImplementedError()`"
        )
        return Fault(sentence, sentence)
    if got.error == "NoPullbackError":
        sentence = (
            f"{name} should return two things, the value and its pullback, which is a function: "
            "define the pullback inside, and return it without calling it"
        )
        return Fault(sentence, sentence)
    if got.error == "NotDataError":
        return Fault(
            f"{name} gave no numbers to compare: {got.message}", f"{name} gave no numbers to compare"
        )
    where = f" in line {got.line} of {name}" if got.line else ""
    return Fault(
        f"{got.error}{where}: {got.message}",
        f"{_exception(got.error)} was raised in {name}, or in what it calls",
    )


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
            elif _difference(check, made.value, got.value):
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
            return Observation(plain(wrong(answer, *_arguments(case), *ready(pulled))))
        except Exception as error:
            return Observation(error=type(error).__name__, message=clean(str(error)))


def _parameters(target: Any, case: Case) -> list[str]:
    """Name the arguments of a case as the reference's signature does."""
    args = case.args or ()
    try:
        known = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        known = []
    names = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names += [p.name for p in known if p.kind is p.KEYWORD_ONLY and p.name == "rng"]
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
