"""A class to try the grader on, made from the exercises themselves.

Each invented learner works in a way of their own: all right, one classic mistake a notebook, half done, untouched, a
typing error. What the mistakes files say about points therefore says what this class must get.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.checks import Mistake
from dlcourse.grading import notebooks
from dlcourse.grading.books.grades import Learner
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError
from dlcourse.grading.notebooks import Notebook

Work = Callable[[Notebook, Sequence[Mistake]], Notebook]
"""How a learner turns an exercise, whose classic mistakes are known, into what they hand in."""


@dataclass(frozen=True)
class SampleLearner:
    """One invented learner and how they work.

    Args:
        learner: who they are.
        way: how they work, in words.
        work: how they turn an exercise into what they hand in.
        turn: which of the classic mistakes they make, for those who make one a notebook.
    """

    learner: Learner
    way: str
    work: Work
    turn: int | None = None


def mistakes_of(exercise: Path) -> list[Mistake]:
    """Read the classic mistakes beside an exercise.

    Args:
        exercise: `exercises/<part>/<chapter>.md`.

    Returns:
        What its `<chapter>_mistakes.py` lists.

    Raises:
        GradingError: The file is missing or lists none.
    """
    path = exercise.with_name(f"{exercise.stem}_mistakes.py")
    if not path.is_file():
        raise GradingError(f"{exercise.name} has no mistakes file; write {path.name} beside it.")
    spec = importlib.util.spec_from_file_location(f"_mistakes_{exercise.parent.name}_{exercise.stem}", path)
    if spec is None or spec.loader is None:
        raise GradingError(f"{path} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    mistakes: list[Mistake] = getattr(module, "MISTAKES", [])
    if not mistakes:
        raise GradingError(f"{path.name} lists no MISTAKES; add those that learners make.")
    return mistakes


def with_mistake(exercise: Notebook, mistake: Mistake) -> Notebook:
    """Return the notebook of somebody who made one mistake and got all else right."""
    return notebooks.with_answers(notebooks.reference(exercise), {mistake.task: mistake.code})


def all_right(exercise: Notebook, mistakes: Sequence[Mistake]) -> Notebook:
    """Solve everything."""
    return notebooks.reference(exercise)


def nothing(exercise: Notebook, mistakes: Sequence[Mistake]) -> Notebook:
    """Hand in what was released."""
    return exercise


def half(exercise: Notebook, mistakes: Sequence[Mistake]) -> Notebook:
    """Solve the first half of the tasks."""
    answers = notebooks.reference_answers(exercise)
    names = [task.name for task in notebooks.tasks(exercise)]
    done = names[: len(names) // 2]
    return notebooks.with_answers(notebooks.untouched(exercise), {name: answers[name] for name in done})


def mistaken(turn: int) -> Work:
    """Make one classic mistake a notebook: learners with different turns make different ones."""

    def work(exercise: Notebook, mistakes: Sequence[Mistake]) -> Notebook:
        return with_mistake(exercise, chosen(mistakes, turn))

    return work


def chosen(mistakes: Sequence[Mistake], turn: int) -> Mistake:
    """Return a learner's mistake of a notebook: spread over the list, so that tasks differ too."""
    return mistakes[(turn * max(1, len(mistakes) // 3)) % len(mistakes)]


def typing_error(exercise: Notebook, mistakes: Sequence[Mistake]) -> Notebook:
    """Solve everything, but leave a bracket open in the last task."""
    name = notebooks.tasks(exercise)[-1].name
    return notebooks.with_answers(
        notebooks.reference(exercise), {name: notebooks.reference_answers(exercise)[name] + "\n("}
    )


def _learner(first: str, last: str) -> Learner:
    plain = {"í": "i", "ł": "l", "'": "", "ö": "oe"}
    name = "".join(plain.get(letter, letter) for letter in f"{first}.{last}".lower())
    return Learner(name, first, last, f"{name}@example.org")


CLASS = (
    SampleLearner(_learner("Amara", "Okafor"), "everything right", all_right),
    SampleLearner(_learner("Jonas", "Köhler"), "one mistake a notebook", mistaken(0), 0),
    SampleLearner(_learner("Mei", "Tanaka"), "another mistake a notebook", mistaken(1), 1),
    SampleLearner(_learner("Sofía", "Herrera"), "a third mistake a notebook", mistaken(2), 2),
    SampleLearner(_learner("Liam", "O'Brien"), "the first half of the tasks", half),
    SampleLearner(_learner("Zeynep", "Kaya"), "untouched", nothing),
    SampleLearner(_learner("Michał", "Nowak"), "a bracket left open", typing_error),
)
"""The learners of the sample class."""


def make(root: Path, folder: Path | None = None) -> Course:
    """Make the sample class: release every part and put the submissions in place.

    Args:
        root: The repository.
        folder: The class's folder, replaced if it is there; `build/sample-class/` by default.

    Returns:
        The class, ready to be graded.
    """
    folder = folder or root / "build" / "sample-class"
    if folder.exists():
        _discard(folder)
    course = Course(root, folder)
    for part in course.parts:
        course.release(part)
        for chapter in course.chapters(part):
            _submit(course, part, chapter)
    course.enrol([sample.learner for sample in CLASS])
    return course


def _submit(course: Course, part: str, chapter: str) -> None:
    """Write what the learners hand in: their answers in the released notebook."""
    import nbformat

    exercise = course.exercise(part, chapter)
    mistakes = mistakes_of(course.root / "exercises" / part / f"{chapter}.md")
    release = nbformat.read(course.folder / "release" / part / f"{chapter}.ipynb", as_version=4)
    for sample in CLASS:
        submission = release
        if sample.work is not nothing:
            submission = notebooks.with_answers(
                release, notebooks.reference_answers(sample.work(exercise, mistakes))
            )
        path = course.folder / "submitted" / sample.learner.name / part / f"{chapter}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(submission, path)


def _discard(folder: Path) -> None:
    """Delete an earlier sample class, and nothing else."""
    from nbgrader.utils import rmtree

    if any(folder.iterdir()) and not (folder / "release").is_dir():
        raise GradingError(f"{folder} is not a sample class; name another folder or empty this one.")

    rmtree(folder)
