"""The sandbox, really started: what learners' code can do in it, through real nbgrader."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from dlcourse.grading import config, kernel, notebooks, sandbox
from dlcourse.grading.sandbox import Isolation, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap needs Linux")
ROOT = Path(__file__).parents[2]
RIGHT = "def add(a, b):\n    return a + b"


@pytest.fixture(scope="module")
def here():
    """The sandbox of this machine."""
    found = sandbox.isolation()
    if found.sandbox is None:
        if os.environ.get("CI") == "true":
            pytest.fail(found.words)
        pytest.skip(found.words)
    return found.sandbox


@pytest.fixture
def hand_in(course):
    """Release the part; hand in its notebook with some answers, right where none is given."""
    course.release("sums")
    release = nbformat.read(course.folder / "release" / "sums" / "adding.ipynb", as_version=4)
    right = notebooks.reference_answers(course.exercise("sums", "adding"))

    def write(learner, **answers):
        path = course.folder / "submitted" / learner / "sums" / "adding.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebooks.with_answers(release, right | answers), path)
        return path

    return write


@pytest.fixture
def private(monkeypatch):
    """A folder of this test's own in which kernels make theirs; its path must be short."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        monkeypatch.setattr(kernel, "PRIVATE", folder)
        yield Path(folder)


def points(table):
    return {row.learner.name: row.points for row in table.rows}


def printed(course, learner):
    """Return what the learner's first answer wrote."""
    path = course.folder / "autograded" / learner / "sums" / "adding.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    (cell,) = [cell for cell in cells if notebooks.grade_id(cell) == "add"]
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


ATTEMPTS = """
import ctypes, json, os, pathlib, resource, socket, subprocess, sys

def attempt(name, action):
    try:
        happened[name] = repr(action())
    except BaseException as error:
        happened[name] = f"refused: {type(error).__name__}"

happened = {}
attempt("own loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
attempt("outside", lambda: socket.create_connection(("192.0.2.1", 80), 2))
attempt("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect(ABSTRACT))
for path in SECRETS:
    attempt(f"read {path}", lambda: pathlib.Path(path).read_bytes()[:9])
    attempt(f"list {path}", lambda: os.listdir(pathlib.Path(path).parent))
    attempt(f"write {path}", lambda: pathlib.Path(path).write_bytes(b"mine"))
for path in (sys.prefix, sys.base_prefix, PACKAGE, "/usr", "/etc", "/", "/dev"):
    attempt(f"write in {path}", lambda: pathlib.Path(path, "mine").write_text("mine"))
attempt("overwrite numpy", lambda: open(__import__("numpy").__file__, "a").write("mine"))
attempt("overwrite python", lambda: open(os.path.realpath(sys.executable), "ab").write(b"mine"))
attempt("8 GB", lambda: len(bytearray(8 * 2**30)))
attempt("8 GB, shared", lambda: len(__import__("mmap").mmap(-1, 8 * 2**30)))
attempt("1 GB file", lambda: [open("large", "ab").write(bytes(2**24)) for _ in range(64)])
attempt("256 MB in files", lambda: [open(f"part{i}", "wb").write(bytes(2**24)) for i in range(20)])
attempt("core", lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
attempt("more processes", lambda: resource.setrlimit(resource.RLIMIT_NPROC, (-1, -1)))
attempt("become root", lambda: os.setuid(0))
attempt("mount", lambda: subprocess.run(["mount", "-t", "tmpfs", "x", "/usr"], check=True, capture_output=True))
def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

attempt("a user namespace", lambda: call("unshare", 0x10000000))
attempt("a mount namespace", lambda: call("unshare", 0x00020000))
attempt("a user namespace, cloned", lambda: call("syscall", 56, 0x10000011, 0, 0, 0, 0))
attempt("trace the first process", lambda: open("/proc/1/mem", "rb").read(1))
values = {
    "variables": dict(os.environ),
    "first process": open("/proc/1/environ").read() if os.access("/proc/1/environ", os.R_OK) else "",
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "user": os.getuid(),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapPrm"))],
    "host": socket.gethostname(),
    "folder": [os.getcwd(), sorted(n for n in os.listdir() if not n.startswith(("part", "large", ".")))],
}
print(json.dumps([happened, values]))
"""


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """Things that no learner may reach: a listening port, files, a variable."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    home = Path(tempfile.mkdtemp(prefix="home-", dir=Path.home()))
    files = [home / "private", tmp_path / "private"]
    for path in files:
        path.write_text("hunter2")
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as abstract:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        name = f"\0dlcourse-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        yield {"PORT": listener.getsockname()[1], "ABSTRACT": name, "SECRETS": list(map(str, files))}
    shutil.rmtree(home)


def script(given):
    package = {"PACKAGE": str(Path(config.__file__).parents[1])}
    return "".join(f"{name} = {value!r}\n" for name, value in (given | package).items()) + ATTEMPTS


def assert_nothing_worked(text):
    happened, values = json.loads(text)
    worked = {name: result for name, result in happened.items() if not result.startswith("refused")}
    assert worked == {}
    assert len(happened) > 20
    assert "SECRET_TOKEN" not in values["variables"]
    assert "hunter2" not in values["first process"]
    assert values["processes"] < 10
    assert values["user"] not in (0, os.getuid() if os.getuid() else 0)
    assert values["capabilities"] == ["0000000000000000"] * 2
    assert values["host"] == "sandbox"
    assert values["folder"] == ["/home/learner", []]


@pytest.mark.slow
def test_a_notebook_reaches_nothing_and_an_ordinary_one_gets_its_points(here, course, hand_in, secrets):
    other = hand_in("ada")
    hand_in("bela", add="def add(a, b):\n    return a - b")
    known = [course.root / "exercises" / "sums" / "adding.md", course.root / "nbgrader_config.py", other]
    known += [course.folder / "source" / "sums" / "adding.ipynb", course.folder / "gradebook.db"]
    secrets["SECRETS"] += map(str, known)
    hand_in("eve", add=f"{script(secrets)}\n{RIGHT}")
    (course.folder / "gradebook.db").touch()
    before = [path.read_bytes() for path in (known[0], known[1], known[3])]
    table = course.grade("sums")

    assert points(table) == {"ada": 5, "bela": 1, "eve": 5}
    assert table.isolation == "bubblewrap; the checks run in the learner's process"
    assert_nothing_worked(printed(course, "eve"))
    assert [path.read_bytes() for path in (known[0], known[1], known[3])] == before


FORK = f"""
import os, time
children = 0
try:
    for _ in range(300):
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
        children += 1
