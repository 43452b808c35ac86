"""Every exercise is proven: right work earns all points, wrong work loses what it should and is told why."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

from shortcuts import shortcuts_of

from dlcourse.checks import declared, judge, observe
from dlcourse.grading import notebooks, sample, sandbox
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import Outcome, make_job
from dlcourse.grading.material import earlier_modules
from dlcourse.grading.proof import Prover

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "exercises").glob("*/*.md"))
APART = ("frameworks/jax", "frameworks/tensorflow")
NAMES = [path.relative_to(ROOT / "exercises").with_suffix("").as_posix() for path in PATHS]


def mistakes_of(name):
    try:
        return sample.mistakes_of(path_of(name))
    except GradingError:  # told by test_mistakes_are_enough, not while tests are collected
        return []


def path_of(name):
    return ROOT / "exercises" / f"{name}.md"


@cache
def exercise(name):
    return notebooks.read_exercise(path_of(name))


@cache
def task_names(name):
    """Find the names of an exercise's tasks in its text: to read all exercises while tests are collected takes long."""
    text = path_of(name).read_text(encoding="utf-8")
    answers = re.findall(r'^:nbgrader: (\{.*"solution": true.*\})$', text, re.MULTILINE)
    return [json.loads(answer)["grade_id"] for answer in answers]


MISTAKES = [
    pytest.param(name, m, id=f"{name}: {m.task}: {m.name}") for name in NAMES for m in mistakes_of(name)
]
SHORTCUTS = [
    pytest.param(name, shortcut, id=f"{name}: {shortcut.task} {shortcut.way}")
    for name in NAMES
    for shortcut in shortcuts_of(name, task_names(name))
]


@pytest.fixture(scope="module")
def prove(request, tmp_path_factory):
    """Run a notebook, once; the many that the chosen tests need start early, as many at a time as there are cores.

    In processes of their own: what is warm is decided once in a process, and TensorFlow must not be there for Triton.
    """
    modules = ["dlcourse." + name.replace("/", ".") for name in NAMES if not name.startswith(APART)]
    provers = {False: Prover(warm=["pytest", *modules]), True: Prover(warm=["pytest", "jax", "tensorflow"])}
    spawn = multiprocessing.get_context("spawn")
    runs = {}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        # What JAX compiled for one notebook serves all others.
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("jax")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        pools = {
            apart: stack.enter_context(ProcessPoolExecutor(os.cpu_count(), mp_context=spawn))
            for apart in provers
        }

        def start(notebook, name):
            key = json.dumps([cell.source for cell in notebook.cells])
            if key not in runs:
                apart = name.startswith(APART)
                runs[key] = pools[apart].submit(provers[apart].run, notebook, folder=ROOT)
            return runs[key]

        for item in request.session.items:
            chosen = item.callspec.params if item.path == Path(__file__) and hasattr(item, "callspec") else {}
            name = chosen.get("name")
            if "mistake" in chosen:
                start(sample.with_mistake(exercise(name), chosen["mistake"]), name)
            if "shortcut" in chosen:
                start(with_shortcut(exercise(name), chosen["shortcut"]), name)
        yield lambda notebook, name: start(notebook, name).result()
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def graders():
    """As many workers as there are cores, each with warm sandboxes of its own."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def with_shortcut(notebook, shortcut):
    return notebooks.with_answers(notebooks.reference(notebook), {shortcut.task: shortcut.code})


@pytest.fixture(scope="session")
def exercises():
    return {name: exercise(name) for name in NAMES}


def test_there_are_exercises():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_check_can_be_read_where_no_answer_runs(name):
    """A grader reads the declarations in a process of its own: what each cell is worth, and which are hidden."""
    cells = [cell for cell in exercise(name).cells if notebooks.graded(cell)]
    for cell, calls in zip(cells, declared([cell.source for cell in cells]), strict=True):
        assert sum(check.points for call in calls for check in call.checks) == cell.metadata.nbgrader.points
        assert {call.hidden for call in calls} == {"BEGIN HIDDEN TESTS" in cell.source}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_right_for_any_seed(name):
    """A hidden check draws its inputs from a seed: no draw may be unfair."""
    if name.startswith("frameworks/"):  # JAX starts threads, TensorFlow ends who compiles with torch
        # pytest's own `pythonpath` is not the other process's.
        found = os.pathsep.join(filter(None, [str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, __file__, name],
            env=os.environ | {"PYTHONPATH": found},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    else:
        expect_right_reference(name)


def expect_right_reference(name):
    """Judge the reference's answers for many seeds in this process."""
    scope = {"__name__": "__main__"}
    cells = exercise(name).cells
    for cell in cells:
        if cell.cell_type == "code" and not notebooks.graded(cell):
            exec(cell.source, scope)
    read = declared([cell.source for cell in cells if notebooks.graded(cell)])
    checks = [check for calls in read for call in calls for check in call.checks]
    slow = name.startswith(("distributed/", "frameworks/"))  # these start processes, or compile, for each
    for seed in range(10 if slow else 50):
        for check in checks:
            cases = check.cases(seed)
            verdict = judge(check, cases, observe(scope[check.name], cases))
            assert verdict.passed, f"{check.name} {check.what}, seed {seed}: {verdict.message}"


