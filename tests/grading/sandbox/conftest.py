"""Ways to start every kind of sandbox that can be had here, by root and by an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KINDS = ("bubblewrap", "kernel", "landlock")
ORDINARY = 12345
START = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from dlcourse.grading import sandbox
given = json.loads(sys.stdin.readline())
found = sandbox.isolation(given["kind"])
backend = found.backend
assert backend, found.words
if not given["own_user"]:
    backend = replace(backend, own_user=False)
if given["limits"]:
    backend = replace(backend, limits=replace(backend.limits, **given["limits"]))
hidden = list(map(Path, given["hidden"]))
process = backend.start(["-c", given["script"]], modules=given["modules"], hidden=hidden, stderr=None)
"""
ALL_AT_ONCE = """
printed = process.communicate("".join(given["asked"]).encode(), timeout=200)[0]
sys.stdout.buffer.write(printed)
sys.exit(process.returncode)
"""
STEP_BY_STEP = """
print(os.getpid(), flush=True)
os.write(1, process.stdout.readline())
if sys.stdin.readline().strip() == "stdin":
    process.stdin.close()
    process.wait()
else:
    process.kill()
    process.wait()
sys.stdin.readline()
"""
NESTED = """
import os, sys
from dataclasses import replace
from dlcourse.grading.sandbox import confine
def forked(action):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def locked(action, limits=confine.LIMITS):
    '''What the grader does for a submission.'''
    def last():
        confine.lock_down(limits)
        action()
    def middle():
        confine.nest(size=limits.scratch, files=limits.files)
        os._exit(forked(last))
    return forked(middle if NESTS else last)
def attempt(name, action):
    try:
        happened[name] = repr(action())
    except BaseException as error:
        happened[name] = f"refused: {type(error).__name__}: {error}"
happened = {}
"""


class Way:
    """One kind of sandbox, started by one kind of user."""

    def __init__(self, kind, who):
        self.kind, self.who = kind, who
        self.nests = kind != "landlock"

    def run(self, script, *, variables=None, status=0, **given):
        """Run a script in the sandbox, and return what it prints."""
        run = subprocess.run(
            self.command(ALL_AT_ONCE),
            input=self.given(script, **given),
            env=self.variables() | (variables or {}),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == status, run.stderr
        return run.stdout

    @contextmanager
    def started(self, script, **given):
        """Start a script in the sandbox: yields the grader that did, and its number."""
        with subprocess.Popen(
            self.command(STEP_BY_STEP),
            env=self.variables(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as grader:
            try:
                grader.stdin.write(self.given(script, **given).encode())
                grader.stdin.flush()
                yield grader, int(grader.stdout.readline())
            finally:
                grader.kill()

    def command(self, then):
        return [*reached(ordinary=self.who == "ordinary"), sys.executable, "-c", START + then]

    def variables(self):
        return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "SECRET_TOKEN": "hunter2"}

    def given(self, script, *, modules=(), hidden=(), limits=None, asked=()):
        given = {
            "kind": self.kind,
            "own_user": self.who == "root",
            "script": f"NESTS = {self.nests}\n{NESTED}\n{script}",
            "modules": list(modules),
            "hidden": list(map(str, hidden)),
            "limits": limits or {},
            "asked": list(asked),
        }
        return json.dumps(given) + "\n"


def reached(*, ordinary):
    """Return what to put before a command so that everybody can enter the folders on the way to this Python."""
    if os.geteuid() != 0:
        return []
    needed = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), ROOT}
    locked = {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 1}
    # Only bubblewrap shows folders in another light; without it these tests need a Python that everybody can reach.
    opened = ["bwrap", "--dev-bind", "/", "/"] if locked else []
    for folder in sorted(locked, key=lambda path: len(path.parts)):
        opened += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in needed if locked else ():
        inside = [parent for parent in reversed(path.parents) if any(map(parent.is_relative_to, locked))]
        for parent in inside:
            opened += ["--perms", "0755", "--dir", str(parent)]
        opened += ["--ro-bind", str(path), str(path)] if inside else []
    opened += ["--"] if locked else []
    if ordinary:
        opened += [
            "setpriv",
            "--reuid",
            str(ORDINARY),
            "--regid",
            str(ORDINARY),
            "--clear-groups",
            "--inh-caps=-all",
        ]
    return opened


def who_starts():
    """Return who can start a sandbox here: an ordinary user, or three kinds of root."""
    if sys.platform != "linux":
        return ()
    return ("root", "root without other ids", "ordinary") if os.geteuid() == 0 else ("ordinary",)


def ways(users):
    return [f"{kind}, {who}" for kind in KINDS for who in users]


@pytest.fixture(params=ways(who_starts()), scope="session")
def way(request):
    """Each kind of sandbox, started by each kind of user."""
    return one_way(request.param)


@pytest.fixture(
    params=ways([who for who in who_starts() if who != "root without other ids"]), scope="session"
)
def usual(request):
    """Each kind of sandbox, started by root, who has user ids to give, and by an ordinary user."""
    return one_way(request.param)


@cache
def one_way(name):
    kind, who = name.split(", ")
    if os.geteuid() == 0 and not (shutil.which("setpriv") and shutil.which("bwrap")):
        pytest.skip("root tests this with setpriv and bwrap (apt-get install util-linux bubblewrap)")
    found = Way(kind, who)
    try:
        found.run("print('started')")
    except AssertionError as error:
        reason = str(error).splitlines()[-1]
        if os.environ.get("CI") == "true" and kind != "landlock":
            pytest.fail(reason)
        pytest.skip(f"{kind} does not start for {who}: {reason}")
    return found
