import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data import digits
from dlcourse.learning.backpropagation import TrainableMLP, forward_op
from dlcourse.neurons.activation import ACTIVATIONS
from dlcourse.neurons.network import MLP, Layer, forward_all
from dlcourse.training.initialization import (
    GAINS,
    SCHEMES,
    he,
    he_scale,
    initialize,
    normal,
    signals,
    uniform,
    xavier,
    xavier_scale,
    zeros,
)

torch.set_num_threads(1)
FANS = st.tuples(st.integers(1, 60), st.integers(1, 60))


def in_torch(draw, like, shape, seed):
    """Return the factor by which torch stretches the numbers that it draws, and assert that there is one."""
    n_in, n_out = shape
    drawn = draw(torch.empty(n_out, n_in, dtype=torch.float64), torch.Generator().manual_seed(seed))
    plain = like(torch.empty(n_out, n_in, dtype=torch.float64), torch.Generator().manual_seed(seed))
    factors = (drawn / plain).numpy()
    np.testing.assert_allclose(factors, factors.flat[0], rtol=1e-12)
    return factors.flat[0]


def standard_normal(tensor, generator):
    return tensor.normal_(0.0, 1.0, generator=generator)


def between_one_and_minus_one(tensor, generator):
    return tensor.uniform_(-1.0, 1.0, generator=generator)


@given(FANS, st.sampled_from(["linear", "sigmoid", "tanh", "relu"]), st.integers(0, 2**31))
def test_scales_and_bounds_are_those_of_torch(shape, activation, seed):
    gain = torch.nn.init.calculate_gain(activation)
    assert GAINS[activation] == pytest.approx(gain, rel=1e-12)
    peers = {
        xavier_scale(*shape, GAINS[activation]): (
            lambda t, g: torch.nn.init.xavier_normal_(t, gain=gain, generator=g),
            lambda t, g: torch.nn.init.xavier_uniform_(t, gain=gain, generator=g),
        ),
        he_scale(shape[0], GAINS[activation]): (
            lambda t, g: torch.nn.init.kaiming_normal_(t, nonlinearity=activation, generator=g),
            lambda t, g: torch.nn.init.kaiming_uniform_(t, nonlinearity=activation, generator=g),
        ),
    }
    for scale, (in_normal, in_uniform) in peers.items():
        assert scale == pytest.approx(in_torch(in_normal, standard_normal, shape, seed), rel=1e-10)
        bound = in_torch(in_uniform, between_one_and_minus_one, shape, seed)
        assert np.sqrt(3) * scale == pytest.approx(bound, rel=1e-10)


@given(FANS, st.integers(0, 2**32), st.sampled_from([np.float32, np.float64]), st.floats(1e-3, 1e3))
def test_what_is_drawn_is_the_generators_numbers_times_the_scale(shape, seed, dtype, gain):
    def rng():
        return np.random.default_rng(seed)

    standard, uniform = rng().standard_normal(shape), rng().uniform(-1, 1, shape)
    for draw, scale in ((xavier, xavier_scale(*shape, gain)), (he, he_scale(shape[0], gain))):
        W = draw(shape, gain=gain, rng=rng(), dtype=dtype)
        assert W.dtype == dtype
        np.testing.assert_array_equal(W, (scale * standard).astype(dtype))
        flat = draw(shape, gain=gain, distribution="uniform", rng=rng(), dtype=dtype)
        np.testing.assert_allclose(flat, np.sqrt(3) * scale * uniform, rtol=1e-5, atol=1e-6 * scale)
        assert flat.dtype == dtype
    np.testing.assert_array_equal(
        normal(shape, gain, rng=rng(), dtype=dtype), (gain * standard).astype(dtype)
    )
    assert not zeros(shape, dtype=dtype).any()
    assert zeros(shape, dtype=dtype).dtype == dtype


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("draw", [xavier, he])
def test_weights_have_the_stated_mean_and_spread(draw, distribution, rng):
    shape = (400, 300)
    W = draw(shape, distribution=distribution, rng=rng)
    scale = xavier_scale(*shape) if draw is xavier else he_scale(shape[0])
    # 120,000 numbers: five standard errors of the mean, and more than five of the standard deviation.
    assert abs(W.mean()) < 5 * scale / np.sqrt(W.size)
    assert W.std() == pytest.approx(scale, rel=5 / np.sqrt(2 * W.size))
    if distribution == "uniform":
        assert 0.99 * np.sqrt(3) * scale < np.abs(W).max() <= np.sqrt(3) * scale


