import warnings
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks import GradientError, check_gradients
from dlcourse.data import digits
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP
from dlcourse.training import fit
from dlcourse.training.optimizers import SGD, AdamW
from dlcourse.training.regularization import (
    RegularizedMLP,
    Stop,
    augment,
    dropout,
    dropout_op,
    l2_penalty,
    l2_penalty_op,
    rotate,
    shift,
    stop_early,
)

torch.set_num_threads(1)

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}
SEEDS = st.integers(0, 2**32)
SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


def near(got, want, tolerance):
    want = want.detach().numpy() if isinstance(want, torch.Tensor) else want
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * (1 + np.abs(want).max()))


# --- the penalty ---


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(shapes=st.lists(SHAPES, min_size=1, max_size=4), decay=st.floats(0, 10), seed=SEEDS)
def test_penalty_agrees_with_torch_and_with_differences(dtype, shapes, decay, seed):
    rng = np.random.default_rng(seed)
    weights = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    peers = [torch.tensor(W, requires_grad=True) for W in weights]
    expected = decay / 2 * sum((W**2).sum() for W in peers)
    (3 * expected).backward()
    value, pullback = l2_penalty_op(weights, decay)
    near(value, expected, TOLERANCE[dtype])
    assert value.dtype == dtype
    for got, peer in zip(pullback(3.0), peers, strict=True):
        assert got.dtype == dtype
        near(got, peer.grad, TOLERANCE[dtype])
    if dtype == np.float64:
        check_gradients(lambda *weights: l2_penalty_op(weights, decay), *weights, rng=rng)


