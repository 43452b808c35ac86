"""A recording says what the allocator of PyTorch says."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.gpus._block import Block  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.gpus._recorded import (  # noqa: E402  (likewise)
    Recording,
    held_bytes,
    kept_bytes,
    peak_bytes,
    record_step,
    tensors_of,
    train_step,
)
from dlcourse.gpus.memory import block_activations  # noqa: E402  (likewise)


def small(batch=40):
    net = torch.nn.Sequential(torch.nn.Linear(30, 50), torch.nn.ReLU(), torch.nn.Linear(50, 10))
    return net, torch.optim.AdamW(net.parameters()), torch.rand(batch, 30), torch.arange(batch) % 10


def test_arrays_are_counted_once_and_until_they_go():
    with Recording() as recording:
        a = torch.ones(100)  # 400 bytes
        seen = a.view(10, 10).T  # the same array
        b = a + 1
        del a
        del seen
        del b
    assert recording.totals == [0, 400, 800, 400, 0]
    assert recording.peak == 800


def test_what_is_there_already_is_counted_from_the_start():
    a = torch.ones(10)
    with Recording([a, a.view(2, 5)]) as recording:
        recording.begin("one")
        a.add_(1)  # in place: nothing comes
        recording.begin("two")
        b = a * 2
        del b
    assert recording.totals == [40, 40, 40, 80, 40]
    assert recording.parts() == {"one": [40], "two": [40, 80, 40]}


def test_what_goes_after_the_recording_goes_unseen():
    with Recording() as recording:
        a = torch.ones(10)
    del a
    assert recording.totals == [0, 40]


def test_bytes_that_are_shared_are_counted_once():
    a = torch.zeros(1000)
    assert held_bytes([a, a[10:], a.view(10, 100)]) == 4000


def test_an_empty_array_holds_nothing():
    with Recording() as recording:
        kept = [torch.ones(0), torch.ones(0)]
    assert len(kept) == 2
    assert recording.totals == [0]


def test_the_allocator_of_pytorch_agrees(capfd):
    """Its own record of every byte that is asked for and given back, scratch memory included."""
    from torch.profiler import ProfilerActivity, profile

    net, optimizer, x, labels = small()
    recording = record_step(net, optimizer, x, labels)
    with profile(profile_memory=True, activities=[ProfilerActivity.CPU]) as profiler:
        train_step(net, optimizer, x, labels)
    capfd.readouterr()  # the profiler says on standard error that it begins
    held, most = 0, 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    assert most > 20_000
    assert recording.peak - recording.totals[0] == pytest.approx(most, rel=0.01)


def test_a_step_trains_and_is_recorded_in_parts():
    torch.manual_seed(0)
    net, optimizer, x, labels = small()
    before = net[0].weight.detach().clone()
    recording = record_step(net, optimizer, x, labels)
    assert list(recording.parts()) == ["forward", "backward", "step"]
    assert sum(map(len, recording.parts().values())) == len(recording.totals) - recording.starts["forward"]
    assert not torch.equal(before, net[0].weight)
    assert net[0].weight.grad is None
    assert recording.totals[-1] == recording.totals[0]
    losses = [train_step(net, optimizer, x, labels) for _ in range(30)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("pieces", [2, 3, 7])
def test_pieces_give_the_same_step_with_less_memory(pieces):
    torch.manual_seed(0)
    net, _, x, labels = small(batch=50)  # 3 and 7 leave a smaller last piece
    net, x = net.double(), x.double()
    results = []
    for count in (1, pieces):
        kind = torch.nn.Sequential(torch.nn.Linear(30, 50), torch.nn.ReLU(), torch.nn.Linear(50, 10)).double()
        kind.load_state_dict(net.state_dict())
        optimizer = torch.optim.SGD(kind.parameters(), lr=0.1)
        loss = train_step(kind, optimizer, x, labels, pieces=count, keep_gradients=True)
        results.append((loss, [p.detach().clone() for p in kind.parameters()]))
    (whole, right), (in_pieces, ours) = results
    assert in_pieces == pytest.approx(whole, rel=1e-12)
    for one, other in zip(ours, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    large = torch.rand(2000, 30), torch.arange(2000) % 10
    net, optimizer, *_ = small()
    needed = [record_step(net, optimizer, *large, pieces=p).peak for p in (1, pieces)]
    assert needed[1] < needed[0]


def test_pieces_are_recorded_one_by_one():
    net, optimizer, x, labels = small()
    recording = record_step(net, optimizer, x, labels, pieces=2)
    assert list(recording.parts()) == ["forward 1", "backward 1", "forward 2", "backward 2", "step"]


def test_bfloat16_halves_what_is_kept():
    deep = torch.nn.Sequential(
        *[torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()) for _ in range(8)]
    )
    optimizer = torch.optim.SGD(deep.parameters(), lr=0.1)
    x, labels = torch.rand(4000, 64), torch.zeros(4000, dtype=torch.long)
    whole = record_step(deep, optimizer, x, labels).peak
    half = record_step(deep, optimizer, x, labels, around=torch.autocast("cpu", torch.bfloat16)).peak
    assert 0.4 < half / whole < 0.75


def test_what_stays_between_steps_is_listed():
    net, optimizer, x, labels = small()
    assert len(list(tensors_of(net))) == 4
    train_step(net, optimizer, x, labels, keep_gradients=True)
    assert len(list(tensors_of(net))) == 8
    assert len(list(tensors_of(net, optimizer))) == 8 + 4 * 3  # two moments and a count for each parameter


def test_what_is_kept_for_the_way_back():
    W, x = torch.rand(3, 5, requires_grad=True), torch.rand(7, 3)
    assert kept_bytes(lambda: x @ W) == 4 * 21
    assert kept_bytes(lambda: torch.relu(x @ W)) == 4 * (21 + 35)
    assert kept_bytes(lambda: torch.relu(x @ W), without=[x]) == 4 * 35
    assert kept_bytes(lambda: x + W.sum()) == 0
    with torch.no_grad():
        assert kept_bytes(lambda: x @ W) == 0


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("batch", "time", "width", "heads"), [(2, 64, 64, 4), (3, 128, 32, 8), (4, 32, 128, 2)]
)
def test_a_block_of_a_transformer_keeps_what_is_predicted(batch, time, width, heads, fused):
    block = Block(width, heads, fused=fused)
    x = torch.rand(batch, time, width, requires_grad=True)
    kept = kept_bytes(lambda: block(x), without=block.parameters())
    said = 4 * block_activations(batch, time, width, heads=0 if fused else heads)
    assert said == pytest.approx(kept, rel=0.03)


def test_both_ways_of_attention_agree():
    torch.manual_seed(0)
    block, x = Block(32, 4), torch.rand(2, 10, 32)
    fused = block(x)
    block.fused = False
    torch.testing.assert_close(block(x), fused)
    assert sum(p.numel() for p in block.parameters()) == 12 * 32**2 + 13 * 32


def test_the_peak_is_asked_from_the_device(monkeypatch):
    there = torch.rand(100)
    assert peak_bytes(lambda: there + 1, torch.device("cpu"), [there]) == 800
    asked = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda where: asked.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda where: 123)
    assert peak_bytes(lambda: asked.append("done"), torch.device("cuda")) == 123
    assert asked == ["reset", "done"]
