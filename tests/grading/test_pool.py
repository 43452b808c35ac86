"""Jobs executed on this machine, by the real engine: none is lost, none is handed over twice, no process is left."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping

import psutil
import pytest

from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import attempt, pool
from dlcourse.grading.execution.attempt import given_up
from dlcourse.grading.execution.jobs import CHECKS, CODE, Job, JobCell, Outcome

ANSWER = "def add(a, b):\n    return a + b"
TESTS = 'run_checks(Check("add", "adds", on=[given(1, 2)], against="operator.add", points=2))'


def job(chapter="sums/adding", answer=ANSWER, tests=TESTS):
    return Job(
        chapter, (JobCell(0, "", CODE, answer), JobCell(1, "add_check", CHECKS, "", tests, 2.0))
    ).to_bytes()


def execute(jobs, on_done, workers):
    with pool.Crew(workers, unsafe=True) as crew:
        pool.run(jobs, on_done, crew=crew)


def grade(jobs, workers):
    """Points and notes of each job; fails if one is handed over twice or in another thread."""
    found = {}

    def on_done(name, outcome):
        assert name not in found
        assert threading.current_thread() is threading.main_thread()
        found[name] = Outcome.from_bytes(outcome)

    execute(jobs, on_done, workers)
    return found


def points(found):
    return {name: outcome.points for name, outcome in found.items()}


def test_nothing_to_do_is_done():
    assert grade({}, 2) == {}


def test_jobs_of_one_chapter_follow_each_other_in_their_order():
    jobs = {
        "a": job("sums/second"),
        "b": job("sums/first"),
        "c": job("sums/second"),
        "d": job("sums/first"),
    }
    assert pool.by_chapter(jobs) == ["b", "d", "a", "c"]


def test_one_worker_is_this_process_and_spares_the_class_the_graders_own_mistakes():
    process = (
        f"import os\nassert os.getpid() == {os.getpid()}\n"  # a test cell is read outside of the sandbox
    )
    jobs = {
        "wrong": job(answer="def add(a, b):\n    return a"),
        "broken": job(tests=TESTS.replace("operator.add", "operator.neg")),
        "right": job(tests=process + TESTS),
    }
    found = grade(jobs, 1)
    assert list(found) == ["wrong", "broken", "right"]
    assert points(found) == {"wrong": 0, "broken": 0, "right": 2}
    assert "the grader failed on it (RuntimeError: the reference operator.neg" in found["broken"].notes[0]


def test_a_job_that_is_given_up_earns_nothing_and_says_so_to_learner_and_instructor():
    outcome = Outcome.from_bytes(given_up(job(), "the cluster burnt down"))
    code, checks = outcome.cells
    assert (code.outputs, code.points, checks.points) == ((), None, 0)
    assert checks.outputs[0]["output_type"] == "error", (
        "nbgrader gives full points to a cell that shows nothing"
    )
    assert "Your instructor sees it" in checks.outputs[0]["evalue"]
    assert outcome.notes == ("The notebook was not graded: the cluster burnt down.",)


def test_a_fault_of_the_exercise_stops_the_class_with_a_sentence():
    with pytest.raises(GradingError, match="fails by itself, with NameError"):
        grade({"a": job(tests="unknown")}, 1)


def test_ctrl_c_does_not_cut_the_recording_of_an_outcome():
    recorded = []

    def record(name, outcome):
        os.kill(os.getpid(), signal.SIGINT)
        recorded.append(name)

    with pytest.raises(KeyboardInterrupt):
        execute({"a": job(), "b": job()}, record, 1)
    assert recorded == ["a"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_pressed_twice_cuts_it():
    recorded = []

    def record(name, outcome):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        recorded.append(name)

    with pytest.raises(KeyboardInterrupt):
        execute({"a": job()}, record, 1)
    assert recorded == []


class Counted(Mapping):
    """Jobs that are made when they are asked for."""

    def __init__(self, count):
        self.names = [f"learner-{number}" for number in range(count)]
        self.asked = 0

    def __getitem__(self, name):
        self.asked += 1
        return job()

    def __iter__(self):
        return iter(self.names)

    def __len__(self):
        return len(self.names)


@pytest.mark.slow
def test_a_few_jobs_are_held_at_a_time_however_many_there_are():
    jobs = Counted(40)
    done = []

    def on_done(name, outcome):
        done.append(name)
        held = jobs.asked - len(jobs) - (len(done) - 1)  # each was asked once more, to be put in order
        assert held <= 2 * pool.AHEAD
        assert Outcome.from_bytes(outcome).points == 2

    execute(jobs, on_done, 2)
    assert sorted(done) == sorted(jobs.names)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_its_jobs_are_done_again(tmp_path):
    seen = tmp_path / "seen"
    kill = "import os, pathlib, signal\n" + textwrap.dedent(f"""\
        seen = pathlib.Path({str(seen)!r})
        if not seen.exists():
            seen.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    jobs = {f"learner-{number}": job() for number in range(8)} | {
        "unlucky": job("sums/a", tests=kill + TESTS)
    }
    found = grade(jobs, 2)
    assert points(found) == dict.fromkeys(jobs, 2)
    assert seen.exists()


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_given_up(tmp_path):
    log = tmp_path / "log"
    kill = f"import os\nwith open({str(log)!r}, 'a') as log:\n    log.write('x')\nos._exit(1)\n"
    jobs = {f"learner-{number}": job() for number in range(6)} | {"killer": job("sums/a", tests=kill)}
    found = grade(jobs, 2)
    assert log.read_text() == "x" * pool.ATTEMPTS
    assert points(found) == dict.fromkeys(jobs, 2) | {"killer": 0}
    assert found["killer"].notes == (f"The notebook was not graded: {pool.KILLED}.",)


