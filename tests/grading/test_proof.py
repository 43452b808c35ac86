import pytest
from nbformat import v4

from dlcourse.grading import notebooks, proof
from dlcourse.grading.errors import GradingError


@pytest.fixture(scope="module")
def prover():
    return proof.Prover(timeout=1.5, warm=["pytest"])


def graded(name, source, points=2):
    metadata = {"nbgrader": {"grade": True, "grade_id": name, "points": points, "solution": False}}
    return v4.new_code_cell(source, metadata=metadata)


def notebook(*cells):
    return v4.new_notebook(
        cells=[v4.new_code_cell(c) if isinstance(c, str) else c for c in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )


def test_points_follow_the_rule_of_nbgrader(prover):
    run = prover.run(
        notebook(
            graded("full", "x = 1"),
            graded("none", "x = None\nx"),
            graded("partial", "0.5"),
            graded("too_much", "99"),
            graded("words", "'good'"),
            graded("error", "1 / 0"),
            graded("syntax", "def f("),
            graded("stderr", "import sys; print('oh', file=sys.stderr)"),
        )
    )
    points = {name: cell.points for name, cell in run.checks.items()}
    assert points == {
        "full": 2,
        "none": 2,
        "partial": 0.5,
        "too_much": 2,
        "words": 2,
        "error": 0,
        "syntax": 0,
        "stderr": 0,
    }
    assert run.checks["error"].error == "ZeroDivisionError: division by zero"
    assert run.checks["syntax"].error.startswith("SyntaxError")
    assert run.total == 16


def test_reports_are_read_with_their_words(prover, text):
    exercise = notebooks.parse_exercise(text, name="adding.md")
    wrong = {"add": "def add(a, b):\n    return a - b"}
    run = prover.run(notebooks.with_answers(notebooks.reference(exercise), wrong))
    assert run.checks["add_check"].points == 0
    assert run.checks["add_check"].report["verdicts"][0]["name"] == "add"
    assert run.checks["add_check"].messages == ["You subtracted"]
    assert run.checks["add_hidden"].report["hidden"] is True
    assert run.points == 1


def test_an_endless_loop_costs_its_cell_only(prover):
    run = prover.run(notebook(graded("loop", "while True: pass"), graded("next", "x = 1")))
    assert run.checks["loop"].error == "The cell ran longer than 1.5 s and was stopped"
    assert run.checks["next"].points == 2


def test_a_cell_that_ends_the_process_costs_all_below_it(prover):
    run = prover.run(
        notebook(graded("before", "1.5"), graded("crash", "import os; os._exit(0)"), graded("after", "2"))
    )
    assert [cell.points for cell in run.cells] == [1.5, 0, 0]
    assert "ended the Python process" in run.checks["crash"].error
    assert run.checks["after"].error == "Not run: see the cell that ended the process"


@pytest.mark.slow
def test_a_cell_that_ignores_its_interruption_is_ended(prover, monkeypatch):
    monkeypatch.setattr(proof, "GRACE", 0.5)
    deaf = (
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass"
    )
    run = prover.run(notebook(graded("deaf", deaf), graded("after", "2")))
    assert "did not stop after 1.5 s" in run.checks["deaf"].error
    assert run.points == 0


def test_it_runs_in_the_folder_of_the_notebook_and_says_how_far_it_is(prover, tmp_path):
    (tmp_path / "data.txt").write_text("7")
    steps = []
    run = prover.run(
        notebook(graded("reads", "int(open('data.txt').read()) - 6"), "x = 1"),
        folder=tmp_path,
        on_cell=lambda done, total: steps.append((done, total)),
    )
    assert run.points == 1
    assert steps == [(1, 2), (2, 2)]


def test_hidden_checks_of_a_released_notebook_are_not_visible_checks(text):
    exercise = notebooks.parse_exercise(text, name="adding.md")
    assert proof.visible_checks(notebooks.released(exercise)) == ["add_check", "double_check"]


def test_what_is_no_exercise_is_said():
    with pytest.raises(GradingError, match="has no checks; take the notebook"):
        proof.require_checks(notebook("x = 1"), name="mine.ipynb")
    other = notebook(graded("x", "1"))
    other.metadata.kernelspec.language = "R"
    with pytest.raises(GradingError, match="written in R"):
        proof.require_checks(other, name="mine.ipynb")
