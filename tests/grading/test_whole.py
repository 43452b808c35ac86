"""nbgrader stays whole on a class that is graded here: formgrader in a browser, and nbgrader's own commands."""

import contextlib
import csv
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from dlcourse.grading import notebooks, sandbox
from dlcourse.grading.books.grades import Learner
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError
from tests.grading.conftest import TEXT, cell, write_course

pytestmark = pytest.mark.slow


def words(name, source, **changes):
    """One text cell of an exercise."""
    metadata = {
        "grade": False,
        "grade_id": name,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    return f"+++ {json.dumps({'nbgrader': metadata | changes})}\n\n{source}\n\n"


BY_HAND = (
    "\n"
    + words("why", "Why does it work? Write three sentences.", grade=True, solution=True, points=3)
    + cell(
        "plot", "### BEGIN SOLUTION\nprint('a plot')\n### END SOLUTION", grade=True, solution=True, points=2
    )
    + cell("plot_check", "assert callable(print)", grade=True, locked=True, points=0)
    + words(
        "project",
        "Add what you like, below.\n\n=== BEGIN MARK SCHEME ===\n\nOne point for an idea.\n\n=== END MARK SCHEME ===",
        task=True,
        locked=True,
        points=4,
    )
)
"""What a person grades: an answer in words, an answer in code, and what nbgrader calls a task."""

MINUS = "def add(a, b):\n    return a - b"
FORGED = "get_ipython().input_transformers_cleanup.append(lambda lines: ['5'])\n"


@pytest.fixture
def hand_in(course):
    """Hand in: right answers where none is given, and the words."""
    right = notebooks.reference_answers(course.exercise("sums", "adding"))

    def write(learner, essay="Because.", **answers):
        release = nbformat.read(course.folder / "release" / "sums" / "adding.ipynb", as_version=4)
        notebook = notebooks.with_answers(release, right | answers)
        for place in notebook.cells:
            if notebooks.grade_id(place) == "why":
                place.source = essay
        path = course.folder / "submitted" / learner / "sums" / "adding.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """A course with answers for a person to grade, and its part released."""
    root = write_course(tmp_path_factory.mktemp("whole") / "copy")
    (root / "exercises" / "sums" / "adding.md").write_text(TEXT + BY_HAND, encoding="utf-8")
    Course(root).release("sums")
    return root


@pytest.fixture
def course(pattern, tmp_path):
    return Course(shutil.copytree(pattern, tmp_path / "copy"))


def environment(root):
    """Return the variables of an instructor who has configured nothing on this machine."""
    home = root.parent / "home"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DLCOURSE_", "JUPYTER"))}
    return kept | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "0",
        "OMP_NUM_THREADS": "1",
    }


@contextlib.contextmanager
def jupyter(root):
    """Run a Jupyter server as an instructor does in the folder of the course; lend its address and token."""
    token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
               f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]  # fmt: skip
    with (root.parent / "server.log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=root, env=environment(root), stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                    break
                assert server.poll() is None, (root.parent / "server.log").read_text(encoding="utf-8")
                time.sleep(0.2)
            yield address, token
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture
def formgrader(course, chromium):
    """Open pages of formgrader; nothing outside this machine can be reached."""
    with jupyter(course.root) as (address, token):
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        context.route(lambda url: not url.startswith((f"{address}/", "file:")), lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{address}/formgrader?token={token}", wait_until="networkidle")

        def visit(path):
            page.goto(f"{address}/formgrader/{path}", wait_until="networkidle")
            return page

        yield visit
        context.close()


def points(table):
    return {row.learner.name: row.points for row in table.rows}


def looks(table):
    return {row.learner.name: row.look for row in table.rows if row.needs_look}


def by_hand(course, learner):
    """Return what people gave: points and comments by the name of the cell."""
    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "dlcourse") as book:
        notebook = book.find_submission_notebook("adding", "sums", learner)
        grades = {each.name: each.manual_score for each in notebook.grades if each.manual_score is not None}
        comments = {each.name: each.manual_comment for each in notebook.comments if each.manual_comment}
    return grades, comments


def table_of(page):
    """Return the rows that formgrader shows."""
    page.wait_for_function("!document.querySelector('#main-table').textContent.includes('Loading')")
    return [
        [text.strip() for text in row.locator("td").all_inner_texts()]
        for row in page.locator("#main-table tr").all()
    ]


def fill(page, selector, value, kind):
    """Type as a grader does, and wait until it is saved."""
    with page.expect_response(
        lambda answer: f"/api/{kind}/" in answer.url and answer.request.method == "PUT"
    ):
        page.locator(selector).fill(value)
        page.locator(selector).blur()


def open_submission(visit, learner):
    page = visit("gradebook/sums/adding")
    page.get_by_role("button", name="Show All Names").click()
    page.get_by_role("link", name=learner).click()
    page.wait_for_load_state("networkidle")
    return page


def test_a_person_grades_in_formgrader(course, hand_in, formgrader):
    hand_in("ada")
    hand_in("bela", add=MINUS)
    table = course.grade("sums")
    assert points(table) == {"ada": 5, "bela": 1}
    assert looks(table) == dict.fromkeys(["ada", "bela"], "adding: waits for a grade by hand")
    assert table.total == 14

    (row,) = table_of(formgrader("manage_assignments"))
    assert (row[0], row[8]) == ("sums", "2")
    page = formgrader("gradebook/sums")
    (row,) = table_of(page)
    assert (row[0], row[1]) == ("adding", "3 / 14")
    assert page.locator(".needs-manual-grade .glyphicon-ok").count() == 1

    page = open_submission(formgrader, "ada")
    assert page.locator(".score.needs_manual_grade").count() == 3
    assert page.locator("#add_check").get_attribute("placeholder") == "2"
    assert page.get_by_text("One point for an idea.").count() == 1, "the grader needs the marking scheme"
    fill(page, "#why", "2", "grade")
    fill(page, "#why-comment", "Say *why* it holds for **all** numbers.", "comment")
    fill(page, "#plot", "2", "grade")
    fill(page, "#project", "1", "grade")
    fill(page, "#project-comment", "A good start.", "comment")
    given = (
        {"why": 2, "plot": 2, "project": 1},
        {"why": "Say *why* it holds for **all** numbers.", "project": "A good start."},
    )
    assert by_hand(course, "ada") == given

    students = {row[1]: row[3] for row in table_of(formgrader("manage_students"))}
    assert students == {"ada": "10 / 14", "bela": "1 / 14"}
    table = course.grades("sums")
    assert points(table) == {"ada": 10, "bela": 1}
    assert list(looks(table)) == ["bela"]
    with course.export("csv", course.folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["learner"]: (row["points"], row["needs_a_look"]) for row in csv.DictReader(file)}
    assert rows == {"ada": ("10", ""), "bela": ("1", "yes")}
    pages = {path.parts[-3]: path for path in course.feedback("sums")}
    assert "One point for an idea." not in pages["ada"].read_text(encoding="utf-8")
    assert pages["bela"].read_text(encoding="utf-8").count("not graded yet, of") == 6
    page.goto(pages["ada"].as_uri())
    assert page.get_by_role("heading", level=1).first.inner_text() == "adding: 10 of 14 points"
    comments = page.locator(".comment p").all_inner_texts()
    assert comments == ["Say why it holds for all numbers.", "A good start."]

    # It stays when it is graded again, and is looked at again only if something else was handed in.
    assert points(course.grade("sums", afresh=True)) == {"ada": 10, "bela": 1}
    assert (by_hand(course, "ada"), list(looks(course.grades("sums")))) == (given, ["bela"])
    hand_in("ada", essay="Because addition is associative.", add=MINUS)
    table = course.grade("sums")
    assert (by_hand(course, "ada"), points(table)["ada"]) == (given, 6)
    assert looks(table)["ada"] == "adding: waits for a grade by hand"
    page = open_submission(formgrader, "ada")
    assert page.locator("#why").input_value() == "2"
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        page.locator(".nbgrader_cell", has=page.locator("#why")).get_by_role("button", name="Resolve").click()


ATTACK = """Because.

<script>document.title = "run"</script>
<img src=x onerror="document.title = 'run'"> ![one](/formgrader?path=/tmp) <img src="/formgrader?path=/tmp">
<a href="/formgrader?path=/tmp">my source</a> [another](javascript:document.title='run')
<span id="project" class="score">4</span>

# add_check

`a < b`, **but** see <https://example.org/?a=1&b=2>
"""
SHOWS = """from IPython.display import HTML, Javascript, Markdown, display
display(HTML("<script>document.title = 'run'</script>"), Javascript("document.title = 'run'"))
display(Markdown("<img src=x onerror=\"document.title = 'run'\">"))
"""


def test_what_a_learner_writes_does_nothing_in_formgrader(course, hand_in, formgrader):
    path = hand_in("eve", essay=ATTACK, plot=SHOWS)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_raw_cell(ATTACK))
    notebook.cells.append(nbformat.v4.new_markdown_cell(ATTACK))
    nbformat.write(notebook, path)
    course.enrol([Learner("eve", "Eve", "<img src=x onerror=\"document.title = 'run'\">")])
    course.grade("sums")
    page = open_submission(formgrader, "Eve")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload(wait_until="networkidle")
    assert page.title() == "adding"
    assert "<img src=x" in page.locator(".breadcrumb").text_content()
    assert not [url for url in asked if "path=" in url or url.endswith("/x")]
    shown = page.locator("#notebook-container").last
    assert shown.locator("script, iframe, [onerror], [href], [src]").count() == 0
    assert "<script>" in shown.inner_text(), "a grader sees what was tried"
    assert shown.locator("code", has_text="a < b").count() == 2
    assert shown.get_by_text("https://example.org/?a=1&b=2").count() > 0
    fields = ["add_check", "project", "why"]
    assert [page.locator(f"[id={name}]").count() for name in fields] == [1, 1, 1]
    fill(page, "#project", "1", "grade")
    assert by_hand(course, "eve")[0] == {"project": 1}


def test_formgraders_own_button_grades_in_the_sandbox(course, hand_in, formgrader):
    hand_in("ada", add=FORGED)
    page = formgrader("manage_submissions/sums")
    assert table_of(page)[0][1:5] == ["ada", "None", "needs autograding", ""]
    page.locator("#main-table .autograde a").click()
    page.get_by_text("Successfully autograded").wait_for(timeout=60_000)
    assert table_of(formgrader("manage_submissions/sums"))[0][1:5] == [
        "ada",
        "None",
        "needs manual grading",
        "1 / 14",
    ]
    graded = course.folder / "autograded" / "ada" / "sums" / "adding.ipynb"
    assert nbformat.read(graded, as_version=4).metadata.dlcourse.isolation == sandbox.isolation().words
    outcomes = list((course.folder / "graded" / "outcomes").glob("*/*.json"))
    assert points(course.grade("sums")) == {"ada": 1}
    assert list((course.folder / "graded" / "outcomes").glob("*/*.json")) == outcomes, "it was executed again"


def nbgrader(folder, *arguments, home):
    """Run one of nbgrader's commands in a folder, as somebody who has configured nothing elsewhere."""
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder, env=environment(home), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def add_lines(course, lines):
    """Write lines of the instructor's at the end of nbgrader_config.py."""
    config = course.root / "nbgrader_config.py"
    config.write_text(config.read_text(encoding="utf-8") + "\n" + lines, encoding="utf-8")


def due(course, time):
    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}", "dlcourse") as book:
        book.update_or_create_assignment("sums", duedate=time)


