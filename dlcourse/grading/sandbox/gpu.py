"""What a sandbox lets in where learners' code is to compute on a GPU: NVIDIA's device nodes, and what its driver reads.

It follows what others report of driver and sandboxes, and has not been run on a machine with a GPU.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

WORD = "gpu"
"""What `confine.SHARED` says of a sandbox that lets a GPU in."""

_DEVICES, _SYSTEM = Path("/dev"), Path("/sys")
_NODE = re.compile(r"nvidia(\d+|ctl|-uvm|-caps)")
_READ = ("module/nvidia", "module/nvidia_uvm", "devices/system/cpu", "devices/system/node", "bus/pci/devices")
"""What CUDA's libraries read below /sys: without it they say that the operating system failed."""
_PASSED_ON = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")


class Opening(NamedTuple):
    """What is let into a sandbox.

    Args:
        nodes: Device nodes, or a folder of them, that can be read and written to.
        facts: What else can be read.
        variables: Environment variables.
    """

    nodes: tuple[str, ...] = ()
    facts: tuple[Path, ...] = ()
    variables: Mapping[str, str] = {}

    def shared(self, others: str) -> str:
        """Return the words for `confine.SHARED`.

        Args:
            others: What else the sandbox has in common with the machine.
        """
        return f"{others} {WORD}".strip() if self.variables else others


CLOSED = Opening()
"""No GPU is let in."""


def opening(wanted: bool = True) -> Opening:
    """Return what lets this machine's GPUs in, or no GPU where none is wanted."""
    if not wanted:
        return CLOSED
    own = [path.resolve() for path in _SYSTEM.glob("bus/pci/drivers/nvidia/*:*")]
    facts = [path for name in _READ if (path := _SYSTEM / name).exists()]
    variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # PyTorch then looks for a GPU without starting CUDA, which would not work in the forks that come.
    return Opening(nodes(), (*facts, *own), variables | {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"})


def nodes() -> tuple[str, ...]:
    """Return the device nodes of this machine's GPUs: a look into one folder, and none where there is no GPU."""
    found = sorted(path.name for path in _DEVICES.glob("nvidia*") if _NODE.fullmatch(path.name))
    return tuple(str(_DEVICES / name) for name in found) if any(n[-1].isdigit() for n in found) else ()
