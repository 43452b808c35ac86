"""What the chapter's kernels take: which tensors, and the constants that follow from their dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlcourse.gpus._device import torch
from dlcourse.gpus._triton import INTERPRETED, tl, triton

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PRECISIONS = ("ieee", "tf32")


def expect_tensors(function: str, *, gradients: bool = False, **tensors: torch.Tensor) -> None:
    """Refuse tensors that a kernel would misread: it sees addresses only.

    Args:
        function: what the sentence calls the function.
        gradients: whether the function has a way back.
        tensors: its arguments by name.

    Raises:
        TypeError: if the dtypes differ or are not floating-point numbers.
        ValueError: if the devices differ, kernels cannot run there, or a gradient is asked for where there is none.
    """
    kinds = {name: t.dtype for name, t in tensors.items()}
    if len(set(kinds.values())) > 1 or not set(kinds.values()) <= set(DTYPES):
        listed = ", ".join(f"{name} in {str(kind).removeprefix('torch.')}" for name, kind in kinds.items())
        raise TypeError(
            f"{function} expects one dtype for all, of float16, bfloat16, float32 and float64, got {listed}: convert "
            "with .to(dtype)"
        )
    devices = {t.device for t in tensors.values()}
    if len(devices) > 1:
        raise ValueError(
            f"{function} expects all tensors on one device, got {', '.join(sorted(map(str, devices)))}: move them with "
            ".to(device)"
        )
    if not INTERPRETED and next(iter(devices)).type != "cuda":
        raise ValueError(
            f"{function} runs a compiled kernel here, which cannot read tensors on {next(iter(devices))}: move them with "
            ".to('cuda'), or set TRITON_INTERPRET=1 before Python starts"
        )
    asked = [name for name, t in tensors.items() if t.requires_grad]
    if asked and not gradients and torch.is_grad_enabled():
        raise ValueError(
            f"{function} has no way back, but {', '.join(asked)} asks for a gradient: call it under torch.no_grad(), "
            "or pass .detach()"
        )


def sums_dtype(like: torch.Tensor) -> torch.dtype:
    """Return the dtype in which sums are kept: float32, but float64 for float64."""
    return torch.promote_types(like.dtype, torch.float32)


def wide(like: torch.Tensor) -> Any:
    """Return Triton's name for :func:`sums_dtype`."""
    return tl.float64 if like.dtype == torch.float64 else tl.float32


def numbers(like: torch.Tensor, precision: str) -> dict[str, Any]:
    """Return the constants of a kernel that multiplies tiles.

    Args:
        like: one of the factors.
        precision: one of ``PRECISIONS``.

    Raises:
        ValueError: if there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    # The interpreter multiplies the bits of bfloat16 as if they were whole numbers.
    return {"WIDE": wide(like), "WIDEN": INTERPRETED, "PRECISION": precision}


def tiles_of(m: int, n: int) -> Callable[[dict[str, Any]], tuple[int]]:
    """Return the grid of a result of ``m`` rows and ``n`` columns, for whatever tiles are chosen later."""
    return lambda meta: (triton.cdiv(m, meta["ROWS"]) * triton.cdiv(n, meta["COLUMNS"]),)
