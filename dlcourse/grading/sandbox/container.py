"""A sandbox in a container, for machines with Docker or Podman and nothing better: macOS, Windows, a locked-down Linux.

`DLCOURSE_CONTAINER=docker:IMAGE` or `podman:IMAGE` names an image with a Python that has NumPy, jaxtyping and IPython
(and PyTorch where the exercises need it), but not `dlcourse`: the parts of it that are seen are taken from here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dlcourse.grading.sandbox.backend import Backend, Launch
from dlcourse.grading.sandbox.confine import HOME, SHARED
from dlcourse.grading.sandbox.gpu import opening
from dlcourse.grading.sandbox.limits import LIMITS, Limits
from dlcourse.grading.sandbox.process import clear
from dlcourse.grading.sandbox.stage import stage
from dlcourse.grading.sandbox.users import NOBODY
from dlcourse.grading.sandbox.view import variables

CONTAINER = "DLCOURSE_CONTAINER"
"""The environment variable that names the program and the image."""
PROGRAMS = ("docker", "podman")
_GPUS = {"docker": ("--gpus", "all"), "podman": ("--device", "nvidia.com/gpu=all")}
_PACKAGE = "/opt/dlcourse"


@dataclass(frozen=True)
class Container(Backend):
    """Starts sandboxes as containers.

    Args:
        program: Where `docker` or `podman` is.
        image: The image.
        limits: How much a sandbox may use.
        gpu: Whether GPUs are let in, for which the program needs NVIDIA's container toolkit.
    """

    program: str
    image: str
    limits: Limits = LIMITS
    gpu: bool = False

    @property
    def words(self) -> str:
        """What the reports say."""
        return f"container ({self._kind})"

    @property
    def _kind(self) -> str:
        return Path(self.program).stem

    def with_gpu(self) -> Container:
        """Return the same with GPUs let in; see `Backend`."""
        return replace(self, gpu=True)

    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start it; see `Backend`. Nothing has to be hidden: no folder of this machine is seen."""
        folder = Path(tempfile.mkdtemp(prefix="dlc-"))
        stage(modules, folder)
        name = f"dlcourse-{uuid.uuid4()}"
        return Launch(
            self.command(argv, name, folder),
            variables=os.environ,  # of the program, not of the container
            at_end=(partial(clear, folder),),
            at_kill=lambda process: self._remove(name),
        )

    def command(self, argv: Sequence[str], name: str, package: Path) -> list[str]:
        """Return the command that runs Python in a container.

        Args:
            argv: What Python is told to run.
            name: What to call the container.
            package: The folder of what is seen of the package.
        """
        most, let_in = self.limits, opening(self.gpu)
        inside = variables(
            PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            PYTHONPATH=_PACKAGE,
            # Linux counts the processes of this user in all containers; theirs are limited one by one.
            **{SHARED: let_in.shared("users")},
            **{name: value for name, value in let_in.variables.items() if not name.startswith("LD_")},
        )
        scratch = f"rw,nosuid,nodev,size={most.scratch},mode=1777"
        return [
            *(self.program, "run", "--rm", "--interactive", "--init", "--name", name),
            *(_GPUS[self._kind] if self.gpu else ()),
            *("--network", "none", "--hostname", "sandbox", "--read-only"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", f"{NOBODY}:{NOBODY}", "--pids-limit", str(most.processes)),
            *("--memory", str(most.total_memory), "--memory-swap", str(most.total_memory)),
            *("--tmpfs", f"/tmp:{scratch}", "--tmpfs", f"{HOME}:{scratch}", "--shm-size", str(most.scratch)),
            *("--volume", f"{package}:{_PACKAGE}:ro,z", "--workdir", HOME),
            *(word for variable in inside.items() for word in ("--env", "=".join(variable))),
            *("--entrypoint", "python3", self.image, *argv),
        ]

    def _remove(self, name: str) -> None:
        # To end the program would leave its container running.
        nowhere = subprocess.DEVNULL
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([self.program, "rm", "--force", name], stdout=nowhere, stderr=nowhere, timeout=30)


def configured() -> tuple[Container | None, str]:
    """Return the container that the environment names, or None and what to do."""
    wanted = os.environ.get(CONTAINER, "")
    kind, _, image = wanted.partition(":")
    if not wanted:
        return None, f"{CONTAINER} is not set"
    if kind not in PROGRAMS or not image:
        return None, f"{CONTAINER} is {wanted!r} and must be docker:IMAGE or podman:IMAGE"
    program = shutil.which(kind)
    if program is None:
        return None, f"{kind} is not installed"
    return Container(program, image), ""
