"""A sandbox for machines that refuse namespaces: Landlock for files and signals, a filter of system calls for the rest.

Nothing is hidden by name: whether a file or a process exists can be found out, but not what is in it. There are no
sockets, and no child can be given a world of its own, so every submission needs a sandbox of its own.

No GPU is let in: CUDA's libraries write the names of their threads to files below /proc, and Landlock could only allow
that for the processes of everybody.

The trusted side starts this file as a program. That program adopts whatever loses its parent in the sandbox, and ends
all of it; its child takes its rights away and becomes Python.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dlcourse.grading.sandbox import calls, confine, descendants, enter, seccomp, users
from dlcourse.grading.sandbox.backend import Launch, Local
from dlcourse.grading.sandbox.process import Process, clear
from dlcourse.grading.sandbox.stage import stage
from dlcourse.grading.sandbox.view import View, variables, view

OLDEST = 3
"""The first version of Landlock that keeps files from being cut short."""
SCOPES = 6
"""The first one that keeps signals inside."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION, _BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST, _CUT = 1, 2, 4, 8, 1 << 14
_ALL_FILES, _ALL_NETWORK, _ALL_SCOPES = (1 << 15) - 1, 3, 3
_FOR_FILES = _EXECUTE | _WRITE | _READ | _CUT
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime", "/sys/devices/system/cpu")
"""What libraries ask about the machine."""


@dataclass(frozen=True)
class Plan:
    """What the first program is told.

    Args:
        user: The user id to take, or 0.
        read: What can be read and run.
        listed: Folders of which only the names in them can be read.
        written: The folders that can be written to.
        folder: What is deleted at the end.
        command: What becomes of its child.
    """

    user: int
    read: list[str]
    listed: list[str]
    written: list[str]
    folder: str
    command: list[str]


class Landlock(Local):
    """Starts sandboxes with Landlock."""

    name = "Landlock"

    def with_gpu(self) -> None:
        """Return None; see above."""

    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start it; see `Backend`."""
        user = users.choose() if self.own_user else 0
        read, listed = _allowed(view(None, hidden))
        folder = Path(tempfile.mkdtemp(prefix="dlc-"))
        package, home, temporary = folder / "package", folder / "learner", folder / "tmp"
        stage(modules, package)
        for path in (home, temporary):
            path.mkdir()
        for path in (folder, home, temporary) if user else ():
            os.chown(path, user, user)
        plan = Plan(
            user=user,
            read=list(map(str, (*read, package))),
            listed=list(map(str, listed)),
            written=[str(home), str(temporary)],
            folder=str(folder),
            command=[sys.executable, *argv],
        )
        more = {
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PYTHONPATH": os.pathsep.join([str(package), variables()["PYTHONPATH"]]),
            confine.SHARED: self._shared(),
        }
        return Launch(
            [sys.executable, "-S", "-m", __name__, json.dumps(asdict(plan))],
            variables=variables(**more),
            at_end=(partial(clear, folder),),
            at_kill=_stop,
        )

    def _shared(self) -> str:
        words = ["sockets", "neighbours"]
        if not self.own_user:
            words += ["users"] if version() >= SCOPES else ["users", "signals"]
        return " ".join(words)


def version() -> int:
    """Return the version of Landlock here; 0: there is none."""
    try:
        return calls.call("syscall", _CREATE, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def _stop(process: Process) -> None:
    """Have the first program end all that is in its sandbox, which the kernel does not do for it."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)


def _allowed(seen: View) -> tuple[list[Path], list[Path]]:
    """Return what can be read, and the folders of which only names can be: Landlock cannot take out a part again."""
    covers = [place.path for place in seen.places if place.source is None]
    read: list[Path] = []
    listed: list[Path] = []
    for place in seen.places:
        if place.source:
            inside = [cover for cover in covers if cover.is_relative_to(place.source)]
            read += _without(place.source, inside, listed)
    return read, listed


def _without(folder: Path, covers: Sequence[Path], listed: list[Path]) -> Iterator[Path]:
    """Yield what is in a folder, but not in those that are covered."""
    if folder in covers:
        return
    if not any(cover.is_relative_to(folder) for cover in covers):
        yield folder
        return
    listed.append(folder)
    for entry in folder.iterdir():
        yield from _without(entry, covers, listed)


def run(plan: Plan) -> int:
    """Start the command, wait for it, and end all that it leaves.

    Args:
        plan: What to start.

    Returns:
        The exit status of the command.
    """
    calls.control(calls.SET_DEATH_SIGNAL, signal.SIGTERM)
    descendants.adopt()

    def end(*_: Any) -> None:
        descendants.end_all()
        clear(Path(plan.folder))  # the grader may be gone
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    confine.hide_memory(True)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            _become(plan)
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
        os._exit(1)
    confine.let_go()
    code = confine.wait_for(child)
    descendants.end_all()
    return code


def _become(plan: Plan) -> None:
    confine.hide_memory(False)
    os.setsid()
    os.environ.pop("PWD", None)
    if plan.user:
        enter.become(plan.user)
    os.chdir(os.environ["HOME"])
    calls.die_with_parent()
    confine.drop_rights()
    restrict(plan)
    seccomp.refuse((*seccomp.ALWAYS, *seccomp.NO_SOCKETS, *seccomp.NO_NEIGHBOURS))
    os.execv(plan.command[0], plan.command)


def restrict(plan: Plan) -> None:
    """Let this process open only what the plan names, from now on.

    Args:
        plan: What can be read and written.

    Raises:
        OSError: The kernel refuses, or its Landlock is too old.
    """
    here = version()
    if here < OLDEST:
        raise OSError(f"Landlock of version {OLDEST} or later is needed (Linux 6.2), this kernel has {here}")
    handled = (ctypes.c_uint64 * 3)(_ALL_FILES, _ALL_NETWORK, _ALL_SCOPES)
    size = 8 if here < 4 else 16 if here < SCOPES else 24
    rules = calls.call("syscall", _CREATE, ctypes.byref(handled), size, 0)
    for path in (*plan.read, *_FACTS):
        _allow(rules, path, _READ | _EXECUTE | _LIST)
    for path in plan.listed:
        _allow(rules, path, _LIST)
    for path in _DEVICES:
        _allow(rules, path, _READ | _WRITE)
    for path in plan.written:
        _allow(rules, path, _ALL_FILES & ~_EXECUTE)
    calls.call("syscall", _RESTRICT, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        there = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    rights = rights if os.path.isdir(path) else rights & _FOR_FILES
    beneath = rights.to_bytes(8, sys.byteorder) + there.to_bytes(4, sys.byteorder)
    calls.call("syscall", _ADD, rules, _BENEATH, beneath, 0)
    os.close(there)


if __name__ == "__main__":
    sys.exit(run(Plan(**json.loads(sys.argv[1]))))