@pytest.mark.parametrize("activation", ["linear", "step", "relu", "gelu"])
def test_gain_makes_good_what_the_activation_takes(activation):
    # The mean of f(z)^2 for a standard normal z, by the trapezoidal rule.
    z = np.linspace(-12, 12, 2_400_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    f = ACTIVATIONS.get(activation, lambda z: z)
    assert GAINS[activation] ** 2 * np.trapezoid(f(z) ** 2 * density, z) == pytest.approx(1, rel=1e-5)


def test_every_activation_has_a_gain():
    assert set(GAINS) == {"linear", *ACTIVATIONS}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_has_the_sizes_the_scales_and_no_bias(scheme, output, dtype, rng):
    sizes = [300, 200, 100]
    net = initialize(
        sizes,
        scheme,
        output=output,
        activation="tanh",
        scale=0.5 if scheme == "normal" else None,
        rng=rng,
        dtype=dtype,
    )
    assert (net.sizes, net.output, net.activation) == (tuple(sizes), output, "tanh")
    assert all(p.dtype == dtype for p in net.parameters)
    assert not any(layer.b.any() for layer in net.layers)
    scales = {
        "zeros": [0, 0],
        "normal": [0.5, 0.5],
        "xavier": [np.sqrt(2 / 500), np.sqrt(2 / 300)],
        "he": [5 / 3 / np.sqrt(300), 1 / np.sqrt(200)],
    }
    np.testing.assert_allclose([layer.W.std() for layer in net.layers], scales[scheme], rtol=0.03)


@pytest.mark.parametrize("scheme", ["normal", "xavier", "he"])
def test_same_generator_same_network(scheme):
    def draw(seed, dtype=np.float64):
        scale = 0.1 if scheme == "normal" else None
        rng = np.random.default_rng(seed)
        return initialize([4, 6, 3], scheme, output="class", scale=scale, rng=rng, dtype=dtype).parameters

    for one, two, single, other in zip(draw(1), draw(1), draw(1, np.float32), draw(2), strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one.astype(np.float32), single)
        assert one.ndim == 1 or (one != other).any()


def test_he_without_an_activation_is_what_the_network_draws_by_itself():
    ours = initialize([7, 5, 3], "he", output="value", activation="linear", rng=np.random.default_rng(1))
    theirs = MLP.draw([7, 5, 3], output="value", activation="linear", rng=np.random.default_rng(1))
    for one, two in zip(ours.parameters, theirs.parameters, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-14)


def mean_squares(scheme, activation, rng, repeats=200, width=60):
    """Return the mean square of one layer's answers over that of its inputs, for many drawn layers."""
    ratios = []
    for _ in range(repeats):
        net = initialize([width, width, 1], scheme, output="value", activation=activation, rng=rng)
        # Behind the gain the sums have the spread 1, which GELU's gain is made for.
        x, h, _ = forward_all(rng.standard_normal((20, width)) / GAINS[activation], net.layers)
        ratios.append(np.mean(h**2) / np.mean(x**2))
    return np.mean(ratios), np.std(ratios, ddof=1) / np.sqrt(repeats)


@pytest.mark.parametrize(
    ("scheme", "activation", "expected"),
    [
        ("he", "relu", 1.0),
        ("he", "linear", 1.0),
        ("he", "gelu", 1.0),
        ("xavier", "linear", 1.0),
        ("xavier", "relu", 0.5),
    ],
)
def test_one_layer_keeps_the_mean_square_where_it_should(scheme, activation, expected, rng):
    ratio, standard_error = mean_squares(scheme, activation, rng)
    assert standard_error < 0.02
    assert abs(ratio - expected) < 5 * standard_error


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=6),
    st.sampled_from(["relu", "tanh", "sigmoid", "gelu"]),
    st.integers(1, 7),
    st.integers(0, 2**32),
)
def test_signals_are_those_of_torch(sizes, activation, batch, seed):
    rng = np.random.default_rng(seed)
    net = initialize(sizes, "he", output="value", activation=activation, rng=rng)
    x = rng.standard_normal((batch, sizes[0]))
    d_answers = rng.standard_normal((batch, sizes[-1]))
    h = torch.tensor(x, requires_grad=True)
    answers = [h]
    for k, layer in enumerate(net.layers, start=1):
        h = h @ torch.tensor(layer.W) + torch.tensor(layer.b)
        if k < len(net.layers):
            h = getattr(torch.nn.functional, activation)(h)
        h.retain_grad()
        answers.append(h)
    h.backward(torch.tensor(d_answers))
    found = signals(x, net.layers, d_answers)
    np.testing.assert_allclose(
        found.activations, [a.detach().square().mean().sqrt() for a in answers], rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        found.gradients, [a.grad.square().mean().sqrt() for a in answers], rtol=1e-10, atol=1e-12
    )
    d_x, _ = forward_op(x, net.layers)[1](d_answers)
    np.testing.assert_allclose(found.gradients[0], np.sqrt(np.mean(d_x**2)), rtol=1e-12)


