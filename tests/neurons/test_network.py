import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data import digits, weather
from dlcourse.neurons.network import (
    MLP,
    Layer,
    accuracy,
    count_parameters,
    dense,
    forward,
    forward_all,
    linear,
    xor_layers,
)
from dlcourse.neurons.neuron import GATE_INPUTS, GATES

torch.set_num_threads(1)
TORCH = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "gelu": torch.nn.GELU}


def draw_layers(rng, sizes, activations, dtype=np.float64):
    shapes = zip(sizes[:-1], sizes[1:], activations, strict=True)
    return [
        Layer(rng.standard_normal((n, m)).astype(dtype), rng.standard_normal(m).astype(dtype), f)
        for n, m, f in shapes
    ]


def in_torch(net):
    """Build the same network from torch's own parts."""
    modules = []
    for layer in net.layers:
        module = torch.nn.Linear(*layer.W.shape, dtype=getattr(torch, str(layer.W.dtype)))
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(layer.W.T))
            module.bias.copy_(torch.from_numpy(layer.b))
        modules.append(module)
        if layer.activation == "softmax":
            modules.append(torch.nn.Softmax(dim=-1))
        elif layer.activation != "linear":
            modules.append(TORCH[layer.activation]())
    return torch.nn.Sequential(*modules)


# What hypothesis draws is plain data: beartype's run-time check draws from `random`, which a strategy may not do.
NETWORKS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(1, 9), min_size=2, max_size=5),
        "output": st.sampled_from(["class", "value"]),
        "activation": st.sampled_from(sorted(TORCH)),
        "batch": st.integers(1, 7),
        "seed": st.integers(0, 2**32),
    }
)


def build(drawn, dtype=np.float64):
    """Build a network with biases, and a batch that fits it."""
    sizes, rng = drawn["sizes"], np.random.default_rng(drawn["seed"])
    layers = draw_layers(rng, sizes, ["linear"] * (len(sizes) - 1), dtype)
    net = MLP(drawn["output"], *(p for layer in layers for p in layer[:2]), activation=drawn["activation"])
    return net, rng.standard_normal((drawn["batch"], sizes[0])).astype(dtype)


@given(NETWORKS, st.sampled_from([(np.float64, 1e-12), (np.float32, 1e-5)]))
def test_network_agrees_with_torch(drawn, precision):
    dtype, tolerance = precision
    net, x = build(drawn, dtype)
    peer = in_torch(net)
    with torch.no_grad():
        expected = peer(torch.from_numpy(x)).numpy()
    got = net.forward(x)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max()))
    assert count_parameters(net.sizes) == sum(p.numel() for p in peer.parameters())
    assert count_parameters(net.sizes) == sum(p.size for p in net.parameters)


@given(NETWORKS)
def test_batch_is_its_samples_one_by_one(drawn):
    net, x = build(drawn)
    one_by_one = np.concatenate([net.forward(row[None, :]) for row in x])
    np.testing.assert_allclose(net.forward(x), one_by_one, rtol=1e-12, atol=1e-12)
    assert [h.shape for h in forward_all(x, net.layers)] == [(len(x), n) for n in net.sizes]


@given(NETWORKS, st.data())
def test_order_of_hidden_units_changes_nothing(drawn, data):
    net, x = build(drawn)
    parameters = list(net.parameters)
    for i in range(len(net.layers) - 1):
        order = data.draw(st.permutations(range(net.sizes[i + 1])))
        parameters[2 * i] = parameters[2 * i][:, order]
        parameters[2 * i + 1] = parameters[2 * i + 1][order]
        parameters[2 * i + 2] = parameters[2 * i + 2][order]
    shuffled = MLP(net.output, *parameters, activation=net.activation)
    np.testing.assert_allclose(shuffled.forward(x), net.forward(x), rtol=1e-10, atol=1e-10)