except OSError:
    pass
print(children)
{RIGHT}
"""
DAEMON = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(987654)"], start_new_session=True)
{RIGHT}
"""
KILL = """
import os, signal
for process in (os.getppid(), 1, -1):
    try:
        os.kill(process, signal.SIGKILL)
    except OSError:
        pass
os._exit(0)
"""
LOOP = f"{RIGHT}\nwhile True:\n    pass"


@pytest.mark.slow
def test_bombs_daemons_and_loops_cost_their_own_notebook_at_most(here, course, hand_in, monkeypatch, private):
    monkeypatch.setattr(config, "CELL_TIMEOUT", 5)
    for learner, code in (("fork", FORK), ("daemon", DAEMON), ("kill", KILL), ("loop", LOOP), ("zoe", RIGHT)):
        hand_in(learner, add=code)
    table = course.grade("sums")

    assert points(table) == {"fork": 5, "daemon": 5, "kill": 0, "loop": 5, "zoe": 5}
    assert 0 < int(printed(course, "fork")) < config.PROCESSES
    assert [row.learner.name for row in table.rows if row.needs_look] == ["kill"]
    assert "ended the kernel" in next(row.remarks[0] for row in table.rows if row.needs_look)
    assert running("987654") == []
    assert list(private.iterdir()) == []


