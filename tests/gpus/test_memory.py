"""Memory counted beforehand against memory recorded, and batches in pieces against whole ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.gpus.memory import (
    GIB,
    MOMENTS,
    Memory,
    accumulate,
    activation_bytes,
    best_segment,
    block_activations,
    checkpoint_arrays,
    held_gradients,
    largest_batch,
    parameter_count,
    state_gib,
    state_memory,
    step_curve,
    training_memory,
    transformer_memory,
)

widths = st.integers(16, 90)
networks = st.lists(widths, min_size=2, max_size=6)
optimizers = st.sampled_from(sorted(MOMENTS))
activations = st.sampled_from(["relu", "tanh", "sigmoid", "gelu"])


def trained(torch, sizes, activation, optimizer):
    layer = {
        "relu": torch.nn.ReLU,
        "tanh": torch.nn.Tanh,
        "sigmoid": torch.nn.Sigmoid,
        "gelu": torch.nn.GELU,
    }[activation]
    parts = [part for n_in, n_out in pairwise(sizes) for part in (torch.nn.Linear(n_in, n_out), layer())]
    net = torch.nn.Sequential(*parts[:-1])
    if optimizer == "adam":
        return net, torch.optim.Adam(net.parameters())
    return net, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9 if optimizer == "momentum" else 0.0)


@given(networks, st.integers(8, 120), activations, optimizers, st.booleans())
def test_the_peak_of_a_step_is_predicted(sizes, batch, activation, optimizer, keep_gradients):
    """Within 10 % is what the course promises. What is missing here: the labels, and some single numbers."""
    torch = pytest.importorskip("torch")
    from dlcourse.gpus._recorded import record_step

    net, chosen = trained(torch, sizes, activation, optimizer)
    x, labels = torch.rand(batch, sizes[0]), torch.zeros(batch, dtype=torch.long)
    recording = record_step(net, chosen, x, labels, keep_gradients=keep_gradients)
    curve = step_curve(
        sizes, batch, optimizer=optimizer, activation=activation, keep_gradients=keep_gradients
    )
    left_out = labels.nbytes + 128 + 4 * max(sizes)  # the last: what Adam computed for the bias before
    peak = max(map(max, curve.values()))
    assert peak <= recording.peak <= peak + left_out
    assert peak == pytest.approx(recording.peak, rel=0.1)
    for part, totals in recording.parts().items():
        assert max(curve[part]) <= max(totals) <= max(curve[part]) + left_out
        assert curve[part][-1] <= totals[-1] <= curve[part][-1] + left_out


@given(networks, st.integers(1, 120), activations, optimizers, st.sampled_from(["float32", "float64"]))
def test_each_part_is_what_it_is_said_to_be(sizes, batch, activation, optimizer, dtype):
    torch = pytest.importorskip("torch")
    from dlcourse.gpus._recorded import kept_bytes, tensors_of

    net, chosen = trained(torch, sizes, activation, optimizer)
    net.to(getattr(torch, dtype))
    x, labels = torch.rand(batch, sizes[0], dtype=getattr(torch, dtype)), torch.zeros(batch, dtype=torch.long)
    said = training_memory(
        sizes, batch, itemsize=x.element_size(), optimizer=optimizer, activation=activation
    )

    def forward():
        return torch.nn.functional.cross_entropy(net(x), labels)

    assert said.parameters == sum(p.nbytes for p in net.parameters())
    labels_and_weight = labels.nbytes + x.element_size()
    kept = kept_bytes(forward, without=net.parameters())
    assert said.activations == kept - labels_and_weight
    forward().backward()
    assert said.gradients == sum(p.grad.nbytes for p in net.parameters())
    chosen.step()
    several = [v for s in chosen.state.values() for v in s.values() if isinstance(v, torch.Tensor) and v.ndim]
    assert said.optimizer == sum(tensor.nbytes for tensor in several)
    assert said.state <= sum(tensor.nbytes for tensor in tensors_of(net, chosen))


@given(networks, st.integers(1, 1000), st.sampled_from([2, 4, 8]), optimizers)
def test_only_activations_grow_with_the_batch(sizes, batch, itemsize, optimizer):
    one, many = (training_memory(sizes, b, itemsize=itemsize, optimizer=optimizer) for b in (1, batch))
    assert many[:3] == one[:3]
    assert many.activations == batch * one.activations
    assert many.total == sum(many)
    assert many.state == (2 + MOMENTS[optimizer]) * itemsize * parameter_count(sizes)


@given(networks, st.integers(0, 10**8), optimizers)
def test_the_largest_batch_fits_and_one_more_does_not(sizes, room, optimizer):
    found = largest_batch(sizes, room, optimizer=optimizer)
    assert training_memory(sizes, found + 1, optimizer=optimizer).total > room
    assert found == 0 or training_memory(sizes, found, optimizer=optimizer).total <= room


def test_activations_come_and_go():
    """The curve rises on the way forward; on the way back it ends with gradients in the place of activations."""
    sizes = [64] + [64] * 10 + [10]
    curve = step_curve(sizes, 500, optimizer="sgd")
    said = training_memory(sizes, 500, optimizer="sgd")
    at_rest = said.parameters + 4 * 500 * 64
    assert curve["forward"][0] == at_rest
    assert curve["forward"][-1] == said.parameters + said.activations
    assert curve["backward"][-1] == at_rest + said.gradients
    assert curve["step"][-1] == at_rest
    kept = step_curve(sizes, 500, optimizer="sgd", keep_gradients=True)
    assert kept["forward"][-1] == said.total
    assert kept["step"][-1] == at_rest + said.gradients


def test_a_model_of_7_billion_does_not_fit_into_80_gigabytes():
    """Rajbhandari et al. (2020), section 3.1: 16 bytes a parameter with Adam."""
    assert state_memory(7 * 10**9).total == 16 * 7 * 10**9
    assert state_memory(5, itemsize=2, optimizer="momentum") == Memory(10, 10, 10)
    assert state_gib(7 * 10**9, 4, 2) == 16 * 7 * 10**9 / GIB
    assert GIB == 1024**3


def test_gpt_2_is_as_large_as_its_authors_say():
    """Radford et al. (2019), table 2: 117M (124M in truth) and 1542M (1558M) parameters."""
    small = transformer_memory(1, layers=12, width=768, time=1024, vocabulary=50257)
    large = transformer_memory(1, layers=48, width=1600, time=1024, vocabulary=50257)
    assert small.parameters == 4 * 124_439_808
    assert large.parameters == 4 * 1_557_611_200


def test_a_table_of_attention_grows_with_the_square_of_the_time():
    assert block_activations(2, 30, 8) == 2 * 16 * 30 * 8
    assert block_activations(2, 60, 8, heads=4) - block_activations(2, 60, 8) == 4 * (
        block_activations(2, 30, 8, heads=4) - block_activations(2, 30, 8)
    )
    whole = transformer_memory(3, layers=5, width=8, time=30, vocabulary=11, heads=4)
    without = transformer_memory(3, layers=5, width=8, time=30, vocabulary=11)
    assert whole.activations - without.activations == 4 * 5 * 3 * 4 * 30**2
    assert whole[:3] == without[:3]


@given(st.integers(1, 150))
def test_the_best_segment_is_about_the_root(layers):
    best = best_segment(layers)
    needed = checkpoint_arrays(layers, best)
    assert needed == min(checkpoint_arrays(layers, k) for k in range(1, layers + 1))
    assert all(checkpoint_arrays(layers, k) > needed for k in range(1, best))
    assert 2 * layers**0.5 <= needed <= 2 * layers**0.5 + 1
    assert checkpoint_arrays(layers, layers) == checkpoint_arrays(layers, 1) == layers + 1


@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 2**32))
def test_pieces_give_the_gradient_of_the_whole_batch(batch, size, seed):
    rng = np.random.default_rng(seed)
    W, x, y = (rng.standard_normal(shape) for shape in ((5, 3), (batch, 5), (batch, 3)))
    whole = 2 / (batch * 3) * x.T @ (x @ W - y)
    held = held_gradients(W, x, y, size)
    assert held.shape == (-(-batch // size), 5, 3)
    np.testing.assert_allclose(held[-1], whole, rtol=1e-12, atol=1e-12)
    first = x[:size].T @ (x[:size] @ W - y[:size]) * 2 / (batch * 3)
    np.testing.assert_allclose(held[0], first, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 16, 50, 64])
def test_pieces_train_the_network_of_the_course(size):
    """Exact up to rounding, in float64, whatever the last piece."""
    from dlcourse.learning.backpropagation import TrainableMLP
    from dlcourse.neurons.network import MLP

    rng = np.random.default_rng(1)
    model = TrainableMLP(MLP.draw([6, 9, 4], output="class", rng=rng))
    x, labels = rng.standard_normal((50, 6)), rng.integers(0, 4, 50)
    loss, gradients = model.loss_and_gradients(x, labels)
    kept = [gradient.copy() for gradient in gradients]
    in_pieces, sums = accumulate(model.loss_and_gradients, x, labels, size=size)
    assert in_pieces == pytest.approx(loss, rel=1e-12)
    for ours, right in zip(sums, kept, strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12, atol=1e-12)


def test_pieces_are_safe_with_gradients_whose_memory_is_used_again():
    from dlcourse.learning._fused import FusedMLP
    from dlcourse.neurons.network import MLP

    rng = np.random.default_rng(2)
    model = FusedMLP(MLP.draw([6, 9, 4], output="class", rng=rng, dtype=np.float32))
    x, labels = rng.standard_normal((50, 6)).astype(np.float32), rng.integers(0, 4, 50)
    _, sums = accumulate(model.loss_and_gradients, x, labels, size=16)
    _, whole = model.loss_and_gradients(x, labels)
    for ours, right in zip(sums, whole, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-6)


def test_pieces_are_not_the_batch_for_a_batch_norm():
    """Each piece is standardized by itself, so the gradients differ, and not by rounding."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3)).double()
    x, labels = torch.rand(40, 5, dtype=torch.float64), torch.arange(40) % 3

    def gradients(pieces):
        net.zero_grad()
        for some, classes in zip(x.chunk(pieces), labels.chunk(pieces), strict=True):
            loss = torch.nn.functional.cross_entropy(net(some), classes)
            (len(some) / len(x) * loss).backward()
        return net[2].weight.grad.clone()

    assert not torch.allclose(gradients(4), gradients(1), rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: parameter_count([784]), r"parameter_count expects the inputs and at least one layer"),
        (lambda: state_memory(0), "state_memory expects parameters to be a whole number from 1 on"),
        (
            lambda: state_memory(5, optimizer="adagrad"),
            "expects optimizer to be one of sgd, momentum, adam, got 'adagrad'",
        ),
        (lambda: training_memory([2, 3], 0), "expects batch to be a whole number from 1 on"),
        (lambda: training_memory([2, 3], 1, activation="swish"), "expects activation to be one of relu"),
        (lambda: largest_batch([2, 3], -1.0), "expects room to be 0 or more, got -1.0"),
        (lambda: activation_bytes([3], 4), "activation_bytes expects the inputs and at least one layer"),
        (lambda: state_gib(5, 4, -1), "state_gib expects moments to be 0 or more, got -1"),
        (
            lambda: held_gradients(*[np.ones((2, 2))] * 3, 0),
            "held_gradients expects size to be a whole number",
        ),
        (lambda: block_activations(1, 0, 3), "expects time to be a whole number"),
        (lambda: block_activations(1, 2, 3, heads=-1), "expects heads to be 0 or more"),
        (lambda: checkpoint_arrays(4, 0), "expects segment to be a whole number"),
        (lambda: best_segment(0), "expects layers to be a whole number"),
        (
            lambda: accumulate(lambda x, y: (0.0, ()), np.ones((3, 1)), np.ones((3, 1)), size=0),
            "expects size to be a whole number from 1 on",
        ),
    ],
)
def test_errors_say_what_to_do(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_each_sample_needs_its_target(no_shape_check):
    with pytest.raises(ValueError, match="one target for each sample, got 3 samples and 2 targets"):
        accumulate(lambda x, y: (0.0, ()), np.ones((3, 1)), np.ones((2, 1)), size=1)
    with pytest.raises(ValueError, match="one target for each sample, got 0 samples"):
        accumulate(lambda x, y: (0.0, ()), np.ones((0, 1)), np.ones((0, 1)), size=1)