@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.integers(0, 2**32))
def test_linear_layers_collapse_into_one(sizes, seed):
    batch, *sizes = sizes
    rng = np.random.default_rng(seed)
    first, second = draw_layers(rng, sizes, ["linear"] * 2)
    x = rng.standard_normal((batch, sizes[0]))
    one = linear(x, first.W @ second.W, first.b @ second.W + second.b)
    np.testing.assert_allclose(forward(x, [first, second]), one, rtol=1e-10, atol=1e-10)


@given(NETWORKS)
def test_probabilities_sum_to_one_and_the_class_is_the_largest(drawn):
    net, x = build(drawn)
    net = MLP("class", *net.parameters, activation=net.activation)
    p = net.forward(x)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    assert (p >= 0).all()
    scores = forward(x, [*net.layers[:-1], net.layers[-1]._replace(activation="linear")])
    np.testing.assert_array_equal(net.predict(x), scores.argmax(axis=1))


def test_xor_is_solved_and_each_hidden_unit_is_a_gate():
    _, hidden, answer = forward_all(GATE_INPUTS, xor_layers())
    np.testing.assert_array_equal(hidden.T, [GATES["OR"], GATES["AND"]])
    np.testing.assert_array_equal(answer[:, 0], GATES["XOR"])


def test_untrained_digits_are_at_chance():
    # The output units are drawn alike, so the expected accuracy over all draws of the weights is exactly one in ten.
    x, labels = digits.split()[2:]
    draws = [
        accuracy(MLP.draw([784, 16, 10], output="class", rng=np.random.default_rng(seed)).predict(x), labels)
        for seed in range(100)
    ]
    standard_error = np.std(draws, ddof=1) / np.sqrt(len(draws))
    assert standard_error < 0.006
    assert abs(np.mean(draws) - 0.1) < 5 * standard_error
    assert max(draws) < 0.5


def test_untrained_temperatures_know_nothing_of_tomorrow():
    # A network and its negative are drawn equally often, so the expected correlation with anything is exactly 0.
    x_train, y_train, x, y = weather.split()
    x = (x - x_train.mean(axis=0)) / x_train.std(axis=0)
    answers = [
        MLP.draw([x.shape[1], 16, 1], output="value", rng=np.random.default_rng(seed)).forward(x)[:, 0]
        for seed in range(200)
    ]
    correlations = [np.corrcoef(answer, y)[0, 1] for answer in answers]
    standard_error = np.std(correlations, ddof=1) / np.sqrt(len(correlations))
    assert standard_error < 0.06
    assert abs(np.mean(correlations)) < 5 * standard_error
    errors = [np.sqrt(np.mean((y_train.mean() + y_train.std() * answer - y) ** 2)) for answer in answers]
    persistence = np.sqrt(np.mean((weather.split().x_test[:, 0] - y) ** 2))
    assert np.mean(np.array(errors) > persistence) > 0.95


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize("activation", ["linear", "step", *sorted(TORCH)])
def test_dtype_is_kept(dtype, output, activation, rng):
    net = MLP.draw([3, 5, 2], output=output, activation=activation, dtype=dtype, rng=rng)
    x = rng.standard_normal((4, 3)).astype(dtype)
    assert [h.dtype for h in forward_all(x, net.layers)] == [dtype] * 3


def test_same_generator_same_network():
    def draw(seed, dtype=np.float64):
        return MLP.draw([4, 6, 3], output="class", dtype=dtype, rng=np.random.default_rng(seed))

    for one, two, single, other in zip(
        *(draw(*args).parameters for args in [(1,), (1,), (1, np.float32), (2,)]), strict=True
    ):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one.astype(np.float32), single)
        assert one.ndim == 1 or (one != other).any()


def test_drawn_sums_are_as_large_as_the_inputs(rng):
    net = MLP.draw([400, 300, 200], output="value", rng=rng, activation="linear")
    spread = [h.std() for h in forward_all(rng.standard_normal((500, 400)), net.layers)]
    np.testing.assert_allclose(spread, 1.0, rtol=0.05)
    assert all(not layer.b.any() for layer in net.layers)


