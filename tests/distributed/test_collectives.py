"""Collectives made of messages: equal to torch.distributed's own, with as many bytes as the formulas say."""

from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import gpus

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

import torch.distributed as dist  # noqa: E402

from dlcourse.distributed import collectives as c  # noqa: E402
from dlcourse.distributed._processes import ProcessError, run_processes  # noqa: E402

SHAPES = [(), (7,), (3, 5), (2, 0)]


def drawn(shape, dtype=torch.float64):
    """Numbers of this rank's own; whole ones, so that their sum does not depend on the order."""
    generator = torch.Generator().manual_seed(dist.get_rank())
    return torch.randint(-9, 10, shape, generator=generator).to(dtype)


def beside_torch(shapes, dtype):
    """Call each collective and torch's own on the same numbers; return what differs."""
    count, wrong = dist.get_world_size(), []
    for shape in shapes:
        x = drawn(shape, dtype)
        before = x.clone()
        total, gathered = x.clone(), [torch.empty_like(x) for _ in range(count)]
        dist.all_reduce(total)
        dist.all_gather(gathered, x)
        pairs = {
            "ring_all_reduce": (c.ring_all_reduce(x), total),
            "all_reduce": (c.all_reduce(x), total),
            "all_gather": (c.all_gather(x), torch.stack(gathered)),
        }
        for one in {0, count - 1}:
            pairs[f"broadcast {one}"] = c.broadcast(x, source=one), gathered[one]
            found = c.reduce(x, target=one)
            assert (found is None) == (dist.get_rank() != one)
            pairs[f"reduce {one}"] = total if found is None else found, total
        for name, (got, want) in pairs.items():
            same = got.dtype == want.dtype and torch.equal(got, want) and got.data_ptr() != x.data_ptr()
            wrong += [] if same or got.numel() == 0 else [(name, shape, got, want)]
        wrong += [] if torch.equal(x, before) else [("changed", shape)]
    return wrong


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_they_are_equal_to_torchs_own(count):
    assert run_processes(beside_torch, count, SHAPES, torch.float64) == [[]] * count


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8])
def test_they_keep_the_dtype(dtype):
    def work():
        x = torch.arange(5).to(dtype)
        results = c.ring_all_reduce(x), c.all_reduce(x), c.all_gather(x), c.broadcast(x, source=1)
        return [(result.dtype, result.double().tolist()) for result in results]

    x = list(range(5))
    doubled = [2.0 * i for i in x]
    expected = [(dtype, doubled), (dtype, doubled), (dtype, [x, x]), (dtype, x)]
    assert run_processes(work, 2) == [expected] * 2


def test_memory_with_gaps_is_sent_as_it_is_meant():
    def work():
        x = drawn((4, 6)).T
        total = x.contiguous()
        dist.all_reduce(total)
        return [torch.equal(result, total) for result in (c.ring_all_reduce(x), c.all_reduce(x))]

    assert run_processes(work, 3) == [[True, True]] * 3


def test_all_ranks_get_the_very_same_sum():
    """With float32 the order of additions matters; each piece is added up once, and then copied."""

    def work():
        return c.ring_all_reduce(torch.randn(1000, generator=torch.Generator().manual_seed(dist.get_rank())))

    results = run_processes(work, 4)
    assert all(torch.equal(results[0], result) for result in results)


