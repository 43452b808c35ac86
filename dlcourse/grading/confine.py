"""The first program inside the sandbox: it takes rights and resources away from itself, then becomes the kernel.

It runs as a script and imports nothing but Python's own modules, since it is read before anything else is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

OPEN_FILES = 512

NEW_USER_NAMESPACE = 0x10000000
"""The flag of `clone` that asks for one: in it a process has rights over parts of the kernel that need not be tried."""

_CALLS: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    # What the kernel calls the machine, `clone`, the first number of another set of calls (0: there is none), and in
    # this order: unshare, setns, mount, umount2, pivot_root, ptrace, process_vm_readv, process_vm_writev, bpf,
    # perf_event_open, userfaultfd, io_uring_setup, add_key, request_key, keyctl, kexec_load, init_module,
    # finit_module, open_by_handle_at.
    "x86_64": (
        0xC000003E,
        56,
        0x40000000,
        (272, 308, 165, 166, 155, 101, 310, 311, 321, 298, 323, 425, 248, 249, 250, 246, 175, 313, 304),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        0,
        (97, 268, 40, 39, 41, 117, 270, 271, 280, 241, 282, 425, 217, 218, 219, 104, 105, 273, 265),
    ),
}
_CLONE3 = 435


def words(
    *,
    user: int,
    seconds: int,
    data: int,
    address_space: int,
    file_size: int,
    processes: int,
    files: Path,
    home: str,
) -> list[str]:
    """Return the arguments that this script reads, after which the command follows.

    Args:
        user: The user and group id to take, or 0 to keep those it has.
        seconds: The processor time of each process.
        data: Bytes that a process may allocate.
        address_space: Bytes that a process may map, shared memory and files included.
        file_size: Bytes of the largest file.
        processes: How many processes and threads there may be.
        files: A folder whose content is copied to the home folder, if it exists.
        home: The home folder.
    """
    numbers = (user, seconds, data, address_space, file_size, processes)
    return [*map(str, numbers), str(files), home]


def main(arguments: list[str]) -> None:
    """Limit this process and replace it by the command.

    Args:
        arguments: What `words` made, then the command.
    """
    import resource  # which Windows lacks; `words` is needed there too

    user, seconds, data, address_space, file_size, processes = map(int, arguments[:6])
    files, home = arguments[6:8]
    os.umask(0o077)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, processes),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    refuse_calls(os.uname().machine)
    if os.path.isdir(files):
        import shutil

        # The home folder itself belongs to root: what stands in it is copied, not its own dates and rights.
        for entry in os.scandir(files):
            copy = shutil.copytree if entry.is_dir() else shutil.copyfile
            copy(entry.path, os.path.join(home, entry.name))
    command = arguments[8:]
    os.execv(command[0], command)


def refuse_calls(machine: str) -> None:
    """Have the kernel refuse calls that no exercise needs: new namespaces, mounts, looking into other processes.

    Args:
        machine: The processor's kind; where its numbers are not known, nothing is refused.

    Raises:
        OSError: The kernel does not do that.
    """
    import ctypes
    import errno
    import struct

    if machine not in _CALLS:
        return
    name, clone, other, refused = _CALLS[machine]
    load, equal, at_least, any_bit, end = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of the filter
    allow, refuse, kill = 0x7FFF0000, 0x00050000, 0x80000000
    # An instruction, how many to skip if its comparison holds and if it does not, and its number.
    steps = [(load, 0, 0, 4), (equal, 1, 0, name), (end, 0, 0, kill), (load, 0, 0, 0)]
    if other:
        steps += [(at_least, 0, 1, other), (end, 0, 0, refuse | errno.EPERM)]
    # Its flags lie in memory, where a filter cannot look; glibc then uses `clone`.
    steps += [(equal, 0, 1, _CLONE3), (end, 0, 0, refuse | errno.ENOSYS)]
    for call in refused:
        steps += [(equal, 0, 1, call), (end, 0, 0, refuse | errno.EPERM)]
    steps += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, NEW_USER_NAMESPACE)]
    steps += [(end, 0, 0, refuse | errno.EPERM), (end, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    for option, first, second in ((38, ctypes.c_ulong(1), zero), (22, ctypes.c_ulong(2), program)):
        if libc.prctl(option, first, second, zero, zero):
            raise OSError(ctypes.get_errno(), "the kernel sets no filter for system calls")


if __name__ == "__main__":
    main(sys.argv[1:])
