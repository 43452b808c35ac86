"""Who reads and writes what, and who reaches outside."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from dlcourse.gpus import _blocks  # noqa: E402  (where torch or Triton is missing, all this is skipped)
from dlcourse.gpus._blocks import launch, moved, trace  # noqa: E402
from dlcourse.gpus._kernels import add_kernel, softmax_kernel  # noqa: E402
from dlcourse.gpus._triton import INTERPRETED, tl, triton  # noqa: E402

pytestmark = pytest.mark.skipif(not INTERPRETED, reason="compiled kernels cannot be watched")


@triton.jit
def shifted_kernel(x, out, n, by, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + places, tl.load(x + places + by))


@triton.jit
def no_other_kernel(x, out, n, BLOCK: tl.constexpr):
    places = tl.arange(0, BLOCK)
    tl.store(out, tl.sum(tl.load(x + places, mask=places < n)))


@triton.jit
def count_kernel(out, BLOCK: tl.constexpr):
    tl.atomic_add(out + tl.arange(0, BLOCK) % 2, 1.0)


def test_each_program_adds_its_own_block():
    x, y, out = torch.arange(10.0), torch.ones(10), torch.zeros(10)
    seen = trace(add_kernel, (3,), x, y, out, 10, BLOCK=4)
    assert torch.equal(out, x + 1)
    assert [(a.program[0], a.tensor, a.kind, a.places.tolist()) for a in seen if a.program[0] != 1] == [
        (program, name, kind, places)
        for program, places in ((0, [0, 1, 2, 3]), (2, [8, 9]))
        for name, kind in (("x", "load"), ("y", "load"), ("out", "store"))
    ]
    assert (moved(seen, "load"), moved(seen, "store"), moved(seen)) == (80, 40, 120)


def test_places_are_entries_of_the_array_whatever_its_strides():
    z = torch.randn(4, 6)[:, ::1][1:, 2:5]  # rows of 3 in memory of 6
    out = torch.zeros(3, 3)
    seen = trace(softmax_kernel, (3,), z, out, 3, z.stride(0), 3, WIDE=tl.float32, BLOCK=4)
    torch.testing.assert_close(out, z.softmax(1))
    assert [a.places.tolist() for a in seen if a.kind == "load"] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (1, "the kernel reads beyond the end of x: give tl.load a mask"),
        (-1, "the kernel reads before the beginning of x"),
        (10**9, "reads far outside of all its arrays"),
    ],
)
def test_who_reads_outside_is_told_which_array(by, words):
    x, out = torch.zeros(8), torch.zeros(8)
    with pytest.raises(IndexError, match=words):
        launch(shifted_kernel, (2,), x, out, 8, by, BLOCK=4)
    assert "create_masked_load" not in vars(_blocks_builder())


def _blocks_builder():
    from triton.runtime import interpreter

    return interpreter.interpreter_builder


def test_who_writes_outside_is_told():
    with pytest.raises(IndexError, match=r"writes beyond the end of out: give tl\.store a mask"):
        launch(shifted_kernel, (2,), torch.zeros(8), torch.zeros(7), 8, 0, BLOCK=4)


def test_what_a_mask_leaves_out_is_nan_without_other():
    out = torch.zeros(1)
    launch(no_other_kernel, (1,), torch.ones(3), out, 3, BLOCK=4)
    assert torch.isnan(out).all()


def test_an_atomic_addition_writes():
    out = torch.zeros(2)
    seen = trace(count_kernel, (3,), out, BLOCK=4)
    assert out.tolist() == [6.0, 6.0]
    assert {a.kind for a in seen} == {"store"}


def test_only_what_is_stored_is_written_back():
    x, y, out = torch.zeros(4, requires_grad=True), torch.ones(4), torch.zeros(4)
    launch(add_kernel, (1,), x, y, out, 4, BLOCK=4)
    np.testing.assert_array_equal(out, np.ones(4))


def test_compiled_kernels_cannot_be_watched(monkeypatch):
    monkeypatch.setattr(_blocks, "INTERPRETED", False)
    with pytest.raises(RuntimeError, match="set TRITON_INTERPRET=1 before Python starts"):
        trace(add_kernel, (1,))


def test_compiled_kernels_are_only_started(monkeypatch):
    monkeypatch.setattr(_blocks, "INTERPRETED", False)
    monkeypatch.setattr(_blocks, "trace", None)
    x, out = torch.ones(3), torch.zeros(3)
    launch(add_kernel, (1,), x, x, out, 3, BLOCK=4)
    assert out.tolist() == [2.0, 2.0, 2.0]
