import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks import check_gradients
from dlcourse.data import digits
from dlcourse.learning import loss
from dlcourse.learning.loss import (
    cross_entropy,
    cross_entropy_op,
    log_sum_exp,
    mean_squared_error,
    mean_squared_error_op,
    surprise,
)
from dlcourse.neurons.activation import log_softmax_op, softmax
from dlcourse.neurons.network import MLP

torch.set_num_threads(1)
PRECISIONS = [(np.float64, 1e-10), (np.float32, 1e-5)]

# What hypothesis draws is plain data: beartype's run-time check draws from `random`, which a strategy may not do.
BATCHES = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 9),
        "classes": st.integers(1, 12),
        "scale": st.sampled_from([0.01, 1.0, 30.0]),
        "seed": st.integers(0, 2**32),
    }
)


def build(drawn, dtype=np.float64):
    """Build logits and a label for each row."""
    rng = np.random.default_rng(drawn["seed"])
    logits = drawn["scale"] * rng.standard_normal((drawn["batch"], drawn["classes"]))
    return logits.astype(dtype), rng.integers(0, drawn["classes"], drawn["batch"])


def build_values(drawn, dtype=np.float64):
    """Build predictions and targets of one shape."""
    rng = np.random.default_rng(drawn["seed"])
    both = drawn["scale"] * rng.standard_normal((2, drawn["batch"], drawn["classes"]))
    return both.astype(dtype)


def agree(got, expected, tolerance):
    expected = expected.detach().numpy()
    assert got.dtype == expected.dtype
    assert np.shape(got) == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max()))


@given(BATCHES, st.sampled_from(PRECISIONS), st.floats(-3, 3, width=32))
def test_cross_entropy_agrees_with_torch(drawn, precision, d_loss):
    dtype, tolerance = precision
    logits, labels = build(drawn, dtype)
    z = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(z, torch.tensor(labels))
    expected.backward(torch.tensor(d_loss, dtype=z.dtype))
    value, pullback = cross_entropy_op(logits, labels)
    agree(value, expected, tolerance)
    agree(pullback(d_loss), z.grad, tolerance)
    assert cross_entropy(logits, labels) == value
    each = torch.nn.functional.cross_entropy(z, torch.tensor(labels), reduction="none")
    agree(surprise(logits, labels), each, tolerance)
    agree(log_sum_exp(logits), torch.logsumexp(z, dim=-1), tolerance)


@given(BATCHES, st.sampled_from(PRECISIONS), st.floats(-3, 3, width=32))
def test_mean_squared_error_agrees_with_torch(drawn, precision, d_loss):
    dtype, tolerance = precision
    predicted, target = build_values(drawn, dtype)
    p = torch.tensor(predicted, requires_grad=True)
    expected = torch.nn.functional.mse_loss(p, torch.tensor(target))
    expected.backward(torch.tensor(d_loss, dtype=p.dtype))
    value, pullback = mean_squared_error_op(predicted, target)
    agree(value, expected, tolerance)
    agree(pullback(d_loss), p.grad, tolerance)
    assert mean_squared_error(predicted, target) == value


@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (1, 5), (6, 1)])
def test_gradients_agree_with_differences(shape, rng):
    predicted, target = rng.standard_normal((2, *shape))
    check_gradients(lambda p: mean_squared_error_op(p, target), predicted, rng=rng)
    labels = rng.integers(0, shape[1], shape[0])
    check_gradients(lambda z: cross_entropy_op(z, labels), 3 * predicted, rng=rng)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_mean_squared_error_takes_any_shape(shape, rng):
    predicted, target = rng.standard_normal((2, *shape))
    check_gradients(lambda p: mean_squared_error_op(p, target), predicted, rng=rng)
    assert mean_squared_error(predicted, target) == pytest.approx(
        ((predicted - target) ** 2).sum() / predicted.size
    )


