"""Weights in a file that every framework reads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")

from dlcourse.frameworks import _weights
from dlcourse.frameworks._present import missing
from dlcourse.neurons.activation import softmax
from dlcourse.neurons.network import MLP

APART = Path(__file__).with_name("apart")


@pytest.fixture
def net(rng):
    return MLP.draw([5, 4, 3], output="class", rng=rng, dtype=np.float32)


def test_what_is_read_is_what_was_written(net, tmp_path):
    _weights.save(net, tmp_path / "net.safetensors")
    back = _weights.load(tmp_path / "net.safetensors")
    assert (back.output, back.activation, back.sizes) == ("class", "relu", (5, 4, 3))
    for p, right in zip(back.parameters, net.parameters, strict=True):
        np.testing.assert_array_equal(p, right)
        assert p.dtype == right.dtype


def test_an_array_is_written_row_by_row_whatever_its_order_in_memory(net, tmp_path):
    turned = MLP("class", *[np.asfortranarray(p) for p in net.parameters])
    _weights.save(turned, tmp_path / "net.safetensors")
    for p, right in zip(_weights.load(tmp_path / "net.safetensors").parameters, net.parameters, strict=True):
        np.testing.assert_array_equal(p, right)


def test_pytorch_reads_it_too(net, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    _weights.save(net, tmp_path / "net.safetensors")
    found = load_file(tmp_path / "net.safetensors")
    assert sorted(found) == ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b"]
    assert torch.equal(found["layers.1.W"], torch.from_numpy(net.layers[1].W))


def test_a_file_of_another_program_is_refused(net, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from dlcourse.frameworks import pytorch

    save_file(pytorch.from_numpy(net).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"holds layers\.0\.bias.*expected layers\.0\.W"):
        _weights.load(tmp_path / "other.safetensors")
    save_file({"layers.0.W": torch.zeros(2, 2), "layers.0.b": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="as save writes them"):
        _weights.load(tmp_path / "other.safetensors")


@pytest.mark.slow
@pytest.mark.skipif(bool(missing("torch", "jax", "keras")), reason="a framework is missing")
def test_weights_travel_through_all_three_and_keep_their_answers(net, rng, tmp_path):
    for b in net.parameters[1::2]:
        b[:] = rng.standard_normal(b.shape)
    x = rng.standard_normal((7, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    _weights.save(net, tmp_path / "start.safetensors")
    before = "start"
    for framework in ("pytorch", "jax", "tensorflow"):
        names = (f"{before}.safetensors", "x.npy", f"{framework}.safetensors", f"{framework}.npy")
        command = [sys.executable, APART / "answer.py", framework, *(tmp_path / name for name in names)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        before = framework
        logits = np.load(tmp_path / f"{framework}.npy")
        np.testing.assert_allclose(softmax(logits), net.forward(x), rtol=1e-5, atol=1e-6)
    for p, right in zip(
        _weights.load(tmp_path / "tensorflow.safetensors").parameters, net.parameters, strict=True
    ):
        np.testing.assert_array_equal(p, right)
