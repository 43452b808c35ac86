"""The first program of a sandbox that bubblewrap made for root: it leaves root's user id behind, then becomes Python.

It runs as a script, with the user id and the command as arguments, and imports nothing that takes time.
"""

from __future__ import annotations

import os
import sys


def become(user: int) -> None:
    """Take another user's id, and no group's but its own.

    Args:
        user: The id.

    Raises:
        OSError: This process may not.
    """
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


if __name__ == "__main__":
    become(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
