import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks import GradientError, check_gradients
from dlcourse.data import digits
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.backpropagation import (
    TrainableMLP,
    dense_op,
    forward_op,
    linear_op,
    nudged_gradients,
    two_layer_gradients,
)
from dlcourse.learning.loss import cross_entropy_op, mean_squared_error_op
from dlcourse.neurons.network import MLP, Layer, accuracy, dense, forward, linear
from dlcourse.neurons.neuron import GATE_INPUTS, GATES

torch.set_num_threads(1)
TORCH = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}
SMOOTH = sorted(set(TORCH) - {"relu"})
PRECISIONS = [(np.float64, 1e-10), (np.float32, 1e-5)]

# What hypothesis draws is plain data: beartype's run-time check draws from `random`, which a strategy may not do.
NETWORKS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(1, 7), min_size=2, max_size=5),
        "activations": st.lists(st.sampled_from(sorted(TORCH)), min_size=4, max_size=4),
        "batch": st.integers(1, 6),
        "seed": st.integers(0, 2**32),
    }
)


def build(drawn, dtype=np.float64, activations=None):
    """Draw layers with biases, and a batch that fits them."""
    sizes, rng = drawn["sizes"], np.random.default_rng(drawn["seed"])
    layers = [
        Layer(
            (rng.standard_normal((n, m)) / np.sqrt(n)).astype(dtype), rng.standard_normal(m).astype(dtype), f
        )
        for n, m, f in zip(sizes[:-1], sizes[1:], activations or drawn["activations"], strict=False)
    ]
    return layers, rng.standard_normal((drawn["batch"], sizes[0])).astype(dtype)


def flat(layers):
    return [array for layer in layers for array in layer[:2]]


def as_op(activations, *, loss=None):
    """Make one op of a network: of its input and all its parameters."""

    def op(x, *parameters):
        layers = [Layer(*pair) for pair in zip(parameters[0::2], parameters[1::2], activations, strict=True)]
        answers, pullback = forward_op(x, layers)

        def to_all(d_answers):
            d_x, gradients = pullback(d_answers)
            return d_x, *(d for of_layer in gradients for d in of_layer)

        if loss is None:
            return answers, to_all
        value, loss_pullback = loss(answers)
        return value, lambda d_value: to_all(loss_pullback(d_value))

    return op


def in_torch(x, layers):
    """Return the answers of the same network in torch, and the leaves that get gradients."""
    leaves = [torch.tensor(a, requires_grad=True) for a in [x, *flat(layers)]]
    h = leaves[0]
    for W, b, layer in zip(leaves[1::2], leaves[2::2], layers, strict=True):
        h = TORCH[layer.activation](h @ W + b)
    return h, leaves


def assert_near(got, expected, tolerance):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


@given(NETWORKS, st.sampled_from(PRECISIONS))
def test_networks_agree_with_torch(drawn, precision):
    dtype, tolerance = precision
    layers, x = build(drawn, dtype)
    expected, leaves = in_torch(x, layers)
    answers, pullback = forward_op(x, layers)
    d_answers = np.random.default_rng(drawn["seed"] + 1).standard_normal(answers.shape).astype(dtype)
    expected.backward(torch.tensor(d_answers))
    d_x, gradients = pullback(d_answers)
    assert_near(answers, expected.detach().numpy(), tolerance)
    for got, leaf in zip([d_x, *(d for pair in gradients for d in pair)], leaves, strict=True):
        assert got.dtype == dtype
        assert_near(got, leaf.grad.numpy(), tolerance)


@pytest.mark.slow
@given(NETWORKS, st.lists(st.sampled_from(SMOOTH), min_size=4, max_size=4))
def test_networks_agree_with_differences(drawn, activations):
    layers, x = build(drawn, activations=activations)
    names = [layer.activation for layer in layers]
    check_gradients(as_op(names), x, *flat(layers), rng=np.random.default_rng(drawn["seed"]))


