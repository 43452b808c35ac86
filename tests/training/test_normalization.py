import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks import GradientError, check_gradients
from dlcourse.learning._trainable import Trainable
from dlcourse.neurons.network import MLP
from dlcourse.training import fit
from dlcourse.training.normalization import (
    BatchNorm,
    LayerNorm,
    NormalizedMLP,
    batch_norm,
    batch_norm_op,
    layer_norm,
    layer_norm_op,
    moments,
    standardize,
    standardize_op,
)
from dlcourse.training.optimizers import SGD

torch.set_num_threads(1)

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}
OPS = {"batch": batch_norm_op, "layer": layer_norm_op}
SIZES = st.tuples(st.integers(2, 9), st.integers(2, 9))
SEEDS = st.integers(0, 2**32)


def draw(seed, batch, n_in, dtype=np.float64):
    """Draw a batch of units with different means and spreads, gamma, beta, and a gradient."""
    rng = np.random.default_rng(seed)
    x = 3 * rng.standard_normal((batch, n_in)) * rng.uniform(0.5, 2, n_in) + rng.standard_normal(n_in)
    arrays = x, rng.uniform(0.5, 2, n_in), rng.standard_normal(n_in), rng.standard_normal((batch, n_in))
    return tuple(a.astype(dtype) for a in arrays)


def near(got, want, tolerance):
    want = want.detach().numpy()
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * (1 + np.abs(want).max()))


def torch_norm(kind, x, gamma, beta):
    if kind == "batch":
        return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, eps=1e-5)


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@given(size=SIZES, seed=SEEDS)
def test_values_and_gradients_agree_with_torch(kind, dtype, size, seed):
    # Two samples that nearly agree divide by nearly nothing: then rounding is all there is to compare.
    batch, n_in = size[0] + 2, size[1] + 2
    *inputs, d_value = draw(seed, batch, n_in, dtype)
    peers = [torch.tensor(a, requires_grad=True) for a in inputs]
    expected = torch_norm(kind, *peers)
    expected.backward(torch.tensor(d_value))
    value, pullback = OPS[kind](*inputs)
    assert value.dtype == dtype
    near(value, expected, TOLERANCE[dtype])
    for got, peer in zip(pullback(d_value), peers, strict=True):
        assert got.dtype == dtype
        near(got, peer.grad, TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(2, 5), (3, 1, 4), (2, 3, 2, 5)])
def test_layer_norm_takes_any_axes_before_the_units(shape, rng):
    x, d_value = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta = rng.standard_normal((2, shape[-1]))
    peers = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    expected = torch_norm("layer", *peers)
    expected.backward(torch.tensor(d_value))
    value, pullback = layer_norm_op(x, gamma, beta)
    near(value, expected, 1e-10)
    for got, peer in zip(pullback(d_value), peers, strict=True):
        near(got, peer.grad, 1e-10)


@pytest.mark.parametrize("kind", OPS)
@given(size=SIZES, seed=SEEDS)
def test_gradients_agree_with_differences(kind, size, seed):
    # eps = 1 keeps the curve smooth on the scale of the difference, also where two numbers nearly agree.
    x, gamma, beta, _ = draw(seed, *size)
    rng = np.random.default_rng(seed)
    check_gradients(lambda *inputs: OPS[kind](*inputs, eps=1.0), x, gamma, beta, rng=rng)


@pytest.mark.parametrize("op", OPS.values())
def test_gradients_agree_with_differences_at_the_usual_eps(op, rng):
    check_gradients(op, *(rng.standard_normal(shape) for shape in [(8, 6), (6,), (6,)]), rng=rng)