@given(decay=st.floats(0, 2), rate=st.floats(0.01, 1), seed=SEEDS)
def test_a_step_on_the_penalty_is_a_step_of_sgd_with_weight_decay(decay, rate, seed):
    rng = np.random.default_rng(seed)
    start = [rng.standard_normal(shape) for shape in [(3, 4), (4,), (2, 2)]]
    by_penalty, by_optimizer = ([W.copy() for W in start] for _ in range(2))
    plain, decaying = SGD(by_penalty, rate=rate), SGD(by_optimizer, rate=rate, weight_decay=decay)
    for _ in range(5):
        gradients = [rng.standard_normal(W.shape) for W in start]
        charged = l2_penalty_op(by_penalty, decay)[1](1.0)
        plain.step([g + c for g, c in zip(gradients, charged, strict=True)])
        decaying.step(gradients)
    for a, b in zip(by_penalty, by_optimizer, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_penalty_is_the_sum_of_that_of_its_parts(rng):
    W = rng.standard_normal((6, 5))
    np.testing.assert_allclose(l2_penalty([W], 0.3), l2_penalty([W[:2], W[2:]], 0.3), rtol=1e-12)
    assert l2_penalty([W], 0.0) == 0


# --- dropout ---


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(shape=SHAPES, rate=st.floats(0, 0.95), seed=SEEDS)
def test_dropout_agrees_with_torch_where_both_keep_the_same(dtype, shape, rate, seed):
    rng = np.random.default_rng(seed)
    x, d_y = (np.asarray(rng.uniform(0.5, 2, shape), dtype) for _ in range(2))
    peer = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.dropout(peer, rate)
    expected.backward(torch.tensor(d_y))
    kept = expected.detach().numpy() != 0

    class Same(np.random.Generator):
        """Draws what torch drew."""

        def random(self, shape):
            assert shape == kept.shape
            return np.where(kept, 1.0, 0.0)

    value, pullback = dropout_op(x, rate, rng=Same(np.random.PCG64(0)))
    if rate > 0:
        near(value, expected, TOLERANCE[dtype])
        near(pullback(d_y), peer.grad, TOLERANCE[dtype])
    assert value.dtype == pullback(d_y).dtype == dtype


@given(shape=SHAPES, rate=st.floats(0, 0.9), training=st.booleans(), seed=SEEDS)
def test_dropout_gradients_agree_with_differences(shape, rate, training, seed):
    rng = np.random.default_rng(seed)

    def same_draws(x):
        return dropout_op(x, rate, training, rng=np.random.default_rng(seed))

    check_gradients(same_draws, np.asarray(rng.standard_normal(shape)), rng=rng)


def test_check_gradients_finds_a_pullback_that_drew_anew(rng):
    def wrong_op(x):
        y, _ = dropout_op(x, 0.5, rng=np.random.default_rng(1))
        return y, lambda d_y: dropout(d_y, 0.5, rng=np.random.default_rng(2))

    with pytest.raises(GradientError, match="the gradient of input 1 along a random direction"):
        check_gradients(wrong_op, rng.standard_normal((5, 8)), rng=rng)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean_and_drops_its_share(rate, dtype, rng):
    times = 200_000
    y = dropout(np.full(times, 3.0, dtype), rate, rng=rng)
    spread = np.sqrt(rate / (1 - rate) / times)  # of the mean of 0 and 1 / (1 - rate)
    assert abs(y.mean(dtype=float) / 3 - 1) < 4 * spread
    assert abs(np.mean(y == 0) - rate) < 4 * np.sqrt(rate * (1 - rate) / times)
    np.testing.assert_allclose(y[y != 0], 3 / (1 - rate), rtol=TOLERANCE[dtype])


def test_dropout_draws_each_number_for_itself(rng):
    kept = dropout(np.ones((400, 300)), 0.5, rng=rng) != 0
    assert np.ptp(kept.mean(axis=0)) > 0.05
    assert np.ptp(kept.mean(axis=1)) > 0.05
    between = np.corrcoef(kept[:, :20].T.astype(float))
    assert np.abs(between - np.eye(20)).max() < 0.25


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_evaluation_mode_is_the_identity_and_draws_nothing(dtype, rng):
    x = rng.standard_normal((4, 3)).astype(dtype)
    before = rng.bit_generator.state
    for rate, training in [(0.5, False), (0.0, True), (0.0, False)]:
        value, pullback = dropout_op(x, rate, training, rng=rng)
        np.testing.assert_array_equal(value, x)
        np.testing.assert_array_equal(pullback(x), x)
        assert value.dtype == dtype
    assert rng.bit_generator.state == before


def test_dropout_changes_nothing_that_comes_in(rng):
    x, d_y = rng.standard_normal((2, 5, 4))
    before = x.copy(), d_y.copy()
    dropout_op(x, 0.5, rng=rng)[1](d_y)
    np.testing.assert_array_equal((x, d_y), before)


# --- early stopping ---


class Scripted:
    """A model whose validation losses are known beforehand."""

    def __init__(self, losses):
        self.parameters = (np.zeros(1),)
        self.losses = iter(losses)

    def loss_and_gradients(self, x, y):
        return 1.0, (-np.ones(1),)  # each epoch adds 1

    def loss(self, x, y):
        return next(self.losses)

    def predict(self, x):
        return x


@given(st.lists(st.integers(0, 6), min_size=1, max_size=15), st.integers(1, 5))
def test_the_rule_is_that_of_fit(losses, patience):
    losses = [float(loss) for loss in losses]
    model, x = Scripted(losses), np.ones((1, 1))
    history = fit(
        model,
        x,
        x,
        optimizer=SGD(model.parameters, rate=1.0),
        epochs=len(losses),
        batch=1,
        rng=np.random.default_rng(0),
        validation=(x, x),
        patience=patience,
    )
    assert stop_early(losses, patience) == Stop(history.best, history.epochs)
    assert stop_early(np.array(losses), patience) == Stop(history.best, history.epochs)
    assert model.parameters[0][0] == history.best
    assert losses[history.best - 1] == min(losses[: history.epochs])


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([3.0], 1, (1, 1)),
        ([3.0, 3.0, 2.0], 1, (1, 2)),  # equal is not better
        ([3.0, 3.0, 2.0], 2, (3, 3)),
        ([3.0, 2.0, 1.0], 1, (3, 3)),
        ([1.0, 2.0, 3.0, 4.0, 0.0], 3, (1, 4)),
    ],
)
def test_the_rule_in_small(losses, patience, expected):
    assert stop_early(losses, patience) == expected


# --- augmentation ---


