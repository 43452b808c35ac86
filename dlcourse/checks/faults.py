"""What is wrong with one observation, compared with what the reference gives; what came may be anything at all."""

from __future__ import annotations

import builtins
import copy
import importlib
import inspect
from typing import Any

from dlcourse.checks.compare import NOT_RIGHT, Fault, difference, show
from dlcourse.checks.declare import Check
from dlcourse.checks.inputs import Case
from dlcourse.checks.observe import Observation
from dlcourse.checks.plain import clean, plain, ready

UNREAD = "no answer"
"""The error of an observation that nobody honest makes."""


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


def readable(got: Any) -> Observation:
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
            return Observation(error=UNREAD)
        # A value beside an error is not an answer, and an error needs the name of an exception.
        if error and not (error.isidentifier() and len(error) <= 100 and got.value is None):
            return Observation(error=UNREAD)
        return Observation(
            plain(got.value),
            error,
            clean(message),
            line if 0 <= line < 10**6 else 0,
            tuple(clean(text) for text in told[:20]),
            tuple(changed),
        )
    except (AttributeError, TypeError, ValueError):
        return Observation(error=UNREAD)


def fault_in(check: Check, case: Case, want: Observation, got: Observation) -> Fault | None:
    """Say what is wrong with one observation, or ``None``."""
    if got.error == UNREAD:
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
    fault = difference_in(check, want.value, got.value)
    if fault:
        return fault
    extra = {index for index in got.changed if index >= 0} - set(want.changed) - case.watched
    if extra:
        names = parameters(reference(check.expects or check.against), case)
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


def difference_in(check: Check, want: Any, got: Any) -> Fault | None:
    """Say how a value differs from the right one, or ``None``; what cannot be compared is not right."""
    try:
        return difference(check, want, got)
    except (TypeError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return Fault(NOT_RIGHT, NOT_RIGHT)  # data that nobody honest returns


def arguments(case: Case) -> Any:
    """Return the arguments of a case as the learner's code gets them, in a copy of their own."""
    return ready(copy.deepcopy(case.args or ()))


def _accept(check: Check, value: Any, case: Case) -> Fault | None:
    assert check.accept is not None
    try:
        sentence = check.accept(value, *arguments(case)) or ""
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


def parameters(target: Any, case: Case) -> list[str]:
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
