"""No sandbox: plain processes, for those who say `--unsafe`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dlcourse.grading.sandbox.backend import Backend, Launch
from dlcourse.grading.sandbox.confine import SHARED
from dlcourse.grading.sandbox.gpu import opening
from dlcourse.grading.sandbox.process import Process, clear
from dlcourse.grading.sandbox.stage import stage
from dlcourse.grading.sandbox.view import variables

_OF_WINDOWS = ("SYSTEMROOT", "COMSPEC", "PATHEXT", "WINDIR")


@dataclass(frozen=True)
class Plain(Backend):
    """Starts plain processes, which can read and change whatever their user can.

    Args:
        gpu: Whether their limits are such that CUDA works.
    """

    words = "none (--unsafe)"
    gpu: bool = False

    def with_gpu(self) -> Plain:
        """Return the same with limits for a GPU, which is seen here anyway; see `Backend`."""
        return Plain(gpu=True)

    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start it; see `Backend`. What is hidden elsewhere is not hidden here."""
        folder = Path(tempfile.mkdtemp(prefix="dlc-"))
        package, home, temporary = folder / "package", folder / "learner", folder / "tmp"
        stage(modules, package)
        for path in (home, temporary):
            path.mkdir()
        let_in = opening(self.gpu)
        inside = variables(
            **let_in.variables,
            HOME=str(home),
            TMPDIR=str(temporary),
            PYTHONPATH=os.pathsep.join([str(package), variables()["PYTHONPATH"]]),
            **{SHARED: let_in.shared("everything")},
            **{name: os.environ[name] for name in _OF_WINDOWS if name in os.environ},
        )
        return Launch(
            [sys.executable, *argv],
            variables=inside,
            folder=home,
            at_end=(partial(clear, folder),),
            at_kill=_end_group,
            new_session=True,
        )


def _end_group(process: Process) -> None:
    with suppress(OSError, AttributeError):  # Windows has no such groups
        os.killpg(process.pid, signal.SIGKILL)
