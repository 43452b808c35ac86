"""A sandbox made by bubblewrap, a small program that most Linux systems offer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.grading.sandbox import enter, users
from dlcourse.grading.sandbox.backend import Launch, Local
from dlcourse.grading.sandbox.confine import HOME, SCRATCH, SHARED
from dlcourse.grading.sandbox.gpu import CLOSED, Opening, opening
from dlcourse.grading.sandbox.view import View, variables, view


@dataclass(frozen=True)
class Bubblewrap(Local):
    """Starts sandboxes with bubblewrap; the first arguments are those of `Local`.

    Args:
        program: Where it is.
    """

    name = "bubblewrap"
    program: str = "bwrap"

    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start it; see `Backend`."""
        # A process inside can read bubblewrap's own environment.
        let_in = opening(self.gpu)
        return Launch(self.command(argv, view(modules, hidden, let_in.facts), let_in), variables={})

    def command(self, argv: Sequence[str], seen: View, let_in: Opening = CLOSED) -> list[str]:
        """Return the command that runs Python in the sandbox.

        Args:
            argv: What Python is told to run.
            seen: What is seen inside.
            let_in: What is let in for a GPU.
        """
        user = users.choose() if self.own_user else 0
        before = ("-I", "-S", enter.__file__, str(user), sys.executable) if user else ()
        return [
            self.program,
            *("--die-with-parent", "--new-session"),
            *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
            *self._rights(),
            *("--hostname", "sandbox", "--clearenv"),
            *self._variables(let_in),
            *("--proc", "/proc", "--dev", "/dev"),
            *(word for path in let_in.nodes for word in ("--dev-bind", path, path)),
            *(word for path in users.SETTINGS for word in ("--ro-bind-try", path, path)),
            *self._scratch(),
            *_shown(seen),
            *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME, "--"),
            *(sys.executable, *before, *argv),
        ]

    def _rights(self) -> tuple[str, ...]:
        if self.own_user:
            # Only to leave root's user id behind, which `enter` does.
            return ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        return ("--unshare-user", "--uid", str(users.NOBODY), "--gid", str(users.NOBODY))

    def _variables(self, let_in: Opening) -> Iterator[str]:
        shared = let_in.shared(users.shared(self.own_user))
        for name, value in variables(**let_in.variables, **{SHARED: shared}).items():
            yield from ("--setenv", name, value)

    def _scratch(self) -> Iterator[str]:
        for folder in SCRATCH:
            yield from ("--perms", "1777", "--size", str(self.limits.scratch), "--tmpfs", folder)


def _shown(seen: View) -> Iterator[str]:
    for name, target in seen.links:
        yield from ("--symlink", target, name)
    for place in seen.places:
        # Left to itself, bubblewrap makes folders that only root can enter.
        for folder in seen.folders(place):
            yield from ("--perms", "0755", "--dir", str(folder))
        if place.source is None:
            yield from ("--perms", "0755", "--tmpfs", str(place.path))
        else:
            yield from ("--ro-bind", str(place.source), str(place.path))
    for place in seen.places:
        if place.source is None:
            yield from ("--remount-ro", str(place.path))
