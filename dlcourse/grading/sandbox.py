"""The sandbox in which learners' code runs, made by bubblewrap: what is seen in it, its limits, whether it works here.

Inside there is no network; the system, this Python and the package can be read; the class, the exercises, the home
folder, other learners' work, other processes and the environment variables are not there. The learner's folders
live in memory, are small and end with the sandbox. Started by root, each sandbox gets a user id of its own;
started by anybody else, it gets a user namespace of its own.

What this does not give: the checks, with the hidden ones and the reference solution, run in the learner's own process.
Code that looks for them there finds them, and can claim points that it did not earn. The sandbox protects the machine,
the class and the other learners; it does not make a verdict trustworthy. Memory is limited for each process, not for
all together; the size of each file in the folder of the kernel's sockets is limited, not their number; and a fault of
the system's kernel is outside of what it can stop.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from dlcourse.grading import config, confine

HOME = "/home/learner"
"""The learner's folder in the sandbox, where the kernel starts."""
SCRATCH = 256 * 2**20
"""Bytes of each of the folders that can be written to."""
USERS = range(61184, 65520)
"""User ids that belong to nobody; systemd lends the same ones to services that need one for a while."""
MANY_PROCESSES = 4096
"""The limit where Linux counts all processes of the user, not those of the sandbox alone."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SETTINGS = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
"""What libraries read below /etc. Names of users and hosts are not among it."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Sandbox:
    """How to start a command in bubblewrap.

    Args:
        program: where bubblewrap is.
        own_user: whether each sandbox gets a user id of its own, which only root can give.
        hidden: folders to cover, should one of the folders that are seen contain them.
    """

    program: str
    own_user: bool
    hidden: tuple[Path, ...] = ()

    def hiding(self, *folders: Path) -> Sandbox:
        """Return the same sandbox, in which these folders are certainly not seen.

        Args:
            folders: What must stay hidden.
        """
        return replace(self, hidden=(*self.hidden, *(folder.resolve() for folder in folders)))

    def command(self, argv: Sequence[str], *, shared: Path) -> list[str]:
        """Return the command that runs another one in the sandbox, and make its folder ready.

        Args:
            argv: What to run.
            shared: A private folder that both sides see at the same place; what is in its folder `files`, if there is
                one, is copied to the learner's folder.

        Returns:
            The command, to be started with an empty environment: a process in the sandbox can read bubblewrap's.
        """
        user = secrets.choice(USERS) if self.own_user else 0
        if user:
            _give(shared, user)
        places = list(_environment())
        return [
            self.program,
            *("--die-with-parent", "--new-session"),
            *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
            *self._rights(),
            *("--hostname", "sandbox", "--clearenv"),
            *_set(_variables(places)),
            *_system(),
            *("--proc", "/proc", "--dev", "/dev"),
            *_scratch("/dev/shm", "/tmp", HOME),
            *_seen(places, shared),
            *(word for folder in self._covered(places) for word in ("--perms", "0000", "--tmpfs", folder)),
            *("--bind", str(shared), str(shared)),
            *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME, "--"),
            *(sys.executable, "-I", "-S", confine.__file__),
            *confine.words(
                user=user,
                seconds=config.CPU_SECONDS,
                data=config.MEMORY,
                address_space=config.ADDRESS_SPACE,
                file_size=config.FILE_SIZE,
                processes=self._processes(),
                files=shared / "files",
                home=HOME,
            ),
            *argv,
        ]

    def _rights(self) -> tuple[str, ...]:
        if self.own_user:
            # Only to leave root's user id behind: `confine` gives both up before the learner's code starts.
            return ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        return ("--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534")

    def _processes(self) -> int:
        release = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
        return config.PROCESSES if self.own_user or release >= (5, 14) else MANY_PROCESSES

    def _covered(self, places: Sequence[Path]) -> Iterator[str]:
        seen = [*map(Path, _SYSTEM), *places]
        for folder in self.hidden:
            if folder.is_dir() and any(folder.is_relative_to(place) for place in seen):
                yield str(folder)


