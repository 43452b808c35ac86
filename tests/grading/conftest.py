"""A course of one small exercise, so that the grader is tested without the book's exercises."""

import json
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

from dlcourse.grading.course import Course

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


@pytest.fixture
def root(tmp_path):
    """A copy of a course with one part, `sums`, and one chapter, `adding`."""
    folder = tmp_path / "copy"
    (folder / "exercises" / "sums").mkdir(parents=True)
    (folder / "exercises" / "sums" / "adding.md").write_text(TEXT, encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(
        (Path(__file__).parents[2] / "nbgrader_config.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    return folder


@pytest.fixture
def course(root):
    return Course(root)
