"""What reaches the gradebook, and when: the books are nbgrader's, what executes is a stand-in."""

import json
import os
import random
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from dlcourse.grading import grading, notebooks
from dlcourse.grading.books import preprocessors, records
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import execute as executing
from dlcourse.grading.execution import pool
from dlcourse.grading.execution.jobs import CellOutcome, Outcome

MINUS = "def add(a, b):\n    return a - b"
STAND_IN = Path(__file__).with_name("stand_in.py")


def points(table):
    return {row.learner.name: row.points for row in table.rows}


def rows(course):
    """Return all that the gradebook holds of submissions, without the ids that are drawn by chance."""
    with sqlite3.connect(course.folder / "gradebook.db") as db:
        grades = db.execute(
            "SELECT a.student_id, a.timestamp, n.late_submission_penalty, b.name, g.auto_score, g.manual_score,"
            " g.extra_credit, g.needs_manual_grade FROM grade g JOIN base_cell b ON b.id = g.cell_id"
            " JOIN submitted_notebook n ON n.id = g.notebook_id"
            " JOIN submitted_assignment a ON a.id = n.assignment_id"
        ).fetchall()
        comments = db.execute(
            "SELECT a.student_id, b.name, c.auto_comment, c.manual_comment FROM comment c"
            " JOIN base_cell b ON b.id = c.cell_id JOIN submitted_notebook n ON n.id = c.notebook_id"
            " JOIN submitted_assignment a ON a.id = n.assignment_id"
        ).fetchall()
    return sorted(grades, key=repr), sorted(comments, key=repr)


def tree(course):
    """Return the digests, times and sizes of what grading writes."""
    found = {}
    for folder in ("autograded", "graded"):
        for path in (course.folder / folder).rglob("*"):
            if path.is_file() and path.name != "lock":
                found[path] = (path.read_bytes(), path.stat().st_mtime_ns)
    return found


@pytest.fixture
def course(released):
    return released


@pytest.fixture
def book(course):
    """Write into the gradebook as formgrader does."""

    def change(learner, cell, **values):
        with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "dlcourse") as gradebook:
            find = gradebook.find_comment if "manual_comment" in values else gradebook.find_grade
            entry = find(cell, "adding", "sums", learner)
            for name, value in values.items():
                setattr(entry, name, value)
            gradebook.db.commit()

    return change


def test_nothing_new_executes_nothing_and_writes_nothing(course, hand_in, executed):
    hand_in("ada")
    hand_in("bela", add=MINUS)
    assert points(course.grade("sums")) == {"ada": 5, "bela": 1}
    assert len(executed) == 2
    before = tree(course), rows(course)
    steps = []
    again = course.grade("sums", on_progress=lambda done, total, now: steps.append((done, total)))
    assert points(again) == {"ada": 5, "bela": 1}
    assert len(executed) == 2
    assert (tree(course), rows(course)) == before
    assert steps == [(0, 2), (1, 2), (2, 2)]


def test_grading_afresh_executes_again_and_leaves_the_same_books(course, hand_in, executed):
    for learner in ("ada", "bela"):
        hand_in(learner)
    course.grade("sums")
    before = rows(course)
    course.grade("sums", afresh=True, learner="bela")
    assert len(executed) == 3
    assert executed[2] in executed[:2]
    assert rows(course) == before
    with pytest.raises(GradingError, match=r"'bel' has not handed in sums\. Did you mean 'bela'"):
        course.grade("sums", learner="bel")


def test_a_resubmission_resets_automatic_scores_and_keeps_those_of_people(course, hand_in, executed, book):
    hand_in("ada")
    hand_in("bela")
    course.grade("sums")
    book("ada", "add_check", manual_score=1.5, needs_manual_grade=False)
    book("ada", "add", manual_comment="Nice.")

    # The same work again: nobody is asked to look at it again.
    course.grade("sums", afresh=True)
    table = course.grade("sums")
    assert points(table) == {"ada": 4.5, "bela": 5}
    assert not any(row.needs_look for row in table.rows)

    # Other work, in which the checks were deleted: the old points go, and a person is asked.
    path = hand_in("ada", add=MINUS, double="def double(a, b):\n    return a")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not notebooks.graded(cell)]
    nbformat.write(notebook, path)
    again = {row.learner.name: row for row in course.grade("sums").rows}
    assert again["ada"].points == 1.5
    assert again["ada"].needs_look
    assert "waits for a grade by hand" in again["ada"].remarks[0]
    grades, comments = rows(course)
    mine = {cell: (auto, manual, waits) for who, _, _, cell, auto, manual, _, waits in grades if who == "ada"}
    assert mine == {"add_check": (0, 1.5, 1), "add_hidden": (0, None, 0), "double_check": (0, None, 0)}
    assert ("ada", "add", None, "Nice.") in comments
    assert again["bela"].points == 5


