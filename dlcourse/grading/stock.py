"""Today's engine: nbgrader's own autograder, which runs submissions in a Jupyter kernel with the grader's rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlcourse.grading.config import CELL_TIMEOUT

ISOLATION = "none: stock nbgrader"

_REASONS = (
    ("DeadKernelError", "a cell ended the kernel: a crash, os._exit, or too much memory"),
    (
        "UnresponsiveKernelError",
        f"a cell ran longer than {CELL_TIMEOUT} s and could not be interrupted",
    ),
    ("kernel became unresponsive", f"a cell ran longer than {CELL_TIMEOUT} s and could not be interrupted"),
    ("old version", "two cells carry the same grade_id; the copy must be deleted"),
    ("ValidationError", "the nbgrader metadata of its cells was changed"),
)


def grade_notebook(api: Any, part: str, chapter: str, learner: str) -> str:
    """Run one submitted notebook and record its points in the gradebook.

    Args:
        api: nbgrader's `NbGraderAPI` on the class's folder.
        part: The assignment.
        chapter: The notebook in it.
        learner: Who handed it in.

    Returns:
        Why it could not be graded, or an empty string.
    """
    with only(api, chapter):
        result = api.autograde(part, learner)
    return "" if result["success"] else reason(result)


@contextmanager
def only(api: Any, chapter: str) -> Iterator[None]:
    """Let nbgrader see one notebook of each submission, so that one failure costs one notebook."""
    api.coursedir.notebook_id = chapter
    try:
        yield
    finally:
        api.coursedir.notebook_id = "*"


def reason(result: dict[str, Any]) -> str:
    """Say in one line why a step of nbgrader failed.

    Args:
        result: What a method of `NbGraderAPI` returned.

    Returns:
        A sentence for the instructor.
    """
    log = f"{result.get('log', '')}\n{result.get('error', '')}"
    for sign, words in _REASONS:
        if sign in log:
            return words
    raised = re.findall(r"^\s*(?:[\w.]+\.)?(\w*(?:Error|Exception|Entry)): (.+)$", log, re.M)
    useful = [f"{kind}: {text}" for kind, text in raised if "above traceback" not in text]
    return useful[-1] if useful else "nbgrader gave no reason; run `nbgrader autograde` to see its log"
