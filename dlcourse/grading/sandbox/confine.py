"""What a process inside the sandbox does to itself before it runs learners' code.

A zygote forks a child for each submission: the child calls `nest`, then forks once more; what comes of that calls
`lock_down` and has nothing left to give up. Only Python's own modules are imported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from dlcourse.grading.sandbox import calls, gpu, seccomp
from dlcourse.grading.sandbox.limits import LIMITS, MANY_PROCESSES, Limits

HOME = "/home/learner"
"""The working folder where the sandbox has folders of its own; elsewhere `os.environ["HOME"]` names it."""
SCRATCH = ("/tmp", "/dev/shm", HOME)
"""The folders that can be written to there."""

SHARED = "DLCOURSE_SHARED"
"""The variable that says what this sandbox has in common with the machine: some of `users`, `sockets`, `neighbours` and
`signals`, or `everything`; and `gpu`."""

_CAPABILITIES = 64
"""More than Linux has."""


def hide_memory(hidden: bool) -> None:
    """Keep others of the same user from reading this process's memory, or let them.

    Args:
        hidden: Whether to. A hidden process cannot `nest`.
    """
    calls.control(calls.SET_DUMPABLE, 0 if hidden else 1)


def nest(folders: Sequence[str] = SCRATCH, size: int = LIMITS.scratch, files: int = LIMITS.files) -> None:
    """Give this process's children a world of their own: users, mounts, processes, shared memory, empty folders.

    The next process that this one forks is the first of that world; when it ends, all others in it end.

    Args:
        folders: The folders to make anew.
        size: Bytes that fit in each.
        files: How many files fit in each.

    Raises:
        OSError: The kernel refuses; this process must then end.
    """
    user, group, here = os.geteuid(), os.getegid(), os.getcwd()
    calls.unshare(calls.NEW_USER | calls.NEW_MOUNTS | calls.NEW_PROCESSES | calls.NEW_IPC)
    hide_memory(False)  # its own user id could not be written down otherwise
    map_user(user, user, group, group)
    calls.mount(None, "/", None, calls.MS_REC | calls.MS_SLAVE)
    for folder in folders:
        kept = [(path, os.open(path, os.O_PATH)) for path in _mounted_below(folder)]
        scratch(folder, size, files)
        for path, there in kept:
            _show_again(path, there)
        for path, _ in kept:
            _lock_above(path, folder)
    os.chdir(here)


def _mounted_below(folder: str) -> list[str]:
    """Return what else is mounted in a folder, such as a Python that lives in /tmp; outer ones first."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4].encode().decode("unicode_escape") for line in file]
    found: list[str] = []
    for point in sorted(points):
        if point.startswith(f"{folder}/") and not any(point.startswith(f"{other}/") for other in found):
            found.append(point)
    return found


def _show_again(path: str, there: int) -> None:
    """Mount what an open file stands for at its old place, which is gone."""
    source = f"/proc/self/fd/{there}"
    folder = path if os.path.isdir(source) else os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if folder != path:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    calls.mount(source, path, None, calls.MS_BIND | calls.MS_REC)
    os.close(there)


def _lock_above(path: str, folder: str) -> None:
    """Take away the right to write from the folders between a mount and the folder that was made anew."""
    above = os.path.dirname(path)
    while above != folder:
        with suppress(OSError):  # it belongs to another mount, which is read-only
            os.chmod(above, 0o555)
        above = os.path.dirname(above)


def map_user(inside: int, outside: int, group_inside: int, group_outside: int) -> None:
    """Say which user and group this process is in its new user namespace.

    Args:
        inside: The user id that it has there.
        outside: The one that it has here.
        group_inside: The group id that it has there.
        group_outside: The one that it has here.

    Raises:
        OSError: The kernel refuses.
    """
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {outside} 1"),
        ("gid_map", f"{group_inside} {group_outside} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def scratch(folder: str, size: int, files: int) -> None:
    """Mount an empty folder in memory that anybody can write to.

    Args:
        folder: Where.
        size: Bytes that fit in it.
        files: How many files fit in it.

    Raises:
        OSError: The kernel refuses.
    """
    options = f"size={size},nr_inodes={files},mode=1777"
    calls.mount("tmpfs", folder, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, options)


def lock_down(limits: Limits = LIMITS) -> None:
    """Take rights and resources away from this process and from all that it makes; there is no way back.

    It then also ends when the process that forked it ends.

    Args:
        limits: How much it may use.

    Raises:
        OSError: The kernel refuses; no learner's code may run then.
    """
    shared = os.environ[SHARED].split()
    os.umask(0o077)
    if "everything" in shared:
        with suppress(ImportError, OSError, ValueError):  # other systems lack some limits, or all
            limit(limits, counted=True, mapped=gpu.WORD not in shared)
        return
    calls.die_with_parent()
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory ends, this ends first
    limit(limits, counted="users" in shared, mapped=gpu.WORD not in shared)
    drop_rights()
    seccomp.refuse(
        (
            *seccomp.ALWAYS,
            *(seccomp.NO_SOCKETS if "sockets" in shared else ()),
            *(seccomp.NO_NEIGHBOURS if "neighbours" in shared else ()),
            *(seccomp.no_signals(os.getpid()) if "signals" in shared else ()),
        )
    )


def has_gpu() -> bool:
    """Return whether a GPU is let into this sandbox."""
    return gpu.WORD in os.environ[SHARED].split()


def limit(limits: Limits, *, counted: bool = False, mapped: bool = True) -> None:
    """Limit what this process may use.

    Args:
        limits: How much.
        counted: Whether the user's processes outside of the sandbox count towards the number of processes.
        mapped: Whether there is a limit on what it maps. CUDA maps as many addresses as the GPU and the machine have
            memory, and uses few of them.
    """
    import resource  # which Windows lacks

    processes = max(MANY_PROCESSES, limits.processes) if counted else limits.processes
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_DATA, limits.memory),
        *([(resource.RLIMIT_AS, limits.address_space)] if mapped else []),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, processes),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def drop_rights() -> None:
    """Give up every capability, for good.

    Raises:
        OSError: The kernel refuses.
    """
    calls.control(calls.NO_NEW_RIGHTS, 1)
    with suppress(OSError):  # this one needs a right itself, and the numbers end somewhere
        for number in range(_CAPABILITIES):
            calls.control(calls.DROP_BOUND, number)
    calls.control(calls.AMBIENT, 4)
    header, nothing = (0x20080522).to_bytes(4, "little") + bytes(4), bytes(24)
    calls.call("capset", header, nothing)


def let_go() -> None:
    """Leave the pipes to others: somebody waits for their end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def wait_for(child: int) -> int:
    """Wait for all children until this one ends.

    Args:
        child: Its number.

    Returns:
        Its exit status, as a shell would say it.
    """
    while True:
        process, status = os.wait()
        if process == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
