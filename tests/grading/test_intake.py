"""Intake: whatever is handed in becomes a notebook that can be graded, honestly, and says what is odd."""

import copy
import hashlib
import json
import os
import runpy
import warnings
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse.grading import notebooks
from dlcourse.grading.errors import GradingError
from dlcourse.grading.intake import reading as module
from dlcourse.grading.intake.handed import CELL_LIMIT
from dlcourse.grading.intake.reading import LIMIT, MAX_CELLS, intake, intake_file, read_notebook
from dlcourse.grading.intake.rebuild import MAX_ADDED
from dlcourse.grading.proof import Prover

TEXT = runpy.run_path(str(Path(__file__).with_name("conftest.py")))[
    "TEXT"
]  # needed while tests are collected
WHY = {"grade": True, "grade_id": "why", "locked": False, "points": 2, "schema_version": 3, "solution": True}
EXERCISE = notebooks.parse_exercise(
    f"{TEXT}+++ {json.dumps({'nbgrader': WHY | {'task': False}})}\n\nWhy?\n", name="adding.md"
)
RELEASED = notebooks.released(EXERCISE)
RIGHT = notebooks.reference_answers(EXERCISE)
MINUS = "def add(a, b):\n    return a - b"
STUB = "def add(a, b):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
ALL = 5


BOOK = {path.stem: path for path in sorted((Path(__file__).parents[2] / "exercises").glob("*/*.md"))}
REAL = notebooks.released(notebooks.read_exercise(BOOK["neuron"]))


def handed_in(**answers):
    """Return what somebody hands in, as plain data: everything right, but for the answers given."""
    filled = notebooks.with_answers(RELEASED, RIGHT | answers)
    return json.loads(nbformat.writes(filled))