@dataclass(frozen=True)
class Isolation:
    """What keeps learners' code away from everything else on this machine.

    Args:
        words: what the reports say.
        sandbox: how to start it, or None where there is none.
    """

    words: str
    sandbox: Sandbox | None


@cache
def isolation() -> Isolation:
    """Find out which isolation works here, by starting the sandbox once."""
    if sys.platform != "linux":
        return Isolation("none: bubblewrap needs Linux; grade in a Linux machine or a virtual one", None)
    program = shutil.which("bwrap")
    if program is None:
        return Isolation("none: bubblewrap is not installed (apt-get install bubblewrap)", None)
    root = os.geteuid() == 0
    # Root in a container may lack what it takes to give user ids away.
    for own_user in (True, False) if root else (False,):
        sandbox = Sandbox(program, own_user).hiding(_package().parent / "exercises")
        reason = why_not(sandbox)
        if not reason:
            # Linux does not count the processes of root.
            limits = ", without a limit on processes" if root and not own_user else ""
            return Isolation(f"bubblewrap{limits}; the checks run in the learner's process", sandbox)
    return Isolation(f"none: bubblewrap does not start here ({reason})", None)


def why_not(sandbox: Sandbox) -> str:
    """Start a sandbox with what a kernel needs.

    Args:
        sandbox: The sandbox to try.

    Returns:
        Why it does not start, or an empty string.
    """
    with tempfile.TemporaryDirectory(prefix="dlc-", dir="/tmp") as shared:
        command = sandbox.command(
            [sys.executable, "-c", "import dlcourse, ipykernel, zmq"], shared=Path(shared)
        )
        try:
            run = subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if run.returncode == 0:
        return ""
    said = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
    return said[-1].removeprefix("bwrap: ").strip()


def _package() -> Path:
    return Path(config.__file__).resolve().parents[1]


def _environment() -> Iterator[Path]:
    """Yield the folders of this Python and of the package that lie outside of the system's."""
    wanted = [
        sys.prefix,
        sys.exec_prefix,
        sys.base_prefix,
        sys.base_exec_prefix,
        os.path.realpath(sys.executable),
    ]
    wanted += [folder for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))]
    wanted.append(str(_package()))
    # Links are followed inside as they are here: a folder is needed at both of its names.
    both = {
        path for name in wanted for path in (Path(name).absolute(), Path(name).resolve()) if path.exists()
    }
    found: list[Path] = []
    for path in sorted(both, key=lambda p: len(p.parts)):
        if not any(path.is_relative_to(place) for place in [*map(Path, _SYSTEM), *found]):
            found.append(path)
    yield from found


def _variables(places: Sequence[Path]) -> dict[str, str]:
    scripts = Path(sys.executable).parent
    extra = [p for p in sys.path if Path(p) in places and p.endswith(("site-packages", "dist-packages"))]
    return {
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PATH": f"{scripts}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        # A learner's file named numpy.py must not come before NumPy.
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join([str(_package().parent), *extra]),
        "TMPDIR": "/tmp",
        "USER": "learner",
        # A thread counts as a process, and several learners are graded at the same time.
        **{name: os.environ.get(name, "1") for name in _THREADS},
    }


def _set(variables: dict[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        yield from ("--setenv", name, value)


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    for name in _SETTINGS:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _seen(places: Sequence[Path], shared: Path) -> Iterator[str]:
    # Left to itself, bubblewrap makes folders above a place that only root can enter.
    above = {parent for place in (*places, shared) for parent in place.parents} - {Path("/"), Path("/tmp")}
    for folder in sorted(above, key=lambda p: len(p.parts)):
        yield from ("--perms", "0755", "--dir", str(folder))
    for place in places:
        yield from ("--ro-bind", str(place), str(place))


def _scratch(*folders: str) -> Iterator[str]:
    for folder in folders:
        yield from ("--perms", "1777", "--size", str(SCRATCH), "--tmpfs", folder)


def _give(folder: Path, user: int) -> None:
    """Give a folder, with what is in it, to a user."""
    os.chown(folder, user, user)
    for path in folder.rglob("*"):
        os.chown(path, user, user, follow_symlinks=False)
