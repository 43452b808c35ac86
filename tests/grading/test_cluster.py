"""Jobs executed on a real Dask cluster of two worker processes on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import nbformat
import psutil
import pytest

pytest.importorskip("distributed", reason='Dask is not installed: pip install "dlcourse[cluster]"')

from dlcourse.grading import notebooks, sandbox
from dlcourse.grading.books.outcomes import versions
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import cluster, pool
from dlcourse.grading.execution.jobs import CHECKS, CODE, Job, JobCell, Outcome

ANSWER = "def add(a, b):\n    return a + b"
TESTS = 'run_checks(Check("add", "adds", on=[given(1, 2)], against="operator.add", points=2))'
SECRET = "the worker's own secret"


def job(chapter="sums/adding", answer=ANSWER, tests=TESTS, files=None):
    cells = (JobCell(0, "", CODE, answer), JobCell(1, "add_check", CHECKS, "", tests, 2.0))
    return Job(chapter, cells, files=files or {}).to_bytes()


class Cluster:
    """A scheduler and workers, each started by Dask's own command."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        self.file = folder / "scheduler.json"
        self.processes = []
        self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until = time.monotonic() + 60
        while not self._written():
            assert time.monotonic() < until, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        self.scheduler, self.workers = self.processes[0], []

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def add_worker(self, *options, **variables):
        options = (
            "--nthreads",
            "1",
            "--local-directory",
            str(self.folder),
            "--scheduler-file",
            str(self.file),
            *options,
        )
        worker = self._start("worker", *options, **variables)
        self.workers.append(worker)
        return worker

    def stop(self):
        for process in self.processes:
            if process.poll() is not None:
                continue
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):  # it may end by itself at this moment
                    one.kill()
            process.wait()

    def _start(self, command, *options, **variables):
        with (self.folder / f"{command}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", command, "--host", "127.0.0.1", "--no-dashboard", *self.options, *options],
                stdout=log,
                stderr=log,
                env=os.environ | {"LEARNERS_MUST_NOT_SEE": SECRET} | variables,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def _written(self):
        try:
            return self.address
        except (OSError, ValueError, KeyError):
            return None


@pytest.fixture
def start(tmp_path):
    """Start clusters, and stop them at the end."""
    made = []

    def call(*options):
        made.append(Cluster(tmp_path, *options))
        return made[-1]

    yield call
    for one in made:
        one.stop()


