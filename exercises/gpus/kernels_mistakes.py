"""Classic mistakes of the exercise ``gpus/kernels``, each with what its author must be told.

Each is the right kernel with something exchanged. The kernels do not call each other, so each costs its own task only.
"""

from dlcourse.checks import Mistake

ADD = """@triton.jit
def add_kernel(x, y, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    m = i < n
    total = tl.load(x + i, mask=m) + tl.load(y + i, mask=m)
    tl.store(out + i, total, mask=m)
"""
SOFTMAX = """@triton.jit
def softmax_kernel(z, out, n, z_row, out_row, BLOCK: tl.constexpr):
    i, j = tl.program_id(0), tl.arange(0, BLOCK)
    scores = tl.load(z + i * z_row + j, mask=j < n, other=-float("inf"))
    scores = scores - tl.max(scores, axis=0)
    powers = tl.exp(scores)
    powers = powers / tl.sum(powers, axis=0)
    tl.store(out + i * out_row + j, powers, mask=j < n)
"""
MATMUL = """@triton.jit
def matmul_kernel(
    a, b, out, m, n, k, a_row, b_row, out_row, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr
):
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    d = tl.arange(0, DEPTH)
    left = a + i[:, None] * a_row + d[None, :]
    right = b + d[:, None] * b_row + j[None, :]
    sums = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for done in range(0, k, DEPTH):
        A = tl.load(left, mask=(i[:, None] < m) & (d[None, :] < k - done), other=0.0)
        B = tl.load(right, mask=(d[:, None] < k - done) & (j[None, :] < n), other=0.0)
        sums = tl.dot(A, B, sums)
        left += DEPTH
        right += DEPTH * b_row
    tl.store(out + i[:, None] * out_row + j[None, :], sums, mask=(i[:, None] < m) & (j[None, :] < n))
"""
LAYER = """@triton.jit
def linear_gelu_kernel(
    x, W, b, y, batch, n_in, n_out, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr
):
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    d = tl.arange(0, DEPTH)
    X = tl.load(x + i[:, None] * n_in + d[None, :], mask=(i[:, None] < batch) & (d[None, :] < n_in), other=0.0)
    V = tl.load(W + d[:, None] * n_out + j[None, :], mask=(d[:, None] < n_in) & (j[None, :] < n_out), other=0.0)
    bias = tl.load(b + j, mask=j < n_out, other=0.0)
    z = tl.dot(X, V, input_precision="ieee") + bias[None, :]
    result = z * 0.5 * (1 + tl.erf(z * 0.7071067811865476))
    tl.store(y + i[:, None] * n_out + j[None, :], result, mask=(i[:, None] < batch) & (j[None, :] < n_out))
"""
BACK = """@triton.jit
def gelu_back_kernel(z, d_y, d_z, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    m = i < n
    s = tl.load(z + i, mask=m)
    share = 0.5 * (1 + tl.erf(s * 0.7071067811865476))
    density = 0.3989422804014327 * tl.exp(-0.5 * s * s)
    tl.store(d_z + i, tl.load(d_y + i, mask=m) * (share + s * density), mask=m)
"""
TASKS = {
    "add_kernel": (ADD, {"add_kernel_check": 1, "add_kernel_hidden": 1}),
    "softmax_kernel": (SOFTMAX, {"softmax_kernel_check": 2, "softmax_kernel_hidden": 2}),
    "matmul_kernel": (MATMUL, {"matmul_kernel_check": 3, "matmul_kernel_hidden": 3}),
    "linear_gelu_kernel": (LAYER, {"linear_gelu_kernel_check": 2, "linear_gelu_kernel_hidden": 2}),
    "gelu_back_kernel": (BACK, {"gelu_back_kernel_check": 2, "gelu_back_kernel_hidden": 2}),
}
SOME = {"softmax_kernel_check": 1, "softmax_kernel_hidden": 1}
SUMS = {"matmul_kernel_check": 1, "matmul_kernel_hidden": 1}


