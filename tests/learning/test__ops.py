"""The ops that a tensor records: value and gradients, whatever is broadcast."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from dlcourse.checks import check_gradients
from dlcourse.learning import _ops as ops
from dlcourse.learning._layer_ops import dense_op

torch.set_num_threads(1)
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}

UNARY = {
    "negative": (ops.negative_op, torch.neg),
    "power 3": (lambda x: ops.power_op(x, 3), lambda x: x**3),
    "power 2": (lambda x: ops.power_op(x, 2), lambda x: x**2),
    "power 1": (lambda x: ops.power_op(x, 1), lambda x: x**1),
    "power 0": (lambda x: ops.power_op(x, 0), lambda x: x**0),
    "exp": (ops.exp_op, torch.exp),
    "relu": (ops.relu_op, torch.relu),
    "tanh": (ops.tanh_op, torch.tanh),
    "sigmoid": (ops.sigmoid_op, torch.sigmoid),
    "sum": (ops.sum_op, torch.sum),
    "sum 0": (lambda x: ops.sum_op(x, 0), lambda x: x.sum(0)),
    "sum kept": (lambda x: ops.sum_op(x, (0, -1), True), lambda x: x.sum((0, -1), keepdim=True)),
    "mean": (ops.mean_op, torch.mean),
    "mean -1": (lambda x: ops.mean_op(x, -1), lambda x: x.mean(-1)),
    "mean kept": (lambda x: ops.mean_op(x, 1, True), lambda x: x.mean(1, keepdim=True)),
    "max": (ops.max_op, torch.amax),
    "max 1": (lambda x: ops.max_op(x, 1), lambda x: x.amax(1)),
    "max kept": (lambda x: ops.max_op(x, (0, 2), True), lambda x: x.amax((0, 2), keepdim=True)),
    "reshape": (lambda x: ops.reshape_op(x, (4, -1)), lambda x: x.reshape(4, -1)),
    "transpose": (ops.transpose_op, lambda x: x.permute(2, 1, 0)),
    "transpose 2 0 1": (lambda x: ops.transpose_op(x, (2, 0, -2)), lambda x: x.permute(2, 0, 1)),
    "index one": (lambda x: ops.index_op(x, 1), lambda x: x[1]),
    "index slice": (
        lambda x: ops.index_op(x, (slice(None), slice(0, 2), None)),
        lambda x: x[:, 0:2, None],
    ),
    "index twice": (
        lambda x: ops.index_op(x, (np.array([0, 1, 1, 1]), np.array([2, 0, 0, 1]))),
        lambda x: x[[0, 1, 1, 1], [2, 0, 0, 1]],
    ),
}
POSITIVE = {
    "log": (ops.log_op, torch.log),
    "power -1.5": (lambda x: ops.power_op(x, -1.5), lambda x: x**-1.5),
    "power 0.5": (lambda x: ops.power_op(x, 0.5), torch.sqrt),
}
BINARY = {
    "add": (ops.add_op, torch.add),
    "subtract": (ops.subtract_op, torch.sub),
    "multiply": (ops.multiply_op, torch.mul),
    "divide": (ops.divide_op, torch.div),
}
ALL = UNARY | POSITIVE


def inputs_for(name, rng, dtype=np.float64):
    x = rng.standard_normal((2, 3, 4)).astype(dtype)
    return np.abs(x) + dtype(0.1) if name in POSITIVE else x


def agree(op, in_torch, arrays, rng):
    """Hold value and gradients to torch's."""
    tolerance = TOLERANCE[arrays[0].dtype.type]
    near = {"rtol": tolerance, "atol": tolerance}
    value, pullback = op(*arrays)
    d_value = np.asarray(rng.standard_normal(np.shape(value)), dtype=value.dtype)
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    expected = in_torch(*leaves)
    expected.backward(torch.tensor(d_value))
    assert value.dtype == arrays[0].dtype
    np.testing.assert_allclose(value, expected.detach().numpy(), **near)
    for x, d_x, leaf in zip(arrays, pullback(d_value), leaves, strict=True):
        assert (d_x.shape, d_x.dtype) == (x.shape, x.dtype)
        np.testing.assert_allclose(d_x, leaf.grad.numpy(), **near)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ALL)
