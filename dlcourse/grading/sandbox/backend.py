"""What every back end is: something that starts Python where the learners' code can do little."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from dlcourse.grading.sandbox import cgroup
from dlcourse.grading.sandbox.limits import LIMITS, Limits
from dlcourse.grading.sandbox.process import Process


@dataclass(frozen=True)
class Launch:
    """How one sandbox is started.

    Args:
        command: What to start on this machine.
        variables: All of its environment variables.
        folder: Where it starts.
        at_end: What to call once it has ended.
        at_kill: What to call before it is ended by force.
        new_session: Whether it leads a session of its own.
    """

    command: Sequence[str]
    variables: Mapping[str, str]
    folder: Path = Path("/")
    at_end: tuple[Callable[[], object], ...] = ()
    at_kill: Callable[[Process], object] | None = None
    new_session: bool = False


class Backend(ABC):
    """One way to start sandboxes."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What the reports say."""

    @abstractmethod
    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start Python in a sandbox of its own; the arguments are those of `start`."""

    def with_gpu(self) -> Backend | None:
        """Return the same with this machine's GPUs let in, or None where it cannot let them in."""
        return None

    def start(
        self,
        argv: Sequence[str],
        *,
        modules: Sequence[str],
        hidden: Sequence[Path] = (),
        stderr: int = subprocess.DEVNULL,
    ) -> Process:
        """Start Python in a sandbox of its own; to kill it ends everything in it.

        Where it was made by a thread, the sandbox may end when that thread does.

        Args:
            argv: What Python is told to run.
            modules: Dotted names of the parts of `dlcourse` that are seen: packages or single modules.
            hidden: Folders that are not seen, wherever they lie.
            stderr: Where the standard error goes: nowhere, unless somebody looks for a fault.

        Returns:
            The process, whose standard input and output are pipes.
        """
        return Process(**vars(self.launch(argv, modules, hidden)), stderr=stderr)


@dataclass(frozen=True)
class Local(Backend):
    """A back end whose sandboxes are processes of this machine, in a control group where there can be one.

    Args:
        own_user: Whether each sandbox gets a user id of its own, which only root can give.
        limits: How much a sandbox may use.
        gpu: Whether GPUs are let in.
    """

    name: ClassVar[str]
    own_user: bool
    limits: Limits = LIMITS
    gpu: bool = False

    @property
    def words(self) -> str:
        """What the reports say."""
        return cgroup.said(self.name, self.own_user)

    def with_gpu(self) -> Backend | None:
        """Return the same with this machine's GPUs let in; see `Backend`."""
        return replace(self, gpu=True)

    def start(
        self,
        argv: Sequence[str],
        *,
        modules: Sequence[str],
        hidden: Sequence[Path] = (),
        stderr: int = subprocess.DEVNULL,
    ) -> Process:
        """Start Python in a sandbox that is a control group too; see `Backend`."""
        launch = self.launch(argv, modules, hidden)
        group = cgroup.make(self.limits)
        command = [*group.entered(), *launch.command]
        # The group can be removed once all in it has ended: it comes last, and is called first.
        grouped = replace(launch, command=command, at_end=(*launch.at_end, group.remove))
        return Process(**vars(grouped), stderr=stderr)
