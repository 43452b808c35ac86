"""The network in TensorFlow: equal to the one derived by hand, step by step and through Keras."""

import numpy as np
import pytest

from dlcourse.checks.plain import NotDataError, plain
from dlcourse.frameworks import tensorflow as chapter
from dlcourse.frameworks.tensorflow import build, fit, from_numpy, gradients, keras, step, tf, to_numpy, train
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP, accuracy
from dlcourse.training.optimizers import SGD


def drawn(rng, sizes, batch=5, dtype=np.float64):
    net = MLP.draw(sizes, output="class", rng=rng, dtype=dtype)
    for b in net.parameters[1::2]:
        b[:] = rng.standard_normal(b.shape)
    return net, rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)


@pytest.mark.parametrize("sizes", [[3, 2], [6, 8, 4], [5, 4, 3, 2]])
def test_loss_and_gradients_are_those_derived_by_hand(rng, sizes):
    net, x, labels = drawn(rng, sizes)
    expected, right = TrainableMLP(net).loss_and_gradients(x, labels)
    model = from_numpy(net)
    loss = chapter.cross_entropy(model)(labels, model(x))
    assert loss.dtype == tf.float64
    assert float(loss) == pytest.approx(expected, rel=1e-10)
    for d, d_right in zip(gradients(model, x, labels), right, strict=True):
        np.testing.assert_allclose(d, d_right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("dtype", "apart"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_training_is_that_of_the_numpy_half(rng, dtype, apart):
    net, x, labels = drawn(rng, [6, 8, 4], 20, dtype)
    model, right = from_numpy(net), TrainableMLP(net)
    optimizer = SGD(right.parameters, rate=0.125, momentum=0.875)  # Keras rounds others to float32
    expected = []
    for _ in range(20):
        loss, found = right.loss_and_gradients(x, labels)
        optimizer.step(found)
        expected.append(loss)
    losses = train(model, [(x, labels)] * 20, rate=0.125, momentum=0.875)
    np.testing.assert_allclose(losses, expected, rtol=apart)
    for p, p_right in zip(to_numpy(model).parameters, right.parameters, strict=True):
        np.testing.assert_allclose(p, p_right, rtol=10 * apart, atol=apart)


def test_keras_trains_to_the_same_weights(rng):
    net, x, labels = drawn(rng, [6, 8, 4], 20, np.float32)
    one, other = from_numpy(net), from_numpy(net)
    losses = train(one, [(x, labels)] * 3, rate=0.125)
    fitted = fit(other, x, labels, epochs=3, batch=20, rate=0.125)  # one batch an epoch, so its order is all
    np.testing.assert_allclose(fitted, losses, rtol=1e-5)
    for p, right in zip(other.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(p, right, rtol=1e-4, atol=1e-6)
    predicted = other.predict(x, verbose=0).argmax(axis=-1)
    assert other.evaluate(x, labels, verbose=0)[1] == pytest.approx(accuracy(predicted, labels))


def test_a_step_becomes_a_graph_once(rng):
    net, x, labels = drawn(rng, [3, 2], dtype=np.float32)
    model = from_numpy(net)
    take = step(model, keras.optimizers.SGD(0.1))
    for _ in range(3):
        take(tf.constant(x), tf.constant(labels))
    assert take.experimental_get_tracing_count() == 1


def test_a_seed_draws_the_same_weights_again():
    one, two, other = (build([4, 3, 2], seed=seed).get_weights() for seed in (7, 7, 8))
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(
        build([3, 3, 3], seed=7).get_weights()[0], build([3, 3, 3], seed=7).get_weights()[2]
    )


def test_weights_come_back_as_they_went(rng):
    for dtype in (np.float32, np.float64):
        net = drawn(rng, [6, 8, 4], dtype=dtype)[0]
        for p, right in zip(to_numpy(from_numpy(net)).parameters, net.parameters, strict=True):
            np.testing.assert_array_equal(p, right)
            assert p.dtype == right.dtype


def test_another_kind_of_network_is_refused(rng):
    with pytest.raises(ValueError, match="expected a network for a class with relu, got MLP"):
        from_numpy(MLP.draw([3, 2], output="class", activation="tanh", rng=rng))


def test_tensors_of_tensorflow_are_data_for_a_check():
    seen = plain(
        [
            tf.ones(2),
            (tf.cast(1.5, tf.bfloat16), tf.range(3)),
            {"a": tf.Variable([3.0])},
            keras.Variable([1.0]),
        ]
    )
    assert [type(part) for part in (seen[0], *seen[1], seen[2]["a"], seen[3])] == [np.ndarray] * 5
    assert (seen[1][0].dtype, seen[1][1].tolist(), seen[3].tolist()) == (np.float32, [0, 1, 2], [1.0])


def test_a_stand_in_is_no_data():
    kept = []
    tf.function(lambda x: (kept.append(x), x)[1])(tf.ones(2))
    with pytest.raises(NotDataError, match="a stand-in for an array came back"):
        plain(kept[0])
