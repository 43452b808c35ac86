"""Today's engine: nbgrader's own autograder, which runs submissions in a Jupyter kernel with the grader's rights."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dlcourse.grading import intake, records
from dlcourse.grading.config import CELL_TIMEOUT

ISOLATION = "none: stock nbgrader"
MAX_WORKERS = 4
"""Processes that grade at the same time: all of them write to one SQLite file."""
LOCK_RETRIES = 3
"""How often a notebook is tried while another process holds that file."""

_REASONS = (
    ("DeadKernelError", "a cell ended the kernel: a crash, os._exit, or too much memory"),
    (
        "UnresponsiveKernelError",
        f"a cell ran longer than {CELL_TIMEOUT} s and could not be interrupted",
    ),
    ("kernel became unresponsive", f"a cell ran longer than {CELL_TIMEOUT} s and could not be interrupted"),
    ("Kernel didn't respond", "the Jupyter kernel did not start in a minute; grade again"),
    ("old version", "two cells carry the same grade_id; the copy must be deleted"),
    ("ValidationError", "the nbgrader metadata of its cells was changed"),
)


Reasons = dict[str, str]
"""Why notebooks of one learner have no grade, by chapter."""


def grade_class(
    folder: Path,
    part: str,
    chapters: Sequence[str],
    learners: Sequence[str],
    *,
    on_learner: Callable[[int, str], None],
) -> dict[str, Reasons]:
    """Run everybody's notebooks and record their points, several learners at a time where there are cores.

    Args:
        folder: The class's folder.
        part: The assignment.
        chapters: Its notebooks.
        learners: Who handed in.
        on_learner: Told after each learner how many are done, and who was last.

    Returns:
        Why notebooks have no grade, by learner.
    """
    has_sockets = sys.platform != "win32"
    # Starting another process takes as long as grading two learners.
    workers = min(os.cpu_count() or 1, MAX_WORKERS, len(learners) // 3) if has_sockets else 1
    found: dict[str, Reasons] = {}
    with tempfile.TemporaryDirectory(prefix="dlcourse-") as sockets:
        opening = (folder, Path(sockets) if has_sockets else None)
        if workers < 2:
            _open(*opening)
            for learner in learners:
                found[learner] = _grade_learner(part, chapters, learner)
                on_learner(len(found), learner)
            return found
        with ProcessPoolExecutor(workers, get_context("spawn"), _open, opening) as pool:
            try:
                futures = {pool.submit(_grade_learner, part, chapters, who): who for who in learners}
                for future in as_completed(futures):
                    found[futures[future]] = future.result()
                    on_learner(len(found), futures[future])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return found


_api: Any = None
"""nbgrader on the class that this process grades."""


def _open(folder: Path, sockets: Path | None) -> None:
    global _api
    _api = records.open_api(folder, sockets=sockets)


def _grade_learner(part: str, chapters: Sequence[str], learner: str) -> Reasons:
    reasons: Reasons = {}
    for chapter in chapters:
        submitted = _api.coursedir.format_path(_api.coursedir.submitted_directory, learner, part)
        path = Path(submitted, f"{chapter}.ipynb")
        if not path.exists():
            reasons[chapter] = "not handed in"
            records.give_nothing(_api, part, chapter, learner, needs_look=False)
            continue
        trouble = intake.why_unusable(path) or _run_notebook(part, chapter, learner)
        if trouble:
            reasons[chapter] = trouble
            records.give_nothing(_api, part, chapter, learner, needs_look=True)
    return reasons


def _run_notebook(part: str, chapter: str, learner: str) -> str:
    """Let nbgrader grade one notebook; return why it could not, or an empty string."""
    for _ in range(LOCK_RETRIES):
        with only(_api, chapter):
            result = _api.autograde(part, learner)
        if result["success"]:
            return ""
        if "database is locked" not in result.get("log", ""):
            break
    return reason(result)


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