def find(data, name):
    return next(c for c in data["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name)


def place(data, name):
    return data["cells"].index(find(data, name))


def code(source, **metadata):
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": 3}


def prose(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def take(data, released=RELEASED):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return intake(raw, released)


@pytest.fixture(scope="module")
def score():
    """Run what intake returned, with the hidden checks that nbgrader puts back."""
    prover = Prover(timeout=5, warm=["pytest"])

    def run(notebook):
        whole = copy.deepcopy(notebook)
        secret = {notebooks.grade_id(cell): cell.source for cell in EXERCISE.cells if notebooks.graded(cell)}
        for cell in whole.cells:
            if cell.cell_type == "code" and notebooks.graded(cell):
                cell.source = secret[notebooks.grade_id(cell)]
        return prover.run(whole).points

    return run


# What is honest: no flag. Each recipe changes a right submission and returns nothing, or returns another.


def nothing_changed(data):
    pass


def saved_by_another_editor(data):
    data["nbformat_minor"] = 4
    data["metadata"] = {"kernelspec": {"name": "venv", "display_name": "My venv"}, "colab": {"toc": True}}
    for cell in data["cells"]:
        del cell["id"]
        cell["metadata"] |= {"vscode": {"languageId": "python"}, "tags": ["x"], "collapsed": True}
        cell["source"] = "".join(cell["source"]).replace("\n", " \r\n") + "\n"


def outputs_and_counts(data):
    for cell in data["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 17
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 10_000}]


def outputs_that_are_no_outputs(data):
    find(data, "add")["outputs"] = {"deep": [[[[float("nan")]]]]}


def a_helper_in_a_new_cell(data):
    find(data, "add")["source"] = "def add(a, b):\n    return helper(a) + b"
    data["cells"].insert(place(data, "add"), code("def helper(a):\n    return a"))


def a_helper_at_the_very_top(data):
    find(data, "add")["source"] = "def add(a, b):\n    return operator.add(a, b)"
    data["cells"].insert(0, code("import operator"))


def notes_between(data):
    data["cells"].insert(place(data, "add_check"), prose("I *think* so."))
    data["cells"].append({"cell_type": "raw", "metadata": {}, "source": "scratch"})


def an_added_cell_that_fails(data):
    data["cells"].insert(place(data, "add"), code("1 / 0", tags=["skip-execution"]))


def a_byte_order_mark(data):
    return b"\xef\xbb\xbf" + json.dumps(data).encode()


def old_metadata_without_task(data):
    for cell in data["cells"]:
        cell["metadata"].get("nbgrader", {}).pop("task", None)


HONEST = [
    nothing_changed,
    saved_by_another_editor,
    outputs_and_counts,
    outputs_that_are_no_outputs,
    a_helper_in_a_new_cell,
    a_helper_at_the_very_top,
    notes_between,
    an_added_cell_that_fails,
    a_byte_order_mark,
    old_metadata_without_task,
]


@pytest.mark.parametrize("recipe", HONEST, ids=lambda recipe: recipe.__name__)
def test_honest_differences_cost_nothing_and_are_not_flagged(recipe, score):
    data = handed_in()
    taken = take(recipe(data) or data)
    assert (taken.reason, taken.flags) == ("", ())
    assert score(taken.notebook) == ALL


@pytest.mark.parametrize("chapter", BOOK)
def test_the_exercises_of_the_book_come_back_as_they_were_handed_in(chapter):
    exercise = notebooks.read_exercise(BOOK[chapter])
    released = notebooks.released(exercise)
    for work in (released, notebooks.with_answers(released, notebooks.reference_answers(exercise))):
        taken = take(nbformat.writes(work).encode(), released)
        assert (taken.flags, taken.reason, taken.notebook) == ((), "", work)


# What is odd: one flag, and the points that the answers are worth.


def check_deleted(data):
    del data["cells"][place(data, "add_check")]
    find(data, "add")["source"] = MINUS


def setup_deleted(data):
    del data["cells"][place(data, "setup")]


def answer_deleted(data):
    del data["cells"][place(data, "double")]


def answer_written_into_a_new_cell(data):
    data["cells"][place(data, "add")] = code(RIGHT["add"])


def answer_copied_and_the_copy_changed(data):
    """In the learner's own run the second definition counts, so it counts here too."""
    data["cells"].insert(place(data, "add_check"), copied(data, "add", RIGHT["add"]))
    find(data, "add")["source"] = MINUS


def answer_in_the_copy_of_the_stub(data):
    data["cells"].append(copied(data, "add", RIGHT["add"]))
    find(data, "add")["source"] = STUB


def stub_copied_below_the_answer(data):
    data["cells"].insert(place(data, "add_check"), copied(data, "add", STUB))


def answer_split_in_two(data):
    find(data, "add")["source"] = "one = 1"
    data["cells"].insert(
        place(data, "add_check"), copied(data, "add", "def add(a, b):\n    return a + b * one")
    )


def check_copied(data):
    data["cells"].append(copied(data, "add_check", find(data, "add_check")["source"]))


def cells_moved(data):
    data["cells"].insert(0, data["cells"].pop(place(data, "double")))


def answer_turned_into_prose(data):
    find(data, "add")["cell_type"] = "markdown"


def check_turned_into_prose(data):
    find(data, "add_check")["cell_type"] = "markdown"
    find(data, "add")["source"] = MINUS


def more_points(data):
    find(data, "double_check")["metadata"]["nbgrader"]["points"] = 100


def points_that_are_no_number(data):
    find(data, "double_check")["metadata"]["nbgrader"]["points"] = {"all": ["of", "them"]}


def not_graded_any_more(data):
    find(data, "add_check")["metadata"]["nbgrader"]["grade"] = False
    find(data, "add")["source"] = MINUS


def check_made_an_answer(data):
    cell = find(data, "add_hidden")
    cell["metadata"]["nbgrader"]["solution"] = True
    find(data, "add")["source"] = MINUS


def unlocked(data):
    find(data, "setup")["metadata"]["nbgrader"]["locked"] = False


def task_invented(data):
    find(data, "setup")["metadata"]["nbgrader"]["task"] = True


def graded_cell_invented(data):
    metadata = find(data, "double_check")["metadata"]["nbgrader"] | {"grade_id": "bonus", "points": 50}
    data["cells"].append(code("50", nbgrader=metadata))


def answer_renamed(data):
    find(data, "add")["metadata"]["nbgrader"]["grade_id"] = "addd"


def check_edited(data):
    find(data, "add_check")["source"] = "2"
    find(data, "add")["source"] = MINUS


def hidden_check_written(data):
    find(data, "add_hidden")["source"] = "2"
    find(data, "add")["source"] = MINUS


def setup_edited(data):
    find(data, "setup")["source"] = ["def run_checks(*args, **options):\n", "    return 2\n"]
    find(data, "add")["source"] = MINUS


def metadata_lost(data):
    for cell in data["cells"]:
        cell["metadata"] = {}


def metadata_and_ids_lost(data):
    """The stubs are put back; the answers are found again only as added cells."""
    data["cells"] = [code(RIGHT["add"])]


def marker_of_hidden_tests(data):
    find(data, "add")["source"] = RIGHT["add"] + "\n### BEGIN HIDDEN TESTS"


def half_a_character(data):
    find(data, "double")["source"] = 'def double(a, b):\n    return 2 * a  # "\ud800"'


def huge_cell(data):
    data["cells"].append(code("#" * (CELL_LIMIT + 1)))


def huge_answer(data):
    find(data, "double")["source"] = RIGHT["double"] + "#" * CELL_LIMIT


def cells_that_are_none(data):
    data["cells"] += [7, None, [], {"cell_type": "code", "source": 5}, {"cell_type": "code", "source": [1]}]


def cell_of_unknown_type(data):
    data["cells"].append({"cell_type": "sql", "metadata": {}, "source": "select 1"})


def far_too_many_cells(data):
    data["cells"] += [code("x = 1")] * (MAX_ADDED + 1)


def notebook_format_99(data):
    data["nbformat"] = 99


def notebook_format_with_braces(data):
    data["nbformat"] = "{0}{x"


def notebook_format_3(data):
    cells = copy.deepcopy(data["cells"])
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["input"], cell["language"] = "".join(cell.pop("source")), "python"
            cell["prompt_number"] = cell.pop("execution_count")
        del cell["id"]
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def another_notebook(data):
    data["cells"] = [prose("# My holidays")]


def no_cells(data):
    data["cells"] = []


def copied(data, name, source):
    return copy.deepcopy(find(data, name)) | {"source": source, "id": "pasted"}


ODD = [
    (check_deleted, 1, "Missing and put back: 'add_check'."),
    (setup_deleted, ALL, "Missing and put back: 'setup'."),
    (answer_deleted, 4, "Missing and put back: 'double'."),
    (answer_written_into_a_new_cell, ALL, "Missing and put back: 'add'."),
    (answer_copied_and_the_copy_changed, ALL, "There more than once: 'add'. The first copy with an answer"),
    (answer_in_the_copy_of_the_stub, ALL, "There more than once: 'add'."),
    (stub_copied_below_the_answer, ALL, "There more than once: 'add'."),
    (answer_split_in_two, ALL, "There more than once: 'add'."),
    (check_copied, ALL, "There more than once, and kept once: 'add_check'."),
    (cells_moved, ALL, "Moved, and put back in place: 'double'."),
    (answer_turned_into_prose, ALL, "Changed to another type, and back to code: 'add'."),
    (check_turned_into_prose, 1, "Changed to another type, and back to code: 'add_check'."),
    (more_points, ALL, "Changed 'points' in the nbgrader metadata, and back as released: 'double_check'."),
    (points_that_are_no_number, ALL, "Changed 'points' in the nbgrader metadata"),
    (not_graded_any_more, 1, "Changed 'grade' in the nbgrader metadata, and back as released: 'add_check'."),
    (check_made_an_answer, 1, "Changed 'solution' in the nbgrader metadata"),
    (unlocked, ALL, "Changed 'locked' in the nbgrader metadata, and back as released: 'setup'."),
    (task_invented, ALL, "Changed 'task' in the nbgrader metadata, and back as released: 'setup'."),
    (graded_cell_invented, ALL, "No released cell is called 'bonus': kept as a cell that the learner added."),
    (answer_renamed, ALL, "No released cell is called 'addd'"),
    (check_edited, 1, "Edited check, restored as released: 'add_check'."),
    (hidden_check_written, 1, "Edited check, restored as released: 'add_hidden'."),
    (setup_edited, 1, "Edited locked cell, restored as released: 'setup'."),
    (metadata_lost, ALL, "Without its nbgrader metadata, and recognised by its id or text: 'setup', 'add'"),
    (metadata_and_ids_lost, 4, "None of the released cells is in the file"),
    (marker_of_hidden_tests, ALL, "Cell number 3 of the file holds nbgrader's marker of hidden tests"),
    (huge_cell, ALL, "Cell number 9 of the file is too long"),
    (huge_answer, 4, "is too long"),
    (cells_that_are_none, ALL, "Cell number 9, number 10, number 11, number 12 and 1 more of the file cannot be read"),
    (cell_of_unknown_type, ALL, "Cell number 9 of the file is of an unknown type"),
    (far_too_many_cells, ALL, "More than 1000 added cells; the rest was left out."),
    (notebook_format_99, ALL, "The file gives '99' as its notebook format; it was read as 4."),
    (notebook_format_with_braces, ALL, "The file gives '{0}{x' as its notebook format"),
    (notebook_format_3, ALL, "The file is in the old notebook format '3' and was converted."),
    (another_notebook, 0, "None of the released cells is in the file: is it another notebook?"),
    (no_cells, 0, "None of the released cells is in the file"),
]  # fmt: skip


@pytest.mark.parametrize(("recipe", "points", "flag"), ODD, ids=[recipe.__name__ for recipe, *_ in ODD])
def test_what_is_odd_is_flagged_and_graded_honestly(recipe, points, flag, score):
    data = handed_in()
    taken = take(recipe(data) or data)
    assert taken.reason == ""
    assert any(flag in found for found in taken.flags), taken.flags
    assert_released_frame(taken.notebook)
    assert score(taken.notebook) == points


def test_a_cell_in_half_a_character_is_mended(score):
    data = handed_in()
    half_a_character(data)
    taken = take(data)
    assert module.written(taken.notebook).encode()
    assert (taken.flags, score(taken.notebook)) == ((), ALL)


def test_one_odd_thing_is_one_flag():
    for recipe, _, flag in ODD:
        if recipe in (answer_renamed, metadata_and_ids_lost, answer_in_the_copy_of_the_stub):
            continue
        data = handed_in()
        flags = take(recipe(data) or data).flags
        assert len(flags) == 1, (recipe.__name__, flags)
        assert flag in flags[0]


def test_findings_of_one_kind_are_one_sentence():
    data = handed_in()
    data["cells"] = [find(data, "add_check")]
    missing, *more = take(data).flags
    assert missing == "Missing and put back: 'setup', 'add', 'add_hidden', 'double' and 2 more."
    assert more == []


def test_added_cells_keep_their_place():
    data = handed_in()
    data["cells"].insert(0, prose("first"))
    data["cells"].insert(place(data, "add"), code("before"))
    data["cells"].insert(place(data, "add") + 1, code("after"))
    data["cells"].append(prose("last"))
    cells = take(data).notebook.cells
    assert [cell.id if cell.id in {c.id for c in RELEASED.cells} else cell.source for cell in cells] == [
        "first", cells[1].id, "setup", "before", "add", "after", "add_check", "add_hidden", "double",
        "double_check", "why", "last",
    ]  # fmt: skip
    assert [cell.id for cell in cells if cell.id.startswith("added")] == [
        "added-1",
        "added-2",
        "added-3",
        "added-4",
    ]


def test_prose_answers_are_taken_over_with_their_pictures():
    data = handed_in()
    find(data, "why")["source"] = ["Because\n", "![](plot.png)"]
    picture = {"image/png": "aGVsbG8=", "image/svg+xml": "<svg onload='alert(1)'/>"}
    find(data, "why")["attachments"] = {"plot.png": picture, "odd": 7, "page": {"text/html": "<script>"}}
    find(data, "why")["attachments"] |= {
        "x": {"image/png": '"><script>'},
        "y": {"image/gif": ["aGVs\n", "bG8="]},
    }
    taken = take(data)
    answer = next(cell for cell in taken.notebook.cells if notebooks.grade_id(cell) == "why")
    assert answer.source == "Because\n![](plot.png)"
    assert answer.attachments == {"plot.png": {"image/png": "aGVsbG8="}, "y": {"image/gif": "aGVs\nbG8="}}
    assert taken.flags == ()


def test_notes_in_prose_that_is_not_locked_stay():
    data = handed_in()
    data["cells"][0]["source"] = "# Adding\n\nMy notes."
    taken = take(data)
    assert taken.notebook.cells[0].source == "# Adding\n\nMy notes."
    assert taken.flags == ()


def test_names_that_somebody_chose_are_shown_safely():
    data = handed_in()
    find(data, "add")["metadata"]["nbgrader"]["grade_id"] = "{}\x1b[2J[bold]" + "x" * 10_000
    (flag,) = (flag for flag in take(data).flags if flag.startswith("No released cell"))
    assert flag.isprintable()
    assert len(flag) < 200


def test_the_released_notebook_is_not_changed():
    before = copy.deepcopy(RELEASED)
    for recipe, *_ in ODD:
        data = handed_in()
        take(recipe(data) or data)
    assert before == RELEASED


def test_the_same_file_gives_the_same_notebook():
    data = handed_in()
    notes_between(data)
    assert module.written(take(data).notebook) == module.written(take(data).notebook)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "is not a notebook"),
        (b"\xff\xfe", "is not a notebook"),
        (b"PK\x03\x04", "is not a notebook"),
        (b"null", "it holds a NoneType instead of an object"),
        (b"[]", "it holds a list instead of an object"),
        (b"NaN", "it holds a float instead of an object"),
        (b"1" * 10_000, "is not a notebook"),
        (b"{}", "it has no list of cells"),
        (b'{"cells": {}}', "it has no list of cells"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b'{"nbformat": 3, "worksheets": [{"cells": 5}]}', "its old format cannot be converted"),
        (b'{"nbformat": 3, "worksheets": 7}', "its old format cannot be converted"),
        (json.dumps({"nbformat": 4, "cells": [0] * (MAX_CELLS + 1)}).encode(), "5001 cells, more than 5000"),
        (b" " * (LIMIT + 1), "20 MB, more than 20; clear its outputs"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_file_that_cannot_be_used_gets_a_reason_and_the_released_notebook(content, words):
    taken = take(content)
    assert words in taken.reason
    assert taken.reason.isprintable()
    assert taken.notebook == RELEASED
    assert taken.sha256 == hashlib.sha256(content).hexdigest()


# Whatever the bytes.

NAMES = [notebooks.grade_id(cell) for cell in RELEASED.cells if notebooks.grade_id(cell)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from(
    ["cell_type", "source", "metadata", "id", "attachments", "outputs", "nbformat", "cells", "worksheets",
     "nbgrader", "grade_id", "points", "grade", "solution", "locked", "task"]
)  # fmt: skip
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "source": st.text() | st.lists(st.text()) | JSON,
        "id": st.sampled_from([cell.id for cell in RELEASED.cells] + ["added-1"]) | JSON,
        "attachments": st.dictionaries(st.text(), st.dictionaries(st.just("image/png"), JSON)) | JSON,
        "metadata": JSON
        | st.fixed_dictionaries(
            {
                "nbgrader": st.dictionaries(KEYS, JSON)
                | st.fixed_dictionaries({"grade_id": st.sampled_from(NAMES)})
            }
        ),
    },
)
unhurried = settings(suppress_health_check=[HealthCheck.too_slow])


def assert_released_frame(notebook, released=RELEASED):
    """Make sure that a notebook is valid, can be written, and has the released cells in their frame."""
    nbformat.validate(notebook)
    read_back = nbformat.reads(module.written(notebook).encode().decode(), as_version=4)
    frame = {cell.id: cell for cell in released.cells}
    ours = [cell for cell in read_back.cells if cell.id in frame]
    assert [cell.id for cell in ours] == list(frame)
    for cell in ours:
        assert cell.metadata == frame[cell.id].metadata
        assert cell.cell_type == frame[cell.id].cell_type
        metadata = cell.metadata.get("nbgrader", {"solution": True})
        assert metadata["solution"] or cell.source == frame[cell.id].source
    for cell in read_back.cells:
        assert cell.id in frame or cell.metadata == {}
        assert cell.get("outputs", []) == []
    assert notebook.metadata == released.metadata


def assert_taken(raw, released=RELEASED):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taken = take(raw, released)
        assert_released_frame(taken.notebook, released)
    assert taken.sha256 == hashlib.sha256(raw).hexdigest()
    assert all(flag.isprintable() for flag in (*taken.flags, taken.reason))
    assert not (taken.reason and taken.flags)


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_are_taken_in(raw):
    assert_taken(raw)


@unhurried
@given(JSON)
def test_any_json_is_taken_in(data):
    assert_taken(json.dumps(data).encode())


@unhurried
@given(
    st.lists(CELLS | JSON, max_size=8),
    st.fixed_dictionaries({}, optional={"nbformat": st.sampled_from([3, 4]) | JSON, "metadata": JSON}),
    st.booleans(),
)
def test_any_cells_are_taken_in(cells, rest, old):
    body = {"worksheets": [{"cells": cells}]} if old else {"cells": cells}
    assert_taken(json.dumps(rest | body).encode())


@unhurried
@given(st.data())
def test_a_notebook_that_was_tampered_with_anywhere_is_taken_in(data):
    released = data.draw(st.sampled_from([RELEASED, REAL]), label="exercise")
    document = handed_in() if released is RELEASED else json.loads(nbformat.writes(released))
    for _ in range(data.draw(st.integers(1, 4))):
        mutate(document, data)
    raw = json.dumps(document).encode()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw)))
        raw = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    assert_taken(raw, released)


