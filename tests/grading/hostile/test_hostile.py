"""Every recipe, graded in the real sandbox: its honest points, its flag, its words, and nothing that leaks."""

import importlib
import inspect
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

from dlcourse.grading import sandbox
from dlcourse.neurons import neuron

from . import grade as harness

FILES = (
    *("honest", "trap", "stealing", "escaping", "intake"),
    *("forging", "crashing", "exhausting", "leaving", "shortcuts"),
)
FEW = 5
"""How many recipes of a file are run after every change; there are too many for all of them."""
RECIPES = [
    pytest.param(
        recipe,
        id=f"{name}: {recipe.name}",
        marks=[pytest.mark.slow] if recipe.slow or place >= FEW or name in ("exhausting", "leaving") else [],
    )
    for name in FILES
    for place, recipe in enumerate(importlib.import_module(f"{__package__}.{name}").RECIPES)
]
LONGEST = 90
"""Seconds after which a grader hangs, whatever the limits of its job are."""


@pytest.fixture(scope="module")
def words():
    """What recipes name but cannot know, and what must be as it was in the end."""
    if sandbox.isolation().backend is None:
        if os.environ.get("CI") == "true":
            pytest.fail(sandbox.isolation().words)
        pytest.skip(sandbox.isolation().words)
    os.environ["SECRET_TOKEN"] = "hunter2"
    neighbour = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    with (
        tempfile.TemporaryDirectory(prefix="home-", dir=Path.home()) as home,
        socket.socket() as listener,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        secret = Path(home, "private")
        secret.write_text("hunter2")
        gradebook = Path(home, "gradebook.db")
        gradebook.touch()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        abstract.bind(f"\0{secret.parent.name}")
        abstract.listen()
        yield {
            "PORT": str(listener.getsockname()[1]),
            "ABSTRACT": secret.parent.name,
            "SECRET": str(secret),
            "GRADEBOOK": str(gradebook),
            "NEIGHBOUR": str(neighbour.pid),
            "CHAPTER": neuron.__file__,
            "SOLUTION": str(harness.ROOT / "exercises" / "neurons" / "neuron.md"),
            "PASTED": inspect.getsource(neuron.train_perceptron),
            "HOST": socket.gethostname(),
        }
        assert secret.read_text() == "hunter2"
        assert gradebook.read_bytes() == b""
        assert neighbour.poll() is None
    del os.environ["SECRET_TOKEN"]
    neighbour.kill()
    neighbour.wait()


@pytest.fixture(autouse=True)
def _patience():
    def give_up(*_):
        raise TimeoutError(f"the grader hangs: no outcome after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_submission_gets_what_is_honest(recipe, words, tmp_path):
    graded = harness.grade(recipe, tmp_path, words)
    found = harness.findings(recipe, graded, words)
    assert not found, "\n".join(found)


def test_nothing_is_left_running():
    """The daemons of some recipes sleep for a number of seconds that nobody else would."""
    left = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            left += [path] if b"987654" in path.read_bytes() else []
        except OSError:
            continue
    assert left == []


def test_names_tell_recipes_apart():
    names = [recipe.id for recipe in RECIPES]
    assert len(names) == len(set(names)) >= 75
