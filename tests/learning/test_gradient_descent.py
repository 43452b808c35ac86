import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks import check_gradients
from dlcourse.data import digits, weather
from dlcourse.learning.gradient_descent import (
    DivergenceError,
    descend,
    largest_stable_rate,
    least_squares,
    linear_hessian,
    linear_regression,
    minibatches,
    one_step,
    softmax_regression,
    train,
)
from dlcourse.neurons.network import accuracy, linear

torch.set_num_threads(1)
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}


def draw_regression(seed, batch, n_in, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((batch, n_in)), rng.standard_normal(n_in)
    y, b = rng.standard_normal(batch), rng.standard_normal(())
    return x.astype(dtype), y.astype(dtype), w.astype(dtype), np.asarray(b, dtype)


def scaled_weather():
    x_train, y_train, x_test, y_test = weather.split()
    mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
    return (x_train - mean) / spread, y_train, (x_test - mean) / spread, y_test


SHAPES = {"seed": st.integers(0, 2**32), "batch": st.integers(1, 20), "n_in": st.integers(1, 7)}


@given(dtype=st.sampled_from([np.float64, np.float32]), **SHAPES)
def test_linear_regression_agrees_with_torch(dtype, seed, batch, n_in):
    x, y, w, b = draw_regression(seed, batch, n_in, dtype)
    loss, gradients = linear_regression(x, y, w, b)
    tx, ty, tw, tb = (torch.from_numpy(np.asarray(a)) for a in (x, y, w, b))
    tw.requires_grad_()
    tb = tb.clone().requires_grad_()
    expected = torch.nn.functional.mse_loss(tx @ tw + tb, ty)
    expected.backward()
    tolerance = TOLERANCE[dtype]
    for got, right in zip((loss, *gradients), (expected.detach(), tw.grad, tb.grad), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, right.numpy(), rtol=tolerance, atol=tolerance * (1 + batch))


@given(**SHAPES)
def test_linear_regression_has_the_gradient_it_says(seed, batch, n_in):
    x, y, *parameters = draw_regression(seed, batch, n_in)

    def op(w, b):
        loss, gradients = linear_regression(x, y, w, b)
        return loss, lambda d_loss: tuple(d_loss * np.asarray(g) for g in gradients)

    check_gradients(op, *parameters, rng=np.random.default_rng(seed))


@given(dtype=st.sampled_from([np.float64, np.float32]), classes=st.integers(1, 5), **SHAPES)
def test_softmax_regression_agrees_with_torch(dtype, classes, seed, batch, n_in):
    rng = np.random.default_rng(seed)
    x, W, b = (
        rng.standard_normal(shape).astype(dtype) for shape in ((batch, n_in), (n_in, classes), classes)
    )
    labels = rng.integers(0, classes, batch)
    loss, gradients = softmax_regression(x, labels, W, b)
    tW, tb = (torch.tensor(p, requires_grad=True) for p in (W, b))
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(x) @ tW + tb, torch.from_numpy(labels))
    expected.backward()
    tolerance = TOLERANCE[dtype]
    for got, right in zip((loss, *gradients), (expected.detach(), tW.grad, tb.grad), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, right.numpy(), rtol=tolerance, atol=tolerance * 10)


@given(classes=st.integers(1, 5), **SHAPES)
def test_softmax_regression_has_the_gradient_it_says(classes, seed, batch, n_in):
    rng = np.random.default_rng(seed)
    x, labels = rng.standard_normal((batch, n_in)), rng.integers(0, classes, batch)

    def op(W, b):
        loss, gradients = softmax_regression(x, labels, W, b)
        return loss, lambda d_loss: tuple(d_loss * g for g in gradients)

    check_gradients(op, rng.standard_normal((n_in, classes)), rng.standard_normal(classes), rng=rng)


def test_softmax_regression_reads_most_digits(rng):
    x, labels, x_test, labels_test = digits.split()
    start = [np.zeros((784, 10), np.float32), np.zeros(10, np.float32)]
    (W, b), losses = train(softmax_regression, start, x, labels, rate=0.2, epochs=3, size=64, rng=rng)
    assert W.dtype == b.dtype == np.float32
    assert losses[0] == pytest.approx(np.log(10), rel=1e-6)
    assert np.mean(losses[-20:]) < 0.5
    assert accuracy(linear(x_test, W, b).argmax(axis=-1), labels_test) > 0.87


