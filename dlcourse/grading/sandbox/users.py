"""User ids for sandboxes that root starts, so that they share nothing with anybody."""

from __future__ import annotations

import os
import random

USERS = range(61184, 65520)
"""User ids that belong to nobody; systemd lends the same ones to services that need one for a while."""
NOBODY = 65534
SETTINGS = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")
"""Where root could change settings of the whole machine from inside of a user namespace; nobody may write there."""


def choose() -> int:
    """Return a user id for one sandbox."""
    return random.SystemRandom().choice(USERS)


def shared(own: bool) -> str:
    """Return what a sandbox with namespaces of its own has in common with the machine.

    Args:
        own: Whether it has a user id of its own.

    Returns:
        Words for `confine.SHARED`.
    """
    major, minor = os.uname().release.split(".")[:2]
    # Before 5.14, Linux counts the processes of a user wherever they are.
    return "" if own or (int(major), int("".join(filter(str.isdigit, minor)))) >= (5, 14) else "users"


def ways() -> tuple[bool, ...]:
    """Return whether to try a user id of its own, in the order of trying: root in a container may not give ids away."""
    return (True, False) if os.geteuid() == 0 else (False,)
