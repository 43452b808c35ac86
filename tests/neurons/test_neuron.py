"""One neuron, held to its promises."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.data import digits
from dlcourse.neurons.neuron import (
    GATE_INPUTS,
    GATES,
    neuron,
    perceptron_update,
    step,
    train_perceptron,
    weighted_sum,
)

sizes = st.integers(1, 6)
numbers = st.floats(-100, 100, width=32)


@st.composite
def neurons(draw):
    batch, n_in = draw(sizes), draw(sizes)
    x = draw(arrays(np.float64, (batch, n_in), elements=numbers))
    w = draw(arrays(np.float64, (n_in,), elements=numbers))
    return x, w, draw(numbers)


@given(neurons())
def test_the_weighted_sum_equals_torch(case):
    x, w, b = case
    layer = torch.nn.functional.linear(
        torch.tensor(x), torch.tensor(w)[None], torch.tensor([float(b)]).double()
    )
    np.testing.assert_allclose(weighted_sum(x, w, b), layer[:, 0].numpy(), rtol=1e-12, atol=1e-9)


@given(neurons())
def test_a_batch_is_answered_like_its_samples_one_by_one(case):
    x, w, b = case
    alone = [weighted_sum(row[None], w, b)[0] for row in x]
    np.testing.assert_allclose(weighted_sum(x, w, b), alone, rtol=1e-12, atol=1e-9)


@given(neurons(), st.sampled_from([0.5, 2.0, 8.0]))
def test_scaling_weights_and_bias_changes_no_answer(case, scale):
    x, w, b = case  # powers of two scale exactly, so even sums of exactly zero stay on their side
    np.testing.assert_array_equal(neuron(x, w, b), neuron(x, scale * w, scale * b))


def test_the_step_fires_at_zero():
    np.testing.assert_array_equal(step(np.array([-1e-300, -0.0, 0.0, 1e-300])), [0, 1, 1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_input_is_kept(dtype):
    x, w = GATE_INPUTS.astype(dtype), np.ones(2, dtype)
    assert weighted_sum(x, w, -1.5).dtype == dtype
    assert neuron(x, w, -1.5).dtype == dtype
    assert train_perceptron(x, GATES["OR"].astype(dtype), 20).w.dtype == dtype


@given(neurons(), st.data())
def test_an_update_moves_only_by_mistakes(case, data):
    x, w, b = case
    y = data.draw(arrays(np.float64, (len(x),), elements=st.sampled_from([0.0, 1.0])))
    new_w, new_b = perceptron_update(x, y, w, b, 0.5)
    wrong = neuron(x, w, b) != y
    signs = np.where(y[wrong] == 1, 0.5, -0.5)
    np.testing.assert_allclose(
        new_w, w + sum((s * row for s, row in zip(signs, x[wrong], strict=True)), 0 * w)
    )
    assert new_b == pytest.approx(b + signs.sum())


def test_an_update_leaves_its_input_alone():
    w = np.array([1.0, 1.0])
    perceptron_update(np.array([[1.0, 2.0]]), np.array([0.0]), w, 0.0)
    np.testing.assert_array_equal(w, [1.0, 1.0])


@pytest.mark.parametrize("gate", ["AND", "OR", "NAND"])
def test_a_separable_gate_is_learned(gate):
    w, b, mistakes = train_perceptron(GATE_INPUTS, GATES[gate], 20)
    np.testing.assert_array_equal(neuron(GATE_INPUTS, w, b), GATES[gate])
    assert mistakes[-1] == 0
    assert 0 not in mistakes[:-1]


def test_xor_is_never_learned():
    assert min(train_perceptron(GATE_INPUTS, GATES["XOR"], 200).mistakes) > 0


def test_any_separable_data_is_learned(rng):
    x = rng.standard_normal((60, 4))
    y = (x @ np.array([1.0, -2.0, 0.5, 3.0]) - 0.4 >= 0).astype(float)
    assert train_perceptron(x, y, 2000).mistakes[-1] == 0


def test_zero_and_one_are_told_apart_on_unseen_pictures():
    images, labels = digits.load()
    chosen = np.isin(labels, (0, 1))
    x, y = digits.as_inputs(images[chosen]), (labels[chosen] == 1).astype(np.float32)
    w, b, mistakes = train_perceptron(x[:800], y[:800], 200)
    assert mistakes[-1] == 0
    assert (neuron(x[800:], w, b) == y[800:]).mean() > 0.97


@pytest.mark.usefixtures("no_shape_check")
class TestErrors:
    def test_one_sample_that_is_not_a_row(self):
        with pytest.raises(ValueError, match=r"x\[None, :\]"):
            weighted_sum(np.ones(2), np.ones(2), 0.0)

    def test_weights_that_do_not_fit(self):
        with pytest.raises(ValueError, match="axis 1 of x must be as long as axis 0 of w"):
            weighted_sum(np.ones((4, 3)), np.ones(2), 0.0)

    def test_integers(self):
        with pytest.raises(TypeError, match="expects x as an array of floating-point numbers, got int64"):
            weighted_sum(np.ones((4, 2), dtype=int), np.ones(2), 0.0)

    def test_lists(self):
        with pytest.raises(TypeError, match="got list: convert it with"):
            weighted_sum([[1.0, 2.0]], np.ones(2), 0.0)

    def test_nan(self):
        with pytest.raises(ValueError, match="step expects numbers, got NaN"):
            step(np.array([np.nan]))

    @pytest.mark.parametrize("y", [np.array([-1.0, 1.0, 1.0, 1.0]), np.array([[0.0], [1.0], [1.0], [1.0]])])
    def test_answers_that_are_not_zero_or_one(self, y):
        with pytest.raises(ValueError, match="one answer, 0 or 1, a sample"):
            perceptron_update(GATE_INPUTS, y, np.zeros(2), 0.0)

    def test_no_pass(self):
        with pytest.raises(ValueError, match="at least one pass"):
            train_perceptron(GATE_INPUTS, GATES["OR"], 0)
