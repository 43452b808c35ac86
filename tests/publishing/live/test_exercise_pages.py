"""Exercises as pages of the book: nothing secret is in the site, and what is said there is what the grader says."""

import ast
import html
import json
import re
import zipfile
from functools import cache
from pathlib import Path

import nbformat
import pytest

from dlcourse.checks import MIME
from dlcourse.grading.cells import _HIDDEN, _SOLUTION
from dlcourse.grading.course import Course
from dlcourse.grading.notebooks import read_exercise, reference_answers
from dlcourse.grading.release import handed_out
from dlcourse.publishing.live.exercise_pages import text
from dlcourse.publishing.live.exercise_pages.cells import described, prepared
from dlcourse.publishing.live.exercise_pages.notebooks import Exercise, find, keep

ROOT = Path(__file__).parents[3]
NAMES = sorted(
    path.relative_to(ROOT / "exercises").with_suffix("").as_posix() for path in ROOT.glob("exercises/*/*.md")
)
READY = 60_000  # ms; Python starts on a machine that other tests use too
WRONG = "def weighted_sum(x, w, b):\n    return x @ w\n"
BROKEN = "def neuron(x, w, b)\n    return 1\n"


def source(name):
    return read_exercise(ROOT / "exercises" / f"{name}.md")


@pytest.fixture(scope="module")
def exercises(tmp_path_factory):
    """All exercises as the build of the book finds them."""
    root = tmp_path_factory.mktemp("kept")
    keep(root, {name: handed_out(*name.split("/"), source(name)) for name in NAMES})
    return find(root)


def test_what_is_kept_replaces_what_was_kept(tmp_path):
    keep(tmp_path, {"one/first": "{}", "one/second": "{}"})
    keep(tmp_path, {"one/second": "{}"})
    assert list(find(tmp_path)) == ["one/second"]
    keep(tmp_path, {})
    assert find(tmp_path) == {}


def test_the_numpy_half_is_solved_in_the_browser_and_the_rest_says_why_not(exercises):
    why = {name: each.why for name, each in exercises.items()}
    here = {name.split("/")[0] for name, sentence in why.items() if not sentence}
    assert here == {"introduction", "neurons", "learning", "training"}
    assert "TensorFlow" in why["frameworks/tensorflow"]
    assert "PyTorch" in why["gpus/memory"]  # whose own cells import NumPy alone, but not its references


@pytest.mark.parametrize(
    ("check", "earlier", "expected"),
    [
        ("run(x)", "x = 1\ny = 2", "x = 1"),
        ("run(y)", "x = 1\ny = x\nx = 3", "x = 1\ny = x"),
        ("def right():\n    return x\nrun(right)", "x = 1", "x = 1"),
        ("x = 2\nrun(x)", "x = 1", ""),
    ],
)
def test_a_check_takes_along_what_it_uses_of_earlier_ones(check, earlier, expected):
    assert prepared(check, ast.parse(earlier).body) == expected


def test_every_check_can_run_without_the_checks_before_it(exercises):
    for exercise in (each for each in exercises.values() if not each.why):
        cells = described(exercise)
        for check in (each for each in cells if each["role"] == "check"):
            scope = {}
            for cell in (each for each in cells if each["role"] in ("setup", "code")):
                exec(cell["source"], scope)
            exec(check["prepare"], scope)
            exec(
                check["source"], scope
            )  # the answers are missing, which a check says; a missing name of its own would raise


def test_a_page_says_of_hidden_checks_only_that_they_are_made(exercises):
    page = nbformat.reads(text.page(exercises["neurons/neuron"], "Neurons", [exercises["neurons/neuron"]]), 4)
    nbformat.validate(page)
    sources = "\n".join(cell.source for cell in page.cells)
    assert sources.count("checked again on other inputs, for another") == 4  # the gate has no hidden check
    assert "Checked again on other inputs when you hand in" not in sources
    assert sources.count("run_checks(") == 5


# --- nothing secret ---


def bare(line):
    """Return a line without what a file puts around it."""
    around = ' \t",'
    return line.strip(around).removesuffix("\\n").strip(around)


def lines_of(body):
    """Go through the lines of a text that say something: brackets and short words occur anywhere."""
    return {
        line for each in body.splitlines() if len(line := bare(each)) > 15 and re.search(r"\w\W+\w", line)
    }


@cache
def secrets():
    """Every line of a solution, a hidden check or a mistake that stands nowhere where everybody may read it."""
    hidden, shown = set(), set()
    for name in NAMES:
        for cell in source(name).cells:
            for pattern in (_SOLUTION, _HIDDEN):
                hidden |= {line for body in pattern.findall(cell.source) for line in lines_of(body)}
            shown |= lines_of(_HIDDEN.sub("", _SOLUTION.sub("", cell.source)))
        mistakes = (ROOT / "exercises" / f"{name}_mistakes.py").read_text(encoding="utf-8")
        hidden |= lines_of(mistakes)
    for path in (*ROOT.glob("dlcourse/**/*.py"), *ROOT.glob("book/**/*.md")):
        shown |= lines_of(path.read_text(encoding="utf-8"))
    everywhere = "\n".join(shown)
    return frozenset(line for line in hidden if line not in everywhere)


