"""Without sockets, pipes do what gloo does; run by test__forked.py."""

import pytest

from dlcourse import gpus

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

import torch.distributed as dist  # noqa: E402

from dlcourse.distributed import _pipes, _processes, collectives  # noqa: E402
from dlcourse.distributed._processes import ProcessError, run_processes  # noqa: E402


@pytest.fixture(autouse=True)
def refused(monkeypatch):
    assert _processes._context().get_start_method() == "fork"
    monkeypatch.setattr(_pipes, "sockets_refused", lambda: True)


def both(work, count, monkeypatch):
    """Return what comes over pipes, and over gloo."""
    over_pipes = run_processes(work, count)
    monkeypatch.setattr(_pipes, "sockets_refused", lambda: False)
    return over_pipes, run_processes(work, count)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_collectives_give_what_they_give_over_gloo(count, monkeypatch):
    def work():
        rank, size = dist.get_rank(), dist.get_world_size()
        x = torch.arange(2.0 * size) * (rank + 1) - 3
        results = []
        for operation in (dist.ReduceOp.SUM, dist.ReduceOp.MAX, dist.ReduceOp.MIN, dist.ReduceOp.PRODUCT):
            y = x.clone()
            dist.all_reduce(y, op=operation)
            results.append(y)
        y = x.clone()
        dist.broadcast(y, src=size - 1)
        gathered = [torch.empty_like(x) for _ in range(size)]
        dist.all_gather(gathered, x)
        into = torch.empty(size * len(x))
        dist.all_gather_single(into, x)
        piece, other = torch.empty(2), torch.empty(2)
        dist.reduce_scatter_single(piece, x.clone())
        dist.reduce_scatter(other, list(x.clone().chunk(size)))
        z = x.clone()
        dist.reduce(z, dst=0)
        objects = [None] * size
        dist.all_gather_object(objects, {"rank": rank})
        dist.barrier()
        results += [y, *gathered, into, piece, other, *([z] if rank == 0 else [])]
        return [result.tolist() for result in results], objects

    over_pipes, over_gloo = both(work, count, monkeypatch)
    assert over_pipes == over_gloo


def test_our_own_collectives_and_their_bytes_are_the_same(monkeypatch):
    def work():
        x = torch.arange(7, dtype=torch.bfloat16) * dist.get_rank()
        with collectives.Traffic() as traffic:
            results = collectives.ring_all_reduce(x), collectives.all_gather(x), collectives.all_reduce(x)
        return [result.tolist() for result in results], traffic.messages, traffic.bytes

    over_pipes, over_gloo = both(work, 3, monkeypatch)
    assert over_pipes == over_gloo


def test_ddp_trains_over_them(monkeypatch):
    def work():
        torch.manual_seed(dist.get_rank())
        net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
        net(torch.full((4, 3), 1.0 + dist.get_rank())).square().sum().backward()
        return [parameter.grad.tolist() for parameter in net.parameters()]

    over_pipes, over_gloo = both(work, 2, monkeypatch)
    assert over_pipes[0] == over_pipes[1]
    assert torch.allclose(torch.tensor(over_pipes[0][0]), torch.tensor(over_gloo[0][0]))


def test_it_is_said_that_they_are_pipes_and_a_send_waits_as_over_gloo():
    assert run_processes(lambda: dist.get_backend(), 2) == ["pipes"] * 2

    def all_send_first():
        rank = dist.get_rank()
        dist.send(torch.zeros(1), dst=1 - rank)
        dist.recv(torch.zeros(1), src=1 - rank)

    with pytest.raises(ProcessError, match="ranks 0, 1 of 2 were not done after 1 s: rank 0 in line"):
        run_processes(all_send_first, 2, timeout=1.0)


def test_another_length_than_expected_is_told():
    def work():
        if dist.get_rank() == 0:
            dist.send(torch.zeros(3), dst=1)
        else:
            dist.recv(torch.zeros(2), src=0)

    with pytest.raises(ProcessError, match="rank 0 sent 12 bytes, and 8 were expected"):
        run_processes(work, 2)
