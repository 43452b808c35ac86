"""Hand in what a recipe says, grade it in the real sandbox, and say what is not honest about the outcome."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from dlcourse.checks import declared, observe
from dlcourse.checks.faults import reference
from dlcourse.grading import notebooks
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import CHECKS, CellOutcome, Job, Outcome, make_job
from dlcourse.grading.intake.reading import Intake, intake_file

from . import exercise
from .recipe import Recipe

ROOT = Path(__file__).parents[3]
SEED = 7351946082


@cache
def source_of(name: str) -> Any:
    """Return the instructor's version of an exercise."""
    return exercise.SOURCE if name == "odds" else notebooks.read_exercise(ROOT / "exercises" / f"{name}.md")


@cache
def released_of(name: str) -> Any:
    """Return what learners get of an exercise."""
    return notebooks.released(source_of(name))


@dataclass(frozen=True)
class Graded:
    """What became of a recipe."""

    taken: Intake
    job: Job
    outcome: Outcome

    @property
    def points(self) -> dict[str, float | None]:
        """Points by test cell."""
        return {
            cell.name: done.points
            for cell, done in zip(self.job.cells, self.outcome.cells, strict=True)
            if cell.points
        }

    def output(self, name: str) -> str:
        """Return what the learner gets of one cell, by its name or place."""
        place = {"first": 0, "last": -1}.get(name)
        names = [cell.name for cell in self.job.cells]
        return _text(self.outcome.cells[names.index(name) if place is None else place])

    @property
    def learner_gets(self) -> str:
        """Return all that the learner gets."""
        return "\n".join(map(_text, self.outcome.cells))


def hand_in(recipe: Recipe, path: Path, words: Mapping[str, str]) -> None:
    """Write the file that a recipe describes.

    Args:
        recipe: What is handed in.
        path: Where the file is written.
        words: What stands for the words between two @.
    """
    if recipe.file is not None:
        recipe.file(path)
        return
    right = {} if recipe.blank else notebooks.reference_answers(source_of(recipe.exercise))
    answered = notebooks.with_answers(released_of(recipe.exercise), right | dict(recipe.answers))
    data = json.loads(nbformat.writes(answered))
    if recipe.first:
        data["cells"].insert(0, code(recipe.first))
    if recipe.last:
        data["cells"].append(code(recipe.last))
    if recipe.notebook is not None:
        changed = recipe.notebook(data)
        data = data if changed is None else changed
    if isinstance(data, bytes):
        path.write_bytes(data)
        return
    text = json.dumps(data)
    for word, meaning in words.items():
        text = text.replace(f"@{word}@", json.dumps(meaning)[1:-1])
    path.write_text(text, encoding="utf-8")


def code(source: str) -> dict[str, Any]:
    """Return a code cell of the learner's own."""
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": 1}


def grade(recipe: Recipe, folder: Path, words: Mapping[str, str]) -> Graded:
    """Grade what a recipe describes, as a class is graded.

    Args:
        recipe: What is handed in.
        folder: Where the file is written.
        words: What stands for the words between two @.

    Returns:
        What became of it.
    """
    if recipe.before:
        grade(Recipe("someone else", recipe.exercise, first=recipe.before), folder, words)
    path = folder / "ends.ipynb"
    hand_in(recipe, path, words)
    taken = intake_file(path, released_of(recipe.exercise))
    chapter = "odds/ends" if recipe.exercise == "odds" else recipe.exercise
    job = make_job(
        taken.notebook, source_of(recipe.exercise), chapter=chapter, seed=SEED, limits=recipe.limits
    )
    outcome = Outcome.from_bytes(execute(job.to_bytes()))
    return Graded(taken, job, outcome)


def findings(recipe: Recipe, graded: Graded, words: Mapping[str, str]) -> list[str]:
    """Compare what became of a recipe with what is honest.

    Args:
        recipe: What is honest.
        graded: What became of it.
        words: What stands for the words between two @.

    Returns:
        A sentence for each difference.
    """
    found = [f"{cell}: {points} points, not {honest}" for cell, points, honest in _points(recipe, graded)]
    remarks = " ".join((graded.taken.reason, *graded.taken.flags)).strip()
    if not re.search(recipe.flag, remarks) or (remarks and not recipe.flag):
        found.append(f"intake said {remarks!r}")
    notes = " ".join(graded.outcome.notes)
    if recipe.note is not None and (not re.search(recipe.note, notes) or (notes and not recipe.note)):
        found.append(f"the execution noted {notes!r}")
    for cell, pattern in {**recipe.told, **recipe.shows}.items():
        if not re.search(pattern, graded.output(cell)):
            found.append(f"{cell} says {graded.output(cell)[:600]!r}")
    text = graded.learner_gets
    unsaid = [words.get(word.strip("@"), word) for word in recipe.unsaid]
    for word in (*unsaid, *secrets(recipe.exercise)):
        if word in text:
            at = text.index(word)
            found.append(f"the learner gets {word!r}: {text[max(0, at - 150) : at + 150]!r}")
    longest = max(map(len, map(_text, graded.outcome.cells)))
    if longest > 20 * recipe.limits.output:
        found.append(f"a cell shows {longest} characters")
    return found


def _points(recipe: Recipe, graded: Graded) -> Iterator[tuple[str, float | None, float | None]]:
    honest: dict[str, float | None] = {}
    for task in notebooks.tasks(source_of(recipe.exercise)):
        for cell in task.cells:
            lost = task.name in recipe.costs
            honest[cell] = 0.0 if lost else next(c.points for c in graded.job.cells if c.name == cell)
    honest |= recipe.earns
    for cell, points in graded.points.items():
        if honest[cell] is not None and points != honest[cell]:
            yield cell, points, honest[cell]
    for name in honest.keys() - graded.points.keys():
        yield name, None, honest[name]


@cache
def secrets(name: str) -> tuple[str, ...]:
    """List what no learner may get: words of hidden checks and answers, the seed, hidden inputs, their right values."""
    found = {str(SEED), "BEGIN HIDDEN", "BEGIN SOLUTION"}
    job = make_job(released_of(name), source_of(name), chapter=name)
    tests = [cell for cell in job.cells if cell.role == CHECKS]
    for calls in declared([cell.tests for cell in tests]):
        for made in calls:
            for check in made.checks if made.hidden else ():
                cases = check.cases(SEED)
                values = [case.args for case in cases]
                if check.against:
                    values += [seen.value for seen in observe(reference(check.against), cases)]
                found |= {text for value in values for text in _digits(value)}
    if name == "odds":
        found |= {"quartz", "no learner may see", "40917", "40916"}
    shown = "\n".join(cell.source for cell in job.cells)
    return tuple(sorted(word for word in found if word not in shown))


def _digits(value: Any) -> Iterator[str]:
    """Yield the numbers of a value that nobody would write by chance, as a report shows them."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _digits(item)
    elif isinstance(value, float | np.ndarray | np.floating):
        for number in np.ravel(value):
            size = abs(float(number))
            for text in (f"{size:.4f}", f"{size:.6g}"):
                if 0.01 < size < 1e9 and len(text.strip("0.")) > 4:
                    yield text


def _text(cell: CellOutcome) -> str:
    """Return everything in a cell's outputs, as the words that a reader sees."""
    return "\n".join(_strings([copy.deepcopy(list(cell.outputs)), cell.report]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            if not (str(key).startswith("image/") and re.fullmatch(r"[A-Za-z0-9+/=\s]*", str(item))):
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    else:
        yield str(value)