def plain(content, suffix):
    """Return what a file says as lines of code, whatever it is packed in."""
    said = content.decode("utf-8", errors="replace")
    if suffix in (".html", ".svg", ".xml"):
        said = html.unescape(re.sub(r"<[^>]*>", "", said))
    return (
        said
        if suffix == ".py"
        else said + said.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    )


def files_of(folder):
    """Go through the files of a site, those inside of wheels and archives too: name and content."""
    for path in (each for each in sorted(folder.rglob("*")) if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{name}/{member}", archive.read(member)
        else:
            yield name, path.read_bytes()


def leaks(folder):
    """List the files in which a secret stands, with it."""
    found = []
    for name, content in files_of(folder):
        suffix = Path(name).suffix
        if suffix in (
            ".html",
            ".json",
            ".ipynb",
            ".js",
            ".mjs",
            ".md",
            ".txt",
            ".py",
            ".css",
            ".svg",
            ".inv",
            "",
        ):
            said = {bare(line) for line in plain(content, suffix).splitlines()}
            found += [(name, line) for line in said & secrets()]
        if suffix == ".js":  # one line is the whole file
            whole = content.decode("utf-8", errors="replace")
            found += [(name, line) for line in secrets() if line in whole]
    return found


def test_a_leak_would_be_found(tmp_path):
    line = max(sorted(line for line in secrets() if not re.search(r"[\"\\\\]", line)), key=len)
    (tmp_path / "page.html").write_text(f"<pre><span>    {html.escape(line)}</span>\n</pre>")
    (tmp_path / "page.json").write_text(json.dumps({"source": f"def f():\n    {line}\n"}))
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"if x:\n    {line}")]),
        tmp_path / "n.ipynb",
    )
    with zipfile.ZipFile(tmp_path / "any.whl", "w") as archive:
        archive.writestr("module.py", f"    {line}\n")
    assert {name for name, _ in leaks(tmp_path)} == {"page.html", "page.json", "n.ipynb", "any.whl/module.py"}


@pytest.mark.slow
def test_solutions_hidden_checks_and_mistakes_are_nowhere_in_the_site(live_folder):
    assert len(secrets()) > 500
    assert leaks(live_folder) == []
    assert not [name for name, _ in files_of(live_folder) if "_mistakes" in name]


# --- the site ---


@pytest.mark.slow
def test_the_pages_are_complete_without_javascript(live_folder, exercises):
    for exercise in exercises.values():
        notebook = live_folder / exercise.download
        assert notebook.read_bytes() == exercise.file.read_bytes(), (
            f"{exercise.name} is not what learners get"
        )
        if exercise.why:
            assert not (live_folder / f"{exercise.page}.html").exists()
            continue
        page = (live_folder / f"{exercise.page}.html").read_text(encoding="utf-8")
        about = json.loads((live_folder / "_live" / f"{exercise.page}.json").read_text(encoding="utf-8"))
        assert page.count('data-role="answer"') == exercise.tasks
        assert page.count("YOUR CODE HERE") >= exercise.tasks
        assert page.count("<details><summary>Hint") == sum(
            cell.source.count("<details><summary>Hint") for cell in exercise.notebook.cells
        )
        assert f'href="../../{exercise.download}"' in page
        assert f'href="../../{exercise.read_in}.html"' in page
        assert about["exercise"]["total"] == exercise.checks
        source_of_page = live_folder / "_sources" / f"{exercise.page}.ipynb"
        assert source_of_page.read_bytes() == exercise.file.read_bytes()
        chapter = (live_folder / f"{exercise.read_in}.html").read_text(encoding="utf-8")
        assert f'href="../../{exercise.page}.html"' in chapter
    overview = (live_folder / "exercises" / "index.html").read_text(encoding="utf-8")
    assert all(exercise.title in html.unescape(overview) for exercise in exercises.values())
    assert overview.count("Download the notebook") == sum(bool(each.why) for each in exercises.values())


