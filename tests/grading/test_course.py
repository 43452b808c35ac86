"""The class through real nbgrader, with a small exercise."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dlcourse.grading import notebooks, sandbox
from dlcourse.grading.books import records
from dlcourse.grading.books.grades import Learner
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError

MINUS = "def add(a, b):\n    return a - b"
CRASH = "import os\nos._exit(1)"
PRINTS = "def add(a, b):\n    print('SEEN', a, b)\n    return a - b"


def submit(course, exercise, learner, add):
    """Hand in the released notebook with one answer, and the other right."""
    released = nbformat.read(course.folder / "release" / "sums" / "adding.ipynb", as_version=4)
    path = course.folder / "submitted" / learner / "sums" / "adding.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(
        notebooks.with_answers(released, notebooks.reference_answers(exercise) | {"add": add}), path
    )


def points(table):
    return {row.learner.name: row.points for row in table.rows}


def is_told(page):
    """Tell whether a learner reads the sentence of the mistake; it stands once in the text of the check."""
    return page.count("You subtracted") > 1


def test_parts_come_from_the_exercises_folder_in_the_order_of_the_book(root):
    for name in ("sums/zero", "later/first"):
        path = root / "exercises" / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- caption: A\n  chapters:\n"
        "  - file: book/sums/zero\n  - file: book/sums/adding\n"
    )
    assert Course(root).parts == {"sums": ("zero", "adding"), "later": ("first",)}


def test_an_unknown_part_is_said(course):
    with pytest.raises(GradingError, match=r"no part 'sum'.* Did you mean 'sums'\? There are: sums\."):
        course.chapters("sum")


def test_steps_out_of_order_are_said(course):
    with pytest.raises(GradingError, match="not released; run `dlcourse release sums`"):
        course.grade("sums")
    with pytest.raises(GradingError, match="not graded; run `dlcourse grade sums`"):
        course.feedback("sums")
    with pytest.raises(GradingError, match="Nothing is graded yet"):
        course.export("csv", course.folder / "grades.csv")


@pytest.mark.slow
def test_release_makes_clean_notebooks_and_can_be_repeated(course, hand_in, text):
    (path,) = course.release("sums")
    assert "return a + b" not in path.read_text(encoding="utf-8")
    assert "given(40, 2)" not in path.read_text(encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))
    assert course.release("sums") == [path]
    assert json.loads(path.read_text(encoding="utf-8")) == before

    hand_in("ada")
    assert course.release("sums") == [path]  # nothing changed, so nothing can go wrong
    changed = text.replace("# Adding", "# Adding numbers")
    (course.root / "exercises" / "sums" / "adding.md").write_text(changed, encoding="utf-8")
    with pytest.raises(GradingError, match=r"1 learners have handed in.*Say --force"):
        course.release("sums")
    course.release("sums", force=True)
    assert "Adding numbers" in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_release_refuses_a_leak_and_takes_the_notebook_back(course, text):
    leaky = text.replace("# Adding", "# Adding\n\n    return a + b")
    (course.root / "exercises" / "sums" / "adding.md").write_text(leaky, encoding="utf-8")
    with pytest.raises(GradingError, match="the solution of 'add' stands in"):
        course.release("sums")
    assert not (course.folder / "release" / "sums").exists()


@pytest.mark.slow
def test_release_does_not_overwrite_a_source_edited_by_hand(course):
    course.release("sums")
    path = course.folder / "source" / "sums" / "adding.ipynb"
    source = nbformat.read(path, as_version=4)
    source.cells[0].source += "\n\nBy hand."
    nbformat.write(source, path)
    with pytest.raises(GradingError, match="was edited by hand and would be overwritten"):
        course.release("sums")
    assert "By hand." in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_class_is_graded_and_one_bad_submission_stops_nobody(course, hand_in):
    course.release("sums")
    hand_in("ada")
    hand_in("bela", add=MINUS)
    hand_in("carl").write_text("{")
    hand_in("dora", add=CRASH)
    hand_in("emil", add=PRINTS, double="def double(a, b):\n    return a")
    broken = hand_in("fay")
    gone = nbformat.read(broken, as_version=4)
    gone.cells = [c for c in gone.cells if notebooks.grade_id(c) != "double_check"]
    nbformat.write(gone, broken)
    (course.folder / "submitted" / "gus" / "sums").mkdir(parents=True)
    steps = []
    table = course.grade("sums", on_progress=lambda done, total, now: steps.append((done, total)))

    assert steps[0] == (0, 7)
    assert steps[-1] == (7, 7)
    assert points(table) == {"ada": 5, "bela": 1, "carl": 0, "dora": 1, "emil": 0, "fay": 5, "gus": 0}
    assert table.isolation == sandbox.isolation().words
    assert {row.isolation for row in table.rows} == {sandbox.isolation().words, ""}
    assert (table.total, table.totals, table.chapters) == (5, (5,), ("adding",))
    looks = {row.learner.name: row.look for row in table.rows if row.needs_look}
    assert set(looks) == {"carl", "dora", "fay"}
    assert looks["fay"] == "adding: Missing and put back: 'double_check'."
    assert "is not a notebook" in looks["carl"]
    assert "ended its process" in looks["dora"]
    assert next(r.remarks for r in table.rows if r.learner.name == "gus") == ["adding: not handed in"]

    pages = {page.parts[-3]: page.read_text(encoding="utf-8") for page in course.feedback("sums")}
    assert set(pages) == {"ada", "bela", "carl", "dora", "emil", "fay"}
    assert "could not be graded" in pages["carl"]
    assert is_told(pages["bela"])
    assert not is_told(pages["ada"])
    for page in pages.values():
        assert "HIDDEN" not in page
        assert "SEEN 40 2" not in page, "a print in the learner's function shows the hidden inputs"
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "<script" not in page

    # A second round forgets what an earlier submission earned, and reads what was handed in again.
    hand_in("ada").write_text("{")
    hand_in("carl")
    again = course.grade("sums")
    assert points(again)["ada"] == 0
    assert points(again)["carl"] == 5
    assert [row.learner.name for row in again.rows if row.needs_look] == ["ada", "dora", "fay"]
    course.feedback("sums")
    ada = course.folder / "feedback" / "ada" / "sums" / "adding.html"
    assert "could not be graded" in ada.read_text(encoding="utf-8")

    course.enrol([Learner("ada", "Ada", "Lovelace", "ada@example.org", "17")])
    target = course.folder / "grades.csv"
    assert "Lovelace" in course.export("csv", target).read_text(encoding="utf-8")
    course.export("csv", target)
    target.write_text("mine")
    with pytest.raises(GradingError, match="exists with other grades; choose another file"):
        course.export("csv", target)
    assert target.read_text() == "mine"


@pytest.fixture
def no_sandbox(monkeypatch):
    words = "none: there is no bubblewrap; install it"
    monkeypatch.setattr(sandbox, "isolation", lambda: sandbox.Isolation(words, None))


def test_without_a_sandbox_nothing_is_executed_and_the_remedy_is_said(
    released, no_sandbox, exercise, tmp_path
):
    submit(released, exercise, "ada", f"open({str(tmp_path / 'trace')!r}, 'w').close()")
    with pytest.raises(GradingError, match=r"there is no bubblewrap; install it.*--unsafe"):
        released.grade("sums", workers=1)
    assert not (tmp_path / "trace").exists()
    with pytest.raises(GradingError, match="not graded"):
        released.grades("sums")


@pytest.mark.slow
def test_unsafe_grades_without_a_sandbox_and_says_so(released, no_sandbox, exercise):
    submit(released, exercise, "ada", notebooks.reference_answers(exercise)["add"])
    table = released.grade("sums", unsafe=True, workers=1)
    assert points(table) == {"ada": 5}
    assert table.isolation == "none (--unsafe)"


def write_hostile(hand_in, exercise):
    """Hand in what stock nbgrader fails on, or grades dishonestly; return each one's honest points and flag."""
    expected = {}

    def submit(learner, points, look, change, **answers):
        path = hand_in(learner, **answers)
        data = json.loads(path.read_text(encoding="utf-8"))
        cells = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in data["cells"]}
        change(data["cells"], cells)
        path.write_text(json.dumps(data), encoding="utf-8")
        expected[learner] = (points, look)

    def twice(cells, named):
        cells.append(json.loads(json.dumps(named["add"])) | {"id": "copy"})

    def more_points(cells, named):
        named["double_check"]["metadata"]["nbgrader"]["points"] = 100

    def not_graded(cells, named):
        named["add_check"]["metadata"]["nbgrader"] |= {"grade": False, "locked": False}

    def an_answer(cells, named):
        named["add_hidden"]["metadata"]["nbgrader"] |= {"solution": True, "schema_version": 99}

    def no_checks(cells, named):
        cells[:] = [cell for cell in cells if not cell["metadata"].get("nbgrader", {}).get("grade")]

    def invented(cells, named):
        metadata = named["double_check"]["metadata"]["nbgrader"] | {"grade_id": "bonus", "points": 50}
        cells.append(
            named["double_check"] | {"id": "bonus", "source": "50", "metadata": {"nbgrader": metadata}}
        )

    def retyped(cells, named):
        named["add"]["cell_type"] = "markdown"

    def marked(cells, named):
        named["add"]["source"] += ["\n", "### BEGIN HIDDEN TESTS"]

    def odd_letters(cells, named):
        cells.append({"cell_type": "markdown", "metadata": {}, "source": "\0 \x1b[2J \ud800 </body> <b>"})

    submit("ada", 5, "", odd_letters)
    submit("bela", 5, "adding: There more than once: 'add'.", twice)
    submit("carl", 1, "adding: Changed 'points' in the nbgrader metadata", more_points, add=MINUS)
    submit("dora", 1, "adding: Changed 'grade' in the nbgrader metadata", not_graded, add=MINUS)
    submit("emil", 1, "adding: Changed 'solution' in the nbgrader metadata", an_answer, add=MINUS)
    submit(
        "fay",
        1,
        "adding: Missing and put back: 'add_check', 'add_hidden', 'double_check'.",
        no_checks,
        add=MINUS,
    )
    submit("gus", 1, "adding: No released cell is called 'bonus'", invented, add=MINUS)
    submit("hal", 5, "adding: Changed to another type, and back to code: 'add'.", retyped)
    submit("ida", 5, "adding: Cell number 3 of the file holds nbgrader's marker", marked)
    return expected