@pytest.mark.parametrize("name", NAMES)
def test_reference_earns_all_points(name, exercises, prove):
    proof = prove(notebooks.reference(exercises[name]), name)
    lost = {cell.name: cell.messages for cell in proof.checks.values() if cell.points != cell.total}
    assert lost == {}
    assert proof.total == notebooks.total_points(exercises[name]) > 0
    assert [cell.error for cell in proof.cells if cell.error] == []


@pytest.mark.parametrize("name", NAMES)
def test_untouched_earns_nothing_and_is_told_why(name, exercises, prove):
    proof = prove(notebooks.untouched(exercises[name]), name)
    assert {cell.name: cell.points for cell in proof.checks.values() if cell.points} == {}
    assert [cell.name for cell in proof.checks.values() if not any(cell.messages)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_declared_report_fits_the_points_of_its_cell(name, exercises, prove):
    proof = prove(notebooks.reference(exercises[name]), name)
    wrong = {
        cell.name: (cell.report["total"], cell.total)
        for cell in proof.checks.values()
        if cell.report and cell.report["total"] != cell.total
    }
    assert wrong == {}, "the points of a cell's checks must add up to the points in its metadata"


@pytest.mark.parametrize("name", NAMES)
def test_hidden_reports_say_that_they_are_hidden(name, exercises, prove):
    proof = prove(notebooks.untouched(exercises[name]), name)
    hidden = {cell for task in notebooks.tasks(exercises[name]) for cell in task.hidden}
    said = {cell.name for cell in proof.checks.values() if cell.report and cell.report["hidden"]}
    assert said == hidden


@pytest.mark.parametrize("name", NAMES)
def test_it_has_three_to_six_tasks(name, exercises):
    tasks = notebooks.tasks(exercises[name])
    assert 3 <= len(tasks) <= 6
    assert [task.name for task in tasks] == task_names(name), "the shortcuts are made for these"


@pytest.mark.parametrize("name", NAMES)
def test_mistakes_are_enough(name, exercises):
    mistakes = sample.mistakes_of(path_of(name))
    assert len(mistakes) >= 5
    assert len({(mistake.task, mistake.name) for mistake in mistakes}) == len(mistakes)


@pytest.mark.parametrize("name", NAMES)
def test_every_check_catches_a_mistake(name, exercises):
    cells = {cell for task in notebooks.tasks(exercises[name]) for cell in task.cells}
    caught = {cell for mistake in mistakes_of(name) for cell in mistake.loses}
    assert cells - caught == set(), "no mistake of the mistakes file fails these checks"
    assert caught - cells == set(), "the mistakes file names cells that the exercise does not have"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_a_mistake_loses_its_points_and_is_told(name, mistake, exercises, prove):
    proof = prove(sample.with_mistake(exercises[name], mistake), name)
    lost = {
        cell.name: cell.total - cell.points for cell in proof.checks.values() if cell.points != cell.total
    }
    assert lost == mistake.loses
    for cell in lost:
        assert mistake.told in "\n".join(proof.checks[cell].messages), cell


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shortcut"), SHORTCUTS)
def test_a_shortcut_earns_nothing_and_is_refused(name, shortcut, exercises, prove):
    task = next(t for t in notebooks.tasks(exercises[name]) if t.name == shortcut.task)
    proof = prove(with_shortcut(exercises[name], shortcut), name)
    for cell in task.cells:
        assert proof.checks[cell].points == 0, cell
        assert "write it" in " ".join(proof.checks[cell].messages), cell


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_grader_refuses_shortcuts(name, exercises):
    for shortcut in shortcuts_of(name, task_names(name)):
        work = with_shortcut(exercises[name], shortcut)
        job = make_job(work, exercises[name], chapter=name)
        outcome = Outcome.from_bytes(execute(job.to_bytes()))
        task = next(t for t in notebooks.tasks(exercises[name]) if t.name == shortcut.task)
        for cell in outcome.cells:
            if notebooks.grade_id(work.cells[cell.index]) in task.cells:
                assert cell.points == 0
                assert "write it" in said(cell.report)[0]["message"]


def said(report):
    """The verdicts of a report; who grades cannot say "run the cell first", all else is the same to the letter."""
    return [v | {"message": v["message"].partition(" is not defined")[0]} for v in report["verdicts"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_grader_says_what_the_notebook_says(name, exercises, prove, graders):
    """One declaration, two places: beside the answer, and where the answer is in another process."""
    if sandbox.isolation().backend is None and os.environ.get("CI") != "true":
        pytest.skip(sandbox.isolation().words)
    works = [notebooks.reference(exercises[name]), notebooks.untouched(exercises[name])]
    works += [sample.with_mistake(exercises[name], mistake) for mistake in mistakes_of(name)]
    modules = earlier_modules(ROOT, name)
    jobs = [make_job(work, exercises[name], chapter=name, modules=modules).to_bytes() for work in works]
    for work, done in zip(works, graders.map(execute, jobs), strict=True):
        outcome = Outcome.from_bytes(done)
        there = {notebooks.grade_id(work.cells[cell.index]): cell.report for cell in outcome.cells}
        for cell in prove(work, name).checks.values():
            assert said(there[cell.name]) == said(cell.report)
        assert (outcome.notes, outcome.low_trust) == ((), ())


@pytest.mark.parametrize("name", NAMES)
def test_released_notebook_holds_no_solution_and_no_hidden_check(name, exercises):
    release = notebooks.released(exercises[name])
    notebooks.assert_clean(exercises[name], release, name=name)
    shown = json.dumps(release)
    for task in notebooks.tasks(exercises[name]):
        for cell in task.hidden:
            source = next(c.source for c in exercises[name].cells if notebooks.grade_id(c) == cell)
            secret = [line.strip() for line in source.split("\n") if "drawn(" in line]
            assert [line for line in secret if json.dumps(line)[1:-1] in shown] == []


@pytest.mark.parametrize("name", NAMES)
def test_released_notebook_runs_when_its_tasks_are_filled_in(name, exercises, prove):
    answers = notebooks.reference_answers(exercises[name])
    proof = prove(notebooks.with_answers(notebooks.released(exercises[name]), answers), name)
    assert [cell.error for cell in proof.cells if cell.error] == []
    assert proof.points == proof.total > 0


@pytest.mark.parametrize("name", NAMES)
def test_reading_an_exercise_twice_gives_the_same_notebook(name, exercises):
    assert notebooks.read_exercise(path_of(name)) == exercises[name]
    ids = [cell.id for cell in exercises[name].cells]
    assert len(set(ids)) == len(ids)


@pytest.mark.slow
def test_the_sample_class_gets_through_nbgrader_what_the_mistakes_files_say(
    course_if_needed, tmp_path, exercises, prove
):
    if course_if_needed:
        assert course_if_needed.status == 0, course_if_needed.said
        course = Course(course_if_needed.folder, course_if_needed.folder / "build" / "sample-class")
    else:
        course = sample.make(ROOT, tmp_path / "class")
    for part in course.parts:
        table = course.grade(part)
        got = {
            (row.learner.name, grade.chapter): grade.points for row in table.rows for grade in row.chapters
        }
        expected = {}
        for learner in sample.CLASS:
            for chapter in course.chapters(part):
                name = f"{part}/{chapter}"
                expected[learner.learner.name, chapter] = expected_points(
                    learner, exercises[name], mistakes_of(name), lambda work, name=name: prove(work, name)
                )
        assert got == expected
        assert table.total == sum(notebooks.total_points(exercises[f"{part}/{c}"]) for c in table.chapters)
        assert [row.remarks for row in table.rows if row.needs_look] == []

        pages = course.feedback(part)
        assert len(pages) == len(sample.CLASS) * len(course.chapters(part))
        for page in pages:
            html = page.read_text(encoding="utf-8")
            assert "dlcourse-report" in html
            assert "HIDDEN TESTS" not in html
            assert "hidden=True" not in html
    for name in ("csv", "moodle", "canvas"):
        assert "Okafor" in course.export(name, tmp_path / f"{name}.csv").read_text(encoding="utf-8")


def expected_points(learner, exercise, mistakes, prove):
    """What a sample learner must get: by the mistakes file where they made a mistake of it, else by running."""
    total = notebooks.total_points(exercise)
    if learner.work is sample.all_right:
        return total
    if learner.work is sample.nothing:
        return 0
    if learner.turn is not None:
        return total - sum(sample.chosen(mistakes, learner.turn).loses.values())
    points = prove(
        notebooks.with_answers(
            notebooks.untouched(exercise),
            notebooks.reference_answers(learner.work(exercise, mistakes)),
        )
    ).points
    assert 0 < points < total
    return points


if __name__ == "__main__":
    expect_right_reference(sys.argv[1])