@given(**SHAPES)
def test_hessian_is_the_change_of_the_gradient(seed, batch, n_in):
    x, y, w, b = draw_regression(seed, batch, n_in)
    rng = np.random.default_rng(seed + 1)
    v, c = rng.standard_normal(n_in), float(rng.standard_normal())

    def gradient(w, b):
        d_w, d_b = linear_regression(x, y, w, b)[1]
        return np.append(d_w, d_b)

    change = gradient(w + v, b + c) - gradient(w, b)
    np.testing.assert_allclose(linear_hessian(x) @ np.append(v, c), change, rtol=1e-9, atol=1e-9)


@given(**SHAPES)
def test_gradient_is_zero_at_the_least_squares(seed, batch, n_in):
    x, y, *_ = draw_regression(seed, batch, n_in)
    _, (d_w, d_b) = linear_regression(x, y, *least_squares(x, y))
    np.testing.assert_allclose(np.append(d_w, d_b), 0, atol=1e-8)


@given(n=st.integers(1, 200), size=st.integers(1, 250), seed=st.integers(0, 2**32))
def test_minibatches_are_a_partition_in_random_order(n, size, seed):
    batches = list(minibatches(n, size, rng=np.random.default_rng(seed)))
    order = np.concatenate(batches)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert 1 <= len(batches[-1]) <= size
    again = np.concatenate(list(minibatches(n, size, rng=np.random.default_rng(seed))))
    np.testing.assert_array_equal(order, again)


def test_every_example_is_equally_likely_in_each_batch():
    rng = np.random.default_rng(0)
    first = np.zeros(10)
    for _ in range(4000):
        first[next(minibatches(10, 3, rng=rng))] += 1
    np.testing.assert_allclose(first / 4000, 0.3, atol=5 * np.sqrt(0.3 * 0.7 / 4000))


def test_minibatches_draw_when_called_not_when_read():
    rng = np.random.default_rng(5)
    one, two = minibatches(50, 50, rng=rng), minibatches(50, 50, rng=rng)
    second, first = next(two), next(one)
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(first, rng.permutation(50))
    np.testing.assert_array_equal(second, rng.permutation(50))


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 5),
    rate=st.floats(1e-4, 0.3),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_descent_on_a_bowl_is_its_closed_form(seed, n, rate, dtype):
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((n, n)))[0]
    curvatures = rng.uniform(0.1, 5, n)
    A, start = directions * curvatures @ directions.T, rng.standard_normal(n).astype(dtype)
    path = descend(lambda p: (A @ p).astype(dtype), start, rate=rate, steps=12)
    assert path.shape == (13, n)
    assert path.dtype == dtype
    shrink = (1 - rate * curvatures[:, None]) ** np.arange(13)  # (n, 13)
    expected = (directions @ (shrink * (directions.T @ start)[:, None])).T
    np.testing.assert_allclose(path, expected, rtol=0, atol=1e-10 if dtype == np.float64 else 1e-4)


@given(seed=st.integers(0, 2**32), n=st.integers(1, 6))
def test_the_limit_of_the_rate_is_where_descent_turns(seed, n):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A = A @ A.T + 0.1 * np.eye(n)
    limit = largest_stable_rate(A)
    start = np.linalg.eigh(A)[1][:, -1]  # along the steepest direction, so that nothing else hides it
    below = descend(lambda p: A @ p, start, rate=0.9 * limit, steps=8)
    above = descend(lambda p: A @ p, start, rate=1.1 * limit, steps=8)
    np.testing.assert_allclose(np.linalg.norm(below, axis=1), 0.8 ** np.arange(9), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(above, axis=1), 1.2 ** np.arange(9), rtol=1e-6)


def test_descent_is_torch_sgd(rng):
    A = rng.standard_normal((3, 3))
    start = rng.standard_normal(3)
    p = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.01)
    path = [start]
    for _ in range(50):
        optimizer.zero_grad()
        torch.log1p(((torch.from_numpy(A) @ p) ** 2).sum()).backward()
        optimizer.step()
        path.append(p.detach().numpy().copy())

    def gradient(p):
        z = A @ p
        return 2 * A.T @ z / (1 + z @ z)

    np.testing.assert_allclose(descend(gradient, start, rate=0.01, steps=50), path, rtol=1e-10, atol=1e-10)


def test_training_on_all_is_descent(rng):
    x, y, w, b = draw_regression(3, 30, 4)

    def gradient(p):
        d_w, d_b = linear_regression(x, y, p[:-1], p[-1])[1]
        return np.append(d_w, d_b)

    path = descend(gradient, np.append(w, b), rate=0.1, steps=20)
    trained = train(linear_regression, [w, b], x, y, rate=0.1, epochs=20, size=30, rng=rng)
    np.testing.assert_allclose(np.append(*trained.parameters), path[-1], rtol=1e-10)
    errors = [linear_regression(x, y, p[:-1], p[-1])[0] for p in path[:-1]]
    np.testing.assert_allclose(trained.losses, errors, rtol=1e-10)
    assert (np.diff(trained.losses) < 0).all()