def running(word):
    """Return the processes with a word in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        found += [command] if any(word.encode() in part for part in command) else []
    return found


@pytest.mark.slow
def test_the_points_are_the_same_without_a_sandbox(here, course, hand_in, monkeypatch):
    hand_in("ada")
    hand_in("bela", add="def add(a, b):\n    return a - b", double="raise ValueError")
    inside = course.grade("sums")
    monkeypatch.setattr(sandbox, "isolation", lambda: Isolation("none: for comparison", None))
    outside = course.grade("sums")
    assert points(inside) == points(outside) == {"ada": 5, "bela": 0}
    assert outside.isolation == "none: for comparison"


@pytest.mark.slow
@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/bwrap"])
def test_where_the_sandbox_does_not_start_no_code_runs(
    course, hand_in, monkeypatch, tmp_path, private, program
):
    trace = tmp_path / "trace"
    hand_in("ada", add=f"open({str(trace)!r}, 'w').close()\n{RIGHT}")
    monkeypatch.setattr(sandbox, "isolation", lambda: Isolation("broken", Sandbox(program, own_user=False)))
    table = course.grade("sums")
    assert list(private.iterdir()) == []
    assert points(table) == {"ada": 0}
    assert table.rows[0].needs_look
    assert not trace.exists()


def test_what_is_missing_is_said(monkeypatch):
    sandbox.isolation.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert sandbox.isolation().words == "none: bubblewrap is not installed (apt-get install bubblewrap)"
    sandbox.isolation.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    found = sandbox.isolation()
    sandbox.isolation.cache_clear()
    assert found == Isolation("none: bubblewrap does not start here (exit status 1)", None)


@pytest.mark.parametrize("own_user", [True, False])
def test_a_script_reaches_nothing(here, secrets, own_user):
    if own_user and not here.own_user:
        pytest.skip("only root can give user ids away")
    here = replace(here, own_user=own_user)
    with tempfile.TemporaryDirectory(prefix="dlc-", dir="/tmp") as shared:
        command = here.command([sys.executable, "-c", script(secrets)], shared=Path(shared))
        run = subprocess.run(command, env={}, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert_nothing_worked(run.stdout)


def test_an_ordinary_user_has_the_same_sandbox(here, secrets):
    """As root, become somebody else first; folders that only root can enter on the way to this Python are opened."""
    if os.geteuid() != 0:
        pytest.skip("this user is an ordinary one: the other tests say it")
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed (apt-get install util-linux)")
    code = (
        "import os, subprocess, sys, tempfile\nfrom pathlib import Path\nfrom dlcourse.grading import sandbox\n"
        "found = sandbox.isolation()\nassert found.sandbox, found.words\nassert not found.sandbox.own_user\n"
        "shared = tempfile.mkdtemp(prefix='dlc-', dir='/tmp')\n"
        f"command = found.sandbox.command([sys.executable, '-c', {script(secrets)!r}], shared=Path(shared))\n"
        "status = subprocess.run(command, env={}).returncode\nos.rmdir(shared)\nsys.exit(status)"
    )
    user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--inh-caps=-all"]
    needed = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), ROOT}
    locked = {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 1}
    opened = [here.program, "--dev-bind", "/", "/"]
    for folder in sorted(locked, key=lambda p: len(p.parts)):
        opened += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in needed if locked else ():
        for parent in reversed(path.parents):
            opened += (
                ["--perms", "0755", "--dir", str(parent)] if any(map(parent.is_relative_to, locked)) else []
            )
        opened += ["--ro-bind", str(path), str(path)] if any(map(path.is_relative_to, locked)) else []
    run = subprocess.run(
        [*opened, "--", *user, sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "SECRET_TOKEN": "hunter2"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert_nothing_worked(run.stdout)


def test_folders_of_the_class_are_covered_where_they_would_be_seen(here):
    folder = Path(sys.prefix).resolve() / "share"
    with tempfile.TemporaryDirectory(prefix="dlc-", dir="/tmp") as shared:
        argv = [sys.executable, "-c", f"import os; print(os.listdir({str(folder)!r}))"]
        command = here.hiding(folder).command(argv, shared=Path(shared))
        run = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)
    assert "PermissionError" in run.stderr or run.stdout.strip() == "[]"
    assert any(folder.iterdir())


def test_files_beside_a_notebook_are_copied_but_no_notebook_and_no_link(here, tmp_path):
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / "data" / "table.csv").write_text("1")
    (source / "notes.txt").write_text("2")
    (source / "other.ipynb").write_text("{}")
    (tmp_path / "secret").write_text("hunter2")
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to(tmp_path)
    read = "import os; print([[f, sorted(n)] for f, _, n in os.walk('.')], open('data/table.csv').read())"
    with tempfile.TemporaryDirectory(prefix="dlc-", dir="/tmp") as shared:
        kernel.copy_files(source, Path(shared, "files"))
        command = here.command([sys.executable, "-c", read], shared=Path(shared))
        run = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[['.', ['notes.txt']], ['./data', ['table.csv']]] 1", run.stderr
