"""The gradebook on a PostgreSQL server that is started for these tests, and what becomes of two graders at once."""

import csv
import glob
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("pwd", reason="the server is started on Linux and macOS only")
pytest.importorskip("psycopg", reason='the driver is not installed: pip install "dlcourse[postgres]"')

import pwd

import psycopg
from nbgrader.api import Gradebook

from dlcourse.grading import notebooks
from dlcourse.grading.books import records
from dlcourse.grading.config import DB_VARIABLE, gradebook_url
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError

pytestmark = pytest.mark.slow

MINUS = "def add(a, b):\n    return a - b"


def programs():
    """The folder of the server's programs; Debian does not put it on the PATH."""
    found = shutil.which("initdb")
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    return Path(found).resolve().parent if found else Path(folders[-1]) if folders else None


@pytest.fixture(scope="module")
def server():
    """A server on a socket in a folder of its own; the address without the database's name, and the options."""
    where = programs()
    if where is None:
        message = "there is no PostgreSQL server here (Debian, Ubuntu: apt-get install postgresql)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    # A socket's path must be short, and others must be able to enter: TMPDIR promises neither.
    folder = Path(tempfile.mkdtemp(prefix="dlcourse-", dir="/tmp"))
    settings = {"cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C"}, "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:  # the server refuses to run as root
        entry = next(
            entry for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name
        )
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        settings |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    data = str(folder / "data")
    try:
        made = subprocess.run(
            [where / "initdb", "-D", data, "-U", "grader", "-A", "trust", "-E", "UTF8", "--no-sync"],
            capture_output=True,
            text=True,
            **settings,
        )
        assert made.returncode == 0, made.stderr
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [where / "postgres", "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-F"],
                stdout=log,
                stderr=log,
                **settings,
            )
        try:
            wait_until_it_answers(process, folder)
            yield folder
        finally:
            process.send_signal(signal.SIGINT)  # ends connections that are left open
            process.wait()
    finally:
        shutil.rmtree(folder)


def connected(folder):
    return psycopg.connect(host=str(folder), user="grader", dbname="postgres", autocommit=True)


def wait_until_it_answers(process, folder):
    until = time.monotonic() + 60
    while True:
        try:
            connected(folder).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)


@pytest.fixture
def db(server, tmp_path):
    """The address of an empty database, as an instructor writes it."""
    name = f"class_{abs(hash(tmp_path))}"
    with connected(server) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"postgresql://grader@/{name}?host={server}"
    with connected(server) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        until = time.monotonic() + 10
        # The server notices a moment later that a connection was closed.
        while (left := connection.execute(query, [name]).fetchone()) != (0,) and time.monotonic() < until:
            time.sleep(0.05)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert left == (0,), "a connection was left open"


@pytest.fixture
def class_on_server(root, db):
    return Course(root, db=db)


@pytest.fixture
def hand_in():
    """Hand in the released notebook with some answers, at some time; right answers where none is given."""

    def write(course, learner, part="sums", at="", **answers):
        release = nbformat.read(course.folder / "release" / part / "adding.ipynb", as_version=4)
        right = notebooks.reference_answers(course.exercise(part, "adding"))
        path = course.folder / "submitted" / learner / part / "adding.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebooks.with_answers(release, right | answers), path)
        if at:
            (path.parent / "timestamp.txt").write_text(at)

    return write


def points(table):
    return {row.learner.name: row.points for row in table.rows}


def test_nbgrader_keeps_its_books_on_the_server(db, root):
    api = records.open_api(root / "course", root, db=db)
    with records.gradebook(api) as book:
        book.add_assignment("sums", duedate="2026-01-01 12:00:00 UTC")
        book.add_notebook("adding", "sums")
        book.add_grade_cell("add_check", "adding", "sums", max_score=4, cell_type="code")
        book.add_student("ada", first_name="Ada", last_name="Byron")
        late = book.add_submission("sums", "ada", timestamp="2026-01-01 13:00:00 UTC")
        assert late.total_seconds_late == 3600
        grade = book.find_grade("add_check", "adding", "sums", "ada")
        grade.auto_score, grade.manual_score, grade.extra_credit = 1, 3, 0.5
        book.find_submission_notebook("adding", "sums", "ada").late_submission_penalty = 1
        book.db.commit()
    with records.gradebook(api) as book:
        submission = book.find_submission("sums", "ada")
        assert (submission.score, submission.max_score, submission.late_submission_penalty) == (3.5, 4, 1)
        assert book.average_assignment_score("sums") == 3.5
        (row,) = book.submission_dicts("sums")
        assert (row["last_name"], row["score"]) == ("Byron", 3.5)
        book.remove_assignment("sums")
        assert book.assignments == []