def test_nothing_that_comes_in_is_changed(rng):
    net = MLP.draw([3, 4, 2], output="value", rng=rng)
    x = rng.standard_normal((5, 3))
    before = [p.copy() for p in (x, *net.parameters)]
    net.forward(x)
    for old, new in zip(before, (x, *net.parameters), strict=True):
        np.testing.assert_array_equal(old, new)


W23, W32, b3 = np.ones((2, 3)), np.ones((3, 2)), np.zeros(3)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: linear(np.ones(2), W23, b3),
            ValueError,
            r"one sample\s+into a row of its own with x\[None, :\]",
        ),
        (lambda: linear(np.ones((4, 2)), W32, np.zeros(2)), ValueError, r"one unit a row, so pass W\.T"),
        (lambda: linear(np.ones((4, 5)), W23, b3), ValueError, r"axis 1 of x must be as long as axis 0 of W"),
        (
            lambda: linear(np.ones((4, 2)), W23, b3[:, None]),
            ValueError,
            r"make it flat with b\.reshape\(-1\)",
        ),
        (lambda: linear(np.ones((4, 2)), W23, np.zeros(4)), ValueError, r"one bias for each of the 3 units"),
        (lambda: linear(np.ones((4, 2), int), W23, b3), TypeError, r"np\.asarray\(x, dtype=float\)"),
        (
            lambda: dense(np.ones((4, 2)), W23, b3, "rulo"),
            ValueError,
            r"no activation 'rulo': choose linear, .*relu",
        ),
        (lambda: forward(np.ones((4, 2)), []), ValueError, r"at least one layer, got none"),
        (
            lambda: forward(np.ones((4, 5)), [Layer(W23, b3)]),
            ValueError,
            r"layer 1 expects 2 inputs but x of shape \(4, 5\)",
        ),
        (
            lambda: forward(np.array([[1.0, np.nan]]), [Layer(W23, b3)]),
            ValueError,
            r"got NaN or inf in x: leave out or fill",
        ),
        (
            lambda: MLP("value", W23, b3, np.ones((4, 1)), np.zeros(1)),
            ValueError,
            r"layer 2 expects 4 inputs but layer 1 gives 3: give layer 2 a W of shape \(3, 1\), got \(4, 1\)",
        ),
        (
            lambda: MLP("value", W23, np.zeros(2)),
            ValueError,
            r"layer 1 expects W of shape \(n_in, n_out\) and b",
        ),
        (lambda: MLP("value", W23.tolist(), b3), TypeError, r"layer 1 expects W as an array"),
        (lambda: MLP("value", W23), ValueError, r"each W needs its b"),
        (lambda: MLP("value"), ValueError, r"at least one layer, got none"),
        (lambda: MLP("klass", W23, b3), ValueError, r"the output 'class' or 'value', got 'klass'"),
        (
            lambda: MLP("class", W23, b3, W32, np.zeros(2), activation="rulo"),
            ValueError,
            r"no activation 'rulo'",
        ),
        (
            lambda: count_parameters([784]),
            ValueError,
            r"at least two layers of at least one unit, got sizes \[784\]",
        ),
        (lambda: count_parameters([784, 0, 10]), ValueError, r"at least one unit"),
        (lambda: accuracy(np.ones((4, 10)), np.ones(4)), ValueError, r"argmax\(axis=-1\)"),
        (lambda: accuracy(np.ones(0, int), np.ones(0, int)), ValueError, r"shape \(batch,\) twice"),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_accuracy_counts_the_right_ones():
    assert accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 0.75


def test_network_says_what_it_is(rng):
    net = MLP.draw([784, 32, 10], output="class", rng=rng)
    assert repr(net) == "MLP(784-32-10, relu, class: 25,450 parameters)"