@pytest.mark.parametrize("size", [1, 7, 30])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_is_torch_sgd_on_the_same_batches(size, dtype):
    x, y, w, b = draw_regression(4, 30, 4, dtype)
    trained = train(
        linear_regression, [w, b], x, y, rate=0.02, epochs=3, size=size, rng=np.random.default_rng(1)
    )
    tw, tb = (torch.tensor(p, requires_grad=True) for p in (w, b))
    optimizer, rng, losses = torch.optim.SGD([tw, tb], lr=0.02), np.random.default_rng(1), []
    for _ in range(3):
        for batch in minibatches(30, size, rng=rng):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(
                torch.from_numpy(x[batch]) @ tw + tb, torch.from_numpy(y[batch])
            )
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
    tolerance = TOLERANCE[dtype]
    for got, right in zip(trained.parameters, (tw, tb), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, right.detach().numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(trained.losses, losses, rtol=10 * tolerance, atol=tolerance)


@pytest.mark.usefixtures("many_steps")
def test_descent_ends_at_the_least_squares_and_beats_persistence(rng):
    x, y, x_test, y_test = scaled_weather()
    best = np.append(*least_squares(x, y))
    p, rate = np.zeros(len(best)), 0.9 * largest_stable_rate(linear_hessian(x))
    distances = []
    for epochs in (100, 900, 2000):
        (w, b), _ = train(
            linear_regression, [p[:-1], p[-1]], x, y, rate=rate, epochs=epochs, size=len(x), rng=rng
        )
        p = np.append(w, b)
        distances.append(np.linalg.norm(p - best) / np.linalg.norm(best))
    assert (np.diff(distances) < 0).all()
    assert distances[-1] < 0.05
    assert 0 <= linear_regression(x, y, w, b)[0] - linear_regression(x, y, best[:-1], best[-1])[0] < 1e-3
    persistence = np.mean((weather.split().x_test[:, 0] - y_test) ** 2)
    assert linear_regression(x_test, y_test, w, b)[0] < 0.85 * persistence


@pytest.mark.parametrize(("share", "falls"), [(0.99, True), (1.01, False)])
def test_weather_agrees_with_the_limit_of_the_rate(share, falls, rng):
    x, y, *_ = scaled_weather()
    best = linear_regression(x, y, *least_squares(x, y))[0]
    rate = share * largest_stable_rate(linear_hessian(x))
    start = [np.ones(x.shape[1]), 0.0]
    excess = train(linear_regression, start, x, y, rate=rate, epochs=400, size=len(x), rng=rng).losses - best
    assert (excess[-1] < 0.02 * excess[0]) == falls
    assert (excess[-1] > 2 * excess[200]) == (not falls)


def test_small_batches_reach_the_neighbourhood_in_far_fewer_epochs():
    x, y, *_ = scaled_weather()
    best = linear_regression(x, y, *least_squares(x, y))[0]
    start = [np.zeros(x.shape[1]), 0.0]

    def excess(size):
        rng = np.random.default_rng(0)
        trained = train(linear_regression, start, x, y, rate=0.01, epochs=5, size=size, rng=rng)
        return linear_regression(x, y, *trained.parameters)[0] - best

    assert excess(1) < 0.05 * excess(len(x))


def test_nothing_that_comes_in_is_changed(rng):
    x, y, w, b = draw_regression(1, 10, 3)
    before = [a.copy() for a in (x, y, w, b)]
    train(linear_regression, [w, b], x, y, rate=0.1, epochs=2, size=4, rng=rng)
    descend(lambda p: 2 * p, w, rate=0.1, steps=2)
    for old, new in zip(before, (x, y, w, b), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_step_keeps_the_dtype_whatever_the_rate_is(dtype):
    p = np.ones(3, dtype)
    assert one_step(p, p, np.float64(0.1)).dtype == dtype
    np.testing.assert_allclose(one_step(p, 2 * p, 0.25), 0.5)


def test_no_step_leaves_everything_where_it_was(rng):
    x, y, w, b = draw_regression(1, 10, 3)
    np.testing.assert_array_equal(descend(lambda p: 2 * p, w, rate=0.1, steps=0), w[None, :])
    parameters, losses = train(linear_regression, [w, b], x, y, rate=0.1, epochs=0, size=4, rng=rng)
    np.testing.assert_array_equal(parameters[0], w)
    assert losses.shape == (0,)


def some_training(x=None, y=None, w=None, **changes):
    good_x, good_y, good_w, b = draw_regression(1, 10, 3)
    x, y, w = good_x if x is None else x, good_y if y is None else y, good_w if w is None else w
    settings = {"rate": 0.1, "epochs": 3, "size": 4, "rng": np.random.default_rng(0)} | changes
    return train(linear_regression, [w, b], x, y, **settings)


with_nan = np.ones((10, 3))
with_nan[4, 1] = np.nan


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: descend(lambda p: p, 1.0, rate=0, steps=3), ValueError, r"a learning rate above 0, got 0"),
        (lambda: descend(lambda p: p, 1.0, rate=-0.1, steps=3), ValueError, r"above 0, got -0\.1: the minus"),
        (lambda: descend(lambda p: p, 1.0, rate=np.nan, steps=3), ValueError, r"above 0, got nan"),
        (lambda: descend(lambda p: p, 1.0, rate=0.1, steps=-1), ValueError, r"steps of at least 0, got -1"),
        (lambda: descend(lambda p: p, np.ones(2, int), rate=0.1, steps=1), TypeError, r"np\.asarray\(start"),
        (
            lambda: descend(lambda p: p.sum(), np.ones(2), rate=0.1, steps=1),
            ValueError,
            r"shape of the point, \(2,\), got \(\): give one derivative",
        ),
        (
            lambda: descend(lambda p: 2 * p, 1.0, rate=11.0, steps=1000),
            DivergenceError,
            r"diverged: after step 234 the numbers are no longer finite.*learning rate 11 .*Try 1\.1",
        ),
        (
            lambda: descend(lambda p: p * np.nan, 1.0, rate=0.1, steps=3),
            ValueError,
            r"gradient of NaN or inf at the start, before any step: look for NaN in the data",
        ),
        (lambda: one_step(np.ones(3), np.ones((3, 1)), 0.1), ValueError, r"shape of the point, \(3,\)"),
        (
            lambda: one_step(np.ones(3), np.ones(3), 0.0),
            ValueError,
            r"one_step expects a learning rate above 0",
        ),
        (lambda: largest_stable_rate(np.ones((2, 3))), ValueError, r"symmetric matrix of shape \(n, n\)"),
        (lambda: largest_stable_rate(np.array([[1.0, 2], [0, 1]])), ValueError, r"a symmetric matrix"),
        (
            lambda: largest_stable_rate(-np.eye(2)),
            ValueError,
            r"curved upwards, got a largest eigenvalue of -1",
        ),
        (
            lambda: linear_regression(np.ones((4, 2)), np.ones((4, 1)), np.ones(2), 0.0),
            ValueError,
            r"y\.reshape",
        ),
        (
            lambda: linear_regression(np.ones((4, 2)), np.ones(3), np.ones(2), 0.0),
            ValueError,
            r"one entry of y",
        ),
        (lambda: linear_regression(np.ones((4, 2)), np.ones(4), np.ones(3), 0.0), ValueError, r"axis 1 of x"),
        (
            lambda: linear_regression(np.ones((4, 2)), np.ones(4, int), np.ones(2), 0.0),
            TypeError,
            r"asarray\(y",
        ),
        (
            lambda: linear_regression(np.ones((0, 2)), np.ones(0), np.ones(2), 0.0),
            ValueError,
            r"at least one",
        ),
        (lambda: least_squares(np.ones((4, 2)), np.ones((4, 1))), ValueError, r"y\.reshape\(-1\)"),
        (lambda: minibatches(0, 3, rng=np.random.default_rng()), ValueError, r"n of at least 1, got 0"),
        (lambda: minibatches(5, 0, rng=np.random.default_rng()), ValueError, r"size of at least 1, got 0"),
        (lambda: minibatches(5, 2.5, rng=np.random.default_rng()), TypeError, r"integer"),
        (lambda: some_training(rate=0.0), ValueError, r"one_step expects a learning rate above 0"),
        (lambda: some_training(size=0), ValueError, r"size of at least 1"),
        (lambda: some_training(epochs=-1), ValueError, r"epochs of at least 0"),
        (lambda: some_training(y=np.ones(9)), ValueError, r"train expects one target for each example"),
        (lambda: some_training(w=np.ones(3, int)), TypeError, r"train expects parameter_1 as an array"),
        (lambda: some_training(x=with_nan, size=10), ValueError, r"loss of NaN or inf at the start"),
        (
            lambda: some_training(rate=50.0, epochs=400),
            DivergenceError,
            r"after step \d+ .* rate 50 .*Try 5,",
        ),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_divergence_in_the_very_last_step_is_said():
    with pytest.raises(DivergenceError, match="after step 1 "):
        some_training(rate=1e308, epochs=1, size=10, w=np.full(3, 1e3))
