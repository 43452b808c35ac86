import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.learning._fused import FusedMLP
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.autodiff import (
    Tensor,
    TensorMLP,
    Value,
    cross_entropy,
    dense,
    linear,
    mean_squared_error,
)
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP

torch.set_num_threads(1)
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}


def expression(a, b, relu, tanh, exp, log):
    """Use everything that a Value can do."""
    c = a * b + b**3 - relu(a - 4.0)
    d = tanh(c * 0.1) / (1.0 + a * a) + (2.0 - c) / b
    e = exp(-d) + 3.0 / b - log(a * a + 1.0)
    return e * e + d - (-c) + a**-2.0


@settings(derandomize=True)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.sampled_from([1, -1]))
def test_value_agrees_with_torch(a, b, sign):
    x, y = Value(sign * a), Value(b)
    result = expression(x, y, Value.relu, Value.tanh, Value.exp, Value.log)
    result.backward()
    p, q = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (sign * a, b))
    expected = expression(p, q, torch.relu, torch.tanh, torch.exp, torch.log)
    expected.backward()
    np.testing.assert_allclose(result.data, expected.item(), rtol=1e-10)
    np.testing.assert_allclose([x.grad, y.grad], [p.grad.item(), q.grad.item()], rtol=1e-10, atol=1e-10)


def test_value_used_twice_gets_both_slopes():
    x = Value(3.0)
    y = x * x + x
    y.backward()
    assert x.grad == 7.0
    x.grad = 0.0
    (x + x).backward()
    assert x.grad == 2.0


@pytest.mark.parametrize(
    ("call", "data", "slope"),
    [
        (lambda x: 1 + x, 3, 1),
        (lambda x: x + 1, 3, 1),
        (lambda x: 3 * x, 6, 3),
        (lambda x: x * 3, 6, 3),
        (lambda x: 5 - x, 3, -1),
        (lambda x: x - 5, -3, 1),
        (lambda x: 8 / x, 4, -2),
        (lambda x: x / 8, 0.25, 0.125),
        (lambda x: np.float64(3) * x, 6, 3),
        (lambda x: -x, -2, -1),
    ],
)
def test_value_takes_numbers_on_both_sides(call, data, slope):
    x = Value(2.0)
    y = call(x)
    y.backward()
    assert (y.data, x.grad) == (data, slope)


def test_value_gradients_add_up_over_results():
    x = Value(2.0)
    (x * 3.0).backward()
    (x**2).backward()
    assert x.grad == 7.0


def test_value_slopes_of_what_is_beside_the_result_stay_zero():
    x = Value(2.0)
    beside = x * 100.0
    (x * 3.0).backward()
    assert (x.grad, beside.grad) == (3.0, 0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("no_shape_check")
def test_value_chain_of_100000():
    x = y = Value(1.0)
    for _ in range(100_000):
        y = y + x
    y.backward()
    assert x.grad == 100_001
    del y
    assert not Value.tape


@pytest.mark.usefixtures("no_shape_check")
def test_value_a_long_chain_that_is_never_walked_can_be_dropped():
    y = Value(1.0)
    for _ in range(100_000):
        y = -y
    Value.tape.clear()
    del y


def test_value_tape_is_emptied_and_a_second_walk_refused():
    x = Value(2.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="the last backward has emptied it: compute the result again"):
        y.backward()
    assert x.grad == 4.0


@pytest.mark.usefixtures("no_shape_check")
def test_value_says_what_it_is():
    assert repr(Value(2.5)) == "Value(2.5, grad=0)"
    with pytest.raises(TypeError, match="one real number, got ndarray: use Tensor"):
        Value(2.0) * np.ones(3)
    with pytest.raises(TypeError, match="one real number, got str"):
        Value("3")
    for x, n in ((-8.0, 1 / 3), (0.0, -1), (0.0, 0.5), (2.0, Value(2.0))):
        with pytest.raises(ValueError, match=r"exponents that are not whole"):
            Value(x) ** n
    with pytest.raises(ValueError, match="log expects a number above 0, got -1"):
        Value(-1.0).log()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 0.5, -1, -0.5])
def test_value_power(n):
    x = Value(4.0)
    y = x**n
    y.backward()
    assert (y.data, x.grad) == (4.0**n, n * 4.0 ** (n - 1))


def test_max_shares_among_equals():
    x = Tensor([[2.0, 2.0, 1.0]], requires_grad=True)
    x.max().backward()
    np.testing.assert_array_equal(x.grad, [[0.5, 0.5, 0.0]])


