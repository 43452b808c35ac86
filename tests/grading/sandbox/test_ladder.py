"""Which isolation is taken, what is said where there is none, and the container's command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.grading import sandbox
from dlcourse.grading.sandbox import Isolation, container, isolation, unsafe
from dlcourse.grading.sandbox.container import Container
from dlcourse.grading.sandbox.limits import Limits
from dlcourse.grading.sandbox.process import clear

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _afresh(monkeypatch):
    monkeypatch.delenv(sandbox.CHOICE, raising=False)
    monkeypatch.delenv(container.CONTAINER, raising=False)
    isolation.cache_clear()
    yield
    isolation.cache_clear()


class Broken:
    """A back end that may start something."""

    words = "broken"

    def __init__(self, *argv):
        self.argv = argv

    def start(self, argv, *, modules, hidden=(), stderr=subprocess.DEVNULL):
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv or argv, stdin=pipe, stdout=pipe, stderr=stderr)


class Good(Broken):
    words = "good"


TRUE, FALSE = (sys.executable, "-c", ""), (sys.executable, "-c", "raise SystemExit('no such thing')")


def test_the_first_that_really_starts_is_taken(monkeypatch):
    good, better = Good(*TRUE), Good(*TRUE)
    kinds = {
        "a": lambda: ([], "not installed"),
        "b": lambda: ([Broken(*FALSE), Broken("/nowhere/bwrap")], ""),
        "c": lambda: ([good], ""),
        "d": lambda: ([better], ""),
    }
    monkeypatch.setattr(sandbox, "KINDS", kinds)
    assert isolation() == Isolation("good", good)
    assert isolation("d").backend is better
    monkeypatch.setenv(sandbox.CHOICE, "d")
    isolation.cache_clear()
    assert isolation().backend is better


def test_where_none_starts_the_words_say_why_and_what_to_do(monkeypatch):
    kinds = {"a": lambda: ([], "not installed"), "b": lambda: ([Broken(*FALSE)], "")}
    monkeypatch.setattr(sandbox, "KINDS", kinds)
    found = isolation()
    assert found.backend is None
    assert found.words.startswith("none: install bubblewrap (apt-get install bubblewrap)")
    assert found.words.endswith("(a: not installed; b: no such thing)")


def test_a_kind_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setenv(sandbox.CHOICE, "gaol")
    words = "none: DLCOURSE_ISOLATION is 'gaol' and must be one of bubblewrap, kernel, landlock, container"
    assert isolation() == Isolation(words, None)


ELSEWHERE = """
import sys
sys.platform = {system!r}
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
import importlib, pathlib
from dlcourse.grading import sandbox
for path in pathlib.Path(sandbox.__file__).parent.glob("*.py"):
    importlib.import_module(f"dlcourse.grading.sandbox.{{path.stem}}")
print(sandbox.isolation().words)
process = sandbox.unsafe().backend.start(["-c", "print(input())"], modules=[])
print(process.communicate(b"hello")[0].decode())
"""


@pytest.mark.parametrize("system", ["darwin", "linux without them"])
def test_other_systems_refuse_and_name_the_remedy(system):
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE.format(system=system)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/nowhere"},
        cwd="/",
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    words, printed, _ = run.stdout.split("\n", 2)
    assert "DLCOURSE_CONTAINER" in words
    assert "kernel: needs Linux" in words
    assert printed.strip() == "hello"


UNSAFE = """
import json, os, resource, sys
from dlcourse.grading.sandbox import confine
import dlcourse.checks
try:
    import dlcourse.neurons
    seen = True
except ImportError:
    seen = False
confine.lock_down()
print(json.dumps([dict(os.environ), os.getcwd(), seen, resource.getrlimit(resource.RLIMIT_FSIZE)[0]]))
"""


def test_a_folder_that_was_locked_is_deleted_and_nothing_that_it_points_to(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    outside.mkdir(mode=0o755)
    (outside / "kept").touch()
    (folder / "link").symlink_to(outside)
    (folder / "a").chmod(0)
    clear(folder)
    assert not folder.exists()
    assert (outside / "kept").exists()
    assert outside.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_unsafe_is_a_plain_process_that_says_so(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    found = unsafe()
    assert found.words == "none (--unsafe)"
    process = found.backend.start(["-c", UNSAFE], modules=["dlcourse.checks"])
    variables, folder, seen, most = json.loads(process.communicate(timeout=60)[0])
    assert "SECRET_TOKEN" not in variables
    assert folder == variables["HOME"] != str(Path.home())
    assert not seen
    assert most == Limits().file_size
    assert not Path(folder).exists()


STAND_IN = """#!{python}
'''Does with a container's command what can be done without containers, and writes down how it was called.'''
import json, os, sys
with open({calls!r}, "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if sys.argv[1] == "run":
    words = sys.argv[2:]
    image = words.index("python3") + 1
    given = dict(zip(words, words[1:]))
    inside = dict(b.split("=", 1) for a, b in zip(words, words[1:]) if a == "--env")
    inside["PYTHONPATH"] = given["--volume"].split(":")[0] + os.pathsep + {libraries!r}
    inside["DLCOURSE_SHARED"] = "everything"
    os.execve({python!r}, [{python!r}, "-S", *words[image + 1:]], inside)
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A program named docker, and what it is called with."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    libraries = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    program.write_text(STAND_IN.format(python=sys.executable, calls=str(calls), libraries=libraries))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv(container.CONTAINER, "docker:course/image:1")
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()]


PARTS = "import dlcourse, os; print(*os.listdir(os.path.dirname(dlcourse.__file__)), flush=True); input()"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_a_configured_container_is_used_last_and_ended_by_its_name(monkeypatch, docker):
    monkeypatch.setattr(sandbox, "KINDS", {"container": sandbox.KINDS["container"]})
    found = isolation()
    assert found.words == "container (docker)"
    process = found.backend.start(["-c", PARTS], modules=["dlcourse.checks"])
    parts = process.stdout.readline().decode().split()
    process.kill()
    process.communicate()
    assert set(parts) - {"__pycache__"} == {"__init__.py", "checks", "grading"}
    *_, started, ended = docker()
    assert ended == ["rm", "--force", started[started.index("--name") + 1]]
    staged = Path(started[started.index("--volume") + 1].split(":")[0])
    assert not staged.exists()


def test_the_command_of_a_container_leaves_nothing_open():
    made = Container("docker", "image:1", Limits(processes=7, total_memory=1000, scratch=50))
    command = " ".join(made.command(["-c", "pass"], "name", Path("/staged")))
    for part in (
        "docker run --rm --interactive --init --name name",
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--user 65534:65534",
        "--pids-limit 7",
        "--memory 1000 --memory-swap 1000",
        "--tmpfs /tmp:rw,nosuid,nodev,size=50,mode=1777",
        "--volume /staged:/opt/dlcourse:ro,z",
        "--env PYTHONPATH=/opt/dlcourse",
        "--env HOME=/home/learner",
    ):
        assert part in command
    assert command.endswith("--entrypoint python3 image:1 -c pass")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "DLCOURSE_CONTAINER is not set"),
        ("docker", "must be docker:IMAGE or podman:IMAGE"),
        ("lxc:image", "must be docker:IMAGE or podman:IMAGE"),
        ("podman:image", "podman is not installed"),
    ],
)
def test_a_container_that_cannot_be_is_explained(monkeypatch, value, reason):
    monkeypatch.setenv(container.CONTAINER, value)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert container.configured()[0] is None
    assert reason in container.configured()[1]
