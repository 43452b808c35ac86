"""Our checkpointing against PyTorch's, and against none."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.checkpoint import checkpoint_sequential  # noqa: E402  (where torch is missing, all this is skipped)

from dlcourse.gpus._checkpoint import checkpoint, checkpointed  # noqa: E402  (likewise)
from dlcourse.gpus._recorded import record_step  # noqa: E402  (likewise)
from dlcourse.gpus.memory import best_segment, checkpoint_arrays  # noqa: E402  (likewise)


def layers(count, width, *, drop=0.0):
    parts = [
        torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Dropout(drop))
        for _ in range(count)
    ]
    return torch.nn.Sequential(*parts)


def gradients(net, forward, x):
    torch.manual_seed(3)
    net.zero_grad()
    x = x.clone().requires_grad_()
    answers = forward(x)
    (answers**2).sum().backward()
    return [answers.detach(), x.grad, *(p.grad.clone() for p in net.parameters())]


@pytest.mark.parametrize("drop", [0.0, 0.5])
@pytest.mark.parametrize("segment", [1, 2, 3, 7, 10])
def test_the_gradients_are_the_same(segment, drop):
    """With dropout, too: what is computed again draws the same random numbers again."""
    torch.manual_seed(0)
    net, x = layers(7, 12, drop=drop).double(), torch.rand(5, 12, dtype=torch.float64)
    right = gradients(net, net, x)
    ours = gradients(net, lambda x: checkpointed(net, x, segment=segment), x)
    theirs = gradients(net, lambda x: checkpoint_sequential(net, 3, x, use_reentrant=False), x)
    for one, other, third in zip(ours, right, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(one, third, rtol=1e-12, atol=1e-12)


def test_random_numbers_go_on_as_without_checkpoints():
    net, x = layers(3, 8, drop=0.5), torch.rand(4, 8)
    after = []
    for forward in (net, lambda x: checkpointed(net, x, segment=2)):
        gradients(net, forward, x)
        after.append(torch.rand(3))
    torch.testing.assert_close(after[0], after[1], rtol=0, atol=0)


def test_frozen_parameters_and_inputs_get_no_gradient():
    net, x = layers(2, 6), torch.rand(3, 6)
    net[0][0].weight.requires_grad_(False)
    checkpoint(net, x).sum().backward()
    assert net[0][0].weight.grad is None
    assert net[0][0].bias.grad is not None
    assert x.grad is None
    for p in net.parameters():
        p.requires_grad_(False)
    assert not checkpoint(net, x).requires_grad


def test_gradcheck():
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: checkpoint(net, x), (x,))


@pytest.mark.parametrize(
    ("count", "segment"), [(16, 1), (16, 2), (16, 4), (16, 8), (16, 16), (25, 5), (12, 3)]
)
def test_the_memory_is_that_of_the_rule(count, segment):
    """Three arrays are held beside: the gradient that came, and two on the way through a layer."""
    width, batch = 32, 4000
    net = layers(count, width)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    x, labels = torch.rand(batch, width), torch.zeros(batch, dtype=torch.long)
    recording = record_step(
        net, optimizer, x, labels, forward=lambda x: checkpointed(net, x, segment=segment)
    )
    array = 4 * batch * width
    assert checkpoint_arrays(count, segment) + 3 == pytest.approx(recording.peak / array, rel=0.04)


def test_memory_falls_and_the_same_is_learned():
    net = layers(36, 16)
    x, labels = torch.rand(3000, 16), torch.arange(3000) % 16
    results = []
    for forward in (net, lambda x: checkpointed(net, x, segment=best_segment(36))):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        results.append(record_step(net, optimizer, x, labels, forward=forward).peak)
    assert results[1] < 0.45 * results[0]


def test_an_empty_segment_is_refused():
    with pytest.raises(ValueError, match="checkpointed expects segment to be a whole number from 1 on"):
        checkpointed(layers(2, 3), torch.rand(1, 3), segment=0)