@pytest.mark.parametrize(
    "loss",
    [pytest.param("gradebook", marks=pytest.mark.slow), "older gradebook", "notebook", "receipt"],
)
def test_what_was_lost_is_recorded_anew_without_executing(course, hand_in, executed, loss):
    hand_in("ada")
    gradebook = course.folder / "gradebook.db"
    course.grade("sums")
    shutil.copy(gradebook, course.folder / "older.db")
    hand_in("ada", add=MINUS)
    hand_in("bela")
    course.grade("sums")
    before = rows(course)
    count = len(executed)
    course = Course(course.root)
    if loss == "gradebook":
        gradebook.unlink()
    elif loss == "older gradebook":
        shutil.move(course.folder / "older.db", gradebook)
        assert rows(course) != before
    elif loss == "notebook":
        (course.folder / "autograded" / "ada" / "sums" / "adding.ipynb").unlink()
    else:
        shutil.rmtree(course.folder / "graded" / "receipts")
    assert points(course.grade("sums")) == {"ada": 1, "bela": 5}
    assert rows(course) == before
    assert len(executed) == count
    assert (course.folder / "autograded" / "ada" / "sums" / "adding.ipynb").is_file()
    assert len(list((course.folder / "graded" / "receipts").glob("*/*.json"))) == 2


def test_a_late_submission_loses_what_the_course_takes_off(course, hand_in, executed):
    path = hand_in("ada")
    hand_in("bela")
    path.with_name("timestamp.txt").write_text("2026-03-02 10:00:00 UTC")
    course.grade("sums")
    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "dlcourse") as gradebook:
        gradebook.update_or_create_assignment("sums", duedate="2026-03-02 09:00:00 UTC")
    (course.root / "late.py").write_text(
        "from nbgrader.plugins import LateSubmissionPlugin\n"
        "class Half(LateSubmissionPlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return score / 2 if total_seconds_late == 3600 else 0\n"
    )
    api = records.open_api(course.folder, course.root)
    sys.path.insert(0, str(course.root))
    try:
        from late import Half

        api.config.AssignLatePenalties.plugin_class = Half
        grading.grade_class(
            api, course.material, "sums", ("adding",), ["ada", "bela"],
            run=lambda jobs, on_done: pytest.fail("it was executed before"),
            unsafe=False, afresh=False, on_notebook=lambda done, learner: None,
        )  # fmt: skip
    finally:
        sys.path.remove(str(course.root))
    table = course.grades("sums")
    assert points(table) == {"ada": 2.5, "bela": 5}
    ada = next(row for row in table.rows if row.learner.name == "ada")
    assert ada.remarks == ["adding: 2.5 points off for being late"]

    # Handed in again without a time, it is not late by the time of the first submission.
    path.with_name("timestamp.txt").write_text("soon")
    (ada, _) = course.grade("sums").rows
    assert (ada.points, ada.look) == (
        5,
        "adding: Its timestamp.txt holds no time; it does not count as late.",
    )


def test_an_outcome_is_found_again_for_the_same_work_only(course, hand_in, executed):
    hand_in("ada")
    course.grade("sums")
    hand_in("ada", add=MINUS)
    course.grade("sums")
    hand_in("ada")
    assert points(course.grade("sums")) == {"ada": 5}
    assert len(executed) == 2

    # Without a sandbox nothing is taken over that ran in one, nor the other way round.
    assert course.grade("sums", unsafe=True).isolation == "none (--unsafe)"
    assert len(executed) == 3
    assert course.grade("sums").isolation == "stand-in"
    assert len(executed) == 3


def test_a_damaged_outcome_is_executed_again(course, hand_in, executed):
    hand_in("ada")
    course.grade("sums")
    (outcome,) = (course.folder / "graded" / "outcomes").glob("*/*.json")
    outcome.write_bytes(outcome.read_bytes()[:100])
    shutil.rmtree(course.folder / "graded" / "receipts")
    assert points(course.grade("sums")) == {"ada": 5}
    assert len(executed) == 2


def test_what_is_missing_or_unusable_gets_nothing_and_only_the_latter_is_looked_at(course, hand_in, executed):
    for learner in ("ada", "bela"):
        hand_in(learner)
    course.grade("sums")
    hand_in("ada").write_text("{")
    hand_in("bela").unlink()
    rows_of = {row.learner.name: row for row in course.grade("sums").rows}
    assert (rows_of["ada"].points, rows_of["ada"].needs_look) == (0, True)
    assert "is not a notebook" in rows_of["ada"].look
    assert (rows_of["bela"].points, rows_of["bela"].needs_look) == (0, False)
    assert rows_of["bela"].remarks == ["adding: not handed in"]
    assert not list((course.folder / "autograded").glob("*/*/*.ipynb"))
    assert len(executed) == 2
    before = tree(course), rows(course)
    course.grade("sums")
    assert (tree(course), rows(course)) == before


