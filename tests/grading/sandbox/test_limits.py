"""Bombs, loops and left-over processes cost the one who set them off, and nobody else."""

import json
import os
import signal
import sys
import time
import uuid
from pathlib import Path

import pytest

from dlcourse.grading.sandbox import cgroup
from dlcourse.grading.sandbox.confine import limit
from dlcourse.grading.sandbox.limits import LIMITS, MANY_PROCESSES

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes need Linux"),
    pytest.mark.slow,
]
BOMBS = """
import json, resource, time

def ended(action, **lower):
    '''Return how a child ends that does something.'''
    return locked(action, replace(confine.LIMITS, **lower))

def loop():
    while True:
        pass

def fork():
    children = 0
    try:
        for _ in range(60):
            if os.fork() == 0:
                time.sleep(100)
                os._exit(0)
            children += 1
    except OSError:
        pass
    os._exit(children)

def open_all():
    files = [open("/dev/null") for _ in range(100)]

def fill():
    bytearray(2**30)

print(json.dumps({
    "loop": ended(loop, seconds=1),
    "fork": ended(fork, processes=20),
    "files": ended(open_all, open_files=50),
    "memory": ended(fill, memory=2**28),
    "right": ended(lambda: None),
}), flush=True)
"""


def test_bombs_and_loops_end_and_the_sandbox_goes_on(usual):
    how = json.loads(usual.run(BOMBS))
    assert how["right"] == 0
    assert -(how["loop"] - 256 if how["loop"] > 0 else how["loop"]) in (signal.SIGXCPU, signal.SIGKILL)
    assert (how["files"], how["memory"]) == (1, 1)
    counted = not usual.nests or usual.who == "root without other ids"
    assert 0 < how["fork"] <= (60 if counted else 20)


SUM = """
import time
def fill():
    parts = []
    for _ in range(5):
        if os.fork() == 0:
            parts.append(bytearray(60 * 2**20))
            time.sleep(2)
            os._exit(0)
    done = [os.wait()[1] for _ in range(5)]
    os._exit(sum(status != 0 for status in done))
print(locked(fill), flush=True)
print(sys.stdin.readline(), end="", flush=True)
"""


def test_all_processes_share_one_limit_on_memory_where_there_are_control_groups(usual):
    ended, *after = usual.run(SUM, limits={"total_memory": 200 * 2**20}, asked=["still here\n"]).splitlines()
    assert (int(ended) > 0) is has_groups(usual)
    assert after == ["still here"]


def has_groups(usual):
    """Tell whether the user may make control groups here."""
    return usual.who != "ordinary" and bool(cgroup.parents())


def test_control_groups_are_removed(usual):
    with usual.started("print('here', flush=True)\nsys.stdin.read()") as (grader, process):
        grader.stdout.readline()
        assert bool(groups(process)) is has_groups(usual)
        grader.stdin.write(b"kill\n\n")
        grader.stdin.flush()
        grader.wait(30)
        assert not groups(process)


def groups(grader):
    return [path for parent in cgroup.parents() for path in parent.glob(f"dlcourse-{grader}-*")]


DAEMON = """
import subprocess, time
word = {word!r}
def leave():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", word])
        time.sleep(600)
        os._exit(0)
    print("left", flush=True)
    time.sleep({seconds})
locked(leave)
print("after", flush=True)
"""


def running(word):
    """Return the processes with a word among their arguments, as the last one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:
            continue
        found += [path.parent.name] if command[-1] == word.encode() else []
    return found


def gone(word):
    """Wait until no process with a word is left."""
    for _ in range(1000):
        if not running(word):
            return True
        time.sleep(0.01)
    return False


def test_what_a_submission_leaves_behind_ends_with_the_sandbox(usual):
    word = f"left-{uuid.uuid4()}"
    assert usual.run(DAEMON.format(word=word, seconds=0.3)).split() == ["left", "after"]
    assert gone(word)


@pytest.mark.parametrize("end", ["kill", "grader", "stdin"])
def test_all_of_a_sandbox_ends_when_it_is_ended_or_its_grader_is(usual, end):
    word = f"left-{uuid.uuid4()}"
    script = DAEMON.replace('"left"', 'os.environ["HOME"]')
    if end == "stdin":
        script = script.format(word=word, seconds=0.3) + "\nsys.stdin.read()"
    else:
        script = script.format(word=word, seconds=600)
    with usual.started(script) as (grader, process):
        home = grader.stdout.readline()
        if end != "stdin":
            wait_for(word)
        if end == "grader":
            os.kill(process, signal.SIGKILL)
        else:
            grader.stdin.write(f"{end}\n".encode())
            grader.stdin.flush()
        assert gone(word)
    if not usual.nests:
        assert no_folder(home.decode().strip())


def no_folder(home):
    """Wait until a sandbox's folder is deleted, which is seen from here unless it lies in another's /tmp."""
    for _ in range(1000):
        if not Path(home).parent.exists():
            return True
        time.sleep(0.01)
    return False


def wait_for(word):
    for _ in range(1000):
        if running(word):
            return
        time.sleep(0.01)


def test_a_user_whose_other_processes_count_may_have_many(monkeypatch):
    import resource

    given = {}
    monkeypatch.setattr(resource, "setrlimit", lambda what, most: given.update({what: most[0]}))
    monkeypatch.setattr(resource, "getrlimit", lambda what: (0, resource.RLIM_INFINITY))
    limit(LIMITS)
    assert given[resource.RLIMIT_NPROC] == LIMITS.processes
    limit(LIMITS, counted=True)
    assert given[resource.RLIMIT_NPROC] == MANY_PROCESSES
