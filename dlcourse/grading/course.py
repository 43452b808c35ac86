"""A class: its folder, its gradebook, and the steps an instructor takes, on nbgrader.

The exercises stay text files in `exercises/`; nbgrader's own folders (`source`, `release`, `submitted`, `autograded`,
`feedback`) and its gradebook are below the class's folder, so nbgrader's commands and formgrader work on the same class.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from dlcourse.grading import collect, intake, notebooks, records, sandbox, stock
from dlcourse.grading.config import course_folder
from dlcourse.grading.errors import GradingError, did_you_mean
from dlcourse.grading.feedback import write_reason
from dlcourse.grading.grades import FORMATS, ChapterGrade, Finding, GradeTable, Learner, LearnerGrades

Progress = Callable[[int, int, str], None]
"""Called with how many steps are done, how many there are, and what is done now."""


class Course:
    """One class.

    Args:
        root: The repository.
        folder: The class's folder; `course/` in the repository by default.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self.root = root.resolve()
        self.folder = folder.resolve() if folder else course_folder(self.root)

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The parts that have exercises, with their chapters, in the book's order."""
        order = _toc_order(self.root / "_toc.yml")
        found = [path.relative_to(self.root / "exercises").with_suffix("").as_posix()
                 for path in (self.root / "exercises").glob("*/*.md")]  # fmt: skip
        found.sort(key=lambda name: (order.get(f"book/{name}", len(order)), name))
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
        chapters = self.chapters(part)
        exercises = {chapter: self.exercise(part, chapter) for chapter in chapters}
        release = self.folder / "release" / part
        paths = [release / f"{chapter}.ipynb" for chapter in chapters]
        submitted = sorted((self.folder / "submitted").glob(f"*/{part}"))
        if release.exists() and submitted and not force:
            if all(_made_from(path, exercises[path.stem]) for path in paths):
                return paths
            raise GradingError(
                f"{part} is released and {len(submitted)} learners have handed in; releasing it again can change the "
                "checks they are graded by. Say --force if you mean it."
            )
        self._write_sources(part, exercises)
        result = self._api.generate_assignment(part, force=True, create=True)
        if not result["success"]:
            raise GradingError(f"nbgrader could not release {part}: {stock.reason(result)}.")
        try:
            for chapter, path in zip(chapters, paths, strict=True):
                notebooks.assert_clean(
                    exercises[chapter], intake.read_notebook(path), name=f"{part}/{chapter}"
                )
        except GradingError:
            shutil.rmtree(release)
            raise
        return paths

    def collect(self, part: str, source: Path) -> collect.Collected:
        """Copy submissions from a folder into the class.

        Args:
            part: The assignment.
            source: The folder in which each learner has a folder.

        Returns:
            What was taken in and what was not.
        """
        return collect.collect(source, part, self.chapters(part), self.folder / "submitted")

    def grade(self, part: str, *, on_progress: Progress | None = None) -> GradeTable:
        """Grade what was handed in for a part; one bad submission never stops another.

        Args:
            part: The assignment.
            on_progress: Told how many notebooks are done, after each learner.

        Returns:
            The grades.

        Raises:
            GradingError: The part is not released, or nobody has handed in.
        """
        chapters = self.chapters(part)
        release = self.folder / "release" / part
        if not all((release / f"{chapter}.ipynb").is_file() for chapter in chapters):
            raise GradingError(f"{part} is not released; run `dlcourse release {part}` first.")
        learners = sorted(path.parent.name for path in (self.folder / "submitted").glob(f"*/{part}"))
        if not learners:
            raise GradingError(
                f"Nobody has handed in {part}; name the folder of submissions with --submissions DIR."
            )
        total = len(learners) * len(chapters)

        def on_learner(done: int, learner: str) -> None:
            if on_progress:
                on_progress(done * len(chapters), total, learner)

        on_learner(0, "")
        try:
            findings = stock.grade_class(self.folder, part, chapters, learners, on_learner=on_learner)
        finally:
            shutil.rmtree(self.folder / stock.STAGED, ignore_errors=True)
        self._remember(part, findings)
        return self.grades(part)

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
        memory = self._memory(part)
        if not memory.is_file():
            raise GradingError(f"{part} is not graded; run `dlcourse grade {part}` first.")
        record = json.loads(memory.read_text(encoding="utf-8"))
        with records.gradebook(self._api) as gradebook:
            assignment = gradebook.find_assignment(part)
            totals = {notebook.name: notebook.max_score for notebook in assignment.notebooks}
            rows = [
                LearnerGrades(
                    _learner(submission.student),
                    tuple(
                        _chapter_grade(notebook, _finding(record, submission.student.id, notebook.name))
                        for notebook in sorted(submission.notebooks, key=lambda n: _place(chapters, n.name))
                    ),
                )
                for submission in assignment.submissions
            ]
        known = sorted(totals, key=lambda name: _place(chapters, name))
        rows.sort(key=lambda row: (row.learner.last_name, row.learner.first_name, row.learner.name))
        return GradeTable(
            part,
            tuple(known),
            tuple(totals[name] for name in known),
            record["isolation"],
            tuple(rows),
        )

    def feedback(self, part: str, *, on_progress: Progress | None = None) -> list[Path]:
        """Write each learner's notebook back as a page with verdicts and comments, without the hidden checks.

        Args:
            part: The assignment.
            on_progress: Told before each learner.

        Returns:
            The pages.
        """
        table = self.grades(part)
        pages: list[Path] = []
        for done, row in enumerate(table.rows):
            learner = row.learner.name
            if on_progress:
                on_progress(done, len(table.rows), learner)
            for stale in (self.folder / "feedback" / learner / part).glob("*.html"):
                stale.unlink()
            if any((self.folder / "autograded" / learner / part).glob("*.ipynb")):
                result = self._api.generate_feedback(part, learner)
                if not result["success"]:
                    raise GradingError(
                        f"nbgrader could not write the feedback of {learner}: {stock.reason(result)}."
                    )
            for grade in row.chapters:
                page = self.folder / "feedback" / learner / part / f"{grade.chapter}.html"
                if not page.exists() and grade.needs_look and grade.remark:
                    write_reason(page, chapter=grade.chapter, total=grade.total, reason=grade.remark)
                if page.exists():
                    pages.append(page)
        if on_progress:
            on_progress(len(table.rows), len(table.rows), "")
        return pages

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
        if format_name not in FORMATS:
            raise GradingError(f"There is no format {format_name!r}. There are: {', '.join(FORMATS)}.")
        graded = [part for part in self.parts if self._memory(part).is_file()]
        if not graded:
            raise GradingError("Nothing is graded yet; run `dlcourse grade PART` first.")
        text = FORMATS[format_name]([self.grades(part) for part in graded])
        if target.exists() and not force and target.read_text(encoding="utf-8-sig") != text:
            raise GradingError(
                f"{target} exists with other grades; choose another file with --to, or say --force."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def enrol(self, learners: Sequence[Learner]) -> None:
        """Write learners' names into the gradebook.

        Args:
            learners: The class.
        """
        with records.gradebook(self._api) as gradebook:
            for who in learners:
                gradebook.update_or_create_student(
                    who.name,
                    first_name=who.first_name,
                    last_name=who.last_name,
                    email=who.email,
                    lms_user_id=who.platform_id or None,
                )

    @cached_property
    def _api(self) -> Any:
        return records.open_api(self.folder)

    def _write_sources(self, part: str, exercises: dict[str, notebooks.Notebook]) -> None:
        """Write the notebooks that nbgrader reads, and drop those whose exercise is gone."""
        import nbformat

        source = self.folder / "source" / part
        source.mkdir(parents=True, exist_ok=True)
        for path in source.glob("*.ipynb"):
            if _edited(path):
                raise GradingError(
                    f"{path} was edited by hand and would be overwritten; carry the edits into "
                    f"exercises/{part}/{path.stem}.md, or move the notebook away."
                )
        for path in source.glob("*.ipynb"):
            if path.stem not in exercises:
                path.unlink()
        for chapter, notebook in exercises.items():
            notebook.metadata["dlcourse"] = {
                "source": f"exercises/{part}/{chapter}.md",
                "sha256": _digest(notebook),
            }
            nbformat.write(notebook, source / f"{chapter}.ipynb")

    def _memory(self, part: str) -> Path:
        return self.folder / "graded" / f"{part}.json"

    def _remember(self, part: str, findings: Mapping[str, Mapping[str, Finding]]) -> None:
        """Keep beside the gradebook what has no place in it: the isolation, reasons, flags and digests."""
        memory = self._memory(part)
        memory.parent.mkdir(parents=True, exist_ok=True)
        known = {who: {name: asdict(one) for name, one in found.items()} for who, found in findings.items()}
        record = {"isolation": sandbox.isolation().words, "notebooks": known}
        memory.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")


def _toc_order(path: Path) -> dict[str, int]:
    """Return each page's place in the book."""
    import yaml

    if not path.is_file():
        return {}

    def pages(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "file" in node:
                yield str(node["file"]).removesuffix(".md")
            for value in node.values():
                yield from pages(value)
        elif isinstance(node, list):
            for item in node:
                yield from pages(item)

    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {page: place for place, page in enumerate(pages(toc))}


def _digest(notebook: notebooks.Notebook) -> str:
    cells = [[cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def _edited(path: Path) -> bool:
    """Tell whether a notebook differs from what was generated (or was never generated)."""
    notebook = intake.read_notebook(path)
    return bool(notebook.metadata.get("dlcourse", {}).get("sha256") != _digest(notebook))


def _made_from(path: Path, exercise: notebooks.Notebook) -> bool:
    """Tell whether a released notebook was made from an exercise as it is now."""
    if not path.is_file():
        return False
    made = intake.read_notebook(path).metadata.get("dlcourse", {}).get("sha256")
    return bool(made == _digest(exercise))


def _place(chapters: Sequence[str], name: str) -> tuple[int, str]:
    return (chapters.index(name) if name in chapters else len(chapters), name)


def _learner(student: Any) -> Learner:
    return Learner(
        student.id,
        student.first_name or "",
        student.last_name or "",
        student.email or "",
        student.lms_user_id or "",
    )


def _finding(record: dict[str, Any], learner: str, chapter: str) -> Finding:
    found = record["notebooks"].get(learner, {}).get(chapter, {})
    return Finding(found.get("reason", ""), tuple(found.get("flags", ())), found.get("sha256", ""))


def _chapter_grade(notebook: Any, finding: Finding) -> ChapterGrade:
    penalty = notebook.late_submission_penalty or 0.0
    waits = bool(notebook.needs_manual_grade)
    remark = finding.reason or ("waits for a grade by hand" if waits else "")
    if penalty:
        remark = "; ".join(filter(None, (remark, f"{penalty:g} points off for being late")))
    points = max(0.0, notebook.score - penalty)
    look = waits or bool(finding.flags)
    return ChapterGrade(notebook.name, points, notebook.max_score, remark, look, finding.flags)