class Learner:
    """Somebody at an exercise's page."""

    def __init__(self, page, address):
        self.page = page
        self.troubles = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.goto(address)
        self.wait()

    def wait(self):
        # Editors come when an answer is in sight.
        self.page.locator("[data-role=answer]").first.scroll_into_view_if_needed()
        self.page.wait_for_selector("html[data-exercise=ready]")

    def answer(self, task):
        return self.page.locator(f'[data-role="answer"][data-grade-id="{task}"]')

    def report(self, task):
        return self.page.locator(f'.dl-report[data-grade-id="{task}_check"]')

    def write(self, task, code):
        self.answer(task).evaluate(
            "(cell, code) => cell.dispatchEvent(new CustomEvent('dlcourse:set', {detail: code}))", code
        )

    def press(self, task):
        self.answer(task).get_by_role("button", name="Check my answer").click()

    def check(self, task):
        """Press the button, and return the state and what was found."""
        self.press(task)
        done = ",".join(f'.dl-report[data-grade-id="{task}_check"][data-state="{state}"]'
                        for state in ("passed", "notYet", "failed"))  # fmt: skip
        self.page.wait_for_selector(done, timeout=READY)
        return self.report(task).get_attribute("data-state"), self.report(task).inner_text()


@pytest.fixture(scope="module")
def visit(chromium, live_site, tmp_path_factory):
    """What a learner saw in one visit of an exercise: parts of it are asserted one by one below."""
    folder = tmp_path_factory.mktemp("visit")
    answers = reference_answers(source("neurons/neuron"))
    context = chromium.new_context()
    learner = Learner(context.new_page(), f"{live_site}/exercises/neurons/neuron.html")
    page = learner.page
    reports = {}
    page.expose_function("told", lambda name, report: reports.update({name: report}))
    page.evaluate(
        "document.addEventListener('dlcourse:report', (e) => told(e.target.dataset.gradeId, e.detail))"
    )
    seen = {"learner": learner, "reports": reports}
    seen["untouched"] = learner.check("weighted_sum")
    for task in ("nand", "perceptron_update", "train_perceptron"):
        learner.write(task, answers[task])
    learner.write("weighted_sum", WRONG)
    # The last task first: the earlier answers run before it, though one is wrong and one is not written.
    seen["last"] = learner.check("train_perceptron")
    seen["wrong"] = learner.check("weighted_sum")
    seen["status"] = page.locator(".dl-live [role=status]").first.inner_text()
    learner.write("neuron", answers["neuron"])
    seen["once right"] = learner.check("neuron")
    seen["seconds"] = min(
        float(learner.report("neuron").get_attribute("data-seconds")) for _ in (learner.check("neuron"),)
    )
    learner.write("neuron", BROKEN)
    seen["stale"] = learner.report("neuron").inner_text()
    seen["broken"] = learner.check("neuron")
    for task in ("nand", "perceptron_update"):
        learner.check(task)
    learner.check("weighted_sum")
    seen["earned"] = page.locator(".dl-exercise-links .dl-earned").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download notebook").first.click()
    seen["file"] = folder / download.value.suggested_filename
    download.value.save_as(seen["file"])
    learner.write(
        "perceptron_update",
        "def perceptron_update(x, y, w, b, learning_rate):\n    while True:\n        pass\n",
    )
    learner.press("perceptron_update")
    stop = learner.report("perceptron_update").get_by_role("button", name="Stop")
    stop.wait_for(timeout=READY)
    seen["endless"] = learner.report("perceptron_update").inner_text()
    stop.click()
    page.wait_for_selector(
        '.dl-report[data-grade-id="perceptron_update_check"][data-state="stopped"]', timeout=READY
    )
    seen["after the stop"] = learner.check("nand")
    page.reload()
    learner.wait()
    seen["kept"] = learner.report("nand").inner_text()
    page.goto(f"{live_site}/exercises/index.html")
    seen["overview"] = page.locator('.dl-earned[data-exercises="neurons/neuron"]').inner_text()
    page.goto(f"{live_site}/exercises/neurons/neuron.html")
    learner.wait()
    yield seen
    context.close()


@pytest.mark.slow
def test_a_learner_is_told_at_once_what_is_wrong(visit):
    state, said = visit["untouched"]
    assert state == "notYet"
    assert "is not written yet" in said
    state, said = visit["wrong"]
    assert state == "notYet"
    assert "You left out the bias b" in said
    assert "expected [-1.25]" in said
    assert "You left out the bias b" in visit["status"]
    assert visit["once right"][0] == "passed"
    assert visit["seconds"] < 1
    assert visit["learner"].troubles == []


@pytest.mark.slow
def test_an_earlier_answer_does_not_stop_a_check(visit):
    state, said = visit["last"]
    assert state == "passed"
    assert "Checked with a right" in said


@pytest.mark.slow
def test_an_answer_that_ends_with_an_error_is_not_taken_from_before(visit):
    assert "changed your answer since" in visit["stale"]
    state, said = visit["broken"]
    assert state == "notYet"
    assert "SyntaxError" in said
    assert "run the cell" not in said


@pytest.mark.slow
def test_a_loop_without_end_is_said_and_stopped(visit):
    assert "never ends" in visit["endless"]
    assert visit["after the stop"][0] == "passed"