@given(BATCHES)
def test_gradient_of_cross_entropy_is_softmax_minus_one_hot(drawn):
    logits, labels = build(drawn)
    expected = (softmax(logits) - np.eye(drawn["classes"])[labels]) / drawn["batch"]
    d_logits = cross_entropy_op(logits, labels)[1](1.0)
    np.testing.assert_allclose(d_logits, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(d_logits.sum(axis=1), 0, atol=1e-14)


def test_gradient_of_cross_entropy_is_that_of_its_parts(rng):
    logits, labels = rng.standard_normal((5, 4)), rng.integers(0, 4, 5)
    log_p, pullback = log_softmax_op(logits)
    d_log_p = np.zeros_like(log_p)
    d_log_p[np.arange(5), labels] = -1 / 5
    np.testing.assert_allclose(cross_entropy_op(logits, labels)[1](1.0), pullback(d_log_p), rtol=1e-13)


@given(BATCHES, st.floats(-1e4, 1e4))
def test_cross_entropy_does_not_see_a_shift(drawn, shift):
    logits, labels = build(drawn)
    np.testing.assert_allclose(
        cross_entropy(logits + shift, labels), cross_entropy(logits, labels), atol=1e-10
    )
    np.testing.assert_allclose(
        log_sum_exp(logits + shift), log_sum_exp(logits) + shift, rtol=1e-14, atol=1e-10
    )


@given(BATCHES)
def test_soft_maximum_lies_just_above_the_largest(drawn):
    logits, _ = build(drawn)
    above = log_sum_exp(logits) - logits.max(axis=-1)
    assert (above >= 0).all()
    assert (above <= math.log(drawn["classes"]) + 1e-12).all()


@given(BATCHES, st.integers(2, 4))
def test_a_mean_does_not_grow_with_the_batch(drawn, times):
    logits, labels = build(drawn)
    predicted, target = build_values(drawn)

    def more(a):
        return np.concatenate([a] * times)

    for op, x, y in ((cross_entropy_op, logits, labels), (mean_squared_error_op, predicted, target)):
        (one, pull_one), (many, pull_many) = op(x, y), op(more(x), more(y))
        np.testing.assert_allclose(many, one, rtol=1e-12)
        np.testing.assert_allclose(pull_many(1.0) * times, more(pull_one(1.0)), rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_who_has_no_idea_pays_the_logarithm_of_the_number_of_classes(classes, rng):
    labels = rng.integers(0, classes, 20)
    assert cross_entropy(np.full((20, classes), 7.0), labels) == pytest.approx(math.log(classes), rel=1e-14)


def test_an_untrained_network_has_a_loss_near_log_10():
    x, labels = digits.split()[2:]
    net = MLP.draw([784, 32, 10], output="value", rng=np.random.default_rng(0), dtype=np.float32)
    assert cross_entropy(net.forward(x), labels) == pytest.approx(math.log(10), abs=0.4)


@pytest.mark.parametrize(
    ("dtype", "far"), [(np.float32, 1e4), (np.float32, 1e37), (np.float64, 1e4), (np.float64, 1e300)]
)
@pytest.mark.parametrize("d_loss", [1.0, -1e3, np.float64(0.5)])
def test_far_logits_give_the_right_loss_without_a_warning(dtype, far, d_loss):
    logits = np.array([[far, -far, 0], [-far, -far, -far], [far, far, far], [0, far, -far]], dtype)
    labels = np.array([0, 1, 2, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        each, (value, pullback), soft = (
            surprise(logits, labels),
            cross_entropy_op(logits, labels),
            log_sum_exp(logits),
        )
        d_logits = pullback(d_loss)
    np.testing.assert_allclose(each, [0, math.log(3), math.log(3), 2 * far], rtol=1e-6)
    np.testing.assert_allclose(value, (2 * math.log(3) + 2 * far) / 4, rtol=1e-6)
    np.testing.assert_allclose(soft, [far, -far + math.log(3), far + math.log(3), far], rtol=1e-6)
    third = 1 / 3
    right = [[0, 0, 0], [third, third - 1, third], [third, third, third - 1], [0, 1, -1]]
    np.testing.assert_allclose(d_logits, np.array(right) * d_loss / 4, rtol=1e-6, atol=1e-6)
    assert value.dtype == soft.dtype == d_logits.dtype == dtype


@given(
    st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=6, max_size=6),
    st.lists(st.integers(0, 2), min_size=2, max_size=2),
    st.sampled_from([np.float32, np.float64]),
)
def test_any_logits_give_finite_numbers(numbers, labels, dtype):
    logits = np.array(numbers, dtype).reshape(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, pullback = cross_entropy_op(logits, np.array(labels))
        d_logits = pullback(1.0)
    assert np.isfinite(value)
    assert value >= 0
    assert np.isfinite(d_logits).all()
    assert (np.abs(d_logits) <= 0.5).all()


def test_nothing_wrong_is_a_plain_zero():
    value, _ = cross_entropy_op(np.array([[1000.0, 0.0]]), np.array([0]))
    assert f"{value} {cross_entropy(np.array([[1000.0, 0.0]]), np.array([0]))}" == "0.0 0.0"


def test_log_sum_exp_of_excluded_classes():
    z = np.array([[-np.inf, 0.0], [-np.inf, -np.inf], [np.inf, 0.0]])
    np.testing.assert_array_equal(log_sum_exp(z), [0, -np.inf, np.inf])
    np.testing.assert_array_equal(np.isnan(log_sum_exp(np.array([[np.nan, 0.0], [0.0, 1.0]]))), [True, False])


def test_log_sum_exp_works_on_any_number_of_axes(rng):
    for shape in ((4,), (3, 4), (2, 3, 4)):
        z = rng.standard_normal(shape)
        np.testing.assert_allclose(log_sum_exp(z), np.log(np.exp(z).sum(axis=-1)), rtol=1e-14)


def test_nan_is_passed_on():
    logits, labels = np.array([[np.nan, 0.0], [0.0, 0.0]]), np.array([0, 1])
    np.testing.assert_array_equal(np.isnan(surprise(logits, labels)), [True, False])
    assert np.isnan(cross_entropy(logits, labels))
    assert np.isnan(mean_squared_error(np.array([np.nan, 0.0]), np.zeros(2)))


@pytest.mark.parametrize("labels", [np.uint8, np.int32, np.int64])
def test_any_whole_labels_will_do(labels):
    assert cross_entropy(np.zeros((2, 4)), np.array([3, 0], labels)) == pytest.approx(math.log(4))


def test_the_dtype_is_that_of_the_prediction(rng):
    predicted, target = rng.standard_normal((3, 2)).astype(np.float32), rng.standard_normal((3, 2))
    value, pullback = mean_squared_error_op(predicted, target)
    assert value.dtype == pullback(np.float64(0.5)).dtype == np.float32


def test_nothing_that_comes_in_is_changed(rng):
    logits, labels, (predicted, target) = (
        rng.standard_normal((3, 4)),
        np.array([0, 3, 1]),
        rng.standard_normal((2, 3, 4)),
    )
    before = [a.copy() for a in (logits, labels, predicted, target)]
    pullbacks = cross_entropy_op(logits, labels)[1], mean_squared_error_op(predicted, target)[1]
    for pullback in pullbacks:
        np.testing.assert_array_equal(pullback(1.0), pullback(1.0))  # a second call must not see the first
    log_sum_exp(logits)
    for old, new in zip(before, (logits, labels, predicted, target), strict=True):
        np.testing.assert_array_equal(old, new)


Z = np.zeros((3, 4))
Y = np.array([0, 3, 1])


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: mean_squared_error(np.ones((3, 1)), np.ones(3)),
            ValueError,
            r"\(3, 1\) and \(3,\): .*target\[:, None\]",
        ),
        (
            lambda: mean_squared_error(np.ones(3), np.ones((3, 1))),
            ValueError,
            r"\(3,\) and \(3, 1\): .*target\[:, 0\]",
        ),
        (lambda: mean_squared_error(np.ones(3), np.ones(4)), ValueError, r"one target for each prediction"),
        (
            lambda: mean_squared_error(np.ones((0, 1)), np.ones((0, 1))),
            ValueError,
            r"at least one prediction, got shape \(0, 1\)",
        ),
        (
            lambda: mean_squared_error(np.ones(3, int), np.ones(3)),
            TypeError,
            r"np\.asarray\(predicted, dtype=float\)",
        ),
        (
            lambda: mean_squared_error(np.ones(3), [1.0, 2.0, 3.0]),
            TypeError,
            r"np\.asarray\(target, dtype=float\)",
        ),
        (
            lambda: mean_squared_error_op(np.ones(3), np.ones(3))[1](np.ones(3)),
            ValueError,
            r"one number, got shape \(3,\): pass 1\.0",
        ),
        (
            lambda: cross_entropy(Z, np.eye(4)[Y]),
            ValueError,
            r"labels of shape \(batch,\) = \(3,\), got \(3, 4\): pass class indices, not one-hot",
        ),
        (lambda: cross_entropy(Z, Y[:2]), ValueError, r"= \(3,\), got \(2,\): one class a sample"),
        (lambda: cross_entropy(Z, Y[:, None]), ValueError, r"got \(3, 1\)"),
        (
            lambda: cross_entropy(Z[0], Y[0]),
            ValueError,
            r"logits of shape \(batch, classes\), got \(4,\): .*logits\[None, :\]",
        ),
        (lambda: cross_entropy(Z[:0], Y[:0]), ValueError, r"got \(0, 4\)"),
        (lambda: cross_entropy(Z, Y.astype(float)), TypeError, r"class indices, got float64: convert"),
        (lambda: cross_entropy(Z, [0, 3, 1]), TypeError, r"class indices, got list: convert"),
        (lambda: cross_entropy(Z.astype(int), Y), TypeError, r"np\.asarray\(logits, dtype=float\)"),
        (
            lambda: cross_entropy(Z, Y + 1),
            ValueError,
            r"from 0 to 3, .* got 1 to 4: count the classes from 0",
        ),
        (
            lambda: cross_entropy(Z, Y - 1),
            ValueError,
            r"from 0 to 3, .* got -1 to 2: count the classes from 0",
        ),
        (lambda: cross_entropy(Z + np.inf, Y), ValueError, r"finite largest score"),
        (lambda: surprise(Z, Y[:2]), ValueError, r"one class a sample"),
        (lambda: cross_entropy_op(Z, Y[:2]), ValueError, r"one class a sample"),
        (
            lambda: cross_entropy_op(Z, Y)[1](np.ones((3, 4))),
            ValueError,
            r"pullback of cross_entropy .* got shape \(3, 4\)",
        ),
        (lambda: log_sum_exp(np.ones((3, 0))), ValueError, r"log_sum_exp expects scores .* last axis"),
        (lambda: log_sum_exp(np.ones(3, int)), TypeError, r"np\.asarray\(z, dtype=float\)"),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_public_names():
    public = {
        n for n, f in vars(loss).items() if callable(f) and n[0].islower() and f.__module__ == loss.__name__
    }
    assert sorted(public | {"LOSSES", "LOSS_OPS"}) == loss.__all__