def growth(scheme, activation, rng, scale=None, depth=50, width=200):
    """Return the mean growth a layer of activations and of gradients: logarithms, 0 where the size is kept."""
    net = initialize(
        [width] * (depth + 1), scheme, output="value", activation=activation, scale=scale, rng=rng
    )
    found = signals(rng.standard_normal((20, width)), net.layers[:-1], rng.standard_normal((20, width)))
    activations, gradients = np.log(found.activations), np.log(found.gradients)
    return (activations[-1] - activations[0]) / (depth - 1), (gradients[0] - gradients[-1]) / (depth - 1)


@pytest.mark.parametrize(
    ("scheme", "activation", "scale", "factor"),
    [
        ("he", "relu", None, 1.0),
        ("he", "linear", None, 1.0),
        ("xavier", "linear", None, 1.0),
        ("xavier", "relu", None, np.sqrt(1 / 2)),
        ("normal", "relu", 0.02, 0.02 * np.sqrt(200 / 2)),
        ("normal", "relu", 1.0, np.sqrt(200 / 2)),
    ],
)
def test_fifty_layers_keep_or_multiply_the_signals_as_predicted(scheme, activation, scale, factor, rng):
    # Over 50 layers of 200 units the logarithm wanders by less than 1, which is 0.02 a layer.
    forward, backward = growth(scheme, activation, rng, scale)
    assert forward == pytest.approx(np.log(factor), abs=0.03)
    assert backward == pytest.approx(np.log(factor), abs=0.03)


@pytest.mark.slow
def test_tanh_holds_a_middle_size_through_fifty_layers(rng):
    net = initialize([200] * 51, "he", output="value", activation="tanh", rng=rng)
    for size in (0.01, 1.0, 100.0):
        x = size * rng.standard_normal((20, 200))
        late = signals(x, net.layers[:-1], np.ones((20, 200))).activations[20:]
        assert late.min() > 0.5
        assert late.max() < 0.8


def test_with_zeros_nothing_learns_but_the_last_bias():
    x, labels = digits.split()[:2]
    for activation in ("relu", "tanh"):
        net = initialize(
            [784, 16, 8, 10], "zeros", output="class", activation=activation, rng=np.random.default_rng(0)
        )
        model = TrainableMLP(net)
        for step in range(5):
            batch = slice(30 * step, 30 * step + 27)
            _, gradients = model.loss_and_gradients(x[batch].astype(float), labels[batch])
            for parameter, gradient in zip(model.parameters, gradients, strict=True):
                parameter -= 0.5 * gradient
        *others, last = model.parameters
        assert not any(parameter.any() for parameter in others)
        assert last.any()