@pytest.mark.slow
def test_progress_is_kept(visit):
    assert visit["earned"] == ["3 of 5 checks pass", "3 of 19 checks pass"]
    assert "Passed when you last checked" in visit["kept"]
    assert visit["overview"] == "2 of 5 checks pass" or visit["overview"] == "3 of 5 checks pass"


@pytest.mark.slow
def test_the_grader_takes_the_notebook_unchanged_and_says_the_same(visit, live_folder, tmp_path):
    got = visit["file"]
    assert got.name == "neuron.ipynb"
    course = Course(ROOT, tmp_path / "course")
    released = {path.stem: path for path in course.release("neurons")}
    for chapter, path in released.items():
        assert (
            path.read_bytes()
            == (live_folder / f"_static/live/exercises/neurons/{chapter}.ipynb").read_bytes()
        )
    mine, theirs = nbformat.read(got, 4), nbformat.read(released["neuron"], 4)
    nbformat.validate(mine)
    for cell, original in zip(mine.cells, theirs.cells, strict=True):
        same = cell.metadata.get("nbgrader", {}).get("solution") or cell.source == original.source
        assert same
        assert {key: value for key, value in cell.items() if key != "source"} == {
            key: value for key, value in original.items() if key != "source"
        }
    handed_in = tmp_path / "in" / "ada"
    handed_in.mkdir(parents=True)
    (handed_in / "neuron.ipynb").write_bytes(got.read_bytes())
    course.collect("neurons", handed_in.parent)
    course.grade("neurons", workers=1)
    graded = nbformat.read(course.folder / "autograded" / "ada" / "neurons" / "neuron.ipynb", 4)
    theirs = {
        cell.metadata["nbgrader"]["grade_id"]: output["data"][MIME]["verdicts"]
        for cell in graded.cells
        for output in cell.get("outputs", ())
        if MIME in output.get("data", {}) and not output["data"][MIME]["hidden"]
    }
    said = {name: report["verdicts"] for name, report in visit["reports"].items()}
    told = ("passed", "message", "example", "points")
    for name in ("weighted_sum_check", "nand_check", "train_perceptron_check"):
        assert [[each[key] for key in told] for each in said[name]] == [
            [each[key] for key in told] for each in theirs[name]
        ]
    assert [each["passed"] for each in theirs["neuron_check"]] == [False]


@pytest.mark.slow
def test_a_notebook_from_jupyterlab_is_taken_over_and_another_one_refused(visit, tmp_path, live_folder):
    learner = visit["learner"]
    page = learner.page
    line = page.locator(".dl-live [role=status]").first
    chooser = page.locator(".dl-live input[type=file]")
    notebook = nbformat.read(visit["file"], 4)
    next(
        cell for cell in notebook.cells if cell.id == "neuron"
    ).source = "def neuron(x, w, b):\n    return 'mine'\n"
    notebook.cells.insert(3, nbformat.v4.new_code_cell("a = 'cell of my own'"))
    nbformat.write(notebook, tmp_path / "worked_on.ipynb")
    chooser.set_input_files(tmp_path / "worked_on.ipynb")
    line.get_by_text("Took over 5 of 5 answers").wait_for()
    assert "Cells that you added stay in the file: 1" in line.inner_text()
    assert "return 'mine'" in learner.answer("neuron").locator(".cm-content").inner_text()
    for name, content, sentence in (
        ("not.ipynb", b"no notebook", "is not a notebook"),
        ("bits.ipynb", b"\x00\xff", "is not a notebook"),
        ("list.ipynb", b"[]", "is not a notebook"),
        ("empty.ipynb", b'{"cells": [null, {"metadata": null}]}', "has no answers to this exercise"),
        (
            "other.ipynb",
            (live_folder / "_static/live/exercises/neurons/network.ipynb").read_bytes(),
            "is the notebook of another exercise",
        ),
    ):
        (tmp_path / name).write_bytes(content)
        chooser.set_input_files(tmp_path / name)
        line.get_by_text(f"{name} {sentence}").wait_for()
    assert "return 'mine'" in learner.answer("neuron").locator(".cm-content").inner_text()
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("button", name="Forget my answers").click()
    assert "YOUR CODE HERE" in learner.answer("neuron").locator(".cm-content").inner_text()
    assert page.locator(".dl-exercise-links .dl-earned").first.inner_text() == "0 of 5 checks pass"
    assert learner.troubles == []


def test_an_exercise_knows_its_places(tmp_path):
    exercise = Exercise("neurons/neuron", tmp_path / "neuron.ipynb")
    assert (exercise.page, exercise.read_in) == ("exercises/neurons/neuron", "book/neurons/neuron")
    assert exercise.download == "_static/live/exercises/neurons/neuron.ipynb"