@pytest.mark.skipif(sys.platform == "win32", reason="nbgrader has no exchange there")
def test_work_goes_out_and_comes_back_by_the_exchange(course, hand_in, tmp_path):
    shared = tmp_path / "exchange"
    shared.mkdir()
    shared.chmod(0o777)
    add_lines(course, f"c = get_config()\nc.Exchange.root = {str(shared)!r}\n")
    learner = tmp_path / "learner"
    learner.mkdir()
    (learner / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(shared)!r}\nc.Exchange.cache = {str(tmp_path / 'cache')!r}\n"
        "c.CourseDirectory.course_id = 'dlcourse'\n",
        encoding="utf-8",
    )
    teach = functools.partial(nbgrader, course.root, home=course.root)
    learn = functools.partial(nbgrader, learner, home=learner / "any")

    teach("release_assignment", "sums")
    learn("fetch_assignment", "sums")
    shutil.copy(hand_in("elsewhere", add=MINUS), learner / "sums" / "adding.ipynb")
    shutil.rmtree(course.folder / "submitted")
    learn("submit", "sums")
    assert course.collect("sums").learners == 1
    hand_in("zoe").write_text("{")  # by mail, and no notebook
    row, zoe = course.grade("sums").rows
    assert (row.points, row.flags, zoe.points) == (1, [], 0)
    course.feedback("sums")
    teach("release_feedback", "sums")
    learn("fetch_feedback", "sums")
    (page,) = (learner / "sums" / "feedback").glob("*/adding.html")
    assert "adding: 1 of 14 points" in page.read_text(encoding="utf-8")

    # A later submission finds its own page, also by nbgrader's own commands.
    shutil.copy(hand_in("elsewhere"), learner / "sums" / "adding.ipynb")
    shutil.rmtree(course.folder / "submitted" / "elsewhere")
    learn("submit", "sums")
    assert course.collect("sums").learners == 1
    assert points(course.grade("sums"))[row.learner.name] == 5
    teach("generate_feedback", "sums", "--force")
    teach("release_feedback", "sums")
    learn("fetch_feedback", "sums")
    pages = [
        page.read_text(encoding="utf-8") for page in (learner / "sums" / "feedback").glob("*/adding.html")
    ]
    assert sorted("adding: 5 of 14 points" in page for page in pages) == [False, True]