def test_equal_units_stay_equal_while_they_learn():
    # All numbers here are halves, quarters, ...: sums of them are exact in any order, so equal means equal.
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (4, 3)).astype(float)
    y = x.sum(axis=1, keepdims=True) - 1
    net = MLP("value", np.full((3, 5), 0.25), np.zeros(5), np.full((5, 1), 0.25), np.zeros(1))
    model = TrainableMLP(net)
    losses = []
    for _ in range(3):
        loss, gradients = model.loss_and_gradients(x, y)
        losses.append(loss)
        for parameter, gradient in zip(model.parameters, gradients, strict=True):
            parameter -= gradient / 64
    W1, b1, W2, _ = model.parameters
    for units in (W1.T, b1, W2):
        np.testing.assert_array_equal(units, np.broadcast_to(units[0], units.shape))
    assert (np.diff(losses) < 0).all()
    assert (W1 != 0.25).all()


def test_sizes_beyond_the_squares_that_can_be_written():
    layers = [Layer(np.full((1, 1), 1e-100), np.zeros(1)), Layer(np.full((1, 1), 1e-100), np.zeros(1))]
    found = signals(np.array([[1e200]]), layers, np.array([[1e200]]))
    np.testing.assert_allclose(found.activations, [1e200, 1e100, 1.0], rtol=1e-12)
    np.testing.assert_allclose(found.gradients, [1.0, 1e100, 1e200], rtol=1e-12)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda rng: he((3,), rng=rng),
            r"shape \(n_in, n_out\).*got \(3,\): write the number of inputs first",
        ),
        (lambda rng: xavier((3, 0), rng=rng), r"at least one input and one unit, got \(3, 0\)"),
        (lambda rng: zeros((3, 2, 1)), r"got \(3, 2, 1\)"),
        (
            lambda rng: normal((3, 2), scale=0.0, rng=rng),
            r"normal expects a finite scale above 0, got 0\.0: .* there is zeros",
        ),
        (lambda rng: he((3, 2), gain=np.nan, rng=rng), r"he expects a finite gain above 0, got nan"),
        (lambda rng: xavier((3, 2), gain=-1.0, rng=rng), r"xavier expects a finite gain above 0"),
        (lambda rng: uniform((3, 2), np.inf, rng=rng), r"uniform expects a finite scale above 0, got inf"),
        (
            lambda rng: he((3, 2), distribution="cauchy", rng=rng),
            r"no distribution 'cauchy': choose normal, uniform",
        ),
        (
            lambda rng: initialize([3, 2], "kaiming", output="class", rng=rng),
            r"no scheme 'kaiming': choose zeros, normal, xavier, he",
        ),
        (
            lambda rng: initialize([3, 2], "normal", output="class", rng=rng),
            r"a scale with the scheme 'normal' and with no other, got scheme 'normal' and scale None",
        ),
        (
            lambda rng: initialize([3, 2], "he", scale=0.1, output="class", rng=rng),
            r"got scheme 'he' and scale 0\.1: the others choose the scale themselves",
        ),
        (
            lambda rng: initialize([3, 2, 2], activation="rulo", output="class", rng=rng),
            r"knows no 'rulo': choose linear, .*relu",
        ),
        (lambda rng: initialize([3, 2], output="klass", rng=rng), r"knows no 'klass': choose class, value"),
        (lambda rng: initialize([3], output="class", rng=rng), r"at least two layers"),
        (lambda rng: signals(np.ones((2, 3)), [], np.ones((2, 3))), r"at least one layer, got none"),
    ],
)
def test_errors_say_the_remedy(call, says, rng):
    with pytest.raises(ValueError, match=says):
        call(rng)