def test_a_class_is_graded_on_the_server_from_release_to_export(class_on_server, hand_in, db, tmp_path):
    course = class_on_server
    course.release("sums")
    hand_in(course, "ada", at="2026-01-01 12:00:00 UTC")
    hand_in(course, "bob", add=MINUS)
    assert points(course.grade("sums", unsafe=True)) == {"ada": 5, "bob": 1}
    assert not list(course.folder.glob("*.db")), "nothing is kept in a file"

    # A resubmission takes the old points away; what a person gave stays.
    hand_in(course, "ada", add=MINUS)
    with Gradebook(gradebook_url(db), "dlcourse") as book:
        book.find_grade("double_check", "adding", "sums", "bob").manual_score = 0.5
        book.db.commit()
    assert points(course.grade("sums", unsafe=True)) == {"ada": 1, "bob": 0.5}

    pages = course.feedback("sums")
    assert sorted(page.parent.parent.name for page in pages) == ["ada", "bob"]
    assert "You subtracted" in pages[0].read_text(encoding="utf-8")
    exported = course.export("csv", tmp_path / "grades.csv").read_text(encoding="utf-8")
    assert "ada" in exported
    assert "bob" in exported


def test_nbgraders_own_commands_read_the_same_gradebook(class_on_server, hand_in, db, root):
    class_on_server.release("sums")
    hand_in(class_on_server, "ada")
    class_on_server.grade("sums", unsafe=True)
    exported = subprocess.run(
        [sys.executable, "-m", "nbgrader", "export", "--to", "nbgrader.csv"],
        cwd=root,
        env=os.environ | {DB_VARIABLE: db},
        capture_output=True,
        text=True,
    )
    assert exported.returncode == 0, exported.stderr
    (row,) = csv.DictReader((root / "nbgrader.csv").read_text().splitlines())
    assert {name: row[name] for name in ("assignment", "student_id", "score", "max_score")} == {
        "assignment": "sums",
        "student_id": "ada",
        "score": "5.0",
        "max_score": "5.0",
    }


GRADE = """
import sys
from pathlib import Path
from dlcourse.grading.course import Course

root, db, part = sys.argv[1:]
course = Course(Path(root), db=db)
print("ready", flush=True)
sys.stdin.readline()
course.grade(part, unsafe=True, workers=1)
"""


def test_two_graders_write_at_once_and_nothing_is_lost(class_on_server, hand_in, db, root, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(root, other)
    (other / "exercises" / "sums").rename(other / "exercises" / "products")
    classes = {"sums": class_on_server, "products": Course(other, db=db)}
    for part, course in classes.items():
        course.release(part)
        for number in range(6):
            hand_in(course, f"learner-{number}", part)
    graders = [
        subprocess.Popen(
            [sys.executable, "-c", GRADE, str(course.root), db, part],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for part, course in classes.items()
    ]
    for grader in graders:
        assert grader.stdout.readline() == "ready\n"
    for grader in graders:
        grader.stdin.write("go\n")
        grader.stdin.flush()
    for grader in graders:
        said = grader.communicate(timeout=120)[1]
        assert grader.returncode == 0, said
    for part, course in classes.items():
        assert points(course.grades(part)) == {f"learner-{number}": 5 for number in range(6)}


def test_a_learner_whom_another_grader_enters_at_this_moment_gets_the_points(
    class_on_server, hand_in, server, db
):
    class_on_server.release("sums")
    hand_in(class_on_server, "ada")
    name = db.split("/")[3].split("?")[0]
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"

    with psycopg.connect(host=str(server), user="grader", dbname=name) as other, connected(server) as watch:
        other.execute("INSERT INTO student (id) VALUES ('ada')")

        def commit_when_awaited():
            until = time.monotonic() + 60
            while watch.execute(waits, [name]).fetchone() == (0,) and time.monotonic() < until:
                time.sleep(0.02)
            other.commit()

        thread = threading.Thread(target=commit_when_awaited)
        thread.start()
        try:
            assert points(class_on_server.grade("sums", unsafe=True)) == {"ada": 5}
        finally:
            thread.join()


def test_a_server_that_cannot_be_reached_is_told_in_a_sentence(root, tmp_path):
    course = Course(root, db=f"postgresql://grader@/nothing?host={tmp_path}")
    with pytest.raises(GradingError, match=r"connection to server .* failed"):
        course.release("sums")


def test_two_graders_on_a_file_are_kept_apart_and_a_lock_is_told(course, hand_in, monkeypatch):
    course.release("sums")
    hand_in(course, "ada")
    monkeypatch.setattr(records, "LOCK_SECONDS", 0.2)
    other = sqlite3.connect(course.folder / "gradebook.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")  # it writes, and others can only read
        with pytest.raises(GradingError, match=r"gradebook cannot be used .*database is locked"):
            course.grade("sums", unsafe=True)
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert points(course.grade("sums", unsafe=True)) == {"ada": 5}