def test_nbgraders_commands_work_on_a_class_graded_here(course, hand_in):
    command = functools.partial(nbgrader, course.root, home=course.root)
    hand_in("ada")
    hand_in("bela", add=FORGED)
    course.grade("sums")
    due(course, "2026-03-02 09:00:00 UTC")
    (course.root / "class.csv").write_text(
        "id,first_name,last_name,email\nada,Ada,Lovelace,ada@example.org\ncarl,Carl,Gauss,carl@example.org\n",
        encoding="utf-8",
    )
    command("db", "student", "import", "class.csv")
    listed = command("db", "student", "list")
    assert "ada (Lovelace, Ada)" in listed
    assert "carl (Gauss, Carl)" in listed
    assert "sums" in command("db", "assignment", "list")

    command("export", "--to", "stock.csv")
    with (course.root / "stock.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {name: float(row["score"]) for name, row in rows.items()} == {"ada": 5, "bela": 1, "carl": 0}
    assert rows["ada"]["max_score"] == "14.0"
    assert course.grades("sums").rows[-1].learner.label == "Ada Lovelace"

    # Its autograder is the same engine: the same points, and nothing is executed again.
    outcomes = {
        path: path.stat().st_mtime_ns for path in (course.folder / "graded" / "outcomes").glob("*/*.json")
    }
    command("autograde", "sums", "--force")
    assert points(course.grades("sums")) == {"ada": 5, "bela": 1}
    assert {path: path.stat().st_mtime_ns for path in outcomes} == outcomes
    command("generate_feedback", "sums")
    page = (course.folder / "feedback" / "bela" / "sums" / "adding.html").read_text(encoding="utf-8")
    assert "HIDDEN" not in page


PER_HOUR = """
from nbgrader.plugins import LateSubmissionPlugin


class PerHour(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 3600
"""


@pytest.mark.parametrize(
    ("lines", "left", "remark"),
    [
        (
            'c = get_config()\nc.LateSubmissionPlugin.penalty_method = "zero"\n',
            0,
            "5 points off for being late",
        ),
        ('c.AssignLatePenalties.plugin_class = "per_hour.PerHour"\n', 3, "2 points off for being late"),
    ],
)
def test_the_instructors_late_penalty_is_taken_off(course, hand_in, monkeypatch, lines, left, remark):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for learner, time_ in (("ada", "2026-03-02 11:00:00 UTC"), ("bela", "2026-03-02 08:59:59 UTC")):
        hand_in(learner).with_name("timestamp.txt").write_text(time_, encoding="utf-8")
    hand_in("carl")
    assert points(course.grade("sums")) == dict.fromkeys(["ada", "bela", "carl"], 5)

    add_lines(course, lines)
    (course.root / "per_hour.py").write_text(PER_HOUR, encoding="utf-8")
    due(course, "2026-03-02 09:00:00 UTC")
    table = Course(course.root).grade("sums")
    assert points(table) == {"ada": left, "bela": 5, "carl": 5}
    assert remark in table.rows[0].remarks[0]
    assert not any("late" in str(row.remarks) for row in table.rows[1:])
    assert points(Course(course.root).grade("sums", afresh=True)) == points(table)

    # nbgrader's own command comes to the same.
    nbgrader(course.root, "autograde", "sums", "--force", home=course.root)
    assert points(course.grades("sums")) == points(table)


def test_a_mistake_in_the_instructors_lines_is_said(course, hand_in):
    hand_in("ada")
    add_lines(course, "c.LateSubmissionPlugin.penalty_method = zero\n")
    with pytest.raises(GradingError, match=r"nbgrader_config\.py cannot be read \(NameError: name 'zero'"):
        Course(course.root).grade("sums")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a whole group of processes on POSIX")
def test_ctrl_c_in_the_terminal_loses_nothing(course, hand_in):
    count = 40
    for number in range(count):
        hand_in(f"learner{number}", add=f"def add(a, b):\n    return a + b  # {number}")
    command = [str(Path(sys.executable).with_name("dlcourse")), "grade", "sums", "--workers", "1"]
    receipts = course.folder / "graded" / "receipts" / "sums"
    outcomes = course.folder / "graded" / "outcomes"
    started = subprocess.Popen(
        command, cwd=course.root, env=environment(course.root), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while started.poll() is None and not list(receipts.glob("*.json")):
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGINT)
    said = started.communicate(timeout=60)[1]
    assert started.returncode == 130, said
    assert "Stopped. What was graded is kept" in said
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in (*receipts.glob("*.json"), *outcomes.glob("*/*.json"))}
    assert 0 < len(list(receipts.glob("*.json"))) < count
    assert set(points(course.grades("sums")).values()) == {5}

    subprocess.run(
        command, cwd=course.root, env=environment(course.root), check=True, capture_output=True, timeout=120
    )
    assert points(course.grades("sums")) == {f"learner{number}": 5 for number in range(count)}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
