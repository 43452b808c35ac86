"""The network in PyTorch against the plain one in NumPy."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.gpus._torch_mlp import ACTIVATIONS, TorchMLP  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.learning._trainable import Trainable  # noqa: E402
from dlcourse.learning.backpropagation import TrainableMLP  # noqa: E402
from dlcourse.neurons.network import MLP  # noqa: E402
from dlcourse.training import fit  # noqa: E402
from dlcourse.training.optimizers import SGD, AdamW  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(params=["shared", "copied"])
def memory(request, monkeypatch):
    """Compute in NumPy's memory, or beside it as a GPU does."""
    if request.param == "copied":
        monkeypatch.setattr(TorchMLP, "_SHARES", ())
    return request.param


def draw(rng, sizes, output="class", activation="relu", dtype=np.float64):
    shapes = [shape for n, m in pairwise(sizes) for shape in ((n, m), (m,))]
    return MLP(output, *(rng.standard_normal(shape).astype(dtype) for shape in shapes), activation=activation)


def copied(net):
    return MLP(net.output, *(p.copy() for p in net.parameters), activation=net.activation)


def draw_samples(rng, net, count):
    x = rng.standard_normal((count, net.sizes[0])).astype(net.parameters[0].dtype)
    if net.output == "class":
        return x, rng.integers(0, net.sizes[-1], count)
    return x, rng.standard_normal((count, net.sizes[-1])).astype(x.dtype)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("sizes", [(3, 4), (5, 7, 6, 3)])
def test_loss_and_gradients_are_those_of_numpy(rng, memory, activation, output, dtype, tolerance, sizes):
    net = draw(rng, sizes, output, activation, dtype)
    model, plain = TorchMLP(net, device="cpu"), TrainableMLP(copied(net))
    assert isinstance(model, Trainable)
    x, y = draw_samples(rng, net, 8)
    loss, gradients = model.loss_and_gradients(x, y)
    right, wanted = plain.loss_and_gradients(x, y)
    assert loss == pytest.approx(right, rel=tolerance)
    for d, want in zip(gradients, wanted, strict=True):
        assert d.dtype == want.dtype == dtype
        np.testing.assert_allclose(d, want, rtol=tolerance, atol=tolerance)
    assert model.loss(x, y) == pytest.approx(plain.loss(x, y), rel=tolerance)
    np.testing.assert_allclose(model.predict(x), plain.predict(x), rtol=tolerance, atol=tolerance)
    assert model.predict(x).dtype.kind == ("i" if output == "class" else "f")


@pytest.mark.parametrize(
    "make",
    [lambda p: SGD(p, rate=0.05, momentum=0.9), lambda p: AdamW(p, rate=0.01)],
    ids=["SGD", "AdamW"],
)
@pytest.mark.parametrize("output", ["class", "value"])
def test_twenty_steps_of_the_same_loop_are_those_of_numpy(rng, memory, make, output):
    net = draw(rng, (6, 8, 4), output)
    x, y = draw_samples(rng, net, 40)
    models = [TorchMLP(copied(net), device="cpu"), TrainableMLP(copied(net))]
    histories = [
        fit(
            model,
            x,
            y,
            optimizer=make(model.parameters),
            epochs=5,
            batch=10,
            rng=np.random.default_rng(3),
            validation=(x[:8], y[:8]),
        )
        for model in models
    ]
    assert len(histories[0].steps) == 20
    np.testing.assert_allclose(histories[0].steps, histories[1].steps, rtol=1e-10)
    np.testing.assert_allclose(histories[0].validation_loss, histories[1].validation_loss, rtol=1e-10)
    assert histories[0].accuracy == histories[1].accuracy
    for mine, theirs in zip(models[0].parameters, models[1].parameters, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-10)


def test_a_checkpoint_goes_from_one_to_the_other(rng, memory, tmp_path):
    net = draw(rng, (6, 8, 4))
    x, y = draw_samples(rng, net, 30)

    def run(model, epochs, **how):
        optimizer = AdamW(model.parameters, rate=0.01)
        return fit(
            model, x, y, optimizer=optimizer, epochs=epochs, batch=10, rng=np.random.default_rng(0), **how
        )

    file = tmp_path / "run.npz"
    whole = run(TrainableMLP(copied(net)), 4)
    run(TrainableMLP(copied(net)), 2, checkpoint=file)
    rest = run(TorchMLP(draw(rng, (6, 8, 4)), device="cpu"), 4, checkpoint=file, resume=True)
    np.testing.assert_allclose(rest.steps, whole.steps, rtol=1e-10)


def test_the_parameters_are_those_of_the_network(rng, memory):
    net = draw(rng, (3, 4, 2))
    model = TorchMLP(net, device="cpu")
    assert all(a is b for a, b in zip(model.parameters, net.parameters, strict=True))
    x, y = draw_samples(rng, net, 5)
    before = model.loss(x, y)
    net.parameters[0][...] += 1
    assert model.loss(x, y) != before
    assert model.loss(x, y) == pytest.approx(TrainableMLP(net).loss(x, y), rel=1e-10)


def test_nothing_is_copied_where_torch_and_numpy_share_the_memory(rng):
    model = TorchMLP(draw(rng, (3, 4, 2)), device="cpu")
    for here, there in zip(model.parameters, model.module.parameters(), strict=True):
        assert np.shares_memory(here, there.detach().numpy())


@pytest.mark.parametrize(
    ("x", "y", "error", "told"),
    [
        (np.ones((2, 4)), np.array([0, 1]), ValueError, r"x of shape \(batch, 3\) .* got \(2, 4\)"),
        (np.ones(3), np.array([0]), ValueError, "put one sample into each row"),
        (np.ones((0, 3)), np.zeros(0, int), ValueError, "at least one sample"),
        (np.ones((2, 3), np.float32), np.array([0, 1]), TypeError, "float64, got float32"),
        (np.ones((2, 3)), np.eye(2), ValueError, "not one-hot rows"),
        (np.ones((2, 3)), np.array([0.0, 1.0]), ValueError, "pass class indices"),
        (np.ones((2, 3)), np.array([0, 2]), ValueError, "labels from 0 to 1, got 0 to 2"),
        (np.ones((2, 3)), np.array([-1, 1]), ValueError, "labels from 0 to 1, got -1 to 1"),
    ],
)
def test_bad_batches_are_refused(no_shape_check, rng, x, y, error, told):
    with pytest.raises(error, match=told):
        TorchMLP(draw(rng, (3, 2)), device="cpu").loss_and_gradients(x, y)


def test_targets_are_not_stretched(rng):
    model = TorchMLP(draw(rng, (3, 1), "value"), device="cpu")
    with pytest.raises(ValueError, match=r"of shape \(2, 1\), got \(2,\)"):
        model.loss(np.ones((2, 3)), np.ones(2))


def test_networks_that_do_not_go_are_refused(rng, monkeypatch):
    with pytest.raises(ValueError, match="got 'step': train this network with TrainableMLP"):
        TorchMLP(draw(rng, (3, 4, 2), activation="step"), device="cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(TypeError, match="no float64"):
        TorchMLP(draw(rng, (3, 2)), device="mps")