@settings(max_examples=5)
@given(count=st.integers(1, 6), size=st.integers(0, 60))
def test_the_ring_adds_any_length_on_any_number_of_ranks(count, size):
    def work():
        return c.ring_all_reduce(torch.arange(size) * (dist.get_rank() + 1))

    expected = torch.arange(size) * (count * (count + 1) // 2)
    assert all(torch.equal(result, expected) for result in run_processes(work, count))


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("size", [12, 120, 1, 7])
def test_each_rank_sends_what_the_formula_says(count, size):
    def work():
        with c.Traffic() as ring:
            c.ring_all_reduce(torch.zeros(size))
        with c.Traffic() as naive:
            c.all_reduce(torch.zeros(size))
        return (ring.messages, ring.bytes), (naive.messages, naive.bytes)

    ring, naive = zip(*run_processes(work, count), strict=True)
    formula = c.ring_bytes(4 * size, count)
    for messages, sent in ring:
        assert messages == 2 * (count - 1)
        if size % count == 0:
            assert sent == formula
        # Pieces that are not equally long differ by one number of 4 bytes.
        assert 8 * (count - 1) * floor(size / count) <= sent <= 8 * (count - 1) * ceil(size / count)
    assert sum(sent for _, sent in ring) == count * formula  # exact for all together, whatever the size
    assert naive == ((count - 1, c.naive_bytes(4 * size, count)), *[(1, 4 * size)] * (count - 1))


def test_traffic_counts_within_and_only_there():
    def work():
        rank = dist.get_rank()
        with c.Traffic() as outer:
            c.broadcast(torch.zeros(3))
            with c.Traffic() as inner:
                c.broadcast(torch.zeros(2, dtype=torch.float64), source=1)
            requests = dist.batch_isend_irecv(
                [
                    dist.P2POp(dist.isend, torch.zeros(1), 1 - rank),
                    dist.P2POp(dist.irecv, torch.zeros(1), 1 - rank),
                ]
            )
            for request in requests:
                request.wait()
        c.broadcast(torch.zeros(3))
        return (outer.messages, outer.bytes), (inner.messages, inner.bytes)

    assert run_processes(work, 2) == [((2, 16), (0, 0)), ((2, 20), (1, 16))]


@given(count=st.integers(1, 12))
def test_the_ring_takes_every_piece_everywhere(count):
    """Follow the pieces without any process: who has whose numbers in which piece."""
    has = [[{rank} for _ in range(count)] for rank in range(count)]
    for step in range(2 * (count - 1)):
        moved = []
        for rank in range(count):
            sent, received = c.ring_step(rank, step, count)
            assert c.ring_step((rank + 1) % count, step, count)[1] == sent  # what leaves is what arrives
            moved.append((rank, sent, received))
        before = [[set(piece) for piece in row] for row in has]
        for rank, _, received in moved:
            came = before[rank - 1][received]
            if step < count - 1:
                assert not came & has[rank][received]  # nobody's numbers are added twice
                has[rank][received] |= came
            else:
                assert came == set(range(count))
                has[rank][received] = came
        if step == count - 2:
            assert [row[rank] for rank, row in enumerate(has)] == [set(range(count))] * count
    assert all(piece == set(range(count)) for row in has for piece in row)


def test_bytes_and_seconds_of_the_formulas():
    assert [c.ring_bytes(100, count) for count in (1, 2, 4)] == [0, 100, 150]
    assert c.ring_bytes(100, 10**6) < 200
    assert [c.naive_bytes(100, count) for count in (1, 2, 4)] == [0, 100, 300]
    # Without latency the time is that of the bytes; without bytes, that of the messages.
    assert c.ring_seconds(100, 4, bandwidth=50) == c.ring_bytes(100, 4) / 50
    assert c.naive_seconds(100, 4, bandwidth=50) == 2 * c.naive_bytes(100, 4) / 50
    assert c.ring_seconds(1, 4, bandwidth=1e30, latency=0.5) == pytest.approx(3)
    assert c.naive_seconds(1, 4, bandwidth=1e30, latency=0.5) == pytest.approx(3)
    assert c.ring_seconds(8, 2, bandwidth=2, latency=1) == 2 * (1 + 8 / 4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: c.ring_bytes(100, 0), "ring_bytes expects count to be a whole number from 1 on, got 0"),
        (lambda: c.ring_bytes(-1, 2), "ring_bytes expects size above 0, got -1"),
        (lambda: c.naive_bytes(100, 0), "naive_bytes expects count"),
        (lambda: c.ring_seconds(1, 2, bandwidth=0), "ring_seconds expects bandwidth above 0, got 0"),
        (lambda: c.naive_seconds(1, 2, bandwidth=1, latency=-1), "a latency from 0 seconds on, got -1"),
        (lambda: c.ring_step(3, 0, 3), "a rank from 0 to 2 and a step from 0 to 3 for 3 ranks, got rank 3"),
        (lambda: c.ring_step(0, 4, 3), "got rank 0 and step 4"),
        (lambda: c.ring_step(0, 0, 0), "expects count"),
    ],
)
def test_bad_numbers_are_told(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_rank_that_does_not_exist_is_told():
    with pytest.raises(ProcessError, match="broadcast expects source to be a rank from 0 to 1, got 2"):
        run_processes(lambda: c.broadcast(torch.zeros(1), source=2), 2)
    with pytest.raises(ProcessError, match="reduce expects target to be a rank from 0 to 1, got -1"):
        run_processes(lambda: c.reduce(torch.zeros(1), target=-1), 2)


def test_outside_of_processes_it_says_how_to_start_them():
    with pytest.raises(RuntimeError, match="start them with run_processes, or with torchrun"):
        c.ring_all_reduce(torch.zeros(3))
