"""Triton, chosen once: compiled where there is a GPU for it, and run by its interpreter where there is none.

Triton reads the variable ``TRITON_INTERPRET`` when a kernel is defined, and its own library has kernels. So it is set
here before Triton is imported; whoever imports Triton from here cannot be too late. Chapter: book/gpus/kernels.md.
"""

from __future__ import annotations

import os
from typing import Any

from dlcourse.gpus._device import torch

__all__ = ["INTERPRETED", "TritonMissingError", "tl", "triton"]


class TritonMissingError(ImportError):
    """Triton is not installed, or was imported too early; the message says what to do."""


if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError as missing:
    if (missing.name or "").split(".")[0] != "triton":
        raise
    raise TritonMissingError(
        "The chapter on kernels computes with Triton, which is not installed here: it comes with "
        'pip install "dlcourse[torch]" on Linux. There is none for macOS and Windows; all other chapters do without.',
        name="triton",
    ) from None


@triton.jit
def _probe() -> None:
    pass


def _is_interpreted(kernel: Any) -> bool:
    return type(kernel).__name__ == "InterpretedFunction"


INTERPRETED: bool = _is_interpreted(_probe)
"""Whether kernels run in Triton's interpreter: in NumPy, one program after the other."""

if INTERPRETED and not _is_interpreted(tl.sum):
    raise TritonMissingError(
        "Triton was imported before its interpreter was chosen, and would fail: import dlcourse.gpus.kernels first, or "
        "set TRITON_INTERPRET=1 before Python starts. (torch.utils.flop_counter and torch.compile import Triton, too.)",
        name="triton",
    )