def test_notes_of_the_sandbox_are_looked_at_and_low_trust_is_said(course, hand_in, executed):
    hand_in("ada", add="def add(a, b):\n    look_around()\n    return a + b")
    hand_in("bela")
    ada, bela = course.grade("sums").rows
    assert (ada.look, bela.look) == ("adding: It looked around.", "")
    assert bela.notes == [
        "adding: 'double_check' is a plain assert: it ran beside the learner's code, low trust"
    ]
    path = course.folder / "autograded" / "bela" / "sums" / "adding.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.dlcourse.isolation == "stand-in"
    (page,) = [page for page in course.feedback("sums") if "bela" in page.parts]
    html = page.read_text(encoding="utf-8")
    assert "Isolation of your code while it was graded: stand-in" in html
    assert "low trust" not in html
    assert "low trust" in course.export("csv", course.folder / "grades.csv").read_text(encoding="utf-8")


def test_points_that_nbgrader_would_read_otherwise_are_refused(course, exercise, hand_in):
    released, source = (course.material.released("sums", "adding"), course.material.source("sums", "adding"))
    places = {notebooks.grade_id(cell): index for index, cell in enumerate(released.cells)}
    notebook = nbformat.from_dict(released)
    with pytest.raises(GradingError, match="gives nothing points for 'add_check'"):
        preprocessors.fill(notebook, Outcome((), "here"), source)
    silent = tuple(CellOutcome(places[name], (), 0.0) for name in ("add_check", "add_hidden", "double_check"))
    with pytest.raises(GradingError, match=r"gives 0\.0 points for 'add_check' and nbgrader reads 2\.0"):
        preprocessors.fill(notebook, Outcome(silent, "here"), source)


def test_one_notebook_that_cannot_be_recorded_stops_nobody_and_is_tried_again(
    course, hand_in, executed, monkeypatch
):
    for learner in ("ada", "bela", "carl"):
        hand_in(learner)
    fill = preprocessors.fill
    broken = True

    def failing(notebook, outcome, source):
        if broken and "bela" in "".join(cell.source for cell in notebook.cells):
            raise ValueError("a fault of the grader")
        fill(notebook, outcome, source)

    monkeypatch.setattr(preprocessors, "fill", failing)
    hand_in("bela", add="def add(a, b):\n    # bela\n    return a + b")
    table = course.grade("sums")
    assert points(table) == {"ada": 5, "bela": 0, "carl": 5}
    assert [row.look for row in table.rows if row.needs_look] == ["adding: ValueError: a fault of the grader"]
    broken = False
    assert points(course.grade("sums")) == {"ada": 5, "bela": 5, "carl": 5}
    assert len(executed) == 3


def test_formgrader_grades_and_shows_the_same(course, hand_in, executed, monkeypatch):
    monkeypatch.setattr(executing, "execute", runpy.run_path(str(STAND_IN))["execute"])
    hand_in("ada")
    hand_in("bela", add=MINUS)
    api = records.open_api(course.folder, course.root)
    assert api.autograde("sums", "ada")["success"]  # what its button does
    assert points(course.grade("sums")) == {"ada": 5, "bela": 1}
    assert len(executed) == 1, "ada's outcome was there already"

    shown = {found["student"]: found for found in api.get_submissions("sums")}
    assert {name: (found["score"], found["autograded"]) for name, found in shown.items()} == {
        "ada": (5, True),
        "bela": (1, True),
    }
    assert {found["needs_manual_grade"] for found in shown.values()} == {False}
    assert {found["failed_tests"] for found in api.get_notebook_submissions("sums", "adding")} == {
        True,
        False,
    }
    assert api.get_assignment("sums")["average_score"] == 3
    assert api.generate_feedback("sums", "bela")["success"]

    # What was handed in again and graded there has no receipt: the notebook itself says how it was isolated.
    hand_in("bela").with_name("timestamp.txt").write_text("2026-03-02 10:00:00 UTC")
    assert api.autograde("sums", "bela")["success"]
    bela = course.grades("sums").rows[1]
    assert (bela.points, bela.isolation, bela.notes[0][:23]) == (5, "stand-in", "adding: 'double_check' ")
    before = rows(course)
    assert points(course.grade("sums")) == {"ada": 5, "bela": 5}
    assert rows(course) == before