@pytest.mark.parametrize("shape", [(7,), (4, 5), (3, 4, 5)])
def test_standardize_along_each_axis(shape, rng):
    x = 5 + 3 * rng.standard_normal(shape)
    for axis in range(-len(shape), len(shape)):
        y = standardize(x, axis, eps=1e-12)
        np.testing.assert_allclose(y.mean(axis), 0, atol=1e-12)
        np.testing.assert_allclose(y.std(axis), 1, rtol=1e-10)
        check_gradients(lambda x, axis=axis: standardize_op(x, axis), x, rng=rng)
        mean, variance = moments(x, axis)
        np.testing.assert_allclose(mean, x.mean(axis, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(variance, x.var(axis, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("left_out", ["through_mean", "through_spread"])
def test_check_gradients_finds_a_pullback_that_forgot_a_way(left_out, rng):
    def wrong_op(x):
        y, _ = standardize_op(x, 0)
        spread = np.sqrt(x.var(axis=0) + 1e-5)

        def pullback(d_y):
            ways = {"through_mean": d_y.mean(axis=0), "through_spread": y * (d_y * y).mean(axis=0)}
            ways.pop(left_out)
            return (d_y - sum(ways.values())) / spread

        return y, pullback

    with pytest.raises(GradientError, match="the gradient of input 1 along a random direction"):
        check_gradients(wrong_op, rng.standard_normal((5, 3)), rng=rng)


@given(SIZES, SEEDS, st.floats(0.1, 100), st.floats(-100, 100))
def test_shift_and_scale_of_the_input_change_nothing(size, seed, scale, shift):
    x, gamma, beta, _ = draw(seed, size[0] + 2, size[1] + 2)
    rng = np.random.default_rng(seed)
    shifts, scales = shift * rng.standard_normal(x.shape[1]), scale * rng.uniform(0.5, 2, x.shape[1])
    value = batch_norm(x, gamma, beta, eps=1e-12)
    np.testing.assert_allclose(batch_norm(scales * x + shifts, gamma, beta, eps=1e-12), value, atol=1e-6)
    shifts, scales = shift * rng.standard_normal((len(x), 1)), scale * rng.uniform(0.5, 2, (len(x), 1))
    value = layer_norm(x, gamma, beta, eps=1e-12)
    np.testing.assert_allclose(layer_norm(scales * x + shifts, gamma, beta, eps=1e-12), value, atol=1e-6)


@given(SIZES, SEEDS)
def test_no_gradient_points_along_a_shift_or_a_scaling(size, seed):
    x, gamma, beta, d_value = draw(seed, *size)
    d_x = batch_norm_op(x, gamma, beta, eps=1e-12)[1](d_value)[0]
    np.testing.assert_allclose(d_x.sum(axis=0), 0, atol=1e-6 * (1 + np.abs(d_x).max()))
    np.testing.assert_allclose((d_x * x).sum(axis=0), 0, atol=1e-6 * (1 + np.abs(d_x).max()))


def test_layer_norm_answers_each_sample_for_itself(rng):
    x, gamma, beta = rng.standard_normal((6, 4)), rng.standard_normal(4), rng.standard_normal(4)
    together = layer_norm(x, gamma, beta)
    for row, alone in zip(together, x, strict=True):
        np.testing.assert_allclose(layer_norm(alone, gamma, beta), row, rtol=1e-12)
    changed = np.vstack([x[:5], 100 * x[5:]])
    assert (batch_norm(changed, gamma, beta)[:5] != batch_norm(x, gamma, beta)[:5]).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", [0.0, 0.1, 1e8, 1e15])
@pytest.mark.parametrize("op", OPS.values())
def test_constant_features_give_beta_and_finite_gradients(op, size, dtype, rng):
    x = np.full((7, 5), size, dtype)
    beta = rng.standard_normal(5).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, pullback = op(x, np.ones(5, dtype), beta)
        gradients = pullback(rng.standard_normal((7, 5)).astype(dtype))
    np.testing.assert_array_equal(value, np.broadcast_to(beta, (7, 5)))
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15])
@pytest.mark.parametrize("op", OPS.values())
def test_far_inputs_give_finite_answers_without_a_warning(op, scale, dtype, rng):
    x = (scale * rng.standard_normal((6, 5))).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        value, pullback = op(x, np.ones(5, dtype), np.zeros(5, dtype))
        d_x = pullback(np.ones((6, 5), dtype))[0]
    assert np.isfinite(value).all()
    assert np.isfinite(d_x).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(size=SIZES, seed=SEEDS, momentum=st.floats(0.01, 1))
def test_batch_norm_agrees_with_torch_in_both_modes(dtype, size, seed, momentum):
    batch, n_in = size[0] + 2, size[1]
    _, gamma, beta, _ = draw(seed, batch, n_in, dtype)
    ours = BatchNorm(n_in, momentum=momentum, dtype=dtype)
    ours.gamma[:], ours.beta[:] = gamma, beta
    peer = torch.nn.BatchNorm1d(n_in, momentum=momentum, dtype=getattr(torch, np.dtype(dtype).name))
    with torch.no_grad():
        peer.weight.copy_(torch.tensor(gamma))
        peer.bias.copy_(torch.tensor(beta))
    for step, training in enumerate([True, True, True, False, True, False]):
        x, _, _, d_value = draw(seed + step, batch, n_in, dtype)
        x_torch = torch.tensor(x, requires_grad=True)
        peer.train(training)
        peer.zero_grad()
        expected = peer(x_torch)
        expected.backward(torch.tensor(d_value))
        value, pullback = ours.forward_op(x, training)
        assert value.dtype == ours.running_mean.dtype == ours.running_var.dtype == dtype
        near(value, expected, TOLERANCE[dtype])
        near(ours.running_mean, peer.running_mean, TOLERANCE[dtype])
        near(ours.running_var, peer.running_var, TOLERANCE[dtype])
        expected_gradients = (x_torch.grad, peer.weight.grad, peer.bias.grad)
        for got, want in zip(pullback(d_value), expected_gradients, strict=True):
            near(got, want, TOLERANCE[dtype])


def test_evaluation_gradients_agree_with_differences(rng):
    norm = BatchNorm(4)
    norm.forward(2 + 3 * rng.standard_normal((50, 4)), training=True)

    def op(x, gamma, beta):
        norm.gamma, norm.beta = gamma, beta
        return norm.forward_op(x, training=False)

    check_gradients(op, *(rng.standard_normal(shape) for shape in [(5, 4), (4,), (4,)]), rng=rng)


def test_evaluation_changes_nothing_and_takes_one_sample(rng):
    norm = BatchNorm(3)
    for _ in range(5):
        norm.forward(rng.standard_normal((8, 3)), training=True)
    before = norm.running_mean.copy(), norm.running_var.copy()
    x = rng.standard_normal((6, 3))
    together = norm.forward(x, training=False)
    np.testing.assert_allclose(norm.forward(x[2:3], training=False), together[2:3], rtol=1e-12)
    np.testing.assert_array_equal((norm.running_mean, norm.running_var), before)


@pytest.mark.usefixtures("many_steps")
def test_running_statistics_come_close_to_the_data(rng):
    norm = BatchNorm(2)
    for _ in range(100):
        x = np.array([5.0, -1.0]) + np.array([2.0, 0.5]) * rng.standard_normal((200, 2))
        norm.forward(x, training=True)
    np.testing.assert_allclose(norm.running_mean, [5, -1], atol=0.2)
    np.testing.assert_allclose(norm.running_var, [4, 0.25], rtol=0.15)


def test_layer_norm_has_one_mode(rng):
    norm = LayerNorm(5, dtype=np.float32)
    x = rng.standard_normal((3, 5)).astype(np.float32)
    np.testing.assert_array_equal(norm.forward(x, training=True), norm.forward(x, training=False))
    np.testing.assert_array_equal(norm.forward(x, training=True), layer_norm(x, norm.gamma, norm.beta))
    assert norm.forward(x, training=True).dtype == np.float32


def test_nothing_that_comes_in_is_changed(rng):
    arrays = [rng.standard_normal(shape) for shape in [(5, 3), (3,), (3,), (5, 3)]]
    before = [a.copy() for a in arrays]
    *inputs, d_value = arrays
    for op in OPS.values():
        op(*inputs)[1](d_value)
    norm = BatchNorm(3)
    norm.forward_op(inputs[0], training=True)[1](d_value)
    for old, new in zip(before, arrays, strict=True):
        np.testing.assert_array_equal(old, new)


def in_torch(net, norm):
    """Build the same normalized network from torch's own parts."""
    dtype = getattr(torch, str(net.layers[0].W.dtype))
    modules = []
    for layer in net.layers:
        n_in, n_out = layer.W.shape
        last = layer is net.layers[-1]
        linear = torch.nn.Linear(n_in, n_out, bias=last, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.W.T))
        modules.append(linear)
        bias = linear.bias
        if not last:
            modules.append(norm(n_out, dtype=dtype))
            bias = modules[-1].bias
            modules.append(torch.nn.Tanh())
        with torch.no_grad():
            bias.copy_(torch.tensor(layer.b))
    return torch.nn.Sequential(*modules)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("norm", "peer"), [(BatchNorm, torch.nn.BatchNorm1d), (LayerNorm, torch.nn.LayerNorm)]
)
@pytest.mark.parametrize("output", ["class", "value"])
def test_normalized_network_agrees_with_torch(output, norm, peer, dtype, rng):
    biases = [rng.standard_normal(n).astype(dtype) for n in (6, 5, 3)]
    drawn = MLP.draw([4, 6, 5, 3], output=output, activation="tanh", rng=rng, dtype=dtype)
    weights = drawn.parameters[0::2]
    pairs = [p for pair in zip(weights, biases, strict=True) for p in pair]
    net = MLP(output, *pairs, activation="tanh")
    model, expected = NormalizedMLP(net, norm), in_torch(net, peer)
    loss_of = torch.nn.CrossEntropyLoss() if output == "class" else torch.nn.MSELoss()
    for _ in range(3):
        x = rng.standard_normal((10, 4)).astype(dtype)
        y = rng.integers(0, 3, 10) if output == "class" else rng.standard_normal((10, 3)).astype(dtype)
        expected.zero_grad()
        wanted = loss_of(expected(torch.tensor(x)), torch.tensor(y))
        wanted.backward()
        value, gradients = model.loss_and_gradients(x, y)
        near(value, wanted, TOLERANCE[dtype])
        for got, peer_parameter in zip(gradients, expected.parameters(), strict=True):
            assert got.dtype == dtype
            near(got, peer_parameter.grad.t(), TOLERANCE[dtype])
    expected.eval()
    scores = expected(torch.tensor(x))
    near(model.loss(x, y), loss_of(scores, torch.tensor(y)), TOLERANCE[dtype])
    near(model.sums(x)[-1], scores, TOLERANCE[dtype])
    answers = scores.argmax(dim=-1) if output == "class" else scores
    near(model.predict(x), answers, TOLERANCE[dtype])


