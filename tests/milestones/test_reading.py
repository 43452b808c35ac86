"""A learner's notebooks become pieces; whatever is in them, what comes out is a sentence."""

import nbformat
import pytest

from dlcourse.milestones import MilestoneError, find, milestone
from dlcourse.milestones.clock import Interrupted, Watch
from dlcourse.milestones.reading import ABSENT, OPEN, RIGHT, WRONG, read

from .conftest import STUB, answered

LEARNING = milestone("learning")


def states(handed, *names):
    return [work.state for work in handed.works if work.piece.name in names]


def of(handed, name):
    return next(work for work in handed.works if work.piece.name == name)


@pytest.mark.parametrize(
    ("part", "chapter"), [(p, c) for p in ("neurons", "learning", "training") for c in milestone(p).chapters]
)
def test_the_references_are_right(part, chapter, hand_in):
    handed = hand_in(part, chapter)
    mine = [work for work in handed.works if work.piece.chapter == chapter]
    assert [(work.piece.name, work.state, work.told) for work in mine] == [
        (w.piece.name, RIGHT, "") for w in mine
    ]
    assert {work.state for work in handed.works if work.piece.chapter != chapter} <= {ABSENT}


def test_what_is_not_solved_is_open_and_what_builds_on_it_is_judged_without_it(hand_in):
    handed = hand_in("learning", "backpropagation", linear_op=f"def linear_op(x, W, b):\n    {STUB}\n")
    assert states(handed, "linear_op", "dense_op", "forward_op") == [OPEN, RIGHT, RIGHT]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def one_step(p, gradient, rate):\n    return p - gradient", "learning rate"),
        (
            "def one_step(p, gradient, rate)\n    return p",
            "its cell stops with SyntaxError: expected ':' in line 1",
        ),
        ("one_step = 1 / 0", "its cell stops with ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "its cell stops with SystemExit: 3"),
        (
            "while True: pass",
            "its cell stops with OvertimeError: your cell 'one_step' did not come back within 0.3 s",
        ),
        ("def other(p): return p", "is not defined"),
        ("from dlcourse.learning.gradient_descent import one_step", "dlcourse"),
    ],
)
def test_a_wrong_piece_costs_itself_only(hand_in, code, told):
    handed = hand_in("learning", "gradient_descent", limit=0.3, one_step=code)
    assert (of(handed, "one_step").state, of(handed, "minibatches").state) == (WRONG, RIGHT)
    assert told in of(handed, "one_step").told


@pytest.mark.parametrize(
    ("task", "code", "told"),
    [
        (
            "log_sum_exp",
            "def log_sum_exp(z):\n    return np.array([np.log(np.exp(r).sum()) for r in z])",
            "loop",
        ),
        ("mean_squared_error", "from dlcourse.learning.loss import mean_squared_error", "dlcourse"),
        ("log_sum_exp", "def log_sum_exp(z):\n    return np.log(np.exp(z).sum(axis=1))", "overflow"),
    ],
)
def test_the_checks_say_what_they_say_in_the_notebook(hand_in, task, code, told):
    work = of(hand_in("learning", "loss", **{task: code}), task)
    assert work.state == WRONG
    assert told in work.told


def test_a_function_that_never_ends_cannot_be_trained_with(hand_in):
    code = "def minibatches(n, size, *, rng):\n    while True: pass"
    work = of(hand_in("learning", "gradient_descent", limit=0.3, minibatches=code), "minibatches")
    assert (work.state, work.value) == (WRONG, None)
    assert work.told.startswith("your minibatches did not come back within 0.3 s: look for a loop")


def test_cells_that_print_plot_ask_or_use_magic_do_not_disturb(hand_in, capfd):
    code = (
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('hello')\n"
        "def one_step(p, gradient, rate):\n    print('a step')\n    return p - rate * gradient\n"
        "!ls\n"
    )
    assert of(hand_in("learning", "gradient_descent", one_step=code), "one_step").state == RIGHT
    assert capfd.readouterr() == ("", "")


def test_a_cell_of_the_learners_own_may_fail_or_help(hand_in, write):
    [path] = write(
        "learning",
        chapters=["gradient_descent"],
        one_step="def one_step(p, gradient, rate):\n    return less(p, rate * gradient)",
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1:1] = [
        nbformat.v4.new_code_cell(code) for code in ("1 / 0", "def less(a, b):\n    return a - b")
    ]
    nbformat.write(notebook, path)
    assert of(read(LEARNING, [path], Watch(5)), "one_step").state == RIGHT


def test_ctrl_c_while_reading_says_where(hand_in):
    with pytest.raises(Interrupted, match="your cell 'one_step'"):
        hand_in("learning", "gradient_descent", one_step="import signal\nsignal.raise_signal(signal.SIGINT)")


def test_a_file_is_known_by_its_cells_not_by_its_name(write, tmp_path):
    [path] = write("learning", chapters=["loss"])
    other = path.rename(tmp_path / "loss (1).ipynb")
    handed = read(LEARNING, [other], Watch(5))
    assert (states(handed, "cross_entropy"), handed.files) == ([RIGHT], (other,))
    assert any("no notebook of the chapter backpropagation" in note for note in handed.notes)


def test_two_files_of_one_exercise_and_one_of_none(write, tmp_path):
    [path] = write("learning", chapters=["loss"])
    twin, alien = tmp_path / "twin.ipynb", tmp_path / "alien.ipynb"
    nbformat.write(answered("learning", "loss"), twin)
    nbformat.write(answered("neurons", "neuron"), alien)
    handed = read(LEARNING, [path, twin, alien], Watch(5))
    assert handed.files == (path,)
    assert "twin.ipynb and loss.ipynb are the same exercise; the first one counts." in handed.notes
    assert "alien.ipynb holds none of the pieces of this milestone; it was left out." in handed.notes


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "the file is not a notebook"),
        ("", "the file is not a notebook"),
        ('{"cells": 3}', "no list of cells"),
    ],
)
def test_a_broken_file_is_a_note(tmp_path, content, told):
    path = tmp_path / "loss.ipynb"
    path.write_text(content)
    handed = read(LEARNING, [path], Watch(5))
    assert told in handed.notes[0]
    assert handed.unread
    assert {work.state for work in handed.works} == {ABSENT}


def test_changed_checks_are_said(write):
    [path] = write("learning", chapters=["loss"])
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("run_checks(", "run_checks((")
    nbformat.write(notebook, path)
    handed = read(LEARNING, [path], Watch(5))
    assert "its checks were changed (SyntaxError); take a fresh copy" in handed.notes[0]


def test_a_cell_that_is_gone_is_said(write):
    [path] = write("learning", chapters=["gradient_descent"])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "one_step" not in str(cell.metadata.get("nbgrader"))]
    nbformat.write(notebook, path)
    handed = read(LEARNING, [path], Watch(5))
    assert (states(handed, "one_step", "minibatches")) == [WRONG, RIGHT]
    assert "the cell 'one_step' is gone from your notebook" in of(handed, "one_step").told


def test_notebooks_are_found_where_a_learner_works(write, tmp_path):
    files = write("learning", chapters=["loss", "backpropagation"])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert find(LEARNING, [], [empty, tmp_path]) == files
    assert find(LEARNING, [tmp_path], []) == files
    assert find(LEARNING, [files[1]], []) == [files[1]]
    with pytest.raises(
        MilestoneError, match=r"none of the notebooks loss\.ipynb, .* in .*empty; name your notebooks"
    ):
        find(LEARNING, [empty], [tmp_path])