WHY = {"grade": True, "grade_id": "why", "locked": False, "points": 3, "schema_version": 3, "solution": True}
ESSAY = f"\n+++ {json.dumps({'nbgrader': WHY | {'task': False}})}\n\nWhy does it work?\n"


@pytest.mark.slow
def test_an_answer_in_words_waits_for_a_person_once(root, text, executed):
    (root / "exercises" / "sums" / "adding.md").write_text(text + ESSAY, encoding="utf-8")
    course = Course(root)
    (release,) = course.release("sums")

    def hand_in(words):
        notebook = nbformat.read(release, as_version=4)
        notebook = notebooks.with_answers(
            notebook, notebooks.reference_answers(course.exercise("sums", "adding"))
        )
        notebook.cells[-1].source = words
        path = course.folder / "submitted" / "ada" / "sums" / "adding.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)

    def grade(**how):
        (row,) = course.grade("sums", **how).rows
        return row.points, row.needs_look

    hand_in("Because.")
    assert grade() == (5, True)
    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "dlcourse") as gradebook:
        entry = gradebook.find_grade("why", "adding", "sums", "ada")
        entry.manual_score, entry.needs_manual_grade = 2, False
        gradebook.db.commit()
    assert grade() == (7, False)
    assert grade(afresh=True) == (7, False)
    hand_in("Because of the associative law.")
    assert grade() == (7, True)


def test_a_second_grader_is_kept_away(course, hand_in, executed):
    hand_in("ada")
    with (
        grading._alone(course.folder),
        pytest.raises(GradingError, match="Another process is grading the class"),
    ):
        course.grade("sums")
    assert points(course.grade("sums")) == {"ada": 5}


def test_ctrl_c_keeps_what_was_executed_and_recorded(course, hand_in, executed, monkeypatch):
    for learner in ("ada", "bela", "carl"):
        hand_in(learner)
    run = pool.run

    def interrupted(jobs, on_done, *, crew):
        def once(name, outcome):
            on_done(name, outcome)
            raise KeyboardInterrupt

        run(jobs, once, crew=crew)

    monkeypatch.setattr(pool, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        course.grade("sums")
    assert points(course.grades("sums")) == {"ada": 5}
    monkeypatch.setattr(pool, "run", run)
    assert points(course.grade("sums")) == {"ada": 5, "bela": 5, "carl": 5}
    assert len(executed) == 3


def test_ctrl_c_while_recording_leaves_the_books_as_they_were(course, hand_in, executed, monkeypatch):
    hand_in("ada")
    course.grade("sums")
    before = rows(course)
    hand_in("ada", add=MINUS)

    def interrupted(notebook, outcome, source):
        raise KeyboardInterrupt

    monkeypatch.setattr(preprocessors, "fill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        course.grade("sums")
    assert rows(course) == before
    monkeypatch.undo()
    assert not (course.folder / "staged").exists()


CHILD = f"""
import os, runpy, signal, sys
from pathlib import Path
from dlcourse.grading.course import Course
from dlcourse.grading.execution import execute as executing
from dlcourse.grading.execution import pool
from dlcourse.grading.books.records import Book

pool.run = runpy.run_path({str(STAND_IN)!r})["run"]
left = int(sys.argv[2])

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def listen(event, arguments):
    if event in ("os.rename", "os.remove", "os.mkdir", "os.chmod", "shutil.rmtree"):
        step()
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE:
        step()

keep = Book.keep

def counted(self):
    step()
    keep(self)
    step()

Book.keep = counted
course = Course(Path(sys.argv[1]))
sys.addaudithook(listen)
course.grade("sums")
"""


@pytest.mark.slow
def test_a_grader_killed_at_any_moment_is_gone_on_with(course, hand_in, executed):
    right = {f"learner{n}": 5.0 if n % 3 else 1.0 for n in range(12)}
    for learner, earned in right.items():
        hand_in(learner, **({} if earned == 5 else {"add": MINUS}))
    dice = random.Random(20261121)
    done, counts = set(), []
    for _ in range(10):
        command = [sys.executable, "-c", CHILD, str(course.root), str(dice.randint(1, 60))]
        run = subprocess.run(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=120
        )
        assert run.returncode in (0, -signal.SIGKILL), run.stderr
        with sqlite3.connect(course.folder / "gradebook.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        grades = rows(course)[0]
        there = {who for who, *_ in grades}
        for learner in there:  # whoever is in the gradebook is in it whole
            assert sum(auto for who, _, _, _, auto, *_ in grades if who == learner) == right[learner]
        assert done <= there
        done = there
        counts.append(len(done))
    assert len(set(counts)) > 3, counts
    assert points(course.grade("sums")) == right
    whole = rows(course)
    course.grade("sums", afresh=True)
    assert rows(course) == whole
