"""The kernels of the chapter: what one program of the grid does.

Annotations in here are Triton's, not Python's, and its compiler reads the source itself. So nothing may wrap these
functions: ``no_type_check`` tells that to the tests. Chapter: book/gpus/kernels.md. Source: Tillet et al. (2019).
"""

from typing import no_type_check

from dlcourse.gpus._triton import INTERPRETED, tl, triton


def _tiles(rows: int, columns: int, depth: int, stages: int, warps: int) -> triton.Config:
    sizes = {"ROWS": rows, "COLUMNS": columns, "DEPTH": depth, "GROUP": 8}
    return triton.Config(sizes, num_stages=stages, num_warps=warps)


ON_GPU = [
    _tiles(128, 256, 64, 3, 8),
    _tiles(256, 128, 64, 3, 8),
    _tiles(128, 128, 64, 4, 8),
    _tiles(128, 128, 32, 4, 4),
    _tiles(128, 64, 64, 4, 4),
    _tiles(64, 128, 32, 4, 4),
    _tiles(64, 64, 32, 3, 4),
    _tiles(32, 64, 64, 4, 4),
    _tiles(16, 64, 128, 4, 4),
]
"""What is tried on a GPU for each size; the fastest is kept."""
TILES = [_tiles(32, 32, 32, 1, 4)] if INTERPRETED else ON_GPU  # the interpreter cannot measure


@triton.jit
@no_type_check
def add_kernel(x, y, out, n, BLOCK: tl.constexpr):
    """Add ``BLOCK`` numbers; the last program has fewer."""
    program = tl.program_id(0)
    places = program * BLOCK + tl.arange(0, BLOCK)  # (BLOCK,)
    inside = places < n
    total = tl.load(x + places, mask=inside) + tl.load(y + places, mask=inside)
    tl.store(out + places, total, mask=inside)


@triton.jit
@no_type_check
def softmax_kernel(z, out, n, z_row, out_row, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    """Turn one row into probabilities: read once, written once."""
    row = tl.program_id(0).to(tl.int64)  # a large array has more places than int32 counts
    columns = tl.arange(0, BLOCK)  # (BLOCK,)
    inside = columns < n
    numbers = tl.load(z + row * z_row + columns, mask=inside, other=-float("inf")).to(WIDE)
    powers = tl.exp(numbers - tl.max(numbers, axis=0))
    shares = powers / tl.sum(powers, axis=0)
    tl.store(out + row * out_row + columns, shares.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def product_tile(
    a, b, rows, columns, m, n, k, a_row, a_column, b_row, b_column,
    WIDE: tl.constexpr, WIDEN: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Multiply a strip of ``a`` with a strip of ``b``, one pair of tiles after the other."""
    depth = tl.arange(0, DEPTH)
    left = a + rows[:, None] * a_row + depth[None, :] * a_column  # (ROWS, DEPTH) pointers
    right = b + depth[:, None] * b_row + columns[None, :] * b_column  # (DEPTH, COLUMNS) pointers
    total = tl.zeros((ROWS, COLUMNS), dtype=WIDE)
    for done in range(0, k, DEPTH):
        there = depth < k - done
        tile_a = tl.load(left, mask=(rows[:, None] < m) & there[None, :], other=0.0)
        tile_b = tl.load(right, mask=there[:, None] & (columns[None, :] < n), other=0.0)
        if WIDEN:
            tile_a, tile_b = tile_a.to(WIDE), tile_b.to(WIDE)
        total = tl.dot(tile_a, tile_b, total, input_precision=PRECISION, out_dtype=WIDE)
        left += DEPTH * a_column
        right += DEPTH * b_row
    return total


@triton.jit
@no_type_check
def tile_of(program, m, n, ROWS: tl.constexpr, COLUMNS: tl.constexpr, GROUP: tl.constexpr):
    """Say which tile a program computes: ``GROUP`` rows of tiles together, so that neighbours in time share strips."""
    down, across = tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS)
    first = program // (GROUP * across) * GROUP
    high = tl.minimum(down - first, GROUP)
    within = program % (GROUP * across)
    rows = (first + within % high) * ROWS + tl.arange(0, ROWS)
    columns = within // high * COLUMNS + tl.arange(0, COLUMNS)
    return rows.to(tl.int64), columns.to(tl.int64)


@triton.autotune(TILES, key=["m", "n", "k"])
@triton.jit
@no_type_check
def matmul_kernel(
    a, b, out, m, n, k, a_row, a_column, b_row, b_column, out_row,
    WIDE: tl.constexpr, WIDEN: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Compute one tile of a matrix product."""
    rows, columns = tile_of(tl.program_id(0), m, n, ROWS, COLUMNS, GROUP)
    total = product_tile(
        a, b, rows, columns, m, n, k, a_row, a_column, b_row, b_column, WIDE, WIDEN, PRECISION, ROWS, COLUMNS, DEPTH
    )  # fmt: skip
    places = rows[:, None] * out_row + columns[None, :]
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(out + places, total.to(out.dtype.element_ty), mask=inside)


@triton.autotune(TILES, key=["m", "n", "k"])
@triton.jit
@no_type_check
def linear_gelu_kernel(
    x, W, b, z, y, m, n, k, x_row, x_column, W_row, W_column, y_row,
    KEEP: tl.constexpr, WIDE: tl.constexpr, WIDEN: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Compute one tile of a layer: product, bias and GELU, before anything is written."""
    rows, columns = tile_of(tl.program_id(0), m, n, ROWS, COLUMNS, GROUP)
    sums = product_tile(
        x, W, rows, columns, m, n, k, x_row, x_column, W_row, W_column, WIDE, WIDEN, PRECISION, ROWS, COLUMNS, DEPTH
    )  # fmt: skip
    sums += tl.load(b + columns, mask=columns < n, other=0.0).to(WIDE)[None, :]
    share = 0.5 * (1 + tl.erf(sums * 0.7071067811865476))
    places = rows[:, None] * y_row + columns[None, :]
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    if KEEP:  # the way back needs the sums
        tl.store(z + places, sums.to(z.dtype.element_ty), mask=inside)
    tl.store(y + places, (sums * share).to(y.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def gelu_back_kernel(
    z, d_y, d_z, d_b, m, n, z_row, d_row, d_column,
    WIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Go back through GELU for one tile, and add up its gradients for the bias on the way."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    sums = tl.load(z + rows[:, None] * z_row + columns[None, :], mask=inside, other=0.0).to(WIDE)
    comes = tl.load(d_y + rows[:, None] * d_row + columns[None, :] * d_column, mask=inside, other=0.0).to(
        WIDE
    )
    share = 0.5 * (1 + tl.erf(sums * 0.7071067811865476))
    density = 0.3989422804014327 * tl.exp(-0.5 * sums * sums)
    goes = comes * (share + sums * density)
    tl.store(d_z + rows[:, None] * z_row + columns[None, :], goes.to(d_z.dtype.element_ty), mask=inside)
    tl.store(d_b + tl.program_id(0) * n + columns, tl.sum(goes, axis=0), mask=columns < n)