def network(x, W, b, V, c, labels, mean):
    """Compute a loss with most of what a tensor can do."""
    h = (x @ W + b).tanh()
    z = (h * 2.0 - 1.0 / (h.exp() + 1.5)) @ V.T + c
    z = z - z.mean()
    p = z.exp() / z.exp().sum(1, **({"keepdims": True} if isinstance(z, Tensor) else {"keepdim": True}))
    picked = p[np.arange(len(labels)), labels].log()
    return -mean(picked) + 0.1 * (W**2).sum() + (3.0 - c.reshape(1, -1).relu()).sigmoid().mean()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_tensor_agrees_with_torch(dtype, rng):
    shapes = ((6, 4), (4, 5), (5,), (3, 5), (3,))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    labels = rng.integers(0, 3, 6)
    mine = [Tensor(x, requires_grad=True) for x in arrays]
    loss = network(*mine, labels, Tensor.mean)
    loss.backward()
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    expected = network(*leaves, labels, torch.mean)
    expected.backward()
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(loss.item(), expected.item(), **near)
    for x, leaf in zip(mine, leaves, strict=True):
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad, leaf.grad.numpy(), **near)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_fused_layers_and_losses_agree_with_single_ops_and_torch(dtype, rng):
    arrays = [rng.standard_normal(s).astype(dtype) for s in ((6, 4), (4, 5), (5,), (5, 3), (3,), (6, 3))]
    *arrays, target = arrays
    labels = rng.integers(0, 3, 6)
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}

    def of(build):
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        loss = build(*leaves)
        loss.backward()
        return [loss.item(), *(leaf.grad for leaf in leaves)]

    def in_torch(build):
        leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
        loss = build(*leaves)
        loss.backward()
        return [loss.item(), *(leaf.grad.numpy() for leaf in leaves)]

    fused = of(lambda x, W, b, V, c: mean_squared_error(linear(dense(x, W, b, "tanh"), V, c), target))
    single = of(lambda x, W, b, V, c: (((x @ W + b).tanh() @ V + c - target) ** 2).mean())
    torchs = in_torch(
        lambda x, W, b, V, c: ((torch.tanh(x @ W + b) @ V + c - torch.tensor(target)) ** 2).mean()
    )
    for one, two, three in zip(fused, single, torchs, strict=True):
        np.testing.assert_allclose(one, two, **near)
        np.testing.assert_allclose(one, three, **near)
    fused = of(lambda x, W, b, V, c: cross_entropy(linear(dense(x, W, b), V, c), labels))
    torchs = in_torch(
        lambda x, W, b, V, c: torch.nn.functional.cross_entropy(
            torch.relu(x @ W + b) @ V + c, torch.tensor(labels)
        )
    )
    for one, three in zip(fused, torchs, strict=True):
        np.testing.assert_allclose(one, three, **near)


