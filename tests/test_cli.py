"""The command line, really run: what it says, its exit status, and what it leaves alone."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')
pytest.importorskip("typer", reason='the command line is not installed: pip install "dlcourse[book]"')

import nbformat

from dlcourse import cli
from dlcourse.cli import doctor
from dlcourse.cli.app import app
from dlcourse.grading import notebooks, sandbox
from dlcourse.grading.execution import pool
from dlcourse.grading.execution.attempt import given_up

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "exercises" / "neurons" / "neuron.md"
COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the course with one exercise and no book, as the current folder."""
    folder = tmp_path / "copy"
    (folder / "exercises" / "neurons").mkdir(parents=True)
    for path in (SOURCE, SOURCE.with_name("neuron_mistakes.py")):
        shutil.copy(path, folder / "exercises" / "neurons")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copy(ROOT / "_toc.yml", folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DLCOURSE_COURSE", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


@pytest.fixture
def run(capfd):
    """Run the command line in this process: exit status, standard output, standard error on one line."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(a) for a in arguments])
        printed = capfd.readouterr()
        return left.value.code or 0, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture(scope="module")
def exercise():
    return notebooks.read_exercise(SOURCE)


@pytest.fixture
def learner_file(copy, exercise):
    """Write a learner's notebook with some answers, the others right."""

    def write(name="neuron.ipynb", **answers):
        right = notebooks.reference_answers(exercise)
        notebook = notebooks.with_answers(notebooks.released(exercise), right | answers)
        nbformat.write(notebook, copy / name)
        return copy / name

    return write


def refused(result, *words):
    """Assert that a command refused, with a sentence and without a traceback."""
    status, _, said = result
    assert status not in (0, None)
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert said.count(". ") <= 3, "one sentence and its remedy"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(command, run):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "Example" in out
    assert f"dlcourse {command}" in out


def test_help_names_every_command_and_for_whom_it_is(run):
    status, out, _ = run("--help")
    assert status == 0
    assert [command for command in COMMANDS if command not in out] == []
    for panel in ("For learners", "For instructors", "For contributors"):
        assert panel in out


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom dlcourse import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'nbgrader', 'nbformat', 'sphinx', 'torch', 'IPython', 'jupytext'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_missing_library_is_said_with_the_extra_that_brings_it(copy):
    code = "import sys\nsys.modules[{name!r}] = None\nfrom dlcourse import cli\ncli.main({arguments!r})\n"
    for name, arguments in (
        ("typer", ["--help"]),
        ("rich", ["--help"]),
        ("jupytext", ["release"]),
        ("nbgrader", ["release"]),
    ):
        run = subprocess.run(
            [sys.executable, "-c", code.format(name=name, arguments=arguments)],
            capture_output=True,
            text=True,
            cwd=copy,
        )
        assert run.returncode == 1, run.stderr
        assert "Traceback" not in run.stderr
        assert f"package {name}" in run.stderr
        assert 'pip install "dlcourse[' in run.stderr


def test_check_passes_right_work(learner_file, run):
    path = learner_file()
    before = path.read_bytes(), path.stat().st_mtime_ns
    status, out, _ = run("check", path)
    assert status == 0
    assert "6 of 6 points" in out
    assert "6 more points are given on other inputs" in out
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_check_says_what_the_check_cells_say(learner_file, run, exercise):
    from dlcourse.checks import Report
    from dlcourse.grading.proof import Prover

    path = learner_file(weighted_sum="def weighted_sum(x, w, b):\n    return x @ w")
    status, out, _ = run("check", path)
    assert status == 1
    said = " ".join(out.replace("│", " ").split())
    report = Prover().run(nbformat.read(path, as_version=4)).checks["weighted_sum_check"].report
    assert isinstance(report["points"], float)
    assert report.keys() == Report(()).data().keys()
    (verdict,) = report["verdicts"]
    assert "bias" in verdict["message"]
    for line in (verdict["message"], *verdict["example"].splitlines()):
        assert " ".join(line.split()) in said
    assert "5 of 6 points" in said


def test_check_shows_a_cell_that_stopped(learner_file, run):
    status, out, _ = run("check", learner_file(neuron="def neuron(x, w, b)\n    return x"))
    assert status == 1
    assert "Stopped: the cell 'neuron': SyntaxError" in out


@pytest.mark.slow
def test_check_stops_an_endless_loop(learner_file, run):
    path = learner_file(nand="while True:\n    pass")
    status, out, _ = run("check", path, "--timeout", "3")
    assert status == 1
    assert "ran longer than 3 s" in out
    assert "4 of 6 points" in out


def test_check_refuses_what_is_no_notebook(learner_file, copy, run):
    learner_file()
    refused(run("check", "nueron.ipynb"), "There is no file", "Did you mean 'neuron.ipynb'?")
    refused(run("check", "nowhere/at_all.ipynb"), "There is no file", "Check the name and the folder")
    (copy / "text.ipynb").write_text("hello")
    refused(run("check", "text.ipynb"), "is not a notebook", "save it again")
    refused(run("check", "exercises/neurons/neuron.md"), "is not a notebook")
    refused(run("check", "exercises"), "not a plain file")
    nbformat.write(nbformat.v4.new_notebook(), copy / "empty.ipynb")
    refused(run("check", "empty.ipynb"), "has no checks", "take the notebook that your instructor")


def test_release_names_an_unknown_part(copy, run):
    refused(run("release", "nuerons"), "no part 'nuerons'", "Did you mean 'neurons'?", "There are: neurons")
    assert not (copy / "course").exists()


@pytest.mark.slow
def test_release_names_what_it_made(copy, run):
    status, out, _ = run("release")
    assert status == 0
    assert "course/release/neurons" in out
    assert (copy / "course" / "release" / "neurons" / "neuron.ipynb").is_file()


def test_an_exercise_that_is_not_one_is_said(copy, run):
    (copy / "exercises" / "neurons" / "neuron.md").write_text("# Only prose\n")
    refused(run("release", "neurons"), "neurons/neuron.md is not an exercise", "copy the lines")


def test_steps_out_of_order_and_wrong_folders_are_said(copy, run):
    refused(run("grade", "neurons"), "not released", "run `dlcourse release neurons` first")
    refused(run("feedback", "neurons"), "not graded", "run `dlcourse grade neurons` first")
    refused(run("export"), "Nothing is graded yet")
    refused(run("grade", "neuron"), "Did you mean 'neurons'?")
    refused(run("grade", "neurons", "--submissions", "nowhere"), "There is no folder nowhere")
    refused(run("export", "--format", "excel"), "excel")
    refused(run("explode"), "No such command")


def test_outside_of_the_course_is_said(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    for command in (["release"], ["grade", "neurons"], ["sample-class"], ["build"], ["serve"]):
        refused(run(*command), "is not in a copy of the course", "change to the folder that holds")


def read_only(tmp_path):
    """Return a folder in which this user cannot write: root may write almost everywhere."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/proc/dlcourse")
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return folder / "inside"


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not made read-only by their mode there")
def test_a_read_only_folder_is_said(copy, run, tmp_path):
    folder = read_only(tmp_path)
    status, _, said = run("release", "neurons", "--course", folder)
    assert status == 1
    assert "Traceback" not in said
    assert str(folder) in said
    assert "you may not write there" in said or "does not exist; correct it" in said


def test_a_file_in_the_place_of_a_folder_is_said(copy, run):
    (copy / "taken").write_text("precious")
    refused(run("release", "neurons", "--course", "taken"), "taken")
    refused(run("release", "neurons", "--course", "taken/inside"), "is a file, not a folder")
    assert (copy / "taken").read_text() == "precious"


def test_serve_refuses_a_book_that_is_not_there_or_half_built(copy, run):
    refused(run("serve"), "run `dlcourse build` first")
    (copy / "build" / "book" / "html").mkdir(parents=True)
    refused(run("serve"), "run `dlcourse build` first")


def test_serve_refuses_a_port_in_use(copy, run):
    site = copy / "build" / "book" / "html"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<p>book</p>")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run("serve", "--port", port), f"Port {port} is in use", "choose another one")
    refused(run("serve", "--port", "99999"), "65535")


def test_build_hands_on_what_the_publisher_says(copy, run, monkeypatch):
    import dlcourse.publishing.build as publisher

    seen = {}

    def build(root, *, fresh, on_progress):
        seen.update(root=root, fresh=fresh)
        on_progress(1, 2, "a page")
        site = root / "build" / "book" / "html"
        return publisher.BuildResult(site, site / "index.html", 7, 3, 4, 12.0)

    monkeypatch.setattr(publisher, "build", build)
    status, out, _ = run("build", "--fresh")
    assert status == 0
    assert seen == {"root": copy, "fresh": True}
    assert "Built 7 pages in 12 s; ran 3 notebooks, 4 did not change" in out
    assert "build/book/html/index.html" in out


def test_doctor_says_what_is_there(copy, run):
    status, out, _ = run("doctor")
    assert status == 0
    for word in ("Python", "device", "threads", "numpy", "nbgrader", "not built: run", "dlcourse release"):
        assert word in out


def test_doctor_says_how_to_get_what_is_missing(copy, run, monkeypatch):
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name in ("torch", "numpy") else version(name))
    status, out, said = run("doctor")
    assert status == 1
    assert 'pip install "dlcourse[torch]"' in out
    assert "Needed and missing: numpy" in said


def test_doctor_says_whether_the_sandbox_lets_the_gpu_in(monkeypatch):
    sandbox = pytest.importorskip("dlcourse.grading.sandbox")
    here = sandbox.Isolation("bubblewrap", object())
    monkeypatch.setattr(sandbox, "isolation", lambda: here)
    monkeypatch.setattr(sandbox.gpu, "nodes", lambda: ())
    assert doctor._sandbox() == ("bubblewrap", True)
    monkeypatch.setattr(sandbox.gpu, "nodes", lambda: ("/dev/nvidia0",))
    for found, said in (
        (
            sandbox.Isolation("bubblewrap, with a GPU (H100)", object(), "cuda"),
            "bubblewrap, with a GPU (H100)",
        ),
        (sandbox.Isolation("PyTorch finds no GPU", None), "bubblewrap; PyTorch finds no GPU"),
    ):
        monkeypatch.setattr(sandbox, "with_gpu", lambda _, found=found: found)
        assert doctor._sandbox() == (said, True)


def test_doctor_works_outside_of_the_course(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("doctor")
    assert status == 0
    assert "not in a copy of the course" in out


@pytest.mark.slow
def test_the_way_of_an_instructor(copy, run, learner_file):
    assert run("release", "neurons")[0] == 0
    inbox = copy / "handed-in"
    for name, answers in (("ada", {}), ("bela", {"nand": "nand = ([1.0, 1.0], -1.5)"})):
        (inbox / name).mkdir(parents=True)
        learner_file(f"handed-in/{name}/neuron.ipynb", **answers)
    (inbox / "carl").mkdir()
    (inbox / "carl" / "neuron.ipynb").write_text("{")
    (inbox / "[red]").mkdir()
    status, out, said = run("grade", "neurons", "--submissions", inbox)
    assert status == 0
    assert "Left out: '[red]': a learner's name is letters" in " ".join(said.split())
    assert "Took in 3 notebooks of 3 learners" in out
    assert f"Isolation of the learners' code: {sandbox.isolation().words}" in " ".join(out.split())
    rows = {line.split()[1]: line.split() for line in out.splitlines() if line.startswith("│")}
    assert rows["ada"][3] == "12"
    assert rows["bela"][3] == "10"
    assert "neuron:" in rows["carl"]
    assert "neuron:" not in rows["bela"]
    assert "carl: neuron: the file is not a notebook" in " ".join(out.split())

    status, out, _ = run("feedback", "neurons")
    assert (status, "Wrote 3 pages" in out) == (0, True)
    for name in ("csv", "moodle", "canvas"):
        status, out, _ = run("export", "--format", name, "--to", f"{name}.csv")
        assert status == 0
        assert "bela" in (copy / f"{name}.csv").read_text(encoding="utf-8")
    (copy / "csv.csv").write_text("mine")
    refused(run("export", "--to", "csv.csv"), "exists with other grades", "--force")
    assert (copy / "csv.csv").read_text() == "mine"
    assert run("export", "--to", "csv.csv", "--force")[0] == 0


@pytest.mark.slow
def test_the_sample_class_says_that_it_is_graded_without_a_sandbox(copy, run, monkeypatch):
    def not_executed(jobs, on_done, *, crew):
        assert crew.unsafe
        for name in jobs:
            on_done(name, given_up(jobs[name], "a test"))

    monkeypatch.setattr(sandbox, "isolation", lambda: sandbox.Isolation("none: a test", None))
    monkeypatch.setattr(pool, "run", not_executed)
    status, out, _ = run("sample-class")
    assert status == 0
    assert "There is no sandbox here (none: a test). The sample class is graded without one" in out


@pytest.mark.slow
def test_the_sample_class_leaves_the_class_alone(copy, run):
    status, out, _ = run("sample-class")
    assert status == 0
    assert "Amara Okafor" in out
    assert "neurons: 7 learners" in out
    assert not (copy / "course").exists()
    assert len(list((copy / "build" / "sample-class" / "feedback").glob("*/*/*.html"))) == 7
    for name in ("grades.csv", "grades-moodle.csv", "grades-canvas.csv"):
        assert (copy / "build" / "sample-class" / name).is_file()