@pytest.mark.slow
def test_what_was_tampered_with_is_graded_honestly_and_flagged(course, hand_in, exercise):
    course.release("sums")
    expected = write_hostile(hand_in, exercise)
    hand_in("jan").write_bytes(b"[" * 100_000)
    submitted = course.folder / "submitted"
    (submitted / "ada" / "sums" / "timestamp.txt").write_text("tomorrow, perhaps")
    os.symlink(course.folder / "gradebook.db", submitted / "bela" / "sums" / "data.csv")
    originals = {path: path.read_bytes() for path in submitted.glob("*/sums/*.ipynb")}

    table = course.grade("sums")
    assert {row.learner.name: row.points for row in table.rows} == {
        **{name: earned for name, (earned, _) in expected.items()},
        "jan": 0,
    }
    rows = {row.learner.name: row for row in table.rows}
    assert rows["ada"].look == "adding: Its timestamp.txt holds no time; it does not count as late."
    for name, (_, look) in expected.items():
        assert rows[name].look.startswith(look), rows[name].look
    assert rows["jan"].look.startswith("adding: the file is not a notebook (it is nested too deeply)")
    assert rows["dora"].look.endswith("(and 1 more)")

    # Each was executed once: nbgrader, which reads what intake made of them, finds the outcomes.
    assert len(list((course.folder / "graded" / "outcomes").glob("*/*.json"))) == len(expected)

    # What was handed in is as it was, and its digest is on record; nothing else was staged or copied.
    assert {path: path.read_bytes() for path in originals} == originals
    receipts = {found.learner: found.chapters["adding"] for found in course._receipts.of_part("sums")}
    for path, raw in originals.items():
        assert receipts[path.parts[-3]].file == hashlib.sha256(raw).hexdigest()
    assert receipts["gus"].flags == rows["gus"].chapters[0].flags
    assert not (course.folder / "staged").exists()
    assert not list(course.folder.glob("autograded/*/sums/data.csv"))

    # Flags are for the instructor; feedback is written for everybody.
    pages = {page.parts[-3]: page.read_text(encoding="utf-8") for page in course.feedback("sums")}
    assert set(pages) == {*expected, "jan"}
    assert is_told(pages["fay"])
    assert not any("Missing and put back" in page or "HIDDEN TESTS" in page for page in pages.values())
    with records.gradebook(course._api) as gradebook:
        assert gradebook.find_assignment("sums").max_score == 5
        assert {submission.score for submission in gradebook.assignment_submissions("sums")} == {0, 1, 5}

    # A blank resubmission without its checks does not keep the points of the one before.
    path = hand_in("ada", add="", double="")
    blank = nbformat.read(path, as_version=4)
    blank.cells = [cell for cell in blank.cells if not notebooks.graded(cell)]
    nbformat.write(blank, path)
    again = {row.learner.name: row for row in course.grade("sums").rows}
    assert again["ada"].points == 0
    assert "Missing and put back" in "".join(again["ada"].flags)
    assert {name: row.points for name, row in again.items() if name != "ada"} == {
        name: row.points for name, row in rows.items() if name != "ada"
    }


