"""A course of one small exercise, so that the grader is tested without the book's exercises."""

import json
import runpy
import shutil
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

import nbformat

from dlcourse.grading import notebooks
from dlcourse.grading.course import Course
from dlcourse.grading.execution import execute as executing
from dlcourse.grading.execution import pool

STAND_IN = Path(__file__).with_name("stand_in.py")
HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Adding

"""


def cell(grade_id, source, **changes):
    """One code cell of an exercise's text."""
    metadata = {
        "grade": False,
        "grade_id": grade_id,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
    } | changes
    line = json.dumps({key: value for key, value in metadata.items() if value is not None})
    return f"```{{code-cell}} ipython3\n:nbgrader: {line}\n\n{source}\n```\n\n"


def answer(name, body):
    stub = f"def {name}(a, b):\n    ### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION"
    return cell(name, stub, solution=True)


def check(name, source, points=1):
    return cell(f"{name}_check", source, grade=True, locked=True, points=points)


def hidden(name, source, points=1):
    body = f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
    return cell(f"{name}_hidden", body, grade=True, locked=True, points=points)


ADD_CHECK = (
    'run_checks(Check("add", "adds", on=[given(1, 2)], against="operator.add", '
    'mistakes={"You subtracted": lambda right, a, b: a - b}, points=2))'
)
ADD_HIDDEN = (
    'run_checks(Check("add", "adds other numbers", on=[given(40, 2)], against="operator.add", '
    'mistakes={"You subtracted": lambda right, a, b: a - b}, points=2), hidden=True)'
)
TEXT = (
    HEADER
    + cell("setup", "from dlcourse.checks import Check, given, run_checks", locked=True)
    + answer("add", "return a + b")
    + check("add", ADD_CHECK, points=2)
    + hidden("add", ADD_HIDDEN, points=2)
    + answer("double", "return 2 * a")
    + check("double", "assert double(3, 0) == 6")
)


@pytest.fixture
def text():
    return TEXT


def write_course(folder):
    """Write a copy of a course with one part, `sums`, and one chapter, `adding`."""
    (folder / "exercises" / "sums").mkdir(parents=True)
    (folder / "exercises" / "sums" / "adding.md").write_text(TEXT, encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(
        (Path(__file__).parents[2] / "nbgrader_config.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    return folder


@pytest.fixture
def root(tmp_path):
    return write_course(tmp_path / "copy")


@pytest.fixture
def course(root):
    return Course(root)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A course whose part is released."""
    root = write_course(tmp_path_factory.mktemp("template") / "copy")
    Course(root).release("sums")
    return root


@pytest.fixture
def released(template, tmp_path):
    """A course of the test's own whose part is released."""
    return Course(shutil.copytree(template, tmp_path / "released"))


@pytest.fixture
def exercise(course):
    return course.exercise("sums", "adding")


@pytest.fixture
def hand_in(course, exercise):
    """Hand in the released notebook with some answers; right where none is given."""

    def write(learner, **answers):
        release = nbformat.read(course.folder / "release" / "sums" / "adding.ipynb", as_version=4)
        right = notebooks.reference_answers(exercise)
        path = course.folder / "submitted" / learner / "sums" / "adding.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebooks.with_answers(release, right | answers), path)
        return path

    return write


@pytest.fixture
def executed(monkeypatch):
    """Let a stand-in execute; return what it executed, name by name."""
    stand_in = runpy.run_path(str(STAND_IN))
    names = []

    def run(jobs, on_done, *, crew):
        def done(name, outcome):
            names.append(name)
            on_done(name, outcome)

        stand_in["run"](jobs, done, crew=crew)

    def unexpected(job, *, unsafe=False):
        raise AssertionError("executed while it was recorded: its outcome should be there")

    monkeypatch.setattr(pool, "run", run)
    monkeypatch.setattr(executing, "execute", unexpected)
    return names
