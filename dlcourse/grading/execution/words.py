"""What a learner is told when code did not come to an end: sentences that name the remedy."""

from __future__ import annotations

import builtins
import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from dlcourse.grading.execution.bound import bindings

_TIME, _ENDED, _OUTPUT = "TimeLimit", "PythonEnded", "OutputLimit"
INPUT = (
    "input() waits for somebody to type, and nobody does when work is graded: write the value into the code"
)


def of_cell(state: str, seconds: float) -> tuple[str, str]:
    """Say why a cell did not end.

    Args:
        state: What the supervisor or the session said.
        seconds: How long the cell was allowed to run.

    Returns:
        A name, as of an exception, and a sentence.
    """
    if state == "slow":
        return _TIME, f"The cell was stopped after {seconds:g} s: is there a loop that never ends?"
    if state == "over":
        return _TIME, "The time for the whole notebook was used up before this cell."
    if state == "unreadable":
        return _OUTPUT, "The cell showed something that cannot be read."
    return _ENDED, (
        "Python ended while the cell ran: by os._exit, by a crash, or for lack of memory. "
        "What the cell defined is lost."
    )


def of_check(name: str, reply: Mapping[str, Any], seconds: float, memory: int) -> str:
    """Say why a check has no values.

    Args:
        name: What was called.
        reply: The answer of the session.
        seconds: How long the check was allowed to take.
        memory: Bytes that a process may allocate.

    Returns:
        A sentence.
    """
    state = reply.get("state")
    if state == "slow":
        return f"{name} was stopped after {seconds:g} s: is there a loop that never ends?"
    if state == "over":
        return "The time for the whole notebook was used up before this check"
    if state == "full":
        return f"{name} left so many processes behind that no other one starts: end what you start"
    if state == "died":
        return _died(name, reply.get("status"), memory)
    if state == "unreadable":
        return f"{name} gave nothing that can be read as a result: return numbers, strings, arrays or lists of them"
    return f"{name} ended the process in which it was checked: return a value instead"


def _died(name: str, status: Any, memory: int) -> str:
    if status == -signal.SIGKILL:
        return f"{name} was ended: it needed more than {memory / 2**30:.0f} GB of memory, or it ended itself"
    if status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE):
        return f"{name} crashed Python ({signal.Signals(-status).name}): which library does it call, and with what?"
    return f"{name} ended Python itself, as os._exit does: return a value instead"


def of_missing(name: str, cells: Iterable[tuple[str, str]]) -> str:
    """Say why a name is not defined.

    Args:
        name: What was to be checked.
        cells: The text of each cell, and the name of the error that stopped it or an empty string.

    Returns:
        A sentence.
    """
    for source, error in cells:
        if error and _binds(source, name):
            return f"{name} is not defined: the cell in which you write it stopped with {_known(error)}"
    return f"{name} is not defined: write it in the cell of its task, under exactly this name"


def _known(error: str) -> str:
    """Return the name of an error; a class of the learner's own could carry anything in its name."""
    known = isinstance(getattr(builtins, error, None), type) or error in (
        _TIME,
        _ENDED,
        _OUTPUT,
        "LinAlgError",
    )
    return error if known else "an error of its own"


def _binds(source: str, name: str) -> bool:
    return name in bindings(source) or bool(
        re.search(rf"^\s*(?:def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*=", source, re.M)
    )
