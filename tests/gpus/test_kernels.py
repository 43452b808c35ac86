"""Kernels against PyTorch: values, gradients, odd sizes, strides, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from dlcourse.checks import check_gradients  # noqa: E402  (where torch or Triton is missing, all this is skipped)
from dlcourse.gpus import _blocks, _kernels, _tensors, kernels  # noqa: E402
from dlcourse.gpus._device import device  # noqa: E402
from dlcourse.gpus._triton import INTERPRETED  # noqa: E402
from dlcourse.gpus.kernels import add, linear_gelu, matmul, matmul_bytes, softmax  # noqa: E402
from dlcourse.neurons.activation import gelu  # noqa: E402

torch.set_num_threads(1)
HERE = device("auto" if torch.cuda.is_available() else "cpu")
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
ODD = [(1, 1, 1), (3, 5, 2), (33, 17, 40), (37, 65, 33)]
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)
examples = settings(max_examples=8, deadline=None)


def draw(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).to(HERE)


def expect_close(found, wanted, dtype):
    """Compare with what float64 gives, in units of the largest number."""
    assert found.dtype == dtype
    assert found.shape == wanted.shape
    error = (found.double() - wanted).abs().max() if found.numel() else torch.tensor(0.0)
    assert error <= TOLERANCE[dtype] * max(1.0, wanted.abs().max().item() if found.numel() else 0.0)


@dtypes
@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 2500])
def test_add_is_torchs(dtype, n):
    x, y = draw(n, dtype=dtype), draw(n, dtype=dtype, seed=1)
    expect_close(add(x, y), x.double() + y.double(), dtype)


def test_add_takes_any_shape():
    x, y = draw(3, 4, 5), draw(3, 4, 5, seed=1)
    assert torch.equal(add(x, y), x + y)


@dtypes
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (3, 5), (7, 64), (2, 129)])
def test_softmax_is_torchs(dtype, shape):
    z = 5 * draw(*shape, dtype=dtype)
    found = softmax(z)
    expect_close(found, z.double().softmax(1), dtype)


@examples
@given(st.integers(1, 5), st.integers(1, 40), st.floats(-1e4, 1e4))
def test_softmax_does_not_change_when_a_row_moves_and_adds_up_to_one(rows, n, far):
    z = draw(rows, n, dtype=torch.float64)
    torch.testing.assert_close(softmax(z + far), softmax(z), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(softmax(z).sum(1), torch.ones(rows, dtype=torch.float64, device=HERE))


def test_softmax_reads_rows_of_a_larger_array():
    large = draw(5, 20)
    torch.testing.assert_close(softmax(large[:, 3:10]), large[:, 3:10].softmax(1))


@dtypes
@pytest.mark.parametrize(("m", "n", "k"), ODD)
def test_matmul_is_torchs_for_odd_sizes_too(dtype, m, n, k):
    a, b = draw(m, k, dtype=dtype), draw(k, n, dtype=dtype, seed=1)
    expect_close(matmul(a, b), a.double() @ b.double(), dtype)


def test_matmul_reads_transposed_factors_in_place():
    a, b = draw(40, 35, dtype=torch.float64), draw(50, 40, dtype=torch.float64)
    torch.testing.assert_close(matmul(a.T, b.T), a.T @ b.T)


def test_an_empty_product_is_empty_or_zero():
    assert matmul(draw(0, 3), draw(3, 2)).shape == (0, 2)
    assert torch.equal(matmul(draw(2, 0), draw(0, 3)), torch.zeros(2, 3, device=HERE))


@pytest.mark.skipif(not INTERPRETED, reason="a GPU adds up in another order")
@pytest.mark.parametrize("group", [1, 2, 3, 8])
@pytest.mark.parametrize(("m", "n"), [(9, 7), (16, 4), (4, 16), (17, 17)])
def test_every_tile_is_computed_once_whatever_the_group(m, n, group):
    k, size = 6, 4
    a, b, out = draw(m, k), draw(k, n), torch.full((m, n), torch.nan)
    grid = (-(-m // size) * -(-n // size),)
    sizes = {"ROWS": size, "COLUMNS": size, "DEPTH": size, "GROUP": group}
    constants = _tensors.numbers(a, "ieee") | sizes
    seen = _blocks.trace(
        _kernels.matmul_kernel.fn, grid, a, b, out, m, n, k, *a.stride(), *b.stride(), n, **constants
    )
    torch.testing.assert_close(out, a @ b)
    stored = np.concatenate([access.places for access in seen if access.kind == "store"])
    assert sorted(stored) == list(range(m * n))
    assert _blocks.moved(seen, "load") == matmul_bytes(m, n, k, rows=size, columns=size)


@dtypes
@pytest.mark.parametrize(("m", "n", "k"), ODD)
def test_linear_gelu_and_its_gradients_are_torchs(dtype, m, n, k):
    arrays = draw(m, k, dtype=dtype), 0.5 * draw(k, n, dtype=dtype, seed=1), draw(n, dtype=dtype, seed=2)
    mine = [t.clone().requires_grad_() for t in arrays]
    exact = [t.double().requires_grad_() for t in arrays]
    found = linear_gelu(*mine)
    wanted = torch.nn.functional.gelu(exact[0] @ exact[1] + exact[2])
    expect_close(found.detach(), wanted.detach(), dtype)
    d_y = draw(m, n, dtype=dtype, seed=3)
    found.backward(d_y)
    wanted.backward(d_y.double())
    for t, exactly in zip(mine, exact, strict=True):
        expect_close(t.grad, exactly.grad, dtype)


def test_linear_gelu_is_the_courses_layer_and_its_gradient_is_right(rng):
    x, W, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)

    def op(*arrays):
        tensors = [torch.tensor(a, device=HERE, requires_grad=True) for a in arrays]
        y = linear_gelu(*tensors)

        def pullback(d_y):
            given_back = torch.tensor(d_y, device=HERE)
            return tuple(g.numpy(force=True) for g in torch.autograd.grad(y, tensors, given_back))

        return y.numpy(force=True), pullback

    np.testing.assert_allclose(op(x, W, b)[0], gelu(x @ W + b), rtol=1e-12)
    check_gradients(op, x, W, b, rng=rng)


def test_gradients_come_only_where_they_are_asked_for():
    x, W, b = draw(5, 3), draw(3, 4).requires_grad_(), draw(4)
    (d_W,) = torch.autograd.grad(linear_gelu(x, W, b).sum(), W)  # the gradient of a sum has strides of 0
    exact = torch.autograd.grad(torch.nn.functional.gelu(x @ W + b).sum(), W)[0]
    torch.testing.assert_close(d_W, exact)
    with torch.no_grad():
        assert not linear_gelu(x, W, b).requires_grad


def test_a_batch_without_samples_has_gradients_of_zero():
    x, W, b = draw(0, 3), draw(3, 4).requires_grad_(), draw(4).requires_grad_()
    d_W, d_b = torch.autograd.grad(linear_gelu(x, W, b).sum(), (W, b))
    assert not d_W.any()
    assert not d_b.any()


def test_far_sums_give_no_nan():
    x = torch.tensor([[-1e4, -40.0, 40.0, 1e4]], device=HERE).T.contiguous().requires_grad_()
    one = torch.ones(1, 1, device=HERE)
    y = linear_gelu(x, one, torch.zeros(1, device=HERE))
    (d_x,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y.flatten(), torch.tensor([0.0, 0.0, 40.0, 1e4], device=HERE))
    torch.testing.assert_close(d_x.flatten(), torch.tensor([0.0, 0.0, 1.0, 1.0], device=HERE))


def test_tiles_save_bytes():
    assert matmul_bytes(64, 64, 64) == 4 * 2 * 64**3
    assert matmul_bytes(64, 64, 64, rows=64, columns=64) == 4 * 2 * 64**2
    assert matmul_bytes(65, 64, 64, rows=64, columns=64) == 4 * (65 * 64 + 2 * 64 * 64)


def f(*shape, dtype=torch.float32, **more):
    return torch.zeros(shape, dtype=dtype, device=HERE, **more)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: add(f(3), f(4)), ValueError, "one shape, got \\(3,\\) and \\(4,\\)"),
        (lambda: add(f(3), f(3, dtype=torch.float64)), TypeError, "one dtype for all.*x in float32, y in float64"),
        (lambda: add(f(3, dtype=torch.int64), f(3, dtype=torch.int64)), TypeError, "got x in int64"),
        (lambda: add(f(4)[::2], f(2)), ValueError, "call .contiguous\\(\\) first"),
        (lambda: add(f(3, requires_grad=True), f(3)), ValueError, "has no way back, but x asks for a gradient"),
        (lambda: add(f(3), torch.zeros(3, device="meta")), ValueError, "all tensors on one device"),
        (lambda: softmax(f(3)), ValueError, "softmax expects \\(rows, n\\)"),
        (lambda: softmax(f(3, 0)), ValueError, "n from 1 to 65536"),
        (lambda: softmax(f(3, 4).T), ValueError, "each row in one piece"),
        (lambda: matmul(f(3, 4), f(3, 4)), ValueError, "the columns of a meet the rows of b"),
        (lambda: matmul(f(3, 4), f(4, 3), precision="fast"), ValueError, "no precision 'fast': choose one of ieee, tf32"),
        (lambda: matmul_bytes(3, 4, 0), ValueError, "sizes from 1 on"),
        (lambda: linear_gelu(f(2, 3), f(3, 4), f(3)), ValueError, "b \\(n_out,\\), got \\(2, 3\\), .* and \\(3,\\)"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_compiled_kernels_refuse_tensors_on_the_cpu(monkeypatch):
    monkeypatch.setattr(_tensors, "INTERPRETED", False)
    with pytest.raises(ValueError, match="a compiled kernel here, which cannot read tensors on cpu"):
        add(torch.zeros(3), torch.zeros(3))


def run(code, **environment):
    import os

    env = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU kernels are compiled")
def test_the_interpreter_is_chosen_without_a_gpu_and_being_too_late_is_told():
    found = run("from dlcourse.gpus._triton import INTERPRETED; print(INTERPRETED)")
    assert found.stdout == "True\n", found.stderr
    late = run("import triton.language; import dlcourse.gpus.kernels")
    assert "import dlcourse.gpus.kernels first, or set TRITON_INTERPRET=1" in late.stderr
    missing = run("import sys; sys.modules['triton'] = None; import dlcourse.gpus.kernels")
    assert (
        "needs Triton" in missing.stderr or "computes with Triton, which is not installed" in missing.stderr
    )


def test_the_public_names_are_what_they_say():
    assert kernels.__all__ == sorted(kernels.__all__)
    assert all(hasattr(kernels, name) for name in kernels.__all__)
