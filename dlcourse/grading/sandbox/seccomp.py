"""The system calls that learners' code is refused, as a filter that the kernel runs before each of its calls."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlcourse.grading.sandbox import calls

NEW_USER = 0x10000000
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ORDER = tuple(_MACHINES)
_OTHER_CALLS_X86 = 0x40000000
_CLONE3 = 435

_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # name: x86_64, aarch64, where some calls never were
    "acct": (163, 89),
    "add_key": (248, 217),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clone": (56, 220),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fremovexattr": (199, 16),
    "fsetxattr": (190, 7),
    "futimesat": (261, None),
    "init_module": (175, 105),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, None),
    "listen": (50, 201),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mount": (165, 40),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "reboot": (169, 142),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semget": (64, 190),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setxattr": (188, 5),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    # Newer calls have one number everywhere.
    "fchmodat2": (452, 452),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "memfd_secret": (447, 447),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440),
    "removexattrat": (466, 466),
    "setxattrat": (463, 463),
}


@dataclass(frozen=True)
class Rule:
    """Refuse a call: always, or by one of its arguments.

    Args:
        call: The call's name.
        argument: Which argument decides; None: the call is always refused.
        value: What it is compared with, after `mask`.
        mask: The bits of it that count.
        but: Whether the call is refused unless they are equal, in place of when they are.
        silent: Whether the call does nothing and says that it did, in place of failing.
    """

    call: str
    argument: int | None = None
    value: int = 0
    mask: int = 0xFFFFFFFF
    but: bool = True
    silent: bool = False


ALWAYS = (
    *map(
        Rule,
        (
            *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount"),
            *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at"),
            *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
            *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter"),
            *("io_uring_register", "add_key", "request_key", "keyctl", "memfd_secret", "fanotify_init"),
            *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot"),
            *("swapon", "swapoff", "acct", "syslog"),
        ),
    ),
    # In a user namespace a process has rights over parts of the kernel that need not be tried.
    Rule("clone", 0, 0, mask=NEW_USER),
)
"""What no exercise needs: namespaces, mounts, other processes' memory, the kernel's own settings."""

NO_SOCKETS = (
    *map(Rule, ("socket", "bind", "connect", "listen")),
    # A pair of streams is connected for good; a datagram socket could be connected to something else.
    Rule("socketpair", 0, 1),
    Rule("socketpair", 1, 1, mask=0xF),
)
"""Where the network is not one of the sandbox's own: only pairs of local streams are left."""

NO_NEIGHBOURS = (
    *map(Rule, ("shmget", "shmat", "shmctl", "semget", "semctl", "msgget", "msgctl", "mq_open", "mq_unlink")),
    *map(Rule, ("chown", "fchown", "fchownat", "lchown")),
    *map(Rule, ("setxattr", "lsetxattr", "fsetxattr", "setxattrat")),
    *map(Rule, ("removexattr", "lremovexattr", "fremovexattr", "removexattrat")),
    # Copying a file does these, and would fail.
    *(Rule(name, silent=True) for name in ("chmod", "fchmod", "fchmodat", "fchmodat2")),
    *(Rule(name, silent=True) for name in ("utime", "utimes", "utimensat", "futimesat")),
    Rule("prlimit64", 0),
    Rule("sched_setaffinity", 0),
    Rule("sched_setattr", 0),
    Rule("sched_setparam", 0),
    Rule("sched_setscheduler", 0),
    Rule("setpriority", 1),
    Rule("ioprio_set", 1),
)
"""Where other processes and all files of the same user are there: the limits and shared memory of the ones, and the
rights, owners and dates of the others are not touched; Landlock does not look after them."""


def no_signals(process: int) -> tuple[Rule, ...]:
    """Return what keeps a process from sending signals to any but itself.

    Args:
        process: Its number.
    """
    names = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
    return (
        *(Rule(name, 0, process) for name in names),
        *map(Rule, ("tkill", "pidfd_open", "pidfd_send_signal")),
        # F_SETOWN and F_SETOWN_EX: the kernel would send them for it.
        Rule("fcntl", 1, 8, but=False),
        Rule("fcntl", 1, 15, but=False),
    )


def refuse(rules: Sequence[Rule]) -> None:
    """Have the kernel refuse calls to this process, and to all that it makes, from now on.

    Args:
        rules: The calls.

    Raises:
        OSError: The kernel does not do that, or this kind of machine is not known here.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(f"the numbers of system calls are not known for {machine}")
    steps = list(_steps(rules, machine))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    calls.control(calls.NO_NEW_RIGHTS, 1)
    calls.control(calls.SET_SECCOMP, 2, program)


def _steps(rules: Sequence[Rule], machine: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield the filter's instructions: what, how many to skip if it holds and if not, and a number."""
    load, mask, equal, at_least, end = 0x20, 0x54, 0x15, 0x35, 0x06
    allow, answer, kill = 0x7FFF0000, 0x00050000, 0x80000000
    refused = answer | errno.EPERM
    call_number, kind = 0, 4
    yield from ((load, 0, 0, kind), (equal, 1, 0, _MACHINES[machine]), (end, 0, 0, kill))
    yield (load, 0, 0, call_number)
    if machine == "x86_64":
        yield from ((at_least, 0, 1, _OTHER_CALLS_X86), (end, 0, 0, refused))
    # Its flags lie in memory, where a filter cannot look; the C library then uses `clone`.
    yield from ((equal, 0, 1, _CLONE3), (end, 0, 0, answer | errno.ENOSYS))
    for rule in rules:
        number = _NUMBERS[rule.call][_ORDER.index(machine)]
        if number is None:
            continue
        result = answer if rule.silent else refused
        if rule.argument is None:
            yield from ((equal, 0, 1, number), (end, 0, 0, result))
            continue
        skip = (1, 0) if rule.but else (0, 1)
        yield (equal, 0, 5, number)
        yield from ((load, 0, 0, 16 + 8 * rule.argument), (mask, 0, 0, rule.mask), (equal, *skip, rule.value))
        yield from ((end, 0, 0, result), (load, 0, 0, call_number))
    yield (end, 0, 0, allow)
