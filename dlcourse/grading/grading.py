"""A class is graded: what is new is executed by many processes, what is done is recorded by this one, learner by learner.

The order of writing is outcome, notebook, gradebook, receipt. Whenever this process ends, what stands in the gradebook is
whole, and the next start finds by the receipts what is missing.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nbgrader.api import InvalidEntry
from sqlalchemy.exc import OperationalError

from dlcourse.grading.books.outcomes import Outcomes, file_digest
from dlcourse.grading.books.receipts import Receipts
from dlcourse.grading.books.recording import Recorder
from dlcourse.grading.books.records import Standing, open_once, standings
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.jobs import NOT_EXECUTED
from dlcourse.grading.material import Material, Taken
from dlcourse.grading.runners import Run

KEPT = 100
"""Learners whose notebooks stay in memory until they are recorded; the others' are taken in once more."""


class _Jobs(Mapping[str, bytes]):
    """The jobs of a class, on disk: those of a large class do not fit into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}

    def add(self, key: str, job: bytes) -> None:
        self._places[key] = (self._file.seek(0, os.SEEK_END), len(job))
        self._file.write(job)

    def __getitem__(self, key: str) -> bytes:
        start, size = self._places[key]
        self._file.seek(start)
        return self._file.read(size)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def grade_class(
    api: Any,
    material: Material,
    part: str,
    chapters: Sequence[str],
    learners: Sequence[str],
    *,
    run: Run,
    unsafe: bool,
    afresh: bool,
    on_notebook: Callable[[int, str], None],
) -> None:
    """Grade the submissions of a part that are not graded yet.

    Args:
        api: nbgrader's `NbGraderAPI`.
        material: What is graded.
        part: The assignment.
        chapters: Its notebooks.
        learners: Who handed in.
        run: Executes jobs.
        unsafe: Whether code runs without a sandbox.
        afresh: Execute and record everything again.
        on_notebook: Told how many notebooks are done, and whose was last.

    Raises:
        GradingError: Another process grades this class, its gradebook cannot be written, or there is no sandbox.
    """
    outcomes = Outcomes(material.folder, unsafe=unsafe)
    receipts = Receipts(material.folder, material.secret)
    done = 0
    with ExitStack() as opened:
        opened.enter_context(_alone(material.folder))
        opened.enter_context(_rare_collections())
        opened.enter_context(_gradebook_errors())
        book = opened.enter_context(open_once(api))
        recorder = Recorder(api, book, material, outcomes, receipts)

        def take(learner: str) -> list[Taken]:
            return [material.take(part, chapter, learner) for chapter in chapters]

        def record(learner: str, work: Sequence[Taken], executed: int) -> None:
            nonlocal done
            if work:
                recorder.record(part, learner, work)
            done += len(chapters) - executed
            on_notebook(done, learner)

        before = standings(book, part)
        book.forget()
        jobs = _Jobs(opened.enter_context(tempfile.TemporaryFile()))
        learner_of: dict[str, str] = {}
        waiting: dict[str, set[str]] = {}
        kept: dict[str, Sequence[Taken]] = {}
        executed: Counter[str] = Counter()
        for learner in learners:
            work = take(learner)
            if not afresh and _is_recorded(recorder, part, learner, work, before.get(learner)):
                record(learner, [], 0)
                continue
            found = {outcomes.key(taken.job): taken.job for taken in work if taken.job}
            missing = [key for key in found if afresh or not outcomes.holds(key)]
            for key in missing:
                jobs.add(key, found[key])
                learner_of[key] = learner
            if missing:
                waiting[learner] = set(missing)
                if len(kept) < KEPT:
                    kept[learner] = work
            else:
                record(learner, work, 0)

        def on_done(key: str, outcome: bytes) -> None:
            nonlocal done
            outcomes.keep(key, outcome)
            learner = learner_of[key]
            waiting[learner].remove(key)
            executed[learner] += 1
            done += 1
            if waiting[learner]:
                on_notebook(done, learner)
                return
            del waiting[learner]
            work = kept.pop(learner, None) or take(learner)
            record(learner, work, executed.pop(learner))

        if jobs:
            run(jobs, on_done)
        if waiting:
            raise GradingError(
                f"{len(waiting)} submissions came to nothing; the others are graded. Grade again, it goes on "
                "with those."
            )


def _is_recorded(
    recorder: Recorder, part: str, learner: str, work: Sequence[Taken], standing: Standing | None
) -> bool:
    """Tell whether a submission is graded as it is now: by its receipt, by the gradebook, and by the notebooks."""
    receipt = recorder.receipts.find(part, learner)
    if receipt is None or standing is None or receipt.seconds_late != standing.seconds_late:
        return False
    if set(receipt.chapters) != {taken.chapter for taken in work}:
        return False
    for taken in work:
        entry = receipt.chapters[taken.chapter]
        key = recorder.outcomes.key(taken.job) if taken.job else ""
        if entry.isolation == NOT_EXECUTED:
            return False
        if (entry.file, entry.key) != (taken.file, key) or entry.flags[: len(taken.flags)] != taken.flags:
            return False
        if entry.reason != taken.reason or entry.scores != standing.scores.get(taken.chapter):
            return False
        if entry.notebook != file_digest(recorder.autograded(part, learner, taken.chapter)):
            return False
    return receipt.submitted == recorder.time(part, learner)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage less often: with so many small objects the looking takes a quarter of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second grader away from this class; a process that was killed keeps nobody away."""
    path = folder / "graded" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GradingError(
                f"Another process is grading the class in {folder}; wait until it is done."
            ) from error
        yield


@contextmanager
def _gradebook_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InvalidEntry) as error:  # nbgrader turns the former into the latter
        raise GradingError(
            f"The gradebook cannot be used ({str(error.args[0]).splitlines()[0]}). Is it open elsewhere, or its server "
            "down? What was graded is kept: mend that and grade again."
        ) from error
