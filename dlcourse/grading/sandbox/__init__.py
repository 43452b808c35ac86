"""The sandbox in which learners' code runs, and what it is made of on this machine.

Inside there is no network; the system, this Python and the named parts of the package can be read; the class, the
exercises, the other parts of the package, the home folder, other processes and the environment variables are not there.
What can be written to lies in memory, is small and ends with the sandbox.

`isolation` tries the means in this order, and takes the first that really starts a sandbox: bubblewrap; the kernel's
own namespaces; Landlock and a filter of system calls, where namespaces are refused; a container that was configured.
A fault of the system's kernel is outside of what any of them can stop. `with_gpu` lets a GPU in, for checks with tensors:
what learners' code can then say to the GPU's driver is outside of it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from dlcourse.grading.sandbox import gpu
from dlcourse.grading.sandbox.backend import Backend
from dlcourse.grading.sandbox.confine import HOME

__all__ = ["CHOICE", "HOME", "KINDS", "Backend", "Isolation", "isolation", "unsafe", "with_gpu"]

CHOICE = "DLCOURSE_ISOLATION"
"""The environment variable by which an instructor names one of the means, in place of the best."""


PATIENCE = 60
"""Seconds for a first sandbox to start."""
NOT_LINUX = "needs Linux"
REMEDY = (
    "install bubblewrap (apt-get install bubblewrap) and allow it user namespaces, use Linux 6.2 or later with Landlock, "
    "or set DLCOURSE_CONTAINER to docker:IMAGE or podman:IMAGE"
)
_TRIAL = """
import os, sys
import numpy
from dlcourse.grading.sandbox import confine
for folder in sys.path:
    try:
        open(os.path.join(folder, "dlcourse", "checks", "__init__.py")).close()
    except OSError:
        continue
    sys.exit(f"more of dlcourse is seen than should be, in {folder}")
confine.lock_down()
"""
_TRIAL_ON_GPU = """
import torch
from dlcourse.grading.sandbox import confine
confine.lock_down()
torch.ones(2, device="cuda").sum().item()
print("cuda", torch.cuda.get_device_name())
"""
"""Says the device, as PyTorch calls it, and its name."""


@dataclass(frozen=True)
class Isolation:
    """What keeps learners' code away from everything else on this machine.

    Args:
        words: What the reports say, or why there is none and how to get one.
        backend: How to start sandboxes, or None where there is none.
        device: The GPU that is let in, as PyTorch calls it, or an empty string.
    """

    words: str
    backend: Backend | None
    device: str = ""


Candidates = tuple[list[Backend], str]
"""The back ends of one kind that are worth trying here; where there are none, why."""


def _bubblewrap() -> Candidates:
    import shutil

    from dlcourse.grading.sandbox import users
    from dlcourse.grading.sandbox.bubblewrap import Bubblewrap

    program = shutil.which("bwrap")
    if sys.platform != "linux" or program is None:
        return [], "not installed" if sys.platform == "linux" else NOT_LINUX
    return [Bubblewrap(own, program=program) for own in users.ways()], ""


def _kernel() -> Candidates:
    if sys.platform != "linux":
        return [], NOT_LINUX
    from dlcourse.grading.sandbox import users
    from dlcourse.grading.sandbox.kernel import Namespaces

    return [Namespaces(own) for own in users.ways()], ""


def _landlock() -> Candidates:
    if sys.platform != "linux":
        return [], NOT_LINUX
    from dlcourse.grading.sandbox import users
    from dlcourse.grading.sandbox.landlock import Landlock

    return [Landlock(own) for own in users.ways()], ""


def _container() -> Candidates:
    from dlcourse.grading.sandbox.container import configured

    container, reason = configured()
    return [container] if container else [], reason


KINDS: dict[str, Callable[[], Candidates]] = {
    "bubblewrap": _bubblewrap,
    "kernel": _kernel,
    "landlock": _landlock,
    "container": _container,
}
"""The means by name, best first."""


@cache
def isolation(kind: str | None = None) -> Isolation:
    """Find out which isolation works here, by starting a sandbox once.

    Args:
        kind: One of `KINDS` to use and no other; None: what the variable `DLCOURSE_ISOLATION` names, else the best.

    Returns:
        The isolation; where there is none, its words say what was tried and what to do.
    """
    kind = kind or os.environ.get(CHOICE) or None
    if kind and kind not in KINDS:
        return Isolation(f"none: {CHOICE} is {kind!r} and must be one of {', '.join(KINDS)}", None)
    tried = []
    for name in [kind] if kind else KINDS:
        backends, reason = KINDS[name]()
        for backend in backends:
            reason = why_not(backend)
            if not reason:
                return Isolation(backend.words, backend)
        tried.append(f"{name}: {reason}")
    return Isolation(f"none: {REMEDY} ({'; '.join(tried)})", None)


@cache
def with_gpu(here: Isolation) -> Isolation:
    """Find out whether learners' code can compute on a GPU of this machine, by doing that in a sandbox once.

    Args:
        here: What `isolation` or `unsafe` returned.

    Returns:
        The same with the GPU let in; where that cannot be, there is no back end, and the words say why.
    """
    if here.backend is None or not gpu.nodes():
        return Isolation("there is no GPU of NVIDIA's", None)
    backend = here.backend.with_gpu()
    if backend is None:
        return Isolation(f"{here.words} cannot let a GPU in", None)
    reason, said = _tried(backend, _TRIAL_ON_GPU)
    device, _, name = said.strip().partition(" ")
    if reason or not device:
        return Isolation(f"PyTorch finds no GPU in the sandbox ({reason or 'it says nothing'})", None)
    return Isolation(f"{here.words}, with a GPU ({name})", backend, device)


def unsafe() -> Isolation:
    """Return what runs learners' code as plain processes, which can do whatever their user can."""
    from dlcourse.grading.sandbox.plain import Plain

    backend = Plain()
    return Isolation(backend.words, backend)


def why_not(backend: Backend) -> str:
    """Start a sandbox once.

    Args:
        backend: What starts it.

    Returns:
        Why it does not start, or an empty string.
    """
    return _tried(backend, _TRIAL)[0]


def _tried(backend: Backend, script: str) -> tuple[str, str]:
    """Run a script in a sandbox; return why that failed, or an empty string, and what was printed."""
    try:
        process = backend.start(["-c", script], modules=(), stderr=subprocess.PIPE)
    except OSError as error:
        return str(error), ""
    try:
        printed, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"nothing happened in {PATIENCE} s", ""
    finally:
        process.kill()
        process.communicate()
    if process.returncode == 0:
        return "", printed.decode(errors="replace")
    lines = said.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
    return lines[-1].removeprefix("bwrap: ").strip(), ""