def test_op_of_one_agrees_with_torch(name, dtype, rng):
    op, in_torch = ALL[name]
    agree(op, in_torch, [inputs_for(name, rng, dtype)], rng)


@pytest.mark.parametrize("name", ALL)
def test_op_of_one_agrees_with_differences(name, rng):
    check_gradients(ALL[name][0], inputs_for(name, rng), rng=rng)


PAIRS = mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4)


@settings(derandomize=True)
@given(PAIRS, st.sampled_from(sorted(BINARY)), st.sampled_from(list(TOLERANCE)), st.integers(0, 2**32))
def test_op_of_two_agrees_with_torch_whatever_is_broadcast(shapes, name, dtype, seed):
    rng = np.random.default_rng(seed)
    a, b = (np.asarray(rng.uniform(0.5, 2, shape), dtype=dtype) for shape in shapes.input_shapes)
    op, in_torch = BINARY[name]
    agree(op, in_torch, [a, b], rng)
    if dtype is np.float64:
        check_gradients(op, a, b, rng=rng)


@settings(derandomize=True)
@given(
    mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_dims=2, max_side=4),
    st.sampled_from(list(TOLERANCE)),
    st.integers(0, 2**32),
)
def test_matmul_agrees_with_torch_whatever_is_broadcast(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    a, b = (np.asarray(rng.standard_normal(shape), dtype=dtype) for shape in shapes.input_shapes)
    agree(ops.matmul_op, torch.matmul, [a, b], rng)
    if dtype is np.float64:
        check_gradients(ops.matmul_op, a, b, rng=rng)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid", "gelu", "softmax"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_dense_agrees_with_torch_and_with_differences(activation, dtype, rng):
    in_torch = {
        "linear": lambda z: z,
        "gelu": torch.nn.functional.gelu,
        "softmax": lambda z: z.softmax(-1),
    }.get(activation, getattr(torch, activation, None))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in ((5, 3), (3, 4), (4,))]
    agree(lambda *a: dense_op(*a, activation), lambda x, W, b: in_torch(x @ W + b), arrays, rng)
    if dtype is np.float64:
        check_gradients(lambda *a: dense_op(*a, activation), *arrays, rng=rng)


def test_gradients_that_nobody_needs_are_not_computed(rng):
    a = np.abs(rng.standard_normal((3, 3)))
    for op in (*(op for op, _ in BINARY.values()), ops.matmul_op):
        both = op(a, a)[1](a)
        for needs in ((True, False), (False, True)):
            for got, d, need in zip(op(a, a, needs)[1](a), both, needs, strict=True):
                np.testing.assert_array_equal(got, d) if need else None
                assert need or got is None
    for activation in ("relu", "gelu"):
        d_x, d_W, d_b = dense_op(a, a, a[0], activation, None, (False, True, False))[1](a)
        assert d_x is None
        assert d_W is not None
        assert d_b is None


def test_pullbacks_change_nothing_that_comes_in(rng):
    d_y = rng.standard_normal((3, 3))
    kept = d_y.copy()
    for activation in ("linear", "relu", "tanh", "sigmoid"):
        dense_op(d_y, d_y, d_y[0], activation)[1](d_y)
        np.testing.assert_array_equal(d_y, kept)


@settings(derandomize=True)
@given(PAIRS)
def test_unbroadcast_counts_how_often_a_number_was_used(shapes):
    for shape in shapes.input_shapes:
        counts = ops.unbroadcast(np.ones(shapes.result_shape), shape)
        assert counts.shape == shape
        assert counts.sum() == math.prod(shapes.result_shape)
