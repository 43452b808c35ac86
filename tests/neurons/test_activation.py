import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dlcourse.checks import check_gradients
from dlcourse.neurons import activation, neuron
from dlcourse.neurons._normal import normal_cdf
from dlcourse.neurons.activation import (
    ACTIVATION_OPS,
    ACTIVATIONS,
    gelu,
    log_softmax,
    log_softmax_op,
    relu,
    relu_op,
    sigmoid,
    softmax,
    softmax_op,
    step,
    step_op,
    tanh,
)

VALUES = ACTIVATIONS | {"log_softmax": log_softmax}
OPS = ACTIVATION_OPS | {"log_softmax": log_softmax_op}
ELEMENTWISE = ["sigmoid", "tanh", "relu", "gelu"]
OVER_CLASSES = ["softmax", "log_softmax"]
SMOOTH = ["sigmoid", "tanh", "gelu", *OVER_CLASSES]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}

torch.set_num_threads(1)


def finite(width, magnitude=None, **shape):
    shape = shape or {"min_dims": 1, "max_dims": 3, "min_side": 1, "max_side": 5}
    numbers = st.floats(
        width=width,
        allow_nan=False,
        allow_infinity=False,
        min_value=None if magnitude is None else -magnitude,
        max_value=magnitude,
    )
    return arrays(np.dtype(f"float{width}"), array_shapes(**shape), elements=numbers)


def peer(name):
    function = getattr(torch.nn.functional, name)
    return (lambda z: function(z, dim=-1)) if name in OVER_CLASSES else function


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ELEMENTWISE + OVER_CLASSES)
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_values_and_gradients_agree_with_torch(name, dtype, scale, rng):
    z = (scale * rng.standard_normal((5, 4, 7))).astype(dtype)
    d_y = rng.standard_normal(z.shape).astype(dtype)
    z_torch = torch.tensor(z, requires_grad=True)
    y_torch = peer(name)(z_torch)
    y_torch.backward(torch.tensor(d_y))
    y, pullback = OPS[name](z)
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(y, y_torch.detach().numpy(), **near)
    np.testing.assert_allclose(pullback(d_y), z_torch.grad.numpy(), **near)


@pytest.mark.parametrize("name", OPS)
def test_op_gives_the_value_of_the_plain_function(name, rng):
    z = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(OPS[name](z)[0], VALUES[name](z))


@pytest.mark.parametrize("name", [*SMOOTH, "relu"])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)])
def test_gradients_agree_with_differences(name, shape, rng):
    z = rng.standard_normal(shape)
    z += 0.1 * np.sign(z)  # away from the corner of relu
    check_gradients(OPS[name], z, rng=rng)


