"""Today's engine: nbgrader's own autograder, whose Jupyter kernels run in a sandbox where one can be had.

The checks, the hidden ones among them, run in that kernel beside the learner's code, which can therefore change what
they say; see `dlcourse.grading.sandbox` for what is kept from it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dlcourse.grading import intake, records, sandbox
from dlcourse.grading.collect import read_timestamp
from dlcourse.grading.config import CELL_TIMEOUT
from dlcourse.grading.grades import Finding
from dlcourse.grading.kernel import kernels_in, start_kernels_in
from dlcourse.grading.notebooks import Notebook
from dlcourse.grading.sandbox import Sandbox

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
    ("Kernel died before replying", "the Jupyter kernel ended before it ran a cell; grade again"),
    ("Kernel didn't respond", "the Jupyter kernel did not start in a minute; grade again"),
    ("ValidationError", "the nbgrader metadata of its cells was changed"),
)


Findings = dict[str, Finding]
"""What was found out about one learner's notebooks, by chapter."""

STAGED = "staged"
"""The folder below the class's folder from which nbgrader grades: what intake made of the submissions."""


def grade_class(
    folder: Path,
    part: str,
    chapters: Sequence[str],
    learners: Sequence[str],
    *,
    on_learner: Callable[[int, str], None],
) -> dict[str, Findings]:
    """Run everybody's notebooks and record their points, several learners at a time where there are cores.

    Args:
        folder: The class's folder.
        part: The assignment.
        chapters: Its notebooks.
        learners: Who handed in.
        on_learner: Told after each learner how many are done, and who was last.

    Returns:
        What was found out about the notebooks, by learner.
    """
    has_sockets = sys.platform != "win32"
    # Starting another process takes as long as grading two learners.
    workers = min(os.cpu_count() or 1, MAX_WORKERS, len(learners) // 3) if has_sockets else 1
    found: dict[str, Findings] = {}
    found_here = sandbox.isolation().sandbox
    inside = found_here.hiding(folder) if found_here else None
    with tempfile.TemporaryDirectory(prefix="dlcourse-") as sockets:
        opening = (folder, Path(sockets) if has_sockets else None)
        if workers < 2:
            _open(*opening)
            with kernels_in(inside):
                for learner in learners:
                    found[learner] = _grade_learner(part, chapters, learner)
                    on_learner(len(found), learner)
            return found
        with ProcessPoolExecutor(workers, get_context("spawn"), _open, (*opening, inside)) as pool:
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


def _open(folder: Path, sockets: Path | None, inside: Sandbox | None = None) -> None:
    global _api
    _releases.clear()
    if inside:
        start_kernels_in(inside)
    _api = records.open_api(folder, sockets=sockets)


def _grade_learner(part: str, chapters: Sequence[str], learner: str) -> Findings:
    findings: Findings = {}
    submitted = Path(_api.coursedir.format_path("submitted", learner, part))
    staged = Path(_api.coursedir.format_path(STAGED, learner, part))
    staged.mkdir(parents=True, exist_ok=True)
    try:
        on_time = _stage_time(submitted, staged)
        for chapter in chapters:
            path = submitted / f"{chapter}.ipynb"
            if not os.path.lexists(path):
                findings[chapter] = Finding("not handed in")
                records.give_nothing(_api, part, chapter, learner, needs_look=False)
                continue
            taken = intake.intake_file(path, _released(part, chapter))
            trouble = taken.reason
            if not trouble:
                (staged / path.name).write_text(intake.written(taken.notebook), encoding="utf-8")
                trouble = _run_notebook(part, chapter, learner)
            if trouble:
                records.give_nothing(_api, part, chapter, learner, needs_look=True)
            findings[chapter] = Finding(trouble, taken.flags + on_time, taken.sha256)
    finally:
        shutil.rmtree(staged)
        with suppress(OSError):  # another part of this learner is there
            staged.parent.rmdir()
    return findings


def _stage_time(submitted: Path, staged: Path) -> tuple[str, ...]:
    """Stage when the learner handed in, if that can be read; else return a flag."""
    path = submitted / "timestamp.txt"
    if not os.path.lexists(path):
        return ()
    time = read_timestamp(path)
    if not time:
        return ("Its timestamp.txt holds no time; it does not count as late.",)
    (staged / path.name).write_text(time, encoding="utf-8")
    return ()


_releases: dict[tuple[str, str], Notebook] = {}


def _released(part: str, chapter: str) -> Notebook:
    """Return a notebook as it was handed out, read once."""
    if (part, chapter) not in _releases:
        folder = _api.coursedir.format_path(_api.coursedir.release_directory, ".", part)
        _releases[part, chapter] = intake.read_notebook(Path(folder, f"{chapter}.ipynb"))
    return _releases[part, chapter]


def _run_notebook(part: str, chapter: str, learner: str) -> str:
    """Let nbgrader grade one notebook; return why it could not, or an empty string."""
    for _ in range(LOCK_RETRIES):
        try:
            with only(_api, chapter):
                result = _api.autograde(part, learner)
        except Exception as error:  # one submission must not stop the others
            result = {"success": False, "log": f"{type(error).__name__}: {error}"}
        if result["success"]:
            return ""
        if "database is locked" not in result.get("log", ""):
            break
    return reason(result)


@contextmanager
def only(api: Any, chapter: str) -> Iterator[None]:
    """Let nbgrader see one staged notebook of each submission, so that one failure costs one notebook."""
    submitted = api.coursedir.submitted_directory
    api.coursedir.notebook_id, api.coursedir.submitted_directory = chapter, STAGED
    try:
        yield
    finally:
        api.coursedir.notebook_id, api.coursedir.submitted_directory = "*", submitted


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
