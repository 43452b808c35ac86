"""The cells of an exercise as the browser runs them: which take an answer, which check it, and what a check needs."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator, Sequence
from typing import Any

from dlcourse.publishing.live.exercise_pages.notebooks import Exercise, role_of


def described(exercise: Exercise) -> list[dict[str, Any]]:
    """Describe the code cells of an exercise's page, in order.

    Args:
        exercise: the exercise.

    Returns:
        For each its ``grade_id``, ``role`` and ``source``, and whether it is ``shown`` as a cell to edit; for a check
        also ``task``, ``points``, and ``prepare``: what it uses of the earlier checks, without their runs of the
        reader's code.
    """
    result: list[dict[str, Any]] = []
    earlier: list[ast.stmt] = []
    answers = [grade_id(cell) for cell in exercise.notebook.cells if role_of(cell) == "answer"]
    for cell in exercise.notebook.cells:
        role = role_of(cell)
        if role in ("text", "hidden"):
            continue
        about: dict[str, Any] = {"grade_id": grade_id(cell), "role": role, "source": cell.source}
        about["shown"] = role == "answer"
        if role == "code" and not any(before["role"] == "answer" for before in result):
            about["role"] = "setup"
        if role == "check":
            about["task"] = task_of(cell, answers)
            about["points"] = cell.metadata["nbgrader"]["points"]
            about["prepare"] = prepared(cell.source, earlier)
            earlier += [line for line in ast.parse(cell.source).body if not isinstance(line, ast.Expr)]
        result.append(about)
    return result


def grade_id(cell: Any) -> str:
    """Return a cell's name among the graded ones; its id where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id)


def task_of(cell: Any, answers: Sequence[str]) -> str:
    """Return the answer that a check, seen or hidden, is about: it begins with the answer's name.

    Args:
        cell: the check.
        answers: the names of all answers.
    """
    return max((task for task in answers if grade_id(cell).startswith(f"{task}_")), key=len)


def prepared(source: str, earlier: Sequence[ast.stmt]) -> str:
    r"""Return the statements of earlier checks whose names a check uses.

    So a check can run alone, whatever the answers before it do.

    Args:
        source: the check.
        earlier: the statements of the checks before it.

    Example:
        >>> print(prepared("run(x + y)", ast.parse("a = 1\nx = a\nz = 3").body))
        a = 1
        x = a
    """
    wanted = set(used(source))
    chosen: list[str] = []
    for statement in reversed(earlier):
        text = ast.unparse(statement)
        if wanted & bound(text):
            wanted |= set(used(text))
            chosen.append(text)
    return "\n".join(reversed(chosen))


def bound(source: str) -> set[str]:
    """Return the names that a cell binds."""
    table = symtable.symtable(source, "<cell>", "exec")
    return {name.get_name() for name in table.get_symbols() if name.is_assigned() or name.is_imported()}


def used(source: str) -> Iterator[str]:
    """Go through the names that a cell, or a function in it, reads from outside."""
    waiting = [symtable.symtable(source, "<cell>", "exec")]
    own = bound(source)
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for name in table.get_symbols():
            outside = table.get_type() == "module" or name.is_global()
            if outside and name.is_referenced() and name.get_name() not in own | set(dir(builtins)):
                yield name.get_name()