@pytest.mark.parametrize("activation", sorted(TORCH))
def test_ops_agree_with_differences_and_give_the_plain_value(activation, rng):
    x, W, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    check_gradients(linear_op, x, W, b, rng=rng)
    check_gradients(lambda *inputs: dense_op(*inputs, activation), x, W, b, rng=rng)
    np.testing.assert_array_equal(linear_op(x, W, b)[0], linear(x, W, b))
    np.testing.assert_array_equal(dense_op(x, W, b, activation)[0], dense(x, W, b, activation))
    layers = [Layer(W, b, activation), Layer(W.T, np.zeros(3), activation)]
    np.testing.assert_array_equal(forward_op(x, layers)[0], forward(x, layers))


@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_losses_of_networks_agree_with_torch(output, activation, precision, rng):
    dtype, tolerance = precision
    net = MLP.draw([6, 9, 8, 4], output=output, activation=activation, rng=rng, dtype=dtype)
    x = rng.standard_normal((11, 6)).astype(dtype)
    y = rng.integers(4, size=11) if output == "class" else rng.standard_normal((11, 4)).astype(dtype)
    peer = torch.nn.functional.cross_entropy if output == "class" else torch.nn.functional.mse_loss
    layers = [*net.layers[:-1], net.layers[-1]._replace(activation="linear")]
    answers, leaves = in_torch(x, layers)
    expected = peer(answers, torch.tensor(y))
    expected.backward()
    model = TrainableMLP(net)
    loss, gradients = model.loss_and_gradients(x, y)
    assert isinstance(loss, float)
    assert loss == pytest.approx(expected.item(), rel=tolerance)
    assert model.loss(x, y) == pytest.approx(loss, rel=tolerance)
    for parameter, gradient, leaf in zip(model.parameters, gradients, leaves[1:], strict=True):
        assert gradient.dtype == parameter.dtype == dtype
        assert_near(gradient, leaf.grad.numpy(), tolerance)


@given(st.lists(st.integers(1, 7), min_size=4, max_size=4), st.integers(0, 2**32))
def test_derivation_is_the_same_as_ops_torch_and_differences(sizes, seed):
    batch, *sizes = sizes
    rng = np.random.default_rng(seed)
    net = MLP.draw(sizes, output="class", rng=rng)
    for b in net.parameters[1::2]:
        b[:] = rng.standard_normal(b.shape)
    x, labels = rng.standard_normal((batch, sizes[0])), rng.integers(sizes[-1], size=batch)
    loss, by_hand = two_layer_gradients(x, labels, *net.parameters)
    other_loss, by_ops = TrainableMLP(net).loss_and_gradients(x, labels)
    assert loss == pytest.approx(other_loss, rel=1e-12, abs=1e-14)
    answers, leaves = in_torch(x, [net.layers[0], net.layers[1]._replace(activation="linear")])
    torch.nn.functional.cross_entropy(answers, torch.tensor(labels)).backward()
    for one, two, leaf in zip(by_hand, by_ops, leaves[1:], strict=True):
        assert_near(one, two, 1e-12)
        assert_near(one, leaf.grad.numpy(), 1e-10)
    sums = linear(x, *net.parameters[:2])
    if np.abs(sums).min() > 1e-3:  # a difference across the corner of relu means nothing

        def op(*parameters):
            loss, gradients = two_layer_gradients(x, labels, *parameters)
            return loss, lambda d_loss: tuple(d_loss * d for d in gradients)

        check_gradients(op, *net.parameters, rng=rng)


@pytest.mark.parametrize("output", ["class", "value"])
def test_whole_loss_agrees_with_differences(output, rng):
    net = MLP.draw([4, 6, 5, 3], output=output, activation="tanh", rng=rng)
    x = rng.standard_normal((7, 4))
    if output == "class":
        labels = rng.integers(3, size=7)
        loss = lambda z: cross_entropy_op(z, labels)  # noqa: E731 - its one line is the point
    else:
        target = rng.standard_normal((7, 3))
        loss = lambda z: mean_squared_error_op(z, target)  # noqa: E731 - as above
    check_gradients(as_op(["tanh", "tanh", "linear"], loss=loss), x, *net.parameters, rng=rng)


