"""The network in JAX: equal to the one derived by hand, and to itself however it is transformed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlcourse.checks.plain import NotDataError, plain
from dlcourse.frameworks.jax import (
    draw,
    forward,
    from_numpy,
    gradients,
    gradients_by_sample,
    loss,
    step,
    to_numpy,
    train,
    train_in_one,
)
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP
from dlcourse.training.optimizers import SGD

SIZES = [[3, 2], [6, 8, 4], [5, 4, 3, 2]]


@pytest.fixture
def in_float64():
    with jax.enable_x64(True):
        yield


def drawn(rng, sizes, batch=5, dtype=np.float64):
    net = MLP.draw(sizes, output="class", rng=rng, dtype=dtype)
    for b in net.parameters[1::2]:
        b[:] = rng.standard_normal(b.shape)
    return net, rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)


def flat(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("sizes", SIZES)
def test_loss_and_gradients_are_those_derived_by_hand(rng, sizes, in_float64):
    net, x, labels = drawn(rng, sizes)
    expected, right = TrainableMLP(net).loss_and_gradients(x, labels)
    parameters = from_numpy(net)
    assert float(loss(parameters, jnp.asarray(x), jnp.asarray(labels))) == pytest.approx(expected, rel=1e-10)
    for d, d_right in zip(
        flat(gradients(parameters, jnp.asarray(x), jnp.asarray(labels))), right, strict=True
    ):
        np.testing.assert_allclose(d, d_right, rtol=1e-10, atol=1e-12)


def test_training_is_that_of_the_numpy_half(rng):
    net, x, labels = drawn(rng, [6, 8, 4], 20, np.float32)
    parameters, model = from_numpy(net), TrainableMLP(net)
    optimizer = SGD(model.parameters, rate=0.1, momentum=0.9)
    expected = []
    for _ in range(20):
        value, found = model.loss_and_gradients(x, labels)
        optimizer.step(found)
        expected.append(value)
    batch = jnp.asarray(x), jnp.asarray(labels)
    trained, losses = train(parameters, [batch] * 20, rate=0.1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for p, right in zip(to_numpy(trained).parameters, model.parameters, strict=True):
        np.testing.assert_allclose(p, right, rtol=1e-4, atol=1e-5)


def test_one_program_trains_as_many_steps_do(rng):
    net, x, labels = drawn(rng, [6, 8, 4], 30, np.float32)
    xs, all_labels = jnp.asarray(x).reshape(3, 10, 6), jnp.asarray(labels).reshape(3, 10)
    one, losses = train(from_numpy(net), zip(xs, all_labels, strict=True), rate=0.1, momentum=0.5)
    other, in_one = train_in_one(from_numpy(net), xs, all_labels, 0.1, 0.5)
    np.testing.assert_allclose(in_one, losses, rtol=1e-5)
    for p, right in zip(flat(other), flat(one), strict=True):
        np.testing.assert_allclose(p, right, rtol=1e-4, atol=1e-6)


def test_nothing_is_changed_in_place(rng):
    net, x, labels = drawn(rng, [3, 2], dtype=np.float32)
    parameters = from_numpy(net)
    before = flat(parameters)
    new, velocities, _ = step(parameters, parameters, jnp.asarray(x), jnp.asarray(labels), 0.1)
    for p, right in zip(flat(parameters), before, strict=True):
        np.testing.assert_array_equal(p, right)
    assert not np.array_equal(flat(new)[0], before[0])
    assert jax.tree.structure(velocities) == jax.tree.structure(parameters)


def test_the_gradients_of_the_samples_have_that_of_the_batch_as_mean(rng, in_float64):
    net, x, labels = drawn(rng, [6, 8, 4])
    parameters, batch = from_numpy(net), (jnp.asarray(x), jnp.asarray(labels))
    each = flat(gradients_by_sample(parameters, *batch))
    for d, together in zip(each, flat(gradients(parameters, *batch)), strict=True):
        assert d.shape == (5, *together.shape)
        np.testing.assert_allclose(d.mean(axis=0), together, rtol=1e-10, atol=1e-12)
    alone = flat(gradients(parameters, batch[0][2:3], batch[1][2:3]))
    np.testing.assert_allclose(each[0][2], alone[0], rtol=1e-10, atol=1e-12)


def test_one_sample_goes_through_as_a_batch_does(rng, in_float64):
    net, x, _ = drawn(rng, [6, 8, 4])
    parameters, x = from_numpy(net), jnp.asarray(x)
    np.testing.assert_allclose(
        jax.vmap(forward, (None, 0))(parameters, x), forward(parameters, x), rtol=1e-12
    )


def test_a_key_draws_the_same_weights_again():
    one, two = (flat(draw(jax.random.key(7), [4, 3, 2])) for _ in range(2))
    other = flat(draw(jax.random.key(8), [4, 3, 2]))
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(one[0], other[0])
    wide, _ = draw(jax.random.key(0), [400, 300])[0]
    assert float(wide.std()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)


def test_weights_come_back_as_they_went(rng):
    net = drawn(rng, [6, 8, 4], dtype=np.float32)[0]
    for p, right in zip(to_numpy(from_numpy(net)).parameters, net.parameters, strict=True):
        np.testing.assert_array_equal(p, right)
        assert p.dtype == right.dtype


def test_another_kind_of_network_is_refused(rng):
    with pytest.raises(ValueError, match="expected a network for a class with relu, got MLP"):
        from_numpy(MLP.draw([3, 2], output="value", rng=rng))


def test_arrays_of_jax_are_data_for_a_check():
    seen = plain([jnp.ones(2), (jnp.bfloat16(1.5), jnp.arange(3)), {"a": jnp.float32(3)}])
    assert [type(part) for part in (seen[0], *seen[1], seen[2]["a"])] == [np.ndarray] * 4
    np.testing.assert_array_equal(seen[1][0], 1.5)
    assert (seen[0].dtype, seen[1][0].dtype) == (np.float32, np.float32)


def test_a_stand_in_is_no_data():
    kept = []
    jax.jit(lambda x: (kept.append(x), x)[1])(jnp.ones(2))
    with pytest.raises(NotDataError, match="a stand-in for an array came back"):
        plain(kept[0])
    with pytest.raises(NotDataError, match="an array without numbers came back"):
        plain(jax.random.key(0))
