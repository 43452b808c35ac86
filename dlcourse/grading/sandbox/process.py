"""How the grader holds on to a sandbox that it started."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Process(subprocess.Popen[bytes]):
    """A process with pipes for its input and output, and something to do when it has ended.

    Args:
        command: What to start.
        variables: All of its environment variables.
        folder: Where it starts.
        at_end: What to call once it has ended.
        at_kill: What to call before this very process is ended by force.
        new_session: Whether it leads a session of its own.
        stderr: Where its standard error goes.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        folder: Path = Path("/"),
        at_end: Sequence[Callable[[], object]] = (),
        at_kill: Callable[[Process], object] | None = None,
        new_session: bool = False,
        stderr: int = subprocess.DEVNULL,
    ) -> None:
        self._at_end = list(at_end)
        self._at_kill = at_kill
        try:
            super().__init__(
                command,
                env=dict(variables),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=new_session,
            )
        except BaseException:
            self._end()
            raise

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        status = super().poll()
        if status is not None:
            self._end()
        return status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit status.

        Args:
            timeout: Seconds to wait at most.
        """
        status = super().wait(timeout)
        self._end()
        return status

    def kill(self) -> None:
        """End it, and all that runs in the sandbox."""
        if self._at_kill and self.poll() is None:
            self._at_kill(self)
        super().kill()

    def _end(self) -> None:
        while self._at_end:
            self._at_end.pop()()


def clear(folder: Path) -> None:
    """Delete a folder that learners' code could write to; its processes have ended.

    Args:
        folder: The folder.
    """
    for outer, names, _ in os.walk(folder):
        for path in (Path(outer, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)  # before it is walked into
    shutil.rmtree(folder, ignore_errors=True)