def mutate(node, data):
    """Change something somewhere in a document: drop, repeat, swap or replace."""
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.integers(0, 3)):
            node = node[key]
            continue
        change = data.draw(st.sampled_from(["drop", "replace", "repeat", "swap"]))
        if change == "drop":
            del node[key]
        elif change == "replace" or isinstance(node, dict):
            node[key] = data.draw(JSON)
        elif change == "repeat":
            node.append(copy.deepcopy(node[key]))
        else:
            node[key], node[0] = node[0], node[key]
        return


# Files.


def test_a_file_is_read_and_not_changed(tmp_path):
    path = tmp_path / "adding.ipynb"
    raw = json.dumps(handed_in()).encode()
    path.write_bytes(raw)
    assert intake_file(path, RELEASED) == intake(raw, RELEASED)
    assert path.read_bytes() == raw


def test_a_file_that_is_too_large_is_not_read_but_has_its_digest(tmp_path):
    path = tmp_path / "adding.ipynb"
    with path.open("wb") as file:
        file.truncate(LIMIT + 1)
    taken = intake_file(path, RELEASED)
    assert "more than 20; clear its outputs" in taken.reason
    assert taken.sha256 == hashlib.sha256(b"\0" * (LIMIT + 1)).hexdigest()


def test_links_folders_and_pipes_are_not_read(tmp_path):
    learner = tmp_path / "submitted" / "ada" / "sums"
    learner.mkdir(parents=True)
    secret = tmp_path / "adding.ipynb"
    secret.write_text(json.dumps(handed_in()))
    (learner / "link.ipynb").symlink_to(secret)
    (learner / "folder.ipynb").mkdir()
    os.mkfifo(learner / "pipe.ipynb")
    for name, words in (("link", "it is a link"), ("folder", "no plain file"), ("pipe", "no plain file")):
        taken = intake_file(learner / f"{name}.ipynb", RELEASED)
        assert (words in taken.reason, taken.sha256) == (True, ""), taken.reason
    (tmp_path / "submitted" / "eve").symlink_to(learner.parent, target_is_directory=True)
    (learner / "adding.ipynb").write_text(json.dumps(handed_in()))
    assert (
        "it is a link"
        in intake_file(tmp_path / "submitted" / "eve" / "sums" / "adding.ipynb", RELEASED).reason
    )
    assert "cannot be read (No such file" in intake_file(learner / "gone.ipynb", RELEASED).reason


# A notebook of one's own is read strictly.


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"cells": {}}',
        b"[" * 100_000,
        b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}',
    ],
)
def test_what_is_no_notebook_is_said(tmp_path, content):
    path = tmp_path / "adding.ipynb"
    path.write_bytes(content)
    with pytest.raises(
        GradingError, match=r"adding\.ipynb: the file is not a notebook .* save it again in JupyterLab"
    ):
        read_notebook(path)


def test_a_missing_or_odd_file_is_said(tmp_path):
    nbformat.write(RELEASED, tmp_path / "adding.ipynb")
    with pytest.raises(GradingError, match=r"Did you mean 'adding\.ipynb'"):
        read_notebook(tmp_path / "ading.ipynb")
    with pytest.raises(GradingError, match="not a plain file"):
        read_notebook(tmp_path)
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "adding.ipynb")
    with pytest.raises(GradingError, match="not a plain file"):
        read_notebook(tmp_path / "link.ipynb")
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(LIMIT + 1)
    with pytest.raises(GradingError, match="more than 20; clear its outputs"):
        read_notebook(tmp_path / "large.ipynb")