@pytest.mark.usefixtures("many_steps")
def test_normalized_network_can_be_trained_like_any_other(rng):
    net = MLP.draw([4, 6, 3], output="class", rng=rng)
    model = NormalizedMLP(net, BatchNorm)
    assert isinstance(model, Trainable)
    before = [p.copy() for p in net.parameters]
    x, y = rng.standard_normal((60, 4)), rng.integers(0, 3, 60)
    first = model.loss_and_gradients(x, y)[0]
    for _ in range(100):
        for parameter, gradient in zip(model.parameters, model.loss_and_gradients(x, y)[1], strict=True):
            parameter -= 0.3 * gradient
    assert model.loss_and_gradients(x, y)[0] < 0.7 * first
    assert model.loss(x, y) < 0.75 * first
    for old, new in zip(before, net.parameters, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.usefixtures("many_steps")
def test_normalized_network_goes_on_from_a_checkpoint_bit_for_bit(tmp_path, rng):
    x, y = rng.standard_normal((50, 4)), rng.integers(0, 3, 50)

    def run(path, *epochs):
        net = MLP.draw([4, 6, 5, 3], output="class", rng=np.random.default_rng(1))
        for count in epochs:  # each begins anew, and continues from what the file holds
            model = NormalizedMLP(net, BatchNorm)
            optimizer, order = SGD(model.parameters, rate=0.1), np.random.default_rng(2)
            checkpoint = {"checkpoint": path, "resume": path.exists()}
            fit(
                model,
                x,
                y,
                optimizer=optimizer,
                epochs=count,
                batch=10,
                rng=order,
                **checkpoint,
            )
        return model

    whole, resumed = run(tmp_path / "whole.npz", 4), run(tmp_path / "parts.npz", 2, 4)
    np.testing.assert_array_equal(whole.sums(x)[-1], resumed.sums(x)[-1])
    assert whole.state().keys() == {f"{i} running_{what}" for i in (0, 1) for what in ("mean", "var")}
    assert NormalizedMLP(MLP.draw([4, 6, 3], output="class", rng=rng), LayerNorm).state() == {}


def test_normalized_network_predicts_each_sample_alone_in_evaluation_mode_only(rng):
    model = NormalizedMLP(MLP.draw([4, 6, 3], output="value", rng=rng), BatchNorm)
    x = rng.standard_normal((8, 4))
    model.loss_and_gradients(x, rng.standard_normal((8, 3)))
    np.testing.assert_allclose(model.predict(x[:1]), model.predict(x)[:1], rtol=1e-10, atol=1e-12)
    assert not np.allclose(model.predict(x[:2], training=True), model.predict(x, training=True)[:2])


x42, one2, one4 = np.ones((4, 2)), np.ones(2), np.ones(4)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: batch_norm(x42[:1], one2, one2),
            ValueError,
            r"at least two samples to compare, got x of shape \(1, 2\): train on larger batches .* running statistics",
        ),
        (
            lambda: BatchNorm(2).forward(x42[:1], training=True),
            ValueError,
            r"or use layer_norm",
        ),
        (lambda: batch_norm(one2, one2, one2), ValueError, r"x of shape \(batch, n_in\), got \(2,\)"),
        (lambda: batch_norm(np.ones((4, 2, 2)), one2, one2), ValueError, r"x\.reshape\(len\(x\), -1\)"),
        (
            lambda: batch_norm(x42, one4, one4),
            ValueError,
            r"\(n_in,\) = \(2,\), got \(4,\) and \(4,\): they belong to the units, not to the samples",
        ),
        (lambda: layer_norm(x42, one4, one4), ValueError, r"one gamma and one beta for each unit"),
        (lambda: layer_norm(x42[:, :1], one2[:1], one2[:1]), ValueError, r"would be beta whatever comes in"),
        (lambda: layer_norm(np.array(1.0), one2, one2), ValueError, r"x of shape \(\.\.\., n_in\), got \(\)"),
        (
            lambda: BatchNorm(3).forward(x42, training=False),
            ValueError,
            r"BatchNorm expects one gamma and one beta for each unit",
        ),
        (lambda: batch_norm(x42.astype(int), one2, one2), TypeError, r"np\.asarray\(x, dtype=float\)"),
        (lambda: standardize(x42, 2), ValueError, r"numbers along axis 2, got x of shape \(4, 2\): axis 0"),
        (lambda: standardize(x42[:0], 0), ValueError, r"numbers along axis 0, got x of shape \(0, 2\)"),
        (lambda: standardize(x42, 0, eps=0.0), ValueError, r"eps above 0, got 0\.0: without it a constant"),
        (lambda: batch_norm(x42, one2, one2, eps=np.nan), ValueError, r"eps above 0, got nan"),
        (lambda: BatchNorm(0), ValueError, r"at least one unit, got 0"),
        (lambda: BatchNorm(3, momentum=0.0), ValueError, r"a momentum above 0 and up to 1, got 0\.0"),
        (lambda: BatchNorm(3, momentum=1.5), ValueError, r"a momentum above 0 and up to 1, got 1\.5"),
        (lambda: BatchNorm(3, eps=0.0), ValueError, r"BatchNorm expects a finite eps above 0"),
        (
            lambda: BatchNorm(3).load(BatchNorm(2).state()),
            ValueError,
            r"running_mean of shape \(3,\) in a state, got \(2,\): load what state\(\) of the same network gave",
        ),
        (lambda: BatchNorm(3).load({}), ValueError, r"running_mean of shape \(3,\) in a state, got none"),
        (lambda: LayerNorm(1), ValueError, r"at least two units to compare, got 1"),
        (
            lambda: batch_norm_op(x42, one2, one2)[1](np.ones(2)),
            ValueError,
            r"the pullback of batch_norm expects the gradient of its value, of shape \(4, 2\), got shape \(2,\)",
        ),
        (
            lambda: BatchNorm(2).forward_op(x42, training=False)[1](np.ones(2)),
            ValueError,
            r"the pullback of BatchNorm expects the gradient of its value",
        ),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()
