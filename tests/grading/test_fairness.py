"""Right work earns everything: the solutions of all exercises, on hidden inputs from many seeds, and in odd clothes."""

import os
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

from dlcourse.grading import notebooks, sandbox
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import Outcome, make_job
from dlcourse.grading.material import earlier_modules

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    path.relative_to(ROOT / "exercises").with_suffix("").as_posix()
    for path in (ROOT / "exercises").glob("*/*.md")
)
SEEDS = 200
"""How many seeds all exercises share; those that compile for seconds get two each."""

# What follows an answer: its function as others might have written it.
CLOTHES = {
    "prints": "print(args)\n    result = plain_{name}(*args)\n    print(result)\n    return result",
    "lists": "return odd.lists(plain_{name}(*args))",
    "float32": "return odd.halved(plain_{name}(*args))",
}
WARDROBE = """
import warnings

class odd:
    def lists(value):
        if isinstance(value, tuple):
            return list(map(odd.lists, value))
        return value.tolist() if isinstance(value, np.ndarray) else value

    def halved(value):
        if isinstance(value, tuple):
            return tuple(map(odd.halved, value))
        return value.astype(np.float32) if isinstance(value, np.ndarray) else value

warnings.warn("this notebook warns")
"""


@pytest.fixture(scope="module", autouse=True)
def _here():
    if sandbox.isolation().backend is None:
        if os.environ.get("CI") == "true":
            pytest.fail(sandbox.isolation().words)
        pytest.skip(sandbox.isolation().words)


@cache
def exercise(name):
    return notebooks.read_exercise(ROOT / "exercises" / f"{name}.md")


@cache
def right(name):
    return notebooks.with_answers(
        notebooks.released(exercise(name)), notebooks.reference_answers(exercise(name))
    )


def graded(name, seed, answers=None):
    """Grade the solutions of an exercise; return the lost points by cell, with what was told."""
    solved = notebooks.with_answers(right(name), answers) if answers else right(name)
    job = make_job(solved, exercise(name), chapter=name, seed=seed, modules=earlier_modules(ROOT, name))
    outcome = Outcome.from_bytes(execute(job.to_bytes()))
    assert outcome.notes == ()
    return {
        cell.name: done.report or done.outputs
        for cell, done in zip(job.cells, outcome.cells, strict=True)
        if cell.points and done.points != cell.points
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_solutions_earn_everything_whatever_the_seed(name):
    quick = [name for name in NAMES if not name.startswith("frameworks/")]
    for number in range(-(-SEEDS // len(quick)) if name in quick else 2):
        seed = number * 2**27 + number  # small ones, and such as a digest gives
        assert graded(name, seed) == {}, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("clothes", CLOTHES)
def test_right_work_in_odd_clothes_earns_everything(clothes):
    answers = notebooks.reference_answers(exercise("neurons/neuron"))
    dressed = {
        name: (
            f"{WARDROBE}\n{code.replace(f'def {name}(', f'def plain_{name}(')}\n\n"
            f"def {name}(*args):\n    {CLOTHES[clothes].format(name=name)}\n"
        )
        for name, code in answers.items()
        if f"def {name}(" in code
    }
    assert len(dressed) > 3
    assert graded("neurons/neuron", 7, dressed) == {}
