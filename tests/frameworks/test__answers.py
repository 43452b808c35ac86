"""What the exercises are compared with, held to the chapters that derived it and to PyTorch."""

import numpy as np
import pytest

from dlcourse.checks import check_gradients
from dlcourse.frameworks import _answers


@pytest.fixture
def layer(rng):
    return (
        rng.standard_normal((3, 4)),
        rng.standard_normal(4),
        rng.standard_normal((5, 3)),
        rng.integers(0, 4, 5),
    )


@pytest.mark.parametrize("which", [0, 1])
def test_the_gradients_are_those_of_the_loss(layer, rng, which):
    def op(array):
        args = list(layer)
        args[which] = array
        return np.float64(_answers.cross_entropy(*args)), lambda d: d * _answers.loss_gradients(*args)[which]

    check_gradients(op, layer[which], rng=rng)


def test_the_gradients_by_sample_are_those_of_single_samples(layer):
    W, b, x, labels = layer
    d_W, d_b = _answers.gradients_by_sample(W, b, x, labels)
    for i in range(5):
        alone = _answers.loss_gradients(W, b, x[i : i + 1], labels[i : i + 1])
        np.testing.assert_allclose(d_W[i], alone[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(d_b[i], alone[1], rtol=1e-10, atol=1e-12)


def test_training_and_network_are_those_of_pytorch(layer, rng):
    torch = pytest.importorskip("torch")
    W, b, x, labels = (torch.from_numpy(a.copy()) for a in layer)
    optimizer = torch.optim.SGD([W.requires_grad_(), b.requires_grad_()], lr=0.3)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ W + b, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(_answers.train(*layer, 0.3, 4), losses, rtol=1e-10)

    V, c = rng.standard_normal((4, 2)), rng.standard_normal(2)
    arrays = (*layer[:2], V, c)
    network = _answers.Network(*map(torch.from_numpy, arrays))
    right = torch.relu(x @ torch.from_numpy(layer[0]) + torch.from_numpy(layer[1])) @ torch.from_numpy(V)
    np.testing.assert_allclose(network(x), (right + torch.from_numpy(c)).numpy(), rtol=1e-10)
    assert network.count_params() == 3 * 4 + 4 + 4 * 2 + 2
    unit = _answers.Unit(V, c)
    assert unit.weight.shape == (2, 4)
    np.testing.assert_allclose(unit.forward(layer[0]), layer[0] @ V + c)


def test_a_step_with_momentum_is_that_of_the_chapter_on_optimizers(rng):
    from dlcourse.training.optimizers import sgd_step

    p, v, g = (rng.standard_normal((2, 3)) for _ in range(3))
    (new,), (velocity,) = _answers.momentum_step((p,), (v,), (g,), 0.1, 0.9)
    right = sgd_step(p, g, v, 0.1, 0.9)
    np.testing.assert_allclose(new, right[0])
    np.testing.assert_allclose(velocity, right[1])


def test_leaky_divides_what_is_not_above_0():
    np.testing.assert_allclose(_answers.leaky([2.0, 0.0, -3.0]), [2.0, 0.0, -0.3])
