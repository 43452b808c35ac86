"""What works inside: libraries, fresh folders, the parts of the package that were asked for."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes need Linux"),
    pytest.mark.slow,
]
LIBRARIES = """
import json
import IPython.core.interactiveshell
import numpy
try:
    import torch
except ImportError:
    torch = None
confine.hide_memory(True)

def work():
    shell = IPython.core.interactiveshell.InteractiveShell.instance()
    shell.history_manager.enabled = False
    done = shell.run_cell("import numpy\\nx = numpy.linalg.solve(numpy.eye(3), numpy.ones(3)).sum()")
    done.raise_error()
    assert shell.user_ns["x"] == 3
    open("own file.txt", "w").write("written")
    if torch:
        layer = torch.nn.Linear(3, 2)
        layer(torch.ones(1, 3)).sum().backward()
        assert layer.weight.grad.shape == (2, 3)
        torch.save(layer.state_dict(), "weights.pt")
        torch.load("weights.pt")
    assert os.getcwd() == os.environ["HOME"]
    print("worked", flush=True)

print(locked(work), flush=True)
"""


def test_numpy_ipython_and_torch_work(usual):
    assert usual.run(LIBRARIES).split() == ["worked", "0"]


FRESH = """
import tempfile
def write():
    with open("note", "w") as file:
        file.write("for the next one")
    for folder in (tempfile.gettempdir(), *(["/dev/shm"] if NESTS else [])):
        open(os.path.join(folder, "note"), "w").close()
def look():
    print(os.listdir(), os.listdir("/tmp"), os.listdir("/dev/shm"), os.getpid(), flush=True)
    assert tempfile.gettempdir() == "/tmp"
first = locked(write)
print(first, locked(look) if NESTS else "")
"""


def test_the_next_submission_finds_nothing_of_the_last(way):
    seen = way.run(FRESH).split("\n")
    here = Path(__file__)
    above = [here.parts[2]] if here.is_relative_to("/tmp") else []  # the package itself is seen
    assert seen[: 2 if way.nests else 1] == ([f"[] {above} [] 1", "0 0"] if way.nests else ["0 "])


REFUSED = """
try:
    confine.nest()
except OSError:
    print("refused")
"""


def test_landlock_alone_says_that_it_cannot_nest(usual):
    assert usual.run(REFUSED) == ("" if usual.nests else "refused\n")


SHOWN = """
import importlib, json
import dlcourse
names = {}
for name in NAMES:
    try:
        names[name] = importlib.import_module(name).__name__
    except ImportError:
        names[name] = None
files = [os.path.relpath(os.path.join(folder, name), os.path.dirname(dlcourse.__file__))
         for folder, _, found in os.walk(os.path.dirname(dlcourse.__file__)) for name in found]
def nested():
    import dlcourse.checks.compare
    print(json.dumps([names, [name for name in files if not name.endswith(".pyc")]]), flush=True)
locked(nested)
"""
NAMES = ("dlcourse.checks", "dlcourse.neurons.neuron", "dlcourse.neurons.network", "dlcourse.grading.course")


def test_only_what_was_asked_for_is_seen_of_an_installed_package(usual, installed):
    """Installed below /tmp, which each submission gets anew."""
    script = f"NAMES = {NAMES}\n{SHOWN}"
    modules = ["dlcourse.checks", "dlcourse.neurons._expect", "dlcourse.neurons.neuron"]
    printed = usual.run(script, modules=modules, variables=installed)
    names, files = json.loads(printed)
    assert [bool(names[name]) for name in NAMES] == [True, True, False, False]
    assert "grading/sandbox/confine.py" in files
    assert {name.split("/")[0] for name in files} == {"__init__.py", "checks", "grading", "neurons"}
    neurons = {name for name in files if name.startswith("neurons")}
    assert neurons == {"neurons/__init__.py", "neurons/_expect.py", "neurons/neuron.py"}


@pytest.fixture
def installed(tmp_path_factory):
    """The package as a wheel would install it, at a place that everybody can reach."""
    folder = Path("/tmp") / f"installed-{os.getpid()}" / "site-packages"
    source = Path(__file__).parents[3] / "dlcourse"
    shutil.copytree(source, folder / "dlcourse", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder.parent, *folder.parent.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield {"PYTHONPATH": str(folder)}
    shutil.rmtree(folder.parent)


def test_hidden_folders_are_covered_where_they_would_be_seen(usual):
    share = Path(sys.prefix).resolve() / "share"
    assert any(share.iterdir())
    script = f"""
found = []
for folder, _, names in os.walk({str(share)!r}):
    for name in names:
        try:
            open(os.path.join(folder, name)).close()
            found.append(name)
        except OSError:
            pass
print(found)
"""
    assert usual.run(script) != "[]\n"
    assert usual.run(script, hidden=[share]) == "[]\n"


SIGNALS = """
import fcntl
os.environ[confine.SHARED] += " signals"
def send():
    os.kill(os.getpid(), 0)
    for action in (
        lambda: os.kill(os.getppid(), 0),
        lambda: os.kill(-1, 0),
        lambda: os.killpg(os.getpgrp(), 0),
        lambda: os.pidfd_open(os.getppid()),
        lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
    ):
        attempt(str(len(happened)), action)
    print(list(happened.values()), flush=True)
confine.nest = lambda **_: None
locked(send)
"""


def test_where_signals_would_leave_the_sandbox_only_those_to_oneself_are_sent(usual):
    refused = usual.run(SIGNALS)
    assert refused.count("refused: PermissionError") == 5