def _instead(
    task: str, name: str, told: str, *changes: tuple[str, str], loses: dict[str, float] | None = None
) -> Mistake:
    code, all_points = TASKS[task]
    for right, wrong in changes:
        assert right in code, (task, right)
        code = code.replace(right, wrong)
    return Mistake(task, name, code, loses or all_points, told)


MISTAKES = [
    _instead("add_kernel", "no mask", "Your tl.load reads beyond the end", (", mask=m", "")),
    _instead("add_kernel", "one place too many", "Your tl.load reads beyond the end", ("i < n", "i <= n")),
    _instead(
        "add_kernel", "no mask for y", "y needs the mask, too", ("tl.load(y + i, mask=m)", "tl.load(y + i)")
    ),
    _instead(
        "add_kernel",
        "no mask when storing",
        "Your tl.store writes beyond the end",
        ("total, mask=m", "total"),
    ),
    _instead(
        "add_kernel",
        "no program",
        "All your programs add the first block",
        ("tl.program_id(0) * BLOCK + ", ""),
    ),
    _instead("add_kernel", "no block", "Your blocks begin one place after the other", (" * BLOCK +", " +")),
    _instead("add_kernel", "from 1", "programs count from 0", ("tl.program_id(0)", "(tl.program_id(0) + 1)")),
    _instead("add_kernel", "subtracts", "You subtracted", (") + tl.load(y", ") - tl.load(y")),
    _instead("add_kernel", "x twice", "You added x to itself", ("tl.load(y", "tl.load(x")),
    _instead(
        "add_kernel",
        "not stored",
        "Nothing was stored in out",
        ("    tl.store(out + i, total, mask=m)\n", ""),
    ),
    Mistake(
        "add_kernel",
        "the package's own",
        "from dlcourse.gpus._kernels import add_kernel",
        TASKS["add_kernel"][1],
        "write it yourself",
    ),
    _instead(
        "softmax_kernel",
        "masked places are 0",
        "Masked places count as 0",
        ('other=-float("inf")', "other=0.0"),
        loses=SOME,
    ),
    _instead("softmax_kernel", "no other", "You gave tl.load no other=", (', other=-float("inf")', "")),
    _instead(
        "softmax_kernel",
        "not divided",
        "You forgot to divide by the sum",
        ("    powers = powers / tl.sum(powers, axis=0)\n", ""),
    ),
    _instead(
        "softmax_kernel", "no stride", "You read the rows of z as if they followed", ("i * z_row", "i * n")
    ),
    _instead(
        "softmax_kernel",
        "stride of z for out",
        "You wrote the rows of out",
        ("out + i * out_row", "out + i * z_row"),
    ),
    _instead(
        "softmax_kernel", "first row only", "All your programs do the first row", ("tl.program_id(0)", "0")
    ),
    _instead(
        "softmax_kernel",
        "no mask",
        "Your tl.load reads behind the end of the row",
        (', mask=j < n, other=-float("inf")', ""),
    ),
    _instead(
        "softmax_kernel",
        "no maximum",
        "You forgot the maximum",
        ("    scores = scores - tl.max(scores, axis=0)\n", ""),
        loses=SOME,
    ),
    _instead(
        "matmul_kernel",
        "does not go on",
        "Your pointers stay where they are",
        ("        left += DEPTH\n        right += DEPTH * b_row\n", ""),
    ),
    _instead(
        "matmul_kernel",
        "b does not go on",
        "The pointers of b stay where they are",
        ("        right += DEPTH * b_row\n", ""),
    ),
    _instead(
        "matmul_kernel",
        "b goes to the right",
        "You step through b without its stride",
        ("DEPTH * b_row", "DEPTH"),
    ),
    _instead(
        "matmul_kernel",
        "n for the stride of b",
        "You step through b without its stride",
        ("d[:, None] * b_row", "d[:, None] * n"),
        ("DEPTH * b_row", "DEPTH * n"),
    ),
    _instead(
        "matmul_kernel",
        "k for the stride of a",
        "with another stride than a_row",
        ("i[:, None] * a_row", "i[:, None] * k"),
    ),
    _instead(
        "matmul_kernel", "not added up", "You kept the last step only", ("tl.dot(A, B, sums)", "tl.dot(A, B)")
    ),
    _instead(
        "matmul_kernel",
        "one step",
        "You took the first step only",
        ("range(0, k, DEPTH)", "range(0, DEPTH, DEPTH)"),
    ),
    _instead(
        "matmul_kernel",
        "depth not masked",
        "you read columns of a that do not exist",
        (" & (d[None, :] < k - done)", ""),
    ),
    _instead(
        "matmul_kernel",
        "depth masked by k alone",
        "you read columns of a that do not exist",
        ("k - done", "k"),
    ),
    _instead("matmul_kernel", "no other", "You gave tl.load no other=0.0", (", other=0.0", "")),
    _instead(
        "matmul_kernel",
        "rows and columns exchanged",
        "You exchanged the two numbers of a program",
        ("tl.program_id(0)", "tl.program_id(2)"),
        ("tl.program_id(1)", "tl.program_id(0)"),
        ("tl.program_id(2)", "tl.program_id(1)"),
    ),
    _instead(
        "matmul_kernel",
        "store not masked",
        "Your tl.store writes beyond the end",
        (", mask=(i[:, None] < m) & (j[None, :] < n))", ")"),
    ),
    _instead(
        "matmul_kernel",
        "sums in float16",
        "Your sums are float16",
        ("dtype=tl.float32", "dtype=tl.float16"),
        ("tl.dot(A, B, sums)", "tl.dot(A, B, sums, out_dtype=tl.float16)"),
        loses=SUMS,
    ),
    _instead("linear_gelu_kernel", "no bias", "You forgot the bias", (" + bias[None, :]", "")),
    _instead(
        "linear_gelu_kernel",
        "bias along the rows",
        "You added the biases along the rows",
        ("bias[None, :]", "bias[:, None]"),
    ),
    _instead(
        "linear_gelu_kernel",
        "no activation",
        "You forgot the activation",
        ("z * 0.5 * (1 + tl.erf(z * 0.7071067811865476))", "z"),
    ),
    _instead(
        "linear_gelu_kernel",
        "bias last",
        "You added the bias behind the activation",
        (" + bias[None, :]", ""),
        ("476))", "476)) + bias[None, :]"),
    ),
    _instead("linear_gelu_kernel", "share alone", "This is the share alone", ("z * 0.5", "0.5")),
    _instead("linear_gelu_kernel", "no half", "You forgot to halve the share", ("z * 0.5 *", "z *")),
    _instead(
        "linear_gelu_kernel", "no root", "You left out the square root of 2", ("z * 0.7071067811865476", "z")
    ),
    _instead(
        "linear_gelu_kernel",
        "ReLU",
        "This is ReLU",
        ("z * 0.5 * (1 + tl.erf(z * 0.7071067811865476))", "tl.maximum(z, 0.0)"),
    ),
    _instead("linear_gelu_kernel", "no other", "You gave tl.load no other=0.0", (", other=0.0", "")),
    _instead(
        "linear_gelu_kernel",
        "x not masked",
        "beyond the end of x",
        ("mask=(i[:, None] < batch) & (d[None, :] < n_in), other=0.0", "mask=None"),
    ),
    _instead(
        "gelu_back_kernel",
        "no d_y",
        "You forgot the gradient that comes in",
        ("tl.load(d_y + i, mask=m) * ", ""),
    ),
    _instead("gelu_back_kernel", "share alone", "You left out z times the density", (" + s * density", "")),
    _instead(
        "gelu_back_kernel", "no z", "You left z out in front of the density", ("s * density", "density")
    ),
    _instead(
        "gelu_back_kernel", "no root", "not divided by the square root of 2 pi", ("0.3989422804014327 * ", "")
    ),
    _instead(
        "gelu_back_kernel", "no half", "You left out the half in the exponent", ("-0.5 * s * s", "-s * s")
    ),
    _instead(
        "gelu_back_kernel", "GELU itself", "This is GELU itself", ("(share + s * density)", "s * share")
    ),
    _instead("gelu_back_kernel", "no mask", "Your tl.load reads beyond the end", (", mask=m", "")),
]
