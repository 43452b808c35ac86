"""A class: its folder, its gradebook, and the steps an instructor takes, on nbgrader.

The exercises stay text files in `exercises/`; nbgrader's own folders (`source`, `release`, `submitted`, `autograded`,
`feedback`) and its gradebook are below the class's folder, so nbgrader's commands and formgrader work on the same class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from dlcourse.grading import notebooks, release
from dlcourse.grading.book import book_order
from dlcourse.grading.books import export
from dlcourse.grading.books.grades import GradeTable, Learner
from dlcourse.grading.books.receipts import Receipts
from dlcourse.grading.books.repeat import Repeated, read_receipt, repeat
from dlcourse.grading.books.table import learner_of, read_grades
from dlcourse.grading.collecting import collect, names
from dlcourse.grading.collecting.roster import read_roster
from dlcourse.grading.config import course_folder, wanted_device
from dlcourse.grading.errors import GradingError, did_you_mean
from dlcourse.grading.material import Material
from dlcourse.grading.runners import runner

Progress = Callable[[int, int, str], None]
"""Called with how many steps are done, how many there are, and what is done now."""


class Course:
    """One class.

    Args:
        root: The repository.
        folder: The class's folder; `course/` in the repository by default.
        db: The gradebook, as a URL of SQLAlchemy; a file in the class's folder by default.
        device: Where tensors among the inputs of checks are made: `auto` (the CPU, and a GPU too where there is one) or
            `cpu`; what `DLCOURSE_DEVICE` names, or `auto`, by default.
    """

    def __init__(self, root: Path, folder: Path | None = None, db: str = "", device: str = "") -> None:
        self.root = root.resolve()
        self.folder = folder.resolve() if folder else course_folder(self.root)
        self.db = db
        self.device = wanted_device(device)

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The parts that have exercises, with their chapters, in the book's order."""
        order = {page: place for place, page in enumerate(book_order(self.root))}
        found = [path.relative_to(self.root / "exercises").with_suffix("").as_posix()
                 for path in (self.root / "exercises").glob("*/*.md")]  # fmt: skip
        found.sort(key=lambda name: (order.get(name, len(order)), name))
        result: dict[str, tuple[str, ...]] = {}
        for name in found:
            part, chapter = name.split("/")
            result[part] = (*result.get(part, ()), chapter)
        return result

    def chapters(self, part: str) -> tuple[str, ...]:
        """Return a part's chapters.

        Args:
            part: The part's name.

        Returns:
            The names of its notebooks.

        Raises:
            GradingError: There is no such part.
        """
        if part not in self.parts:
            known = ", ".join(self.parts) or "none"
            raise GradingError(
                f"There is no part {part!r} with exercises.{did_you_mean(part, self.parts)} There are: {known}."
            )
        return self.parts[part]

    def exercise(self, part: str, chapter: str) -> notebooks.Notebook:
        """Return one exercise, with its solutions and hidden checks."""
        self.chapters(part)
        return notebooks.read_exercise(self.root / "exercises" / part / f"{chapter}.md")

    def release(self, part: str, *, force: bool = False) -> list[Path]:
        """Make the notebooks that learners get.

        Args:
            part: The part to release.
            force: Release again although there are submissions already.

        Returns:
            The released notebooks.

        Raises:
            GradingError: A source notebook was edited by hand, there are submissions, nbgrader refuses, or a released
                notebook would show a solution or a hidden check.
        """
        exercises = self._exercises(part)
        submitted = sorted((self.folder / "submitted").glob(f"*/{part}"))
        if (self.folder / "release" / part).exists() and submitted and not force:
            if release.is_current(self.folder, part, exercises):
                return release.released(self.folder, part, exercises)
            raise GradingError(
                f"{part} is released and {len(submitted)} learners have handed in; releasing it again can change the "
                "checks they are graded by. Say --force if you mean it."
            )
        return release.release(self._api, self.folder, part, exercises)

    def collect(
        self, part: str, source: Path | None = None, *, roster: Path | None = None
    ) -> collect.Collected:
        """Take submissions into the class; whoever handed in by a platform is written into the gradebook.

        Args:
            part: The assignment.
            source: A folder or zip with a folder for each learner, or what Moodle or Canvas hand out; nbgrader's exchange
                if it is left out.
            roster: A CSV file with the class, as platforms export it.

        Returns:
            What was taken in and what was not.
        """
        chapters = self.chapters(part)
        if source is None:
            from dlcourse.grading.collecting import exchange

            return exchange.collect(self.root, self.folder, part)
        rows = read_roster(roster) if roster else []
        taken = collect.collect(
            source, part, chapters, self.folder / "submitted", lambda: names.Register(self._enrolled(), rows)
        )
        if taken.enrolled:
            self.enrol(taken.enrolled)
        return taken

    def grade(
        self,
        part: str,
        *,
        unsafe: bool = False,
        dask: str | None = None,
        workers: int | None = None,
        afresh: bool = False,
        learner: str | None = None,
        on_progress: Progress | None = None,
    ) -> GradeTable:
        """Grade what was handed in for a part and is not graded yet; one bad submission never stops another.

        Args:
            part: The assignment.
            unsafe: Run learners' code without a sandbox where there is none.
            dask: The address of a Dask cluster that executes; this machine by default.
            workers: How many processes execute; one a core by default.
            afresh: Execute and record again what is graded already.
            learner: Grade this learner's submission only.
            on_progress: Told how many notebooks are done.

        Returns:
            The grades of the whole class.

        Raises:
            GradingError: The part is not released, nobody has handed in, there is no sandbox, or another process grades
                this class.
        """
        chapters = self.chapters(part)
        self._require_release_files(part)
        learners = sorted(path.parent.name for path in (self.folder / "submitted").glob(f"*/{part}"))
        if not learners:
            raise GradingError(
                f"Nobody has handed in {part}; name the folder of submissions with --submissions DIR."
            )
        if learner is not None and learner not in learners:
            raise GradingError(f"{learner!r} has not handed in {part}.{did_you_mean(learner, learners)}")
        chosen = learners if learner is None else [learner]

        def on_notebook(done: int, name: str) -> None:
            if on_progress:
                on_progress(done, len(chosen) * len(chapters), name)

        on_notebook(0, "")
        receipts = Receipts(self.folder, self.material.secret)
        likely = [name for name in chosen if afresh or not receipts.path(part, name).exists()]
        expected = len(likely) * len(chapters)
        with runner(dask=dask, workers=workers, unsafe=unsafe, expected=expected) as run:
            # They take a second to import: meanwhile the workers start.
            from dlcourse.grading.books.records import open_api
            from dlcourse.grading.grading import grade_class

            self._require_release(part)
            grade_class(
                open_api(self.folder, self.root, db=self.db, device=self.device, unsafe=unsafe),
                self.material,
                part,
                chapters,
                chosen,
                run=run,
                unsafe=unsafe,
                afresh=afresh,
                on_notebook=on_notebook,
            )
        return self.grades(part)

    def repeat(self, receipt: Path, *, unsafe: bool = False) -> list[Repeated]:
        """Execute again what a receipt is about, and say whether the verdict is the same.

        Args:
            receipt: A file from `graded/receipts/`.
            unsafe: Run the learner's code without a sandbox where there is none.

        Returns:
            One entry a notebook.

        Raises:
            GradingError: It is no receipt of this class, or was changed.
        """
        from dlcourse.grading.execution.execute import execute

        found = read_receipt(receipt, self.material)
        self.chapters(found.part)
        self._require_release(found.part)
        return list(repeat(found, self.material, lambda job: execute(job, unsafe=unsafe)))

    def grades(self, part: str) -> GradeTable:
        """Read the grades of a part from the gradebook, with what was changed by hand in formgrader.

        Args:
            part: The assignment.

        Returns:
            The grades.

        Raises:
            GradingError: Nothing of this part was graded yet.
        """
        chapters = self.chapters(part)
        if not self._is_graded(part):
            raise GradingError(f"{part} is not graded; run `dlcourse grade {part}` first.")
        with self._gradebook() as book:
            return read_grades(book, self._receipts, self.folder / "autograded", part, chapters)

    def feedback(self, part: str, *, on_progress: Progress | None = None) -> list[Path]:
        """Write each learner's notebook back as a page with verdicts and comments, without the hidden checks.

        Args:
            part: The assignment.
            on_progress: Told before each learner.

        Returns:
            The pages.
        """
        table = self.grades(part)
        from dlcourse.grading.books.feedback import write_pages

        return write_pages(self._api, self.folder, table, on_learner=on_progress or (lambda *_: None))

    def export(self, format_name: str, target: Path, *, force: bool = False) -> Path:
        """Write the grades of all graded parts to a file.

        Args:
            format_name: `csv`, `moodle` or `canvas`.
            target: The file.
            force: Replace a file that differs.

        Returns:
            The file.

        Raises:
            GradingError: Nothing is graded, the format is unknown, or the file exists and differs.
        """
        if format_name not in export.FORMATS:
            raise GradingError(f"There is no format {format_name!r}. There are: {', '.join(export.FORMATS)}.")
        graded = [part for part in self.parts if self._is_graded(part)]
        if not graded:
            raise GradingError("Nothing is graded yet; run `dlcourse grade PART` first.")
        export.write([self.grades(part) for part in graded], format_name, target, force=force)
        return target

    def enrol(self, learners: Sequence[Learner]) -> None:
        """Write learners' names into the gradebook.

        Args:
            learners: The class.
        """
        with self._gradebook() as gradebook:
            for who in learners:
                gradebook.update_or_create_student(
                    who.name,
                    first_name=who.first_name,
                    last_name=who.last_name,
                    email=who.email,
                    lms_user_id=who.platform_id or None,
                )

    def _enrolled(self) -> list[Learner]:
        with self._gradebook() as gradebook:
            return [learner_of(student) for student in gradebook.students]

    @cached_property
    def material(self) -> Material:
        """What the class is graded with."""
        return Material(self.root, self.folder, self.device)

    @cached_property
    def _api(self) -> Any:
        from dlcourse.grading.books.records import open_api

        return open_api(self.folder, self.root, db=self.db)

    def _gradebook(self) -> AbstractContextManager[Any]:
        from dlcourse.grading.books.records import gradebook

        return gradebook(self._api)

    @property
    def _receipts(self) -> Receipts:
        return Receipts(self.folder, self.material.secret)

    def _exercises(self, part: str) -> dict[str, notebooks.Notebook]:
        return {chapter: self.exercise(part, chapter) for chapter in self.chapters(part)}

    def _is_graded(self, part: str) -> bool:
        """Tell whether there is a grade of a part: by the receipts, and by the gradebook, which can be a new one."""
        if not any((self.folder / "graded" / "receipts" / part).glob("*.json")):
            return False
        with self._gradebook() as book:
            return any(assignment.name == part for assignment in book.assignments)

    def _require_release(self, part: str) -> None:
        """Make sure that the part is released and that the gradebook knows it, also where it was lost and is new."""
        self._require_release_files(part)
        with self._gradebook() as book:
            known = any(assignment.name == part for assignment in book.assignments)
        if not known:
            exercises = self._exercises(part)
            if not release.is_current(self.folder, part, exercises):
                raise GradingError(
                    f"The gradebook does not know {part}, and its exercises have changed since they were released; run "
                    f"`dlcourse release {part} --force`, or put the gradebook back from a backup."
                )
            release.release(self._api, self.folder, part, exercises)

    def _require_release_files(self, part: str) -> None:
        if not all(
            (self.folder / "release" / part / f"{name}.ipynb").is_file() for name in self.chapters(part)
        ):
            raise GradingError(f"{part} is not released; run `dlcourse release {part}` first.")