def wait_for(count, address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def grade(jobs, address, on_done=lambda name: None, *, unsafe=True):
    """Outcomes of jobs; fails if one is handed over twice or in another thread."""
    found = {}

    def record(name, outcome):
        assert name not in found
        assert threading.current_thread() is threading.main_thread()
        found[name] = Outcome.from_bytes(outcome)
        on_done(name)

    cluster.run(jobs, record, address=address, unsafe=unsafe)
    return found


def points(found):
    return {name: outcome.points for name, outcome in found.items()}


@pytest.mark.slow
def test_of_two_workers_one_is_killed_and_no_result_is_lost_or_comes_twice(start):
    machines = start()
    first, second = (machines.add_worker("--no-nanny") for _ in range(2))
    wait_for(2, machines.address)
    slow = "import time\ntime.sleep(0.2)\n" + ANSWER
    jobs = {f"learner-{number}": job(answer=slow) for number in range(24)}
    jobs["large"] = job(files={"table.bin": bytes(12 * 2**20)})

    def kill(name):
        if first.poll() is None:
            first.send_signal(signal.SIGKILL)
            first.wait()

    found = grade(jobs, machines.address, kill)
    assert first.returncode == -signal.SIGKILL
    assert second.poll() is None
    assert points(found) == dict.fromkeys(jobs, 2)


@pytest.mark.slow
@pytest.mark.skipif(sandbox.isolation().backend is None, reason=sandbox.isolation().words)
def test_learners_code_does_not_run_in_the_worker_and_sees_nothing_of_it(start):
    look = """
import glob, os, sys
print("pid", os.getpid(), "parent", os.getppid())
print("modules", [name for name in sys.modules if name.startswith(("dask", "distributed"))])
for path in ["/proc/self/environ", *glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")]:
    try:
        print(path, open(path, "rb").read())
    except OSError as problem:
        print(path, problem)
print("variables", dict(os.environ))
"""
    machines = start()
    worker = machines.add_worker("--no-nanny")
    wait_for(1, machines.address)
    # What a test cell does, the worker does itself: so this test can see what it is looking for.
    inside = f"import os\nassert os.getpid() == {worker.pid}\nassert os.environ['LEARNERS_MUST_NOT_SEE']\n"
    found = grade(
        {"curious": job(answer=look + ANSWER, tests=inside + TESTS)}, machines.address, unsafe=False
    )
    outcome = found["curious"]
    assert outcome.points == 2
    assert outcome.isolation == sandbox.isolation().words
    printed = outcome.cells[0].outputs[0]["text"]
    assert "modules []" in printed
    assert "variables {" in printed
    assert f"pid {worker.pid} " not in printed
    for word in (SECRET, "LEARNERS_MUST_NOT_SEE", "dask", "scheduler"):
        assert word not in printed.replace("modules []", "")


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_given_up_and_its_neighbours_are_not(start):
    machines = start()
    for _ in range(2):
        machines.add_worker()  # with a nanny, which starts it again
    wait_for(2, machines.address)
    jobs = {f"learner-{number}": job() for number in range(6)}
    jobs["killer"] = job("sums/a", tests="import os\nos._exit(1)")
    found = grade(jobs, machines.address)
    assert points(found) == dict.fromkeys(jobs, 2) | {"killer": 0}
    assert found["killer"].notes == (f"The notebook was not graded: {pool.KILLED}.",)


@pytest.mark.slow
def test_what_the_workers_cannot_do_is_said_in_a_sentence_before_and_while_grading(start, monkeypatch):
    machines = start()
    jobs = {f"learner-{number}": job() for number in range(3)}
    with pytest.raises(GradingError, match=r"has no workers.*dask worker tcp://127"):
        grade(jobs, machines.address)

    worker = machines.add_worker("--no-nanny", DLCOURSE_ISOLATION="bubblewrap", PATH="")
    wait_for(1, machines.address)
    with pytest.raises(GradingError, match=r"The worker tcp://127.* says: .*--unsafe"):
        grade(jobs, machines.address, unsafe=False)
    assert set(points(grade(jobs, machines.address, unsafe=True)).values()) == {2}

    with monkeypatch.context() as other:
        other.setattr(cluster, "environment", lambda: "of other sources")
        with pytest.raises(GradingError, match="has other sources of dlcourse"):
            grade(jobs, machines.address)
    for name in ("dlcourse", "numpy"):
        with monkeypatch.context() as other:
            other.setattr(cluster, "versions", lambda name=name: versions() | {name: "99"})
            with pytest.raises(GradingError, match=rf"has {name} \d.*here it is 99"):
                grade(jobs, machines.address)
    with pytest.raises(GradingError, match="fails by itself, with NameError"):
        grade({"a": job(tests="unknown")}, machines.address)

    monkeypatch.setattr(cluster, "LOST_SECONDS", 3)
    with pytest.raises(GradingError, match="has lost all its workers"):
        grade(jobs | {"z": job("sums/z")}, machines.address, lambda name: worker.kill())


@pytest.mark.slow
def test_a_class_is_graded_on_a_cluster(start, course):
    course.release("sums")
    exercise = course.exercise("sums", "adding")
    right = notebooks.reference_answers(exercise)
    for learner, wrong in {"ada": {}, "bob": {"add": "def add(a, b):\n    return a - b"}}.items():
        path = course.folder / "submitted" / learner / "sums" / "adding.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebooks.with_answers(notebooks.released(exercise), right | wrong), path)
    machines = start()
    machines.add_worker("--no-nanny")
    wait_for(1, machines.address)
    table = course.grade("sums", dask=machines.address, unsafe=True)
    assert {row.learner.name: row.points for row in table.rows} == {"ada": 5, "bob": 1}


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_said_and_what_was_handed_over_stays(start, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 3)
    machines = start()
    machines.add_worker("--no-nanny")
    wait_for(1, machines.address)
    handed = []

    def end(name):
        handed.append(name)
        machines.scheduler.kill()
        machines.scheduler.wait()

    with pytest.raises(GradingError, match=r"The scheduler at tcp://.* is gone"):
        grade({f"learner-{number}": job() for number in range(6)}, machines.address, end)
    assert len(handed) >= 1


@pytest.mark.slow
def test_ctrl_c_hands_over_what_is_ready(start):
    machines = start()
    machines.add_worker("--no-nanny")
    wait_for(1, machines.address)
    handed = []

    def press(name):
        handed.append(name)
        if len(handed) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        grade({f"learner-{number}": job() for number in range(12)}, machines.address, press)
    assert 1 <= len(handed) < 12
    # The cluster is free again, and does not remember.
    assert set(points(grade({"again": job()}, machines.address)).values()) == {2}


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path):
    """An authority, and a certificate of it for scheduler, workers and this process."""
    new = ("req", "-nodes", "-newkey", "rsa:2048")
    openssl(
        tmp_path, *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=class"
    )
    openssl(tmp_path, *new, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=127.0.0.1")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl(tmp_path, "x509", "-req", "-in", "request.pem", "-out", "cert.pem", *signed)
    return tmp_path


@pytest.mark.slow
def test_a_cluster_with_certificates_grades_for_those_who_have_one_only(start, certificates):
    import dask

    files = {name: str(certificates / f"{name}.pem") for name in ("ca", "cert", "key")}
    options = ("--tls-ca-file", files["ca"], "--tls-cert", files["cert"], "--tls-key", files["key"])
    machines = start("--protocol", "tls", *options)
    machines.add_worker("--no-nanny")
    assert machines.address.startswith("tls://127.0.0.1:")

    tls = "distributed.comm.tls"
    settings = {
        f"{tls}.ca-file": files["ca"],
        f"{tls}.client.cert": files["cert"],
        f"{tls}.client.key": files["key"],
    }
    with dask.config.set(settings):
        wait_for(1, machines.address)
        assert points(grade({"a": job(), "b": job()}, machines.address)) == {"a": 2, "b": 2}
    with pytest.raises(GradingError, match="DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        grade({"a": job()}, machines.address)


def test_where_no_scheduler_is_the_sentence_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(
        GradingError, match=r"No Dask scheduler answers at tcp://127.0.0.1:1 .*`dask scheduler`"
    ):
        grade({"a": job()}, "tcp://127.0.0.1:1")


def test_an_address_that_is_none_is_told(monkeypatch):
    with pytest.raises(GradingError, match="No Dask scheduler answers at nonsense://x"):
        grade({"a": job()}, "nonsense://x")


def test_without_dask_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(GradingError, match=r'pip install "dlcourse\[cluster\]"'):
        grade({"a": job()}, "tcp://127.0.0.1:1")
