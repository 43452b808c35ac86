import pytest

from dlcourse.grading import notebooks
from dlcourse.grading.errors import GradingError
from tests.grading.conftest import HEADER, answer, cell, check, hidden


def parse(text):
    return notebooks.parse_exercise(text, name="sums/adding.md")


def cell_of(notebook, name):
    return next(c for c in notebook.cells if notebooks.grade_id(c) == name)


def test_an_exercise_becomes_a_valid_notebook(text):
    notebook = parse(text)
    assert notebook.metadata.kernelspec.name == "python3"
    assert cell_of(notebook, "add_check").metadata.nbgrader.points == 2
    assert notebooks.total_points(notebook) == 5
    assert notebooks.tasks(notebook) == [
        notebooks.Task("add", ("add_check",), ("add_hidden",), 4),
        notebooks.Task("double", ("double_check",), (), 1),
    ]


def test_cell_ids_depend_on_the_cells_alone(text):
    first = [c.id for c in parse(text).cells]
    assert first == [c.id for c in parse(text).cells]
    longer = text.replace("# Adding", "# Adding\n\nNew words.")
    assert [c.id for c in parse(longer).cells][1:] == first[1:]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Only prose\n", "is not an exercise: it has no MyST notebook header"),
        (HEADER, "is not an exercise: no code cell takes an answer"),
        (HEADER + answer("add", "pass"), "the task 'add' has no check"),
        (HEADER + answer("add", "pass") + answer("add", "pass"), "'add' is used twice; give each"),
        (HEADER + cell(None, "x = 1"), "lacks grade_id; add it"),
        (HEADER + cell("", "x = 1"), "lacks a grade_id; add it"),
        (HEADER + cell("x", "x = 1", task=None), "lacks task; add it"),
        (HEADER + answer("add", "pass") + check("sub", "x"), "'sub_check' belongs to no task"),
        (HEADER + answer("add", "pass") + check("add", "x", points=None), "'add_check' has no points; add"),
        (HEADER + cell("add", "pass", solution=True), "'add' has no solution; put it between"),
        (
            HEADER + answer("add", "pass") + hidden("add", "x").replace("### END", "y = 2\n### END"),
            "no visible",
        ),
    ],
)
def test_what_is_wrong_with_an_exercise_is_said_with_the_remedy(text, words):
    if words == "no visible":
        text, words = text.replace("### BEGIN HIDDEN", "y = 1\n### BEGIN HIDDEN"), "shows some of its lines"
    with pytest.raises(GradingError, match=r"^sums/adding\.md") as error:
        parse(text)
    assert words in str(error.value)


def test_a_missing_exercise_names_the_one_that_was_meant(root):
    with pytest.raises(GradingError, match="Did you mean 'adding'"):
        notebooks.read_exercise(root / "exercises" / "sums" / "ading.md")


def test_answers_take_the_place_of_solutions(text):
    notebook = parse(text)
    wrong = notebooks.with_answers(notebook, {"add": "def add(a, b):\n    return a"})
    assert cell_of(wrong, "add").source.endswith("return a")
    assert "BEGIN SOLUTION" in cell_of(notebook, "add").source
    with pytest.raises(GradingError, match=r"no task 'ad'\. Did you mean 'add'"):
        notebooks.with_answers(notebook, {"ad": ""})


def test_the_versions_of_an_exercise(text):
    notebook = parse(text)
    assert notebooks.reference_answers(notebook)["add"] == "def add(a, b):\n    return a + b"
    stub = cell_of(notebooks.untouched(notebook), "add").source
    assert "return a + b" not in stub
    assert "raise NotImplementedError" in stub
    assert "given(40, 2)" in cell_of(notebooks.untouched(notebook), "add_hidden").source
    assert cell_of(notebooks.released(notebook), "add_hidden").source.strip() == ""


def test_a_released_notebook_is_clean(text):
    notebook = parse(text)
    notebooks.assert_clean(notebook, notebooks.released(notebook), name="adding")


def leak_solution(release):
    release.cells[0].source += "\n\nSo write\n\n    return a + b"


def leak_hidden(release):
    source = next(c for c in release.cells if notebooks.grade_id(c) == "add_check")
    source.source += (
        '\nrun_checks(Check("add", "adds other numbers", on=[given(40, 2)], against="operator.add", '
        'mistakes={"You subtracted": lambda right, a, b: a - b}, points=2), hidden=True)'
    )


def leak_marker(release):
    release.cells[1].source += "\n### END SOLUTION"


def leak_output(release):
    release.cells[1].outputs = [{"output_type": "stream", "name": "stdout", "text": "42"}]


@pytest.mark.parametrize(
    ("leak", "words"),
    [
        (leak_solution, "the solution of 'add' stands in the cell"),
        (leak_hidden, "the hidden check of 'add_hidden' stands in the cell 'add_check'"),
        (leak_marker, "marker is left in the cell 'setup'"),
        (leak_output, "the cell 'setup' has an output"),
    ],
)
def test_a_leak_is_found(text, leak, words):
    notebook = parse(text)
    release = notebooks.released(notebook)
    leak(release)
    with pytest.raises(GradingError, match="adding was not released") as error:
        notebooks.assert_clean(notebook, release, name="adding")
    assert words in str(error.value)