def test_step_is_the_neurons_and_has_no_slope(rng):
    assert step is neuron.step
    y, pullback = step_op(np.array([-1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(y, [0, 1, 1])
    np.testing.assert_array_equal(pullback(rng.standard_normal(3)), [0, 0, 0])


def test_relu_has_slope_zero_at_zero():
    np.testing.assert_array_equal(relu_op(np.array([-1.0, 0.0, 1e-300]))[1](np.ones(3)), [0, 0, 1])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", OPS)
def test_dtype_is_kept(name, dtype, rng):
    z = rng.standard_normal((3, 4)).astype(dtype)
    y, pullback = OPS[name](z)
    assert y.dtype == dtype
    assert pullback(np.ones_like(z)).dtype == dtype


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", OPS)
def test_far_inputs_give_finite_answers_without_a_warning(name, dtype):
    far = np.finfo(dtype).max
    z = np.array([[-1e4, 1e4, 0.0], [1e4, 1e4, 1e4], [-far, far, 1.0], [-far, -far, -far]], dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, pullback = OPS[name](z)
        d_z = pullback(np.ones_like(z))
    if name == "log_softmax":  # the share of -far beside far is 0, its logarithm too far below to be written
        assert np.isneginf(y[2, 0])
        y = np.delete(y, 2, axis=0)
    assert np.isfinite(y).all()
    assert np.isfinite(d_z).all()


@pytest.mark.parametrize(
    ("name", "ends"),
    [("sigmoid", [0, 1]), ("tanh", [-1, 1]), ("relu", [0, np.inf]), ("gelu", [0, np.inf])],
)
def test_infinite_inputs_give_the_limits(name, ends):
    np.testing.assert_array_equal(VALUES[name](np.array([-np.inf, np.inf])), ends)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_is_passed_on(name):
    np.testing.assert_array_equal(np.isnan(VALUES[name](np.array([np.nan, 0.0]))), [True, False])


@pytest.mark.parametrize("name", OVER_CLASSES)
def test_nan_stays_in_its_row(name):
    y = VALUES[name](np.array([[np.nan, 0.0], [1.0, 2.0]]))
    np.testing.assert_array_equal(np.isnan(y), [[True, True], [False, False]])


def test_minus_infinity_excludes_a_class():
    np.testing.assert_array_equal(softmax(np.array([0.0, -np.inf, 0.0])), [0.5, 0, 0.5])
    np.testing.assert_array_equal(log_softmax(np.array([0.0, -np.inf])), [0, -np.inf])


@settings(derandomize=True)
@given(finite(32))
def test_sigmoid_is_a_symmetric_share(z):
    y = sigmoid(z)
    assert ((y >= 0) & (y <= 1)).all()
    np.testing.assert_allclose(sigmoid(-z), 1 - y, atol=2e-7)


@settings(derandomize=True)
@given(finite(64, max_dims=1, max_side=20))
def test_sigmoid_tanh_and_relu_never_fall(z):
    for function in (sigmoid, tanh, relu):
        assert (np.diff(function(np.sort(z))) >= 0).all()


@settings(derandomize=True)
@given(finite(64, magnitude=300))
def test_tanh_is_a_stretched_sigmoid(z):
    np.testing.assert_allclose(tanh(z), 2 * sigmoid(2 * z) - 1, atol=1e-15)


@settings(derandomize=True)
@given(finite(64, magnitude=1e6))
def test_gelu_is_odd_but_for_half_a_line(z):
    np.testing.assert_allclose(gelu(z) - gelu(-z), z, rtol=1e-14, atol=1e-300)


@settings(derandomize=True)
@given(finite(32))
def test_softmax_gives_shares(z):
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)


@settings(derandomize=True)
@given(finite(64, magnitude=1e4), st.floats(-1e4, 1e4))
def test_softmax_does_not_see_a_shift(z, shift):
    np.testing.assert_allclose(softmax(z + shift), softmax(z), rtol=1e-10, atol=1e-300)


@settings(derandomize=True)
@given(finite(64, magnitude=600))
def test_log_softmax_is_the_logarithm(z):
    p = softmax(z)
    kept = p > 1e-300
    np.testing.assert_allclose(log_softmax(z)[kept], np.log(p[kept]), rtol=1e-12, atol=1e-13)


@settings(derandomize=True)
@given(finite(64, magnitude=50))
def test_softmax_pullback_adds_up_to_nothing(z):
    d_z = softmax_op(z)[1](np.cos(np.arange(z.size)).reshape(z.shape))
    np.testing.assert_allclose(d_z.sum(axis=-1), 0, atol=1e-14)


def test_softmax_pullback_is_the_jacobian_product(rng):
    z, d_p = rng.standard_normal((2, 5))
    p, pullback = softmax_op(z)
    jacobian = np.diag(p) - np.outer(p, p)  # (classes, classes)
    np.testing.assert_allclose(pullback(d_p), jacobian.T @ d_p, rtol=1e-13)


def test_normal_cdf_keeps_its_digits_in_the_left_tail():
    z = np.linspace(-10, 10, 4001)
    right = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z])
    np.testing.assert_allclose(normal_cdf(z), right, rtol=3e-14)
    np.testing.assert_allclose(normal_cdf(z.astype(np.float32)), right, rtol=2e-5, atol=3e-7)


def test_normal_cdf_works_on_many_numbers_and_on_views(rng):
    z = rng.standard_normal((300, 120)).T  # more than one block, not contiguous
    right = np.array([[0.5 * math.erfc(-x / math.sqrt(2)) for x in row] for row in z])
    np.testing.assert_allclose(normal_cdf(z), right, rtol=1e-14)


def test_one_number_and_no_numbers(no_shape_check):
    for name in ELEMENTWISE:
        assert VALUES[name](np.array(1.0)) == VALUES[name](np.array([1.0]))[0]
        assert VALUES[name](np.zeros((0, 3))).shape == (0, 3)
    for name in OVER_CLASSES:
        assert VALUES[name](np.zeros((0, 3))).shape == (0, 3)


def test_inputs_are_not_changed(rng):
    z = rng.standard_normal((3, 4))
    before = z.copy()
    for op in OPS.values():
        _, pullback = op(z)
        d_y = np.ones_like(z)
        pullback(d_y)
        np.testing.assert_array_equal(z, before)
        np.testing.assert_array_equal(d_y, 1)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("z", [np.array([1, 2]), [1.0, 2.0], np.array([1j])])
def test_what_is_not_floating_is_refused(name, z, no_shape_check):
    with pytest.raises(
        TypeError, match=rf"{name} expects z as an array of floating-point numbers, got .*asarray"
    ):
        VALUES[name](z)


@pytest.mark.parametrize("name", OPS)
def test_a_gradient_of_another_shape_is_refused(name, no_shape_check):
    _, pullback = OPS[name](np.zeros((3, 2)))
    with pytest.raises(ValueError, match=rf"pullback of {name} expects .* \(3, 2\), got shape \(2,\): give"):
        pullback(np.ones(2))


@pytest.mark.parametrize("name", OVER_CLASSES)
def test_scores_without_classes_are_refused(name, no_shape_check):
    for z in (np.array(1.0), np.zeros((3, 0))):
        with pytest.raises(
            ValueError, match=rf"{name} expects scores of shape \(\.\.\., classes\), got .*last axis"
        ):
            VALUES[name](z)


@pytest.mark.parametrize("name", OVER_CLASSES)
@pytest.mark.parametrize("top", [np.inf, -np.inf])
def test_a_row_without_a_finite_top_is_refused(name, top):
    z = np.array([[0.0, 1.0], [top, top]])
    with pytest.raises(
        ValueError, match=rf"{name} expects a finite largest score in each row, got {top}: .*masked"
    ):
        VALUES[name](z)


def test_public_names():
    public = {
        n for n, f in vars(activation).items() if callable(f) and n[0].islower() and "neurons" in f.__module__
    }
    assert public - {"expect_floating", "expect_gradient", "normal_cdf", "normal_density"} == {
        n for n in activation.__all__ if n[0].islower()
    }
    assert ACTIVATIONS.keys() == ACTIVATION_OPS.keys()
