from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data import digits
from dlcourse.learning import _fused
from dlcourse.learning._flat import runs
from dlcourse.learning._fused import IN_PLACE, FusedMLP
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP

torch.set_num_threads(1)

# What hypothesis draws is plain data: beartype's run-time check draws from `random`, which a strategy may not do.
NETWORKS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(1, 9), min_size=2, max_size=5),
        "output": st.sampled_from(["class", "value"]),
        "activation": st.sampled_from(sorted(IN_PLACE)),
        "batches": st.lists(st.integers(1, 9), min_size=1, max_size=4),
        "seed": st.integers(0, 2**32),
    }
)


def draw(rng, sizes, output="class", activation="relu", dtype=np.float64):
    parameters = [
        p for n, m in pairwise(sizes) for p in (rng.standard_normal((n, m)), rng.standard_normal(m))
    ]
    return MLP(output, *(p.astype(dtype) for p in parameters), activation=activation)


def copied(net):
    return MLP(net.output, *(p.copy() for p in net.parameters), activation=net.activation)


def draw_batch(rng, net, batch):
    x = rng.standard_normal((batch, net.sizes[0])).astype(net.parameters[0].dtype)
    if net.output == "class":
        return x, rng.integers(0, net.sizes[-1], batch)
    return x, rng.standard_normal((batch, net.sizes[-1])).astype(x.dtype)


@pytest.mark.slow
@given(NETWORKS, st.sampled_from([(np.float64, 1e-11), (np.float32, 2e-5)]))
def test_fused_is_the_plain_form(drawn, precision):
    dtype, tolerance = precision
    rng = np.random.default_rng(drawn["seed"])
    net = draw(rng, drawn["sizes"], drawn["output"], drawn["activation"], dtype)
    fused, plain = FusedMLP(copied(net)), TrainableMLP(copied(net))
    assert isinstance(fused, Trainable)
    # Several batches in a row: nothing of one may be left in the buffers of the next.
    for batch in drawn["batches"]:
        x, y = draw_batch(rng, net, batch)
        loss, gradients = fused.loss_and_gradients(x, y)
        expected_loss, expected = plain.loss_and_gradients(x, y)
        assert isinstance(loss, float)
        close = {"rtol": tolerance, "atol": tolerance * max(1.0, *(np.abs(g).max() for g in expected))}
        np.testing.assert_allclose(loss, expected_loss, **close)
        for got, right in zip(gradients, expected, strict=True):
            assert got.dtype == dtype
            np.testing.assert_allclose(got, right, **close)
        np.testing.assert_allclose(fused.loss(x, y), plain.loss(x, y), **close)
        if net.output == "class":
            np.testing.assert_array_equal(fused.predict(x), plain.predict(x))
        else:
            np.testing.assert_allclose(fused.predict(x), plain.predict(x), **close)


def in_torch(net):
    functions = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda z: z}
    parameters = [torch.tensor(p, requires_grad=True) for p in net.parameters]

    def loss(x, y):
        h = torch.from_numpy(x)
        for i in range(0, len(parameters), 2):
            h = h @ parameters[i] + parameters[i + 1]
            h = functions[net.activation](h) if i < len(parameters) - 2 else h
        targets = torch.from_numpy(y)
        if net.output == "class":
            return torch.nn.functional.cross_entropy(h, targets)
        return torch.nn.functional.mse_loss(h, targets)

    return parameters, loss


@pytest.mark.parametrize("activation", sorted(IN_PLACE))
@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_fused_agrees_with_torch(rng, activation, output, dtype, tolerance):
    net = draw(rng, [7, 6, 5, 4], output, activation, dtype)
    parameters, loss_in_torch = in_torch(net)
    x, y = draw_batch(rng, net, 11)
    loss, gradients = FusedMLP(net).loss_and_gradients(x, y)
    expected = loss_in_torch(x, y)
    expected.backward()
    np.testing.assert_allclose(loss, expected.item(), rtol=tolerance)
    for got, parameter in zip(gradients, parameters, strict=True):
        right = parameter.grad.numpy()
        np.testing.assert_allclose(got, right, rtol=tolerance, atol=tolerance * np.abs(right).max())


