"""The program that makes a sandbox of the kernel's namespaces, and becomes Python in it.

It makes the namespaces and forks their first process, which builds what is seen, leaves its rights behind and waits; the
process that this one forks becomes Python.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

from dlcourse.grading.sandbox import calls, confine, enter, users

_NEW = calls.NEW_PROCESSES | calls.NEW_IPC | calls.NEW_NETWORK | calls.NEW_HOST_NAME | calls.NEW_CGROUPS
_BASE, _OLD, _INSIDE = "/tmp", "/old", "/new"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_UP = 0x8914, 0x41
"""How a network device is switched on."""


@dataclass(frozen=True)
class Plan:
    """What the first program is told.

    Args:
        user: The user id to take, or 0: a user namespace is made.
        scratch: Bytes of each folder that can be written to.
        files: Files in each of them.
        links: Links of the system, and where each points.
        places: In order, what to make: "folder", "cover" or the source of what is seen, and the path.
        devices: Device nodes that are let in, besides those that every sandbox has.
        command: What becomes of it.
    """

    user: int
    scratch: int
    files: int
    links: list[tuple[str, str]]
    places: list[tuple[str, str]]
    devices: list[str]
    command: list[str]


def run(plan: Plan) -> int:
    """Become the process outside of the sandbox that waits for its end.

    Args:
        plan: What to make.

    Returns:
        The exit status of the command.
    """
    user, group = os.geteuid(), os.getegid()
    calls.die_with_parent()
    calls.unshare(_NEW | (0 if plan.user else calls.NEW_USER))
    if not plan.user:
        confine.hide_memory(False)
        confine.map_user(users.NOBODY, user, users.NOBODY, group)
    first = os.fork()
    if first == 0:
        calls.die_with_parent()
        os._exit(_first_inside(plan))
    confine.let_go()
    return confine.wait_for(first)


def _first_inside(plan: Plan) -> int:
    try:
        _build(plan)
        socket.sethostname("sandbox")
        _switch_on("lo")
        if plan.user:
            enter.become(plan.user)
        confine.drop_rights()
        confine.hide_memory(True)
        calls.die_with_parent()  # which a new user id takes back
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(confine.HOME)
            os.environ.pop("PWD", None)  # a shell's
            os.execv(plan.command[0], plan.command)
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    confine.let_go()
    return confine.wait_for(child)


def _build(plan: Plan) -> None:
    """Make the file system that is seen, and forget the old one."""
    calls.unshare(calls.NEW_MOUNTS)
    calls.mount(None, "/", None, calls.MS_REC | calls.MS_SLAVE)
    own = calls.MS_NOSUID | calls.MS_NODEV
    calls.mount("tmpfs", _BASE, "tmpfs", own, "mode=755")
    for folder in (_OLD, _INSIDE):
        os.mkdir(_BASE + folder, 0o755)
    calls.mount("tmpfs", _BASE + _INSIDE, "tmpfs", own, "mode=755")
    calls.call("pivot_root", _BASE.encode(), (_BASE + _OLD).encode())
    os.chdir("/")
    os.umask(0o022)

    _processes()
    _devices(plan.devices)
    for folder in confine.SCRATCH:
        os.makedirs(_INSIDE + folder, exist_ok=True)
        confine.scratch(_INSIDE + folder, plan.scratch, plan.files)
    for name, target in plan.links:
        os.symlink(target, _INSIDE + name)
    covers = []
    for source, path in plan.places:
        inside = _INSIDE + path
        if source == "folder":
            os.makedirs(inside, exist_ok=True)
        elif source == "cover":
            os.makedirs(inside, exist_ok=True)
            calls.mount("tmpfs", inside, "tmpfs", own, "mode=755")
            covers.append(inside)
        else:
            _show(_OLD + source, inside)
            calls.seal(inside, calls.READ_ONLY | calls.NO_SETUID | calls.NO_DEVICES)
    for inside in (*covers, f"{_INSIDE}/dev", _INSIDE):
        calls.seal(inside, calls.READ_ONLY, below=False)

    os.chdir(_INSIDE)
    calls.call("pivot_root", b".", b".")
    calls.call("umount2", b".", calls.DETACH)
    os.chdir("/")


def _show(source: str, target: str) -> None:
    """Mount a folder or a file somewhere else too."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    calls.mount(source, target, None, calls.MS_BIND | calls.MS_REC)


def _processes() -> None:
    os.mkdir(f"{_INSIDE}/proc")
    flags = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("proc", f"{_INSIDE}/proc", "proc", flags)
    for name in users.SETTINGS:
        inside = _INSIDE + name
        if os.path.exists(inside):
            calls.mount(inside, inside, None, calls.MS_BIND | calls.MS_REC)
            calls.seal(inside, calls.READ_ONLY)


def _devices(more: list[str]) -> None:
    os.mkdir(f"{_INSIDE}/dev")
    calls.mount("tmpfs", f"{_INSIDE}/dev", "tmpfs", calls.MS_NOSUID, "mode=755")
    for path in (*(f"/dev/{name}" for name in _DEVICES), *more):
        _show(_OLD + path, _INSIDE + path)
    os.symlink("/proc/self/fd", f"{_INSIDE}/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{_INSIDE}/dev/{name}")


def _switch_on(device: str) -> None:
    """Switch a network device on: between processes in the sandbox, nothing else is connected to it."""
    import fcntl  # which Windows lacks

    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _UP[0], struct.pack("16sH14x", device.encode(), _UP[1]))


if __name__ == "__main__":
    sys.exit(run(Plan(**json.loads(sys.argv[1]))))
