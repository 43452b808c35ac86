"""Calls of the Linux kernel that Python has no function for. Importable everywhere, usable on Linux."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

NEW_MOUNTS = 0x00020000
NEW_CGROUPS = 0x02000000
NEW_HOST_NAME = 0x04000000
NEW_IPC = 0x08000000
NEW_USER = 0x10000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000
"""What `unshare` gives a process of its own."""

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = (
    0x2,
    0x4,
    0x8,
    0x1000,
    0x4000,
    0x40000,
    0x80000,
)
DETACH = 2
READ_ONLY, NO_SETUID, NO_DEVICES = 0x1, 0x2, 0x4
"""What `seal` sets on a mount."""

SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, DROP_BOUND, NO_NEW_RIGHTS, AMBIENT = 1, 4, 22, 24, 38, 47
"""What `prctl` can be asked for."""

_MOUNT_SETATTR = 442
_EVERYTHING_BELOW = 0x8000
_HERE = -100


@cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library.

    Args:
        name: Its name.
        arguments: What it is given: numbers, bytes, buffers or None.

    Returns:
        What it returned, at least 0.

    Raises:
        OSError: The kernel refused, or the library has no such function.
    """
    try:
        function = getattr(_library(), name)
    except AttributeError:
        raise OSError(f"this C library has no function {name}") from None
    # A number handed over as it is would be cut to 32 bits.
    result: int = function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def control(option: int, first: Any = 0, second: Any = 0) -> int:
    """Change something about this process by `prctl`; see `call`."""
    return call("prctl", option, first, second, 0, 0)


def unshare(what: int) -> None:
    """Give this process namespaces of its own; see `call`."""
    call("unshare", what)


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount something; see `call`."""
    call(
        "mount",
        *(None if word is None else word.encode() for word in (source, target, kind)),
        flags,
        None if data is None else data.encode(),
    )


def seal(target: str, flags: int, *, below: bool = True) -> None:
    """Set flags on a mount.

    Args:
        target: Where it is.
        flags: `READ_ONLY` and its neighbours.
        below: Whether to do the same to every mount below it.

    Raises:
        OSError: The kernel refused, or is older than 5.12.
    """
    attributes = (ctypes.c_uint64 * 4)(flags, 0, 0, 0)
    call(
        "syscall",
        _MOUNT_SETATTR,
        _HERE,
        target.encode(),
        _EVERYTHING_BELOW if below else 0,
        ctypes.byref(attributes),
        ctypes.sizeof(attributes),
    )


def die_with_parent() -> None:
    """Have the kernel end this process when the one that made it ends; see `call`."""
    control(SET_DEATH_SIGNAL, 9)