def test_all_parameters_lie_in_one_buffer_and_train_the_network(rng):
    net = draw(rng, [4, 3, 2])
    before = [p.copy() for p in net.parameters]
    model = FusedMLP(net)
    assert len(runs(model.parameters)) == len(runs(model.gradients)) == 1
    for one, other in zip(model.parameters, before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(a is b for a, b in zip(model.parameters, net.parameters, strict=True))
    x, y = draw_batch(rng, net, 5)
    runs(model.parameters)[0][:] = 0
    np.testing.assert_allclose(net.forward(x), 0.5)
    np.testing.assert_allclose(model.loss(x, y), np.log(2))
    # Wrapped twice, it is still one network.
    again = FusedMLP(net)
    assert all(np.shares_memory(a, b) for a, b in zip(model.parameters, again.parameters, strict=True))


def test_gradients_are_written_into_the_same_arrays(rng):
    model = FusedMLP(draw(rng, [4, 3, 2]))
    _, first = model.loss_and_gradients(*draw_batch(rng, model.net, 5))
    kept = [g.copy() for g in first]
    _, second = model.loss_and_gradients(*draw_batch(rng, model.net, 5))
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert not np.array_equal(kept[0], second[0])


def test_inputs_and_targets_are_left_as_they_are(rng):
    for output in ("class", "value"):
        model = FusedMLP(draw(rng, [4, 3, 2], output))
        x, y = draw_batch(rng, model.net, 5)
        kept = x.copy(), y.copy()
        model.loss_and_gradients(x, y)
        np.testing.assert_array_equal(x, kept[0])
        np.testing.assert_array_equal(y, kept[1])


@pytest.mark.parametrize("output", ["class", "value"])
def test_many_samples_are_evaluated_block_by_block(rng, output, monkeypatch):
    monkeypatch.setattr(_fused, "BLOCK", 7)
    model = FusedMLP(draw(rng, [4, 3, 2], output))
    plain = TrainableMLP(copied(model.net))
    x, y = draw_batch(rng, model.net, 40)  # the last block is smaller
    np.testing.assert_allclose(model.loss(x, y), plain.loss(x, y), rtol=1e-12)
    np.testing.assert_allclose(model.predict(x), plain.predict(x), rtol=1e-12)
    first = model.predict(x[:7])
    model.predict(x[7:14])
    np.testing.assert_allclose(first, plain.predict(x[:7]), rtol=1e-12)  # no view of a buffer is given away


def test_buffers_of_few_sizes_are_kept(rng):
    model = FusedMLP(draw(rng, [4, 3, 2]))
    for batch in range(1, 30):
        model.loss_and_gradients(*draw_batch(rng, model.net, batch))
        assert len(model._buffers) <= _fused._KEPT


def test_it_learns_the_digits_as_the_plain_form_does(rng):
    x, y, x_test, y_test = digits.split()
    net = MLP.draw([784, 32, 10], output="class", rng=rng)
    net = MLP("class", *(p.astype(np.float32) for p in net.parameters))
    models = FusedMLP(copied(net)), TrainableMLP(copied(net))
    for rows in np.array_split(rng.permutation(len(x)), 60):
        for model in models:
            _, gradients = model.loss_and_gradients(x[rows], y[rows])
            for p, g in zip(model.parameters, gradients, strict=True):
                p -= np.float32(0.5) * g
    fused, plain = (model.loss(x_test, y_test) for model in models)
    assert abs(fused - plain) < 1e-3
    assert np.mean(models[0].predict(x_test) == y_test) > 0.8


def test_a_loss_that_is_not_finite_is_returned_without_a_warning():
    net = MLP("class", np.full((2, 2), 1e30, np.float32), np.zeros(2, np.float32))
    loss, _ = FusedMLP(net).loss_and_gradients(np.full((1, 2), 1e30, np.float32), np.array([0]))
    assert not np.isfinite(loss)


@pytest.mark.usefixtures("no_shape_check")
def test_errors_say_what_to_do(rng):
    model = FusedMLP(draw(rng, [4, 3, 2]))
    x, y = draw_batch(rng, model.net, 5)
    with pytest.raises(ValueError, match=r"x of shape \(batch, 4\) .* got \(5, 3\)"):
        model.loss_and_gradients(x[:, :3], y)
    with pytest.raises(ValueError, match=r"at least one sample, got \(0, 4\)"):
        model.loss_and_gradients(x[:0], y[:0])
    with pytest.raises(TypeError, match=r"float64, got float32: .*x\.astype\(np\.float64\)"):
        model.loss_and_gradients(x.astype(np.float32), y)
    with pytest.raises(ValueError, match="labels from 0 to 1"):
        model.loss_and_gradients(x, y + 2)
    with pytest.raises(ValueError, match="5 samples and 4 targets"):
        model.loss(x, y[:4])
    for nothing in (lambda: model.loss(x[:0], y[:0]), lambda: model.predict(x[:0])):
        with pytest.raises(ValueError, match="at least one sample"):
            nothing()
    with pytest.raises(ValueError, match="got 'gelu': train this network with TrainableMLP"):
        FusedMLP(draw(rng, [4, 3, 2], activation="gelu"))
    mixed = MLP("class", np.ones((2, 2)), np.ones(2, np.float32))
    with pytest.raises(TypeError, match="one dtype, got float32, float64"):
        FusedMLP(mixed)