@pytest.mark.slow
def test_a_reference_that_asks_for_too_much_memory_gets_an_error_and_kills_nobody():
    on = f"on=[given({attempt.MEMORY * 5 // 4})]"
    huge = f'run_checks(Check("add", "is long", {on}, against="builtins.bytearray", points=2))'
    jobs = {f"learner-{number}": job() for number in range(pool.WORTH)}
    jobs["huge"] = job(answer="def add(n):\n    return 1", tests=huge)
    for workers in (1, 2):
        found = grade(jobs, workers)
        assert points(found) == dict.fromkeys(jobs, 2) | {"huge": 0}
        assert "MemoryError" in found["huge"].notes[0]


@pytest.mark.slow
def test_a_fault_of_the_exercise_ends_all_workers():
    before = psutil.Process().children(recursive=True)
    jobs = {f"learner-{number}": job() for number in range(6)} | {"broken": job("sums/a", tests="unknown")}
    with pytest.raises(GradingError, match="fails by itself, with NameError"):
        grade(jobs, 2)
    assert_gone([p for p in psutil.Process().children(recursive=True) if p not in before])


@pytest.mark.slow
def test_workers_that_cannot_begin_are_told_with_a_remedy(monkeypatch):
    monkeypatch.setattr(pool, "_begin", os._exit)  # called with something that is no status: the start fails
    with pytest.raises(GradingError, match=r"end before they begin.*--workers 1"):
        grade({str(number): job() for number in range(2 * pool.WORTH)}, 2)


SCRIPT = """
import importlib.util, pathlib
from dlcourse.grading.execution import pool

if __name__ == "__main__":
    jobs = {{f"learner-{{number}}": pathlib.Path({folder!r}, "job").read_bytes() for number in range(40)}}
    with pool.Crew(2, unsafe=True) as crew:
        pool.run(jobs, lambda name, outcome: print(name, flush=True), crew=crew)
"""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_stopped_in_the_middle_it_has_handed_over_what_was_ready_and_leaves_no_process(tmp_path, sent):
    (tmp_path / "job").write_bytes(job(answer="import time\ntime.sleep(0.3)\n" + ANSWER))
    (tmp_path / "script.py").write_text(SCRIPT.format(folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        handed = [process.stdout.readline().strip() for _ in range(3)]
        started = psutil.Process(process.pid).children(recursive=True)
        workers = [one.pid for one in started if "--multiprocessing-fork" in words_of(one)]
        assert len(workers) == 2
        assert [os.getsid(worker) for worker in workers] == workers, "a terminal's Ctrl-C must not reach them"
        os.killpg(process.pid, sent)  # as a terminal does: all of the group
        rest, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    handed += rest.split()
    assert process.returncode == -sent
    assert len(handed) < 40
    assert len(set(handed)) == len(handed)
    assert ("KeyboardInterrupt" in said) == (sent == signal.SIGINT)
    assert_gone(started)


@pytest.mark.slow
def test_workers_that_were_expected_and_not_needed_end_at_once():
    before = psutil.Process().children(recursive=True)
    with pool.Crew(2, unsafe=True) as crew:
        crew.start(2 * pool.WORTH)
        crew.start(2 * pool.WORTH)
        started = [p for p in psutil.Process().children(recursive=True) if p not in before]
        assert len(crew.workers) == 2
        assert started
    assert_gone(started)


def assert_gone(processes):
    """A process that was told to end may take a moment to do so."""
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [process for process in alive if is_alive(process)] == []


def words_of(process):
    """The command of a process; those of the sandboxes come and go."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
