"""Points go into the gradebook: nbgrader's own autograder keeps the books on what was executed before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import InvalidEntry, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter
from nbgrader.utils import capture_log, temp_attrs
from sqlalchemy.exc import IntegrityError

from dlcourse.grading.books.feedback import SECRET, read_secret
from dlcourse.grading.books.outcomes import Outcomes, file_digest, versions
from dlcourse.grading.books.preprocessors import Rebuild
from dlcourse.grading.books.receipts import ChapterReceipt, Receipt, Receipts, chapter_receipt
from dlcourse.grading.books.records import Book, Standing, standings
from dlcourse.grading.collecting.collect import read_timestamp
from dlcourse.grading.errors import reason
from dlcourse.grading.intake import reading
from dlcourse.grading.material import Material, Taken

STAGED = "staged"
"""The folder below the class's folder from which nbgrader grades: what intake made of the submissions."""


class _Autograder(Autograde):
    """nbgrader's autograder, which reads and writes each notebook once: intake has rebuilt it already."""

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Run both lists of preprocessors over a notebook in one go."""
        self.exporter._preprocessors = []
        for preprocessor in (*self.sanitize_preprocessors, *self.autograde_preprocessors):
            if preprocessor is not Rebuild:
                self.exporter.register_preprocessor(preprocessor)
        BaseConverter.convert_single_notebook(self, notebook_filename)


class Recorder:
    """Writes graded submissions down, one after the other.

    Args:
        api: nbgrader's `NbGraderAPI`.
        book: The open gradebook.
        material: What is graded.
        outcomes: Where the outcomes are.
        receipts: Where the receipts go.
    """

    def __init__(
        self, api: Any, book: Book, material: Material, outcomes: Outcomes, receipts: Receipts
    ) -> None:
        self.api, self.book, self.material = api, book, material
        self.outcomes, self.receipts = outcomes, receipts

    def record(self, part: str, learner: str, work: Sequence[Taken]) -> None:
        """Record one submission: notebooks first, then the gradebook, all of it at once, then the receipt.

        Args:
            part: The assignment.
            learner: Who handed it in.
            work: Its notebooks; those with a job have an outcome.
        """
        for last in (False, True):
            try:
                self._record(part, learner, work)
                return
            except InvalidEntry as error:
                # On a server another grader, of another part, may enter the same learner at this moment.
                if last or not isinstance(error.__context__, IntegrityError):
                    raise

    def _record(self, part: str, learner: str, work: Sequence[Taken]) -> None:
        before = self.receipts.find(part, learner)
        seen = self._seen_by_people(part, learner)
        trouble: dict[str, str] = {}
        try:
            with self._staged(part, learner, work) as submitted:
                while True:
                    self._enter(part, learner, submitted)
                    failed = self._autograde(
                        part, learner, [taken for taken in work if taken.chapter not in trouble]
                    )
                    if not failed:
                        break
                    # A failure may have left some cells written, or have undone the notebooks before it.
                    trouble |= failed
                    self.book.forget()
            for taken in work:
                if taken.reason or taken.chapter in trouble:
                    self._give_nothing(part, learner, taken)
            self._spare_people(part, learner, work, before, seen)
            standing = standings(self.book, part, learner)[learner]
            self.book.keep()
        except BaseException:
            self.book.forget()
            raise
        chapters = {
            taken.chapter: self._chapter_receipt(
                part, learner, taken, trouble.get(taken.chapter, ""), standing
            )
            for taken in work
        }
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.receipts.keep(
            Receipt(part, learner, now, standing.seconds_late, submitted, versions(), chapters)
        )

    def autograded(self, part: str, learner: str, chapter: str) -> Path:
        """Return the file of an autograded notebook."""
        coursedir = self.api.coursedir
        folder = coursedir.format_path(coursedir.autograded_directory, learner, part)
        return Path(folder, f"{chapter}.ipynb")

    def time(self, part: str, learner: str) -> str:
        """Return when a submission was handed in, as its timestamp.txt has it; empty if it has no time."""
        return read_timestamp(self.material.folder / "submitted" / learner / part / "timestamp.txt")

    @contextmanager
    def _staged(self, part: str, learner: str, work: Sequence[Taken]) -> Iterator[str]:
        """Put what intake made of a submission where nbgrader reads it; lend the time at which it was handed in."""
        coursedir = self.api.coursedir
        staged = Path(coursedir.format_path(STAGED, learner, part))
        staged.mkdir(parents=True, exist_ok=True)
        time = self.time(part, learner)
        before = coursedir.submitted_directory
        try:
            if time:
                (staged / "timestamp.txt").write_text(time, encoding="utf-8")
            if word := read_secret(self.material.folder / "submitted" / learner / part / SECRET):
                (staged / SECRET).write_text(word, encoding="utf-8")
            for taken in work:
                if taken.job:
                    text = reading.written(taken.notebook)
                    (staged / f"{taken.chapter}.ipynb").write_text(text, encoding="utf-8")
            coursedir.submitted_directory = STAGED
            yield time
        finally:
            coursedir.submitted_directory = before
            shutil.rmtree(self.material.folder / STAGED, ignore_errors=True)

    def _autograde(self, part: str, learner: str, work: Sequence[Taken]) -> dict[str, str]:
        """Let nbgrader grade the staged notebooks; return the first one that it could not grade, with the reason."""
        coursedir = self.api.coursedir
        for taken in work:
            if not taken.job:
                continue
            with temp_attrs(coursedir, assignment_id=part, student_id=learner, notebook_id=taken.chapter):
                result = capture_log(_Autograder(coursedir=coursedir, parent=self.api, force=True))
            if result.get("error", "").rstrip().endswith("KeyboardInterrupt"):
                raise KeyboardInterrupt
            if not result["success"]:
                words = reason(result)
                if words.startswith(("InvalidEntry", "OperationalError")):
                    raise InvalidEntry(words)  # the gradebook fails, not the submission
                return {taken.chapter: words}
        return {}

    def _give_nothing(self, part: str, learner: str, taken: Taken) -> None:
        """Set a notebook's automatic points to 0: an earlier grading must not stay in their place."""
        self.autograded(part, learner, taken.chapter).unlink(missing_ok=True)
        notebook = self.book.find_submission_notebook(taken.chapter, part, learner)
        notebook.late_submission_penalty = None
        for grade in notebook.grades:
            grade.auto_score = 0
            grade.needs_manual_grade = taken.handed_in
        for comment in notebook.comments:
            comment.auto_comment = None

    def _enter(self, part: str, learner: str, time: str) -> None:
        """Enter a submission and its time; nbgrader would keep the time of an earlier one for one without."""
        self.book.update_or_create_student(learner)
        self.book.update_or_create_submission(part, learner, timestamp=time or None)

    def _seen_by_people(self, part: str, learner: str) -> dict[tuple[str, str], float | None]:
        """Return the automatic scores of the cells that a person has graded and is done with."""
        try:
            submission = self.book.find_submission(part, learner)
        except MissingEntry:
            return {}
        return {
            (notebook.name, grade.name): grade.auto_score
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.manual_score is not None and not grade.needs_manual_grade
        }

    def _spare_people(
        self,
        part: str,
        learner: str,
        work: Sequence[Taken],
        before: Receipt | None,
        seen: Mapping[tuple[str, str], float | None],
    ) -> None:
        """Ask nobody to look again at what they graded by hand, if the same work came to the same points again."""
        for taken in work:
            old = before.chapters.get(taken.chapter) if before else None
            if not old or (old.file, old.job) != (taken.file, taken.job_digest):
                continue
            notebook = self.book.find_submission_notebook(taken.chapter, part, learner)
            for grade in notebook.grades:
                name = (taken.chapter, grade.name)
                if name in seen and seen[name] == grade.auto_score:
                    grade.needs_manual_grade = False

    def _chapter_receipt(
        self, part: str, learner: str, taken: Taken, trouble: str, standing: Standing
    ) -> ChapterReceipt:
        key = self.outcomes.key(taken.job) if taken.job else ""
        return chapter_receipt(
            taken,
            (self.outcomes.find(key) or b"") if key else b"",
            key=key,
            notebook=file_digest(self.autograded(part, learner, taken.chapter)),
            reason=taken.reason or trouble,
            scores=standing.scores.get(taken.chapter, {}),
        )