@settings(derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_any_graph_agrees_with_torch(seed, count):
    """Draw programs in which results are used never, once or many times."""
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((3, 2))
    mine, theirs = [Tensor(start, requires_grad=True)], [torch.tensor(start, requires_grad=True)]
    for _ in range(count):
        i, j = rng.integers(len(mine), size=2)
        kind = rng.integers(4)
        for values in (mine, theirs):
            a, b = values[i], values[j]
            values.append(
                [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: (a - b).tanh(), lambda a, b: -a][kind](
                    a, b
                )
            )
    k = int(rng.integers(len(mine)))
    mine[k].tanh().sum().backward()
    theirs[k].tanh().sum().backward()
    np.testing.assert_allclose(mine[0].grad, theirs[0].grad.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("no_shape_check")
def test_chain_of_100000():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        y = -y  # its pullback is a lambda: the check of shapes would wrap each function that a def makes
    y.backward()
    assert x.grad == 1


@pytest.mark.usefixtures("no_shape_check")
def test_a_chain_in_which_one_tensor_is_used_at_each_step():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(2000):
        y = y + x
    y.backward()
    assert x.grad == 2001


@pytest.mark.usefixtures("no_shape_check")
def test_a_long_chain_that_is_never_walked_can_be_dropped():
    y = Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        y = -y
    del y


class Watched(np.ndarray):
    """An array that can be watched with a weak reference."""


def test_graph_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = Tensor(np.ones(3), requires_grad=True)
        array = np.ones(3).view(Watched)
        gone = weakref.ref(array)
        loss = (x * array).sum()
        del array
        assert gone() is not None
        loss.backward()
        assert gone() is None  # while the loss is still there
        array = np.ones(3).view(Watched)
        gone = weakref.ref(array)
        loss = (x * array).sum()
        del array, loss
        assert gone() is None  # never walked, only dropped
    finally:
        gc.enable()


def test_gradients_add_up_and_are_arrays_of_their_own(rng):
    a, b = (Tensor(rng.standard_normal((2, 2)), requires_grad=True) for _ in range(2))
    for times in (1, 2):
        (a + b).sum().backward()
        np.testing.assert_array_equal(a.grad, np.full((2, 2), times))
    a.grad += 100.0
    np.testing.assert_array_equal(b.grad, np.full((2, 2), 2))
    c = Tensor(rng.standard_normal((2, 2)), requires_grad=True)
    (c.T.reshape(4) + c.T.reshape(4)).sum().backward()
    c.grad[0, 0] = 7.0
    assert c.grad.sum() == 13.0


def test_only_what_asks_gets_a_gradient(rng):
    x, w = Tensor(rng.standard_normal(3)), Tensor(rng.standard_normal(3), requires_grad=True)
    y = x * w
    y.sum().backward()
    assert x.grad is None
    assert y.grad is None
    np.testing.assert_array_equal(w.grad, x.data)
    assert not (x * x).requires_grad
    w.grad = None
    (w * w.detach()).sum().backward()
    np.testing.assert_array_equal(w.grad, w.data)


def test_one_backward_for_two_losses_that_share(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    h = x.exp()
    (h.sum() + (h * h).sum()).backward()
    np.testing.assert_allclose(x.grad, np.exp(x.data) + 2 * np.exp(2 * x.data), rtol=1e-12)


def test_the_same_tensor_twice():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x @ x).sum().backward()
    ones = np.ones((2, 2))
    np.testing.assert_array_equal(x.grad, ones @ x.data.T + x.data.T @ ones)


def test_arrays_and_numbers_on_both_sides():
    x = Tensor([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 5.0])
    for y in (
        a + x,
        a - x,
        a * x,
        a / x,
        x + a,
        2 - x,
        2 / x,
        2 * x,
        a[None] @ x[:, None],
        np.float64(2) * x,
    ):
        assert isinstance(y, Tensor)
        assert y.requires_grad
    single = Tensor(np.ones(2, np.float32), requires_grad=True)
    for y in (single * 2.0, 1 - single, single * np.float64(2), single * np.array([True, False]), single**2):
        assert y.dtype == np.float32


def test_tensor_looks_like_an_array():
    x = Tensor([[1.0, 2.0]])
    assert (x.shape, x.dtype, x.ndim, x.size) == ((1, 2), np.float64, 2, 2)
    assert repr(x) == "Tensor([[1., 2.]], requires_grad=False)"
    assert float(x.sum()) == x.sum().item() == 3.0
    assert [row.shape for row in x] == [(2,)]


def test_data_can_be_changed_between_two_backwards(rng):
    x = Tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()
        x.data -= 0.25 * x.grad
        x.grad = None
    np.testing.assert_allclose(x.data, 0.125)
    x.data = np.full(3, 2.0)
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, 4)


def at_once(x):
    x.data[0] = 5.0


def with_a_step(x):
    x.data -= 0.1


def replaced(x):
    x.data = np.zeros(3)


@pytest.mark.parametrize("change", [at_once, with_a_step, replaced])
@pytest.mark.parametrize("what", ["leaf", "result"])
def test_a_changed_buffer_is_refused(change, what):
    x = Tensor(np.ones(3), requires_grad=True)
    y = x.exp()
    loss = (y * x).sum()
    change(x if what == "leaf" else y)
    with pytest.raises(RuntimeError, match=r"was changed since: change data after backward"):
        loss.backward()
    assert x.grad is None


def test_a_buffer_changed_before_the_op_is_fine_and_after_it_is_not():
    x = Tensor(np.ones(3), requires_grad=True)
    outside = x.data
    outside += 1
    first = (x * x).sum()
    first.backward()
    np.testing.assert_array_equal(x.grad, 4)
    late = (x * x).sum()
    outside += 1
    later = (x * x).sum()
    with pytest.raises(RuntimeError, match="was changed"):
        late.backward()
    later.backward()
    np.testing.assert_array_equal(x.grad, 10)


def test_the_array_given_to_a_tensor_is_copied():
    array = np.ones(3)
    x = Tensor(array, requires_grad=True)
    loss = (x * x).sum()
    array[:] = 7
    loss.backward()
    np.testing.assert_array_equal(x.grad, 2)


def freed_twice():
    loss = (Tensor([1.0], requires_grad=True) * 2.0).sum()
    loss.backward()
    loss.backward()


def freed_below():
    h = Tensor([1.0], requires_grad=True) * 2.0
    one, two = h.sum(), (h * h).sum()
    one.backward()
    two.backward()


ONE = Tensor(np.ones(3), requires_grad=True)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: (ONE * 2).backward(),
            ValueError,
            r"one number, got a tensor of shape \(3,\): reduce it first",
        ),
        (
            lambda: Tensor(1.0).backward(),
            RuntimeError,
            r"got a constant: set it where the parameters are made",
        ),
        (freed_twice, RuntimeError, r"freed this graph already: compute the result again"),
        (freed_below, RuntimeError, r"freed this graph already"),
        (
            lambda: Tensor([1, 2]),
            TypeError,
            r"floating-point numbers, got int64: .* np\.asarray\(data, dtype=float\)",
        ),
        (lambda: Tensor([True]), TypeError, r"got bool"),
        (lambda: Tensor("x"), TypeError, r"floating-point numbers, got <U1"),
        (
            lambda: ONE * np.ones(3, np.float32),
            TypeError,
            r"got float32 beside float64: convert with astype\(np\.float64\)",
        ),
        (lambda: ONE * np.ones(3, int), TypeError, r"one floating-point dtype, got int64 beside float64"),
        (lambda: ONE - [1.0, 2.0, 3.0], TypeError, r"tensors, arrays or numbers, got list: make it an array"),
        (lambda: ONE @ ONE, ValueError, r"@ expects matrices, got shapes \(3,\) and \(3,\): .* reshape"),
        (lambda: ONE**ONE, TypeError, r"fixed number as exponent, got Tensor"),
        (lambda: (ONE - 1) ** -1, ValueError, r"other than 0 for the exponent -1, got a 0"),
        (lambda: (-ONE) ** 0.5, ValueError, r"from 0 up for the exponent 0\.5, got -1\.0"),
        (lambda: (ONE - 1).log(), ValueError, r"log expects numbers above 0, got 0\.0"),
        (lambda: 1 / (ONE - 1), ValueError, r"divisors other than 0"),
        (lambda: ONE / 0, ValueError, r"divisors other than 0"),
        (
            lambda: setattr(Tensor(np.ones(3)), "data", np.ones(2)),
            ValueError,
            r"float64 of shape \(3,\), as it was",
        ),
        (lambda: dense(np.ones((2, 3)), np.ones((2, 2)), np.ones(2)), ValueError, r"linear expects"),
        (lambda: dense(np.ones((2, 3)), np.ones((3, 2)), np.ones(3)), ValueError, r"linear expects one bias"),
        (
            lambda: dense(np.ones((2, 3)), np.ones((3, 2), np.float32), np.ones(2)),
            TypeError,
            r"one dtype, got float64, float32 and float64",
        ),
        (
            lambda: dense(np.ones((2, 3)), np.ones((3, 2)), np.ones(2), "rulo"),
            ValueError,
            r"no activation 'rulo'",
        ),
        (
            lambda: cross_entropy(ONE.reshape(1, 3), np.ones((1, 3))),
            (TypeError, ValueError),
            r"cross_entropy expects",
        ),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_far_inputs_give_finite_answers_without_a_warning(dtype):
    far = np.array([-1e30, -100, -1e-30, 0, 1e-30, 100, 1e30], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in (Tensor.tanh, Tensor.sigmoid, Tensor.relu, Tensor.max, Tensor.mean, Tensor.__neg__):
            x = Tensor(far, requires_grad=True)
            y = method(x)
            y.sum().backward()
            assert np.isfinite(y.data).all()
            assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
@pytest.mark.parametrize("output", ["class", "value"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_tensor_mlp_equals_the_plain_and_the_fused_one(activation, output, dtype, rng):
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    net = MLP.draw([6, 5, 4, 3], output=output, activation=activation, dtype=dtype, rng=rng)
    plain = TrainableMLP(MLP(output, *(p.copy() for p in net.parameters), activation=activation))
    fused = FusedMLP(MLP(output, *(p.copy() for p in net.parameters), activation=activation))
    model = TensorMLP(net)
    assert isinstance(model, Trainable)
    for batch in (7, 2, 7):
        x = rng.standard_normal((batch, 6)).astype(dtype)
        kept = x.copy()
        y = rng.integers(0, 3, batch) if output == "class" else rng.standard_normal((batch, 3)).astype(dtype)
        loss, gradients = model.loss_and_gradients(x, y)
        expected, right = plain.loss_and_gradients(x, y)
        np.testing.assert_allclose(loss, expected, **near)
        fused_loss, from_fused = fused.loss_and_gradients(x, y)
        np.testing.assert_allclose(loss, fused_loss, **near)
        for got, want, same in zip(gradients, right, from_fused, strict=True):
            np.testing.assert_allclose(got, want, **near)
            np.testing.assert_allclose(got, same, **near)
        np.testing.assert_array_equal(x, kept)
        np.testing.assert_allclose(model.loss(x, y), plain.loss(x, y), **near)
        np.testing.assert_allclose(model.predict(x), plain.predict(x), **near)
        for p, q, r, g in zip(model.parameters, plain.parameters, fused.parameters, gradients, strict=True):
            for parameter in (p, q, r):
                parameter -= 0.1 * g
