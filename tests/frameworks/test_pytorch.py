"""The network in PyTorch: equal to the one derived by hand, carried there and back, and exported."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from dlcourse.frameworks import pytorch
from dlcourse.frameworks.pytorch import (
    Network,
    Rounded,
    export_onnx,
    from_numpy,
    gradients,
    step,
    to_numpy,
    train,
)
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP
from dlcourse.training.optimizers import SGD

sizes = st.lists(st.integers(1, 7), min_size=2, max_size=4)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(rng, sizes, batch=5, dtype=np.float64):
    net = MLP.draw(sizes, output="class", rng=rng, dtype=dtype)
    for b in net.parameters[1::2]:
        b[:] = rng.standard_normal(b.shape)
    return net, rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)


@given(sizes, st.integers(1, 6), st.integers(0, 99))
def test_loss_and_gradients_are_those_derived_by_hand(sizes, batch, seed):
    net, x, labels = drawn(np.random.default_rng(seed), sizes, batch)
    loss, expected = TrainableMLP(net).loss_and_gradients(x, labels)
    network = from_numpy(net)
    found = gradients(network, torch.from_numpy(x), torch.from_numpy(labels))
    for d, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(d, right, rtol=1e-10, atol=1e-12)
    assert all(p.grad is None for p in network.parameters())
    logits = network(torch.from_numpy(x))
    assert torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).item() == pytest.approx(
        loss, rel=1e-10
    )


@pytest.mark.parametrize(("dtype", "apart"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_training_is_that_of_the_numpy_half(rng, dtype, apart):
    net, x, labels = drawn(rng, [6, 8, 4], 20, dtype)
    network, model = from_numpy(net), TrainableMLP(net)
    optimizer = SGD(model.parameters, rate=0.1, momentum=0.9)
    expected = []
    for _ in range(20):
        loss, found = model.loss_and_gradients(x, labels)
        optimizer.step(found)
        expected.append(loss)
    batch = torch.from_numpy(x), torch.from_numpy(labels)
    np.testing.assert_allclose(train(network, [batch] * 20, rate=0.1), expected, rtol=apart)
    assert expected[-1] < expected[0]
    for p, right in zip(to_numpy(network).parameters, model.parameters, strict=True):
        np.testing.assert_allclose(p, right, rtol=10 * apart, atol=apart)


def test_no_batch_no_loss():
    assert train(Network([2, 2]), [], rate=0.1) == []


@given(sizes, st.integers(0, 99))
def test_weights_come_back_as_they_went(sizes, seed):
    net, x, _ = drawn(np.random.default_rng(seed), sizes)
    back = to_numpy(from_numpy(net))
    for p, right in zip(back.parameters, net.parameters, strict=True):
        np.testing.assert_array_equal(p, right)
        assert p.dtype == right.dtype
    np.testing.assert_allclose(back.forward(x), net.forward(x))


def test_weights_are_copies(rng):
    net, x, labels = drawn(rng, [3, 2])
    before = [p.copy() for p in net.parameters]
    train(from_numpy(net), [(torch.from_numpy(x), torch.from_numpy(labels))], rate=1.0)
    for p, right in zip(net.parameters, before, strict=True):
        np.testing.assert_array_equal(p, right)


@pytest.mark.parametrize("options", [{"output": "value"}, {"output": "class", "activation": "tanh"}])
def test_another_kind_of_network_is_refused(rng, options):
    with pytest.raises(ValueError, match="expected a network for a class with relu, got MLP"):
        from_numpy(MLP.draw([3, 2], rng=rng, **options))


def test_a_generator_draws_the_same_weights_again():
    one, two = (Network([4, 3], generator=torch.Generator().manual_seed(7)) for _ in range(2))
    other = Network([4, 3], generator=torch.Generator().manual_seed(8))
    assert torch.equal(one.layers[0].weight, two.layers[0].weight)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)


def test_a_step_begins_with_fresh_gradients():
    torch.manual_seed(0)
    network = Network([3, 2])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    x, labels = torch.ones(4, 3), torch.zeros(4, dtype=torch.int64)
    step(network, optimizer, x, labels)
    first = network.layers[0].weight.grad.clone()
    loss = step(network, optimizer, x, labels)
    assert torch.equal(network.layers[0].weight.grad, first)
    assert not loss.requires_grad


def test_what_is_rounded_passes_its_gradient_on():
    x = torch.tensor([-1.2, 0.4, 2.6], dtype=torch.float64, requires_grad=True)
    (Rounded.apply(x) ** 2).sum().backward()
    assert x.grad.tolist() == [-2.0, 0.0, 6.0]


def test_the_state_has_the_names_that_pytorch_gives(rng):
    state = from_numpy(drawn(rng, [4, 3, 2])[0]).state_dict()
    assert {name: tuple(p.shape) for name, p in state.items()} == {
        "layers.0.weight": (3, 4),
        "layers.0.bias": (3,),
        "layers.1.weight": (2, 3),
        "layers.1.bias": (2,),
    }


@pytest.mark.slow
def test_an_exported_network_answers_the_same_elsewhere(rng, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network = from_numpy(drawn(rng, [6, 8, 4], dtype=np.float32)[0])
    export_onnx(network, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 3, 17):
        x = rng.standard_normal((batch, 6)).astype(np.float32)
        (logits,) = session.run(["logits"], {"x": x})
        np.testing.assert_allclose(
            logits, network(torch.from_numpy(x)).numpy(force=True), rtol=1e-5, atol=1e-6
        )


def test_the_chapter_says_what_is_missing_for_an_export(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r'ONNX Script is not installed here: pip install "dlcourse\[frameworks\]"'
    ):
        pytorch.export_onnx(Network([2, 2]), tmp_path / "network.onnx")