def in_torch(images, degrees, down, right):
    """Let torch ask the same pixels where they were."""
    _, h, w = images.shape
    turn = np.deg2rad(degrees)[:, None, None]
    i = np.arange(h)[:, None] - (h - 1) / 2 - down[:, None, None]
    j = np.arange(w)[None, :] - (w - 1) / 2 - right[:, None, None]
    # torch wants x before y, in half widths of the picture from its middle
    x = (np.cos(turn) * j - np.sin(turn) * i) * 2 / w
    y = (np.cos(turn) * i + np.sin(turn) * j) * 2 / h
    grid = torch.tensor(np.stack([x, y], axis=-1).astype(images.dtype))
    sampled = torch.nn.functional.grid_sample(
        torch.tensor(images)[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled[:, 0]


SIZES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


@pytest.mark.parametrize("dtype", TOLERANCE)
@given(size=SIZES, seed=SEEDS)
def test_moved_pictures_agree_with_torch(dtype, size, seed):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 1, size).astype(dtype)
    degrees, down, right = rng.uniform(-180, 180, size[0]), *rng.uniform(-3, 3, (2, size[0]))
    none = np.zeros(size[0])
    # float32 places are rounded by torch, so that a steep edge between pixels is met a little beside
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for got, want in (
        (rotate(images, degrees), in_torch(images, degrees, none, none)),
        (shift(images, down, right), in_torch(images, none, down, right)),
    ):
        assert got.dtype == dtype
        assert got.shape == size
        near(got, want, tolerance)


@given(SIZES, st.integers(-10, 10), st.integers(-10, 10), SEEDS)
def test_whole_pixels_are_moved_exactly(size, down, right, seed):
    images = np.random.default_rng(seed).uniform(0, 1, size)
    batch, h, w = size
    wide = np.pad(images, ((0, 0), (10, 10), (10, 10)))
    expected = np.roll(wide, (down, right), axis=(1, 2))
    kept = np.zeros_like(wide)
    kept[:, 10 : h + 10, 10 : w + 10] = 1
    got = shift(images, np.full(batch, float(down)), np.full(batch, float(right)))
    np.testing.assert_array_equal(got, (expected * kept)[:, 10 : h + 10, 10 : w + 10])


@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("side", [1, 4, 5])
def test_quarter_turns_are_those_of_numpy(side, turns, rng):
    images = rng.uniform(0, 1, (2, side, side))
    expected = np.rot90(images, turns, axes=(1, 2))
    np.testing.assert_allclose(rotate(images, np.full(2, 90.0 * turns)), expected, atol=1e-12)


def test_each_picture_is_moved_for_itself(rng):
    images = rng.uniform(0, 1, (5, 8, 8))
    degrees = rng.uniform(-90, 90, 5)
    alone = [rotate(images[k : k + 1], degrees[k : k + 1])[0] for k in range(5)]
    np.testing.assert_array_equal(rotate(images, degrees), alone)


@given(SIZES, SEEDS)
def test_no_pixel_gets_darker_than_the_darkest(size, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (size[0], size[1] * size[2]))
    before = x.copy()
    moved = augment(x, rng=rng, size=size[1:], pixels=3.0, degrees=180.0)
    assert moved.min() >= 0
    assert moved.max() <= x.max() * (1 + 1e-12)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_augment_changes_digits_a_little(dtype, rng):
    x = digits.split().x_train[:200].astype(dtype)
    moved = augment(x, rng=rng)
    assert moved.dtype == dtype
    assert moved.shape == x.shape
    assert (np.abs(moved - x).max(axis=1) > 0.1).all()
    np.testing.assert_allclose(moved.sum(axis=1), x.sum(axis=1), rtol=0.1)  # no ink is lost
    np.testing.assert_array_equal(augment(x, rng=rng, pixels=0.0, degrees=0.0), x)
    again = [augment(x, rng=np.random.default_rng(1)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


@pytest.mark.parametrize("far", [1e6, -1e6, 1e300])
def test_a_picture_moved_far_away_leaves_paper(far, rng):
    images = rng.uniform(0, 1, (2, 5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not shift(images, np.full(2, far), np.zeros(2)).any()
        assert np.isfinite(rotate(images, np.full(2, np.clip(far, -1e6, 1e6)))).all()


# --- the network ---


def small(rng, output="class", dtype=np.float64):
    return MLP.draw([6, 8, 7, 3], output=output, activation="tanh", rng=rng, dtype=dtype)


def batch_of(rng, output="class", dtype=np.float64):
    x = rng.standard_normal((10, 6)).astype(dtype)
    return x, rng.integers(0, 3, 10) if output == "class" else rng.standard_normal((10, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("output", ["class", "value"])
def test_without_regularization_it_is_the_plain_network(output, dtype, rng):
    net = small(rng, output, dtype)
    x, y = batch_of(rng, output, dtype)
    plain, model = TrainableMLP(net), RegularizedMLP(net, rng=rng)
    loss, gradients = model.loss_and_gradients(x, y)
    expected, expected_gradients = plain.loss_and_gradients(x, y)
    assert loss == expected
    assert model.loss(x, y) == plain.loss(x, y)
    np.testing.assert_array_equal(model.predict(x), plain.predict(x))
    for got, want in zip(gradients, expected_gradients, strict=True):
        assert got.dtype == dtype
        near(got, want, TOLERANCE[dtype])
    assert isinstance(model, Trainable)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("output", ["class", "value"])
def test_network_with_dropout_and_penalty_agrees_with_torch(output, dtype, rng):
    net = small(rng, output, dtype)
    x, y = batch_of(rng, output, dtype)
    model = RegularizedMLP(net, dropout=0.4, decay=0.03, rng=np.random.default_rng(5))
    loss, gradients = model.loss_and_gradients(x, y)
    draws = np.random.default_rng(5)
    parameters = [torch.tensor(p, requires_grad=True) for p in net.parameters]
    h = torch.tensor(x)
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        h = torch.tanh(h @ W + b)
        h = h * torch.tensor((draws.random(tuple(h.shape)) >= 0.4).astype(dtype)) / 0.6
    scores = h @ parameters[-2] + parameters[-1]
    loss_of = torch.nn.functional.cross_entropy if output == "class" else torch.nn.functional.mse_loss
    expected = loss_of(scores, torch.tensor(y)) + 0.015 * sum((W**2).sum() for W in parameters[::2])
    expected.backward()
    near(loss, expected, TOLERANCE[dtype])
    for got, peer in zip(gradients, parameters, strict=True):
        assert got.dtype == dtype
        near(got, peer.grad, TOLERANCE[dtype])


def test_network_gradients_agree_with_differences(rng):
    start = small(rng)
    x, y = batch_of(rng)

    def op(*parameters):
        model = RegularizedMLP(
            MLP("class", *parameters, activation="tanh"),
            dropout=0.3,
            decay=0.1,
            augment=partial(augment, size=(2, 3)),
            rng=np.random.default_rng(3),
        )
        loss, gradients = model.loss_and_gradients(x, y)
        return np.array(loss), lambda d_loss: tuple(d_loss * g for g in gradients)

    check_gradients(op, *start.parameters, rng=rng)


def test_decay_spares_the_biases(rng):
    net = small(rng)
    x, y = batch_of(rng)
    free, charged = (RegularizedMLP(net, decay=d, rng=rng).loss_and_gradients(x, y)[1] for d in (0.0, 0.5))
    for W, of_free, of_charged in zip(net.parameters, free, charged, strict=True):
        np.testing.assert_allclose(
            of_charged, of_free + (0.5 * W if W.ndim == 2 else 0), rtol=1e-12, atol=1e-14
        )


def test_only_training_mode_is_random(rng):
    model = RegularizedMLP(small(rng), dropout=0.5, rng=rng)
    x, y = batch_of(rng)
    before = model.state()
    assert model.loss(x, y) == model.loss(x, y)
    np.testing.assert_array_equal(model.predict(x), model.predict(x))
    np.testing.assert_array_equal(model.scores(x), model.scores(x))
    assert model.state() == before
    assert (model.scores(x, training=True) != model.scores(x, training=True)).any()
    assert model.predict(x, training=True).shape == (10,)
    assert model.loss_and_gradients(x, y)[0] != model.loss_and_gradients(x, y)[0]


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize(
    "kind",
    [
        np.random.PCG64,
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in (np.random.Philox, np.random.MT19937, np.random.SFC64)
        ),
    ],
)
def test_it_goes_on_from_a_checkpoint_bit_for_bit(kind, tmp_path, rng):
    x, y = rng.standard_normal((50, 6)), rng.integers(0, 3, 50)

    def run(path, *epochs):
        for count in epochs:  # each begins anew, and continues from what the file holds
            net = small(np.random.default_rng(1))
            model = RegularizedMLP(
                net,
                dropout=0.5,
                decay=0.01,
                augment=partial(augment, size=(2, 3)),
                rng=np.random.Generator(kind(7)),
            )
            fit(
                model,
                x,
                y,
                optimizer=AdamW(model.parameters, rate=0.01),
                epochs=count,
                batch=10,
                rng=np.random.default_rng(2),
                validation=(x, y),
                checkpoint=path,
                resume=path.exists(),
            )
        return model

    whole, resumed = run(tmp_path / "whole.npz", 4), run(tmp_path / "parts.npz", 1, 2, 4)
    for a, b in zip(whole.parameters, resumed.parameters, strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole.state() == resumed.state()


@pytest.mark.usefixtures("many_steps")
def test_early_stopping_brings_the_best_parameters_back(rng):
    model = RegularizedMLP(small(rng), dropout=0.2, rng=rng)
    x, y = batch_of(rng)
    other, labels = batch_of(rng)
    history = fit(
        model,
        x,
        y,
        optimizer=SGD(model.parameters, rate=1.0),
        epochs=200,
        batch=5,
        rng=rng,
        validation=(other, labels),
        patience=5,
    )
    assert history.stopped
    assert model.loss(other, labels) == min(history.validation_loss)


# --- errors ---

x42 = np.ones((4, 2))
photo = np.ones((2, 3, 3))


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda rng: dropout(x42, 1.0, rng=rng),
            ValueError,
            r"a rate from 0 to below 1, got 1\.0: it is the share",
        ),
        (lambda rng: dropout(x42, -0.1, rng=rng), ValueError, r"got -0\.1"),
        (lambda rng: dropout(x42, np.nan, rng=rng), ValueError, r"got nan"),
        (lambda rng: dropout(x42.astype(int), 0.5, rng=rng), TypeError, r"np\.asarray\(x, dtype=float\)"),
        (
            lambda rng: dropout_op(x42, 0.5, rng=rng)[1](np.ones(2)),
            ValueError,
            r"shape \(4, 2\), got shape \(2,\)",
        ),
        (lambda _: l2_penalty([], 0.1), ValueError, r"at least one array of weights, got none"),
        (lambda _: l2_penalty([x42], -1.0), ValueError, r"a decay of at least 0, got -1\.0"),
        (lambda _: l2_penalty([x42], np.inf), ValueError, r"a decay of at least 0, got inf"),
        (
            lambda _: l2_penalty([x42, x42.astype(int)], 1.0),
            TypeError,
            r"weights\[1\] as an array of floating",
        ),
        (lambda _: stop_early([], 2), ValueError, r"at least one loss, all of them finite, got \[\]"),
        (lambda _: stop_early([1.0, np.nan], 2), ValueError, r"all of them finite, got \[1\.0, nan\]"),
        (lambda _: stop_early([1.0], 0), ValueError, r"patience of at least 1, got 0"),
        (
            lambda _: rotate(x42, np.zeros(4)),
            ValueError,
            r"images of shape \(batch, h, w\), got \(4, 2\): turn rows",
        ),
        (
            lambda _: rotate(photo, np.zeros(3)),
            ValueError,
            r"one finite number a picture, degrees of shape \(2,\)",
        ),
        (lambda _: rotate(photo, 10.0), ValueError, r"pass np\.full\(len\(images\), degrees\)"),
        (lambda _: shift(photo, np.zeros(2), np.array([0, np.nan])), ValueError, r"right of shape \(2,\)"),
        (
            lambda _: shift(photo.astype(np.uint8), np.zeros(2), np.zeros(2)),
            TypeError,
            r"got uint8: convert it",
        ),
        (
            lambda rng: augment(x42, rng=rng),
            ValueError,
            r"28 x 28 = 784 pixels a row, got x of shape \(4, 2\)",
        ),
        (
            lambda rng: augment(x42, rng=rng, size=(1, 2), pixels=-1),
            ValueError,
            r"pixels of at least 0, .* got -1",
        ),
        (
            lambda rng: augment(x42, rng=rng, size=(1, 2), degrees=np.inf),
            ValueError,
            r"degrees of at least 0",
        ),
        (
            lambda rng: RegularizedMLP(small(rng), dropout=1.0, rng=rng),
            ValueError,
            r"RegularizedMLP expects a rate",
        ),
        (lambda rng: RegularizedMLP(small(rng), decay=-1.0, rng=rng), ValueError, r"a decay of at least 0"),
        (
            lambda rng: RegularizedMLP(small(rng), rng=rng).load({}),
            ValueError,
            r"a generator PCG64, got none",
        ),
        (
            lambda rng: RegularizedMLP(small(rng), rng=rng).load(
                RegularizedMLP(small(rng), rng=np.random.Generator(np.random.Philox(1))).state()
            ),
            ValueError,
            r"a generator PCG64, got Philox",
        ),
    ],
)
def test_errors_say_what_to_do(call, error, says, rng):
    with pytest.raises(error, match=says):
        call(rng)
