"""Learners of every kind, as notebooks."""

from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason='the grader is not installed: pip install "dlcourse[grading]"')

import nbformat

from dlcourse.grading import notebooks
from dlcourse.milestones import milestone
from dlcourse.milestones.clock import Clock, Watch
from dlcourse.milestones.pieces import Use
from dlcourse.milestones.reading import ABSENT, Handed, Work, judge

EXERCISES = Path(__file__).parents[2] / "exercises"
STUB = "raise NotImplementedError()"


@cache
def exercise(part, chapter):
    return notebooks.read_exercise(EXERCISES / part / f"{chapter}.md")


def answered(part, chapter, **answers):
    """The notebook of a learner: all right but for some answers."""
    solved = notebooks.reference(exercise(part, chapter))
    mine = {task.name for task in notebooks.tasks(solved)} & set(answers)
    return notebooks.with_answers(solved, {name: answers[name] for name in mine})


@pytest.fixture
def write(tmp_path):
    """Write a learner's notebooks of a part."""

    def call(part, *, chapters=None, **answers):
        files = []
        for chapter in chapters or milestone(part).chapters:
            files.append(tmp_path / f"{chapter}.ipynb")
            nbformat.write(answered(part, chapter, **answers), files[-1])
        return files

    return call


@pytest.fixture
def hand_in():
    """What a learner has who answered a chapter, without a file."""

    def call(part, chapter, *, limit=5.0, **answers):
        wanted, watch = milestone(part), Watch(limit)
        works = judge(wanted, answered(part, chapter, **answers), watch, chapter=chapter)
        return Handed(tuple(works.get(piece.name, Work(piece, ABSENT)) for piece in wanted.pieces), ())

    return call


def package_only(part):
    """The pieces of the package alone."""
    return Use(milestone(part).pieces, {}, Clock(Watch(5)))