FORGED = {
    "lines": "get_ipython().input_transformers_cleanup.append(lambda lines: ['5'])",
    "hook": "get_ipython().events.register('pre_run_cell', lambda info: setattr(info, 'raw_cell', '5'))",
    "check": "import dlcourse.checks\ndlcourse.checks.run_checks = lambda *checks, **how: 5",
}
"""What earns full points where checks run beside the learner's code; here it earns what the plain assert is worth."""


def nbgrader(root, *arguments):
    command = Path(sys.executable).parent / "nbgrader"
    clean = {key: value for key, value in os.environ.items() if key != "DLCOURSE_COURSE"}
    run = subprocess.run(
        [command, *arguments], cwd=root, env=clean, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return run


@pytest.mark.slow
def test_the_stock_commands_work_from_the_root_of_the_repository(course, hand_in):
    course.release("sums")
    released = course.folder / "release" / "sums" / "adding.ipynb"
    released.unlink()
    nbgrader(course.root, "generate_assignment", "sums", "--force")
    assert released.is_file()
    hand_in("bela", add=MINUS)
    for learner, forged in FORGED.items():
        hand_in(learner, add=forged)
    nbgrader(course.root, "autograde", "sums")
    nbgrader(course.root, "generate_feedback", "sums")
    page = course.folder / "feedback" / "bela" / "sums" / "adding.html"
    assert is_told(page.read_text(encoding="utf-8"))
    assert "HIDDEN" not in page.read_text(encoding="utf-8")
    assert f"while it was graded: {sandbox.isolation().words}" in page.read_text(encoding="utf-8")
    nbgrader(course.root, "export", "--to", str(course.folder / "stock.csv"))
    with (course.folder / "stock.csv").open(encoding="utf-8", newline="") as file:
        exported = {row["student_id"]: (row["score"], row["max_score"]) for row in csv.DictReader(file)}
    assert exported == dict.fromkeys(["bela", *FORGED], ("1.0", "5.0"))

    # What the stock command graded is what `dlcourse grade` finds, without executing it again.
    outcomes = set((course.folder / "graded" / "outcomes").glob("*/*.json"))
    assert points(course.grade("sums")) == dict.fromkeys(["bela", *FORGED], 1)
    assert set((course.folder / "graded" / "outcomes").glob("*/*.json")) == outcomes
