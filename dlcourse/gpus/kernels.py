"""Kernels of one's own: vector addition, softmax, a matrix product in tiles, and a layer that is one kernel.

A kernel says what one program does with its block of the numbers; the grid says how many programs there are. On a GPU
Triton compiles them, and without one its interpreter runs the same source. Each function here takes tensors, chooses the
grid and starts the programs, which stand in ``_kernels.py``. Chapter: book/gpus/kernels.md.
Sources: Tillet et al. (2019); Hendrycks and Gimpel (2016).
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from dlcourse.gpus import _kernels
from dlcourse.gpus._device import torch
from dlcourse.gpus._tensors import expect_tensors, numbers, sums_dtype, tiles_of, wide
from dlcourse.gpus._triton import INTERPRETED, triton

__all__ = ["add", "linear_gelu", "matmul", "matmul_bytes", "softmax"]

WIDEST = 2**16
"""Numbers that one program can hold in a row."""


def add(x: Float[torch.Tensor, "*shape"], y: Float[torch.Tensor, "*shape"]) -> Float[torch.Tensor, "*shape"]:
    """Add two arrays, number by number.

    .. math:: z_i = x_i + y_i

    Args:
        x: any shape, contiguous.
        y: the same shape and dtype.

    Returns:
        The sum, same shape. There is no way back through it.

    Raises:
        TypeError: if the dtypes differ, or are of a kind that the kernel does not know.
        ValueError: if the shapes or devices differ, an array is not contiguous, or a gradient is asked for.

    Example:
        >>> add(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 20.0, 30.0]))
        tensor([11., 22., 33.])
    """
    expect_tensors("add", x=x, y=y)
    if x.shape != y.shape:
        raise ValueError(f"add expects two arrays of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if not (x.is_contiguous() and y.is_contiguous()):
        raise ValueError("add expects numbers that lie one after the other: call .contiguous() first")
    if INTERPRETED and x.dtype == torch.bfloat16:  # whose bits the interpreter would add as whole numbers
        return add(x.float(), y.float()).to(x.dtype)
    out = torch.empty_like(x)
    n, block = x.numel(), 1024
    if n:
        _kernels.add_kernel[(triton.cdiv(n, block),)](x, y, out, n, BLOCK=block)
    return out


def softmax(z: Float[torch.Tensor, "rows n"]) -> Float[torch.Tensor, "rows n"]:
    r"""Turn each row into probabilities.

    .. math:: p_{ij} = \frac{e^{z_{ij} - m_i}}{\sum_k e^{z_{ik} - m_i}}, \qquad m_i = \max_k z_{ik}

    A program holds a whole row, so each number is read once and written once.

    Args:
        z: scores, ``(rows, n)``, with ``n`` up to 65,536; a row's numbers lie one after the other.

    Returns:
        Probabilities, same shape. There is no way back through it.

    Raises:
        TypeError: if the dtype is of a kind that the kernel does not know.
        ValueError: if there are not two axes, a row is too long, or a gradient is asked for.

    Example:
        >>> softmax(torch.tensor([[0.0, 0.0], [1000.0, 0.0]]))
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]])
    """
    expect_tensors("softmax", z=z)
    if z.ndim != 2 or not 1 <= z.shape[1] <= WIDEST or (z.shape[1] > 1 and z.stride(1) != 1):
        raise ValueError(
            f"softmax expects (rows, n) with n from 1 to {WIDEST} and each row in one piece, got {tuple(z.shape)} with "
            f"strides {z.stride()}: call .contiguous() first"
        )
    rows, n = z.shape
    out = torch.empty((rows, n), dtype=z.dtype, device=z.device)
    block = triton.next_power_of_2(n)
    warps = min(max(block // 512, 1), 16)
    if rows:
        _kernels.softmax_kernel[(rows,)](
            z, out, n, z.stride(0), out.stride(0), WIDE=wide(z), BLOCK=block, num_warps=warps
        )
    return out


def matmul_bytes(m: int, n: int, k: int, *, rows: int = 1, columns: int = 1, itemsize: int = 4) -> int:
    r"""Count the bytes that the programs of a matrix product load, tile by tile.

    .. math:: s \left( \left\lceil \frac{n}{\text{columns}} \right\rceil m k +
              \left\lceil \frac{m}{\text{rows}} \right\rceil k n \right)

    Each tile of the result needs a strip of ``a`` and a strip of ``b``. So ``a`` is read once for each column of tiles,
    and ``b`` once for each row of tiles. Tiles of one number are the plain sums.

    Args:
        m: rows of ``a``.
        n: columns of ``b``.
        k: columns of ``a``.
        rows: rows of a tile of the result.
        columns: columns of a tile of the result.
        itemsize: bytes of one number.

    Returns:
        Bytes from memory to the programs, if no cache helps.

    Raises:
        ValueError: if a size is below 1.

    Example:
        >>> matmul_bytes(64, 64, 64), matmul_bytes(64, 64, 64, rows=16, columns=16)
        (2097152, 131072)
    """
    if min(m, n, k, rows, columns, itemsize) < 1:
        raise ValueError(f"matmul_bytes expects sizes from 1 on, got {(m, n, k, rows, columns, itemsize)}")
    return itemsize * (-(-n // columns) * m * k + -(-m // rows) * k * n)


def matmul(
    a: Float[torch.Tensor, "m k"], b: Float[torch.Tensor, "k n"], *, precision: str = "ieee"
) -> Float[torch.Tensor, "m n"]:
    r"""Multiply two matrices, a tile of the result a program.

    .. math:: C = A B

    Args:
        a: ``(m, k)``, with any strides, so that ``a.T`` costs nothing.
        b: ``(k, n)``, the same dtype.
        precision: of products in float32 on a GPU: ``"ieee"``, or the faster ``"tf32"`` with 10 bits after the point.

    Returns:
        The product in the same dtype, added up in float32 at least. There is no way back through it.

    Raises:
        TypeError: if the dtypes differ, or are of a kind that the kernel does not know.
        ValueError: if the shapes do not fit, or a gradient is asked for.

    Example:
        >>> matmul(torch.eye(2), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        tensor([[1., 2., 3.],
                [4., 5., 6.]])
    """
    expect_tensors("matmul", a=a, b=b)
    return _product(a, b, precision)


def linear_gelu(
    x: Float[torch.Tensor, "batch n_in"],
    W: Float[torch.Tensor, "n_in n_out"],
    b: Float[torch.Tensor, " n_out"],
    *,
    precision: str = "ieee",
) -> Float[torch.Tensor, "batch n_out"]:
    r"""Compute a layer with GELU in one kernel; its gradients come from kernels, too.

    .. math:: Y = \mathrm{gelu}(X W + b)

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``, the same dtype.
        b: one bias a unit, ``(n_out,)``, the same dtype.
        precision: as for :func:`matmul`.

    Returns:
        Activations in the same dtype. The exact GELU, not the one with tanh.

    Raises:
        TypeError: if the dtypes differ, or are of a kind that the kernels do not know.
        ValueError: if the shapes do not fit.

    Example:
        >>> linear_gelu(torch.tensor([[1.0, 2.0]]), torch.eye(2), torch.tensor([0.0, -2.0]))
        tensor([[0.8413, 0.0000]])
    """
    expect_tensors("linear_gelu", gradients=True, x=x, W=W, b=b)
    if x.ndim != 2 or W.ndim != 2 or x.shape[1] != W.shape[0] or b.shape != W.shape[1:]:
        raise ValueError(
            f"linear_gelu expects x (batch, n_in), W (n_in, n_out) and b (n_out,), got {tuple(x.shape)}, "
            f"{tuple(W.shape)} and {tuple(b.shape)}"
        )
    y: torch.Tensor = _LinearGelu.apply(x, W, b, precision)
    return y


class _LinearGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, W: Any, b: Any, precision: str) -> Any:
        (m, k), n = x.shape, W.shape[1]
        keep = any(ctx.needs_input_grad)
        y = torch.empty((m, n), dtype=x.dtype, device=x.device)
        z = torch.empty_like(y) if keep else y
        if m and n:
            _kernels.linear_gelu_kernel[tiles_of(m, n)](
                x, W, b.contiguous(), z, y, m, n, k, *x.stride(), *W.stride(), n,
                KEEP=keep, **numbers(x, precision),
            )  # fmt: skip
        ctx.save_for_backward(x, W, z)
        ctx.precision = precision
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_y: Any) -> Any:
        x, W, z = ctx.saved_tensors
        m, n = z.shape
        rows, columns = 32, 64
        grid = triton.cdiv(m, rows), triton.cdiv(n, columns)
        d_z = torch.empty_like(z)
        d_b = torch.zeros((grid[0], n), dtype=sums_dtype(z), device=z.device)  # one row for each row of tiles
        if m and n:
            _kernels.gelu_back_kernel[grid](
                z, d_y, d_z, d_b, m, n, n, *d_y.stride(), WIDE=wide(z), ROWS=rows, COLUMNS=columns
            )
        wants = ctx.needs_input_grad
        d_x = _product(d_z, W.T, ctx.precision) if wants[0] else None
        d_W = _product(x.T, d_z, ctx.precision) if wants[1] else None
        return d_x, d_W, d_b.sum(0).to(z.dtype) if wants[2] else None, None


def _product(a: torch.Tensor, b: torch.Tensor, precision: str) -> torch.Tensor:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(
            f"matmul expects (m, k) and (k, n), got {tuple(a.shape)} and {tuple(b.shape)}: the columns "
            "of a meet the rows of b"
        )
    (m, k), n = a.shape, b.shape[1]
    out = torch.empty((m, n), dtype=a.dtype, device=a.device)
    if m and n:
        _kernels.matmul_kernel[tiles_of(m, n)](
            a, b, out, m, n, k, *a.stride(), *b.stride(), n, **numbers(a, precision)
        )
    return out