def test_nudging_each_weight_gives_the_same(rng):
    net = MLP.draw([4, 5, 3], output="class", activation="tanh", rng=rng)
    model = TrainableMLP(net)
    x, labels = rng.standard_normal((6, 4)), rng.integers(3, size=6)
    before = [p.copy() for p in model.parameters]
    nudged = nudged_gradients(lambda: model.loss(x, labels), model.parameters)
    for one, two in zip(nudged, model.loss_and_gradients(x, labels)[1], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)
    for old, new in zip(before, model.parameters, strict=True):
        np.testing.assert_array_equal(old, new)


WRONG = {
    "forgot the derivative of the activation": lambda d_h, x, W, z: (d_h @ W.T, x.T @ d_h, d_h.sum(axis=0)),
    "gradient of the bias averaged": lambda d_h, x, W, z: (
        (d := d_h * (1 - np.tanh(z) ** 2)) @ W.T,
        x.T @ d,
        d.mean(axis=0),
    ),
    "derivative at the answer": lambda d_h, x, W, z: (
        (d := d_h * (1 - np.tanh(np.tanh(z)) ** 2)) @ W.T,
        x.T @ d,
        d.sum(axis=0),
    ),
    "W not transposed": lambda d_h, x, W, z: (
        (d := d_h * (1 - np.tanh(z) ** 2)) @ W,
        x.T @ d,
        d.sum(axis=0),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_check_catches_what_is_often_wrong(wrong, rng):
    x, W, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)

    def op(x, W, b):
        z = linear(x, W, b)
        return np.tanh(z), lambda d_h: WRONG[wrong](d_h, x, W, z)

    with pytest.raises(GradientError):
        check_gradients(op, x, W, b, rng=rng)


@given(NETWORKS)
def test_gradient_of_a_batch_is_the_mean_over_its_samples(drawn):
    layers, x = build(drawn, activations=["gelu"] * 4)
    model = TrainableMLP(MLP("class", *flat(layers), activation="gelu"))
    labels = np.random.default_rng(drawn["seed"]).integers(drawn["sizes"][-1], size=len(x))
    together = model.loss_and_gradients(x, labels)[1]
    alone = [
        model.loss_and_gradients(row[None], label[None])[1] for row, label in zip(x, labels, strict=True)
    ]
    for one, many in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(one, np.mean(many, axis=0), rtol=1e-10, atol=1e-12)


@given(NETWORKS)
def test_pullback_is_linear_and_can_be_called_again(drawn):
    layers, x = build(drawn)
    answers, pullback = forward_op(x, layers)
    d = np.random.default_rng(drawn["seed"]).standard_normal(answers.shape)
    kept = d.copy()
    (once, first), (twice, second) = pullback(d), pullback(2 * d)
    np.testing.assert_array_equal(d, kept)
    np.testing.assert_array_equal(2 * once, twice)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(2 * one[0], two[0])
        np.testing.assert_array_equal(2 * one[1], two[1])


def test_scores_of_a_sample_are_corrected_by_nothing_in_sum(rng):
    # Softmax does not change if all scores grow alike, so the corrections of the output biases cancel.
    model = TrainableMLP(MLP.draw([5, 7, 4], output="class", rng=rng))
    gradients = model.loss_and_gradients(rng.standard_normal((9, 5)), rng.integers(4, size=9))[1]
    assert gradients[-1].sum() == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(gradients[-2].sum(axis=1), 0, atol=1e-14)


def test_silent_unit_gets_no_gradient(rng):
    net = MLP.draw([3, 4, 2], output="class", rng=rng)
    net.layers[0].b[1] = -100
    (d_W1, d_b1, d_W2, _) = TrainableMLP(net).loss_and_gradients(
        rng.standard_normal((8, 3)), rng.integers(2, size=8)
    )[1]
    assert not d_W1[:, 1].any()
    assert d_b1[1] == 0
    assert not d_W2[1].any()
    assert d_W1[:, 0].any() or d_W1[:, 2].any()


@pytest.mark.parametrize("output", ["class", "value"])
def test_large_and_small_numbers_give_no_warning(output, rng):
    net = MLP.draw([3, 5, 2], output=output, rng=rng)
    for scale in (1e-150, 1.0, 1e60):
        x = scale * rng.standard_normal((6, 3))
        y = rng.integers(2, size=6) if output == "class" else scale * rng.standard_normal((6, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loss, gradients = TrainableMLP(net).loss_and_gradients(x, y)
        assert np.isfinite(loss)
        assert all(np.isfinite(d).all() for d in gradients)


def descend(model, x, y, *, rate, steps):
    for _ in range(steps):
        for p, d in zip(model.parameters, model.loss_and_gradients(x, y)[1], strict=True):
            p -= rate * d


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_xor_is_learned_from_scratch(seed):
    net = MLP.draw([2, 8, 2], output="class", activation="tanh", rng=np.random.default_rng(seed))
    labels = GATES["XOR"].astype(int)
    descend(TrainableMLP(net), GATE_INPUTS, labels, rate=0.5, steps=200)
    np.testing.assert_array_equal(net.predict(GATE_INPUTS), labels)


@pytest.mark.slow
def test_digits_are_learned_and_the_network_itself_has_changed():
    rng = np.random.default_rng(0)
    x_train, y_train, x_test, y_test = digits.split()
    net = MLP.draw([784, 32, 10], output="class", rng=rng, dtype=np.float32)
    model = TrainableMLP(net)
    assert all(one is two for one, two in zip(model.parameters, net.parameters, strict=True))
    for _ in range(3):
        for chosen in np.array_split(rng.permutation(len(x_train)), len(x_train) // 32):
            descend(model, x_train[chosen], y_train[chosen], rate=0.1, steps=1)
    assert accuracy(net.predict(x_test), y_test) > 0.85
    np.testing.assert_array_equal(model.predict(x_test), net.predict(x_test))


def test_it_is_trainable_as_promised(rng):
    assert isinstance(TrainableMLP(MLP.draw([2, 2], output="value", rng=rng)), Trainable)
    assert not isinstance(MLP.draw([2, 2], output="value", rng=rng), Trainable)


X, W, B = np.ones((4, 2)), np.ones((2, 3)), np.zeros(3)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: linear_op(X, W.T, B), ValueError, r"this W has one unit a row, so pass W\.T"),
        (
            lambda: linear_op(X, W, B)[1](np.ones((4, 1))),
            ValueError,
            r"pullback of linear expects the gradient of its value, of shape \(4, 3\), got shape \(4, 1\): give",
        ),
        (lambda: dense_op(X, W, B)[1](np.ones(3)), ValueError, r"pullback of relu expects .* \(4, 3\)"),
        (
            lambda: dense_op(X, W, B, "rulo"),
            ValueError,
            r"no activation 'rulo': choose linear, .*relu",
        ),
        (lambda: forward_op(X, []), ValueError, r"at least one layer, got none"),
        (
            lambda: forward_op(X, [Layer(W, B), Layer(np.ones((4, 1)), np.zeros(1))]),
            ValueError,
            r"layer 2 expects 4 inputs but layer 1 gives 3",
        ),
        (
            lambda: forward_op(np.array([[1.0, np.inf]]), [Layer(W, B)]),
            ValueError,
            r"got NaN or inf in x: leave out or fill",
        ),
        (
            lambda: nudged_gradients(lambda: 0.0, [np.ones(2), np.ones(2, np.float32)]),
            TypeError,
            r"expects float64, got float32 as parameter 2: build the network with dtype=np\.float64",
        ),
        (
            lambda: two_layer_gradients(X, np.zeros((4, 2), int), W, B, W.T, np.zeros(2)),
            ValueError,
            r"labels of shape \(batch,\) = \(4,\), got \(4, 2\): pass class indices",
        ),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()
