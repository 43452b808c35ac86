"""`dlcourse grade` and `dlcourse regrade` as they are typed; a stand-in executes."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("typer", reason='the command line is not installed: pip install "dlcourse[book]"')

from dlcourse import cli
from dlcourse.grading.execution import execute as executing
from dlcourse.grading.execution import pool

MINUS = "def add(a, b):\n    return a - b"
STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def course(released):
    return released


@pytest.fixture
def run(course, executed, monkeypatch, capfd):
    """Run the command line in the small course: exit status, standard output, standard error, each on one line."""
    monkeypatch.chdir(course.root)
    monkeypatch.delenv("DLCOURSE_COURSE", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(executing, "execute", runpy.run_path(str(STAND_IN))["execute"])

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(one) for one in arguments])
        printed = capfd.readouterr()
        return left.value.code or 0, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


def test_a_cluster_has_its_own_workers(run, hand_in):
    hand_in("ada")
    status, _, said = run("grade", "sums", "--dask", "tcp://127.0.0.1:1", "--workers", 2)
    assert status == 1
    assert "leave out --workers, or leave out --dask" in said


def test_grading_says_what_it_did_and_how_it_was_isolated(run, hand_in):
    hand_in("ada")
    hand_in("bela", add=MINUS)
    status, out, said = run("grade", "sums", "--workers", 1)
    assert (status, said) == (0, "")
    assert "│ ada │ 5 │ 5 │" in out
    assert "│ bela │ 1 │ 1 │" in out
    assert "low trust (2 of 2 learners)" in out
    assert "Isolation of the learners' code: stand-in" in out


def test_unsafe_is_said_aloud_and_stands_in_the_report(run, hand_in):
    hand_in("ada")
    _, out, said = run("grade", "sums", "--unsafe")
    assert said.startswith("Unsafe: where there is no sandbox, learners' code runs as you")
    assert "Isolation of the learners' code: none (--unsafe)" in out


def test_the_device_is_part_of_what_is_executed(run, course, hand_in, executed, monkeypatch):
    monkeypatch.delenv("DLCOURSE_DEVICE", raising=False)
    hand_in("ada")
    for arguments in ((), ("--device", "auto"), ("--device", "cpu"), ("--device", "cpu")):
        assert run("grade", "sums", *arguments)[0] == 0
    assert len(executed) == 2
    status, _, said = run("grade", "sums", "--device", "tpu")
    assert (status, said[:40]) == (1, "There is no device 'tpu' to grade on: ta")


def test_ctrl_c_says_how_to_go_on(run, hand_in, monkeypatch):
    hand_in("ada")

    def interrupted(jobs, on_done, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "run", interrupted)
    status, _, said = run("grade", "sums")
    assert status == 130
    assert said == "Stopped. What was graded is kept: run the same command again to go on."


def test_a_part_or_a_learner_is_graded_again(run, hand_in, executed):
    hand_in("ada")
    hand_in("bela")
    run("grade", "sums")
    assert run("regrade", "sums", "--learner", "bela")[0] == 0
    assert len(executed) == 3
    assert run("regrade", "sums")[0] == 0
    assert len(executed) == 5
    status, _, said = run("regrade", "sums", "--learner", "bel")
    assert (status, said) == (1, "'bel' has not handed in sums. Did you mean 'bela'?")


def test_a_receipt_says_whether_its_verdict_repeats(run, course, hand_in, monkeypatch):
    hand_in("ada", add=MINUS)
    run("grade", "sums")
    receipt = course.folder / "graded" / "receipts" / "sums" / "ada.json"
    assert run("regrade", "--receipt", receipt)[:2] == (0, "adding: the same verdict, 1 points")
    execute = executing.execute
    monkeypatch.setattr(
        executing, "execute", lambda job, *, unsafe=False: execute(job.replace(b"a - b", b"a + b"))
    )
    status, out, _ = run("regrade", "--receipt", receipt)
    assert status == 1
    assert out.startswith("adding: another verdict, 5 points add_check: 0 points before, 2 now")


def test_what_goes_together_is_said(run):
    for arguments in ((), ("sums", "--receipt", "x.json"), ("--receipt", "x.json", "--learner", "ada")):
        assert run("regrade", *arguments)[0] == 2
    status, _, said = run("regrade", "--receipt", "x.json")
    assert (status, "There is no file x.json" in said) == (1, True)


@pytest.mark.slow
def test_another_gradebook_is_used_by_every_step(run, course, hand_in, tmp_path):
    hand_in("ada")
    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert run("release", "sums", "--force", "--db", url)[0] == 0
    before = (course.folder / "gradebook.db").read_bytes()
    assert run("grade", "sums", "--db", url)[0] == 0
    assert run("feedback", "sums", "--db", url)[0] == 0
    assert run("export", "--db", url)[0] == 0
    assert "ada" in (course.folder / "grades.csv").read_text(encoding="utf-8")
    assert (course.folder / "gradebook.db").read_bytes() == before
