"""What processes that train together tell one another, built from messages between two of them.

A collective is called by all processes at once. Here each is written with ``send`` and ``recv``, and the all-reduce,
which adds up everybody's numbers, in two ways: through one rank, which becomes the bottleneck, and around a ring, in
which each rank sends about twice what it has, however many there are. The formulas count the bytes and the seconds.
Chapter: book/distributed/collectives.md. Sources: Patarasuk and Yuan (2009); Hockney (1994).
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Shaped

from dlcourse.distributed._processes import ProcessError, run_processes
from dlcourse.distributed._seconds import message_seconds, ring_seconds
from dlcourse.distributed._traffic import Traffic
from dlcourse.gpus._device import torch
from dlcourse.gpus._expect import Number, Scalar, expect_above_0, expect_positive

if not torch.distributed.is_available():
    raise ImportError(
        "this build of PyTorch has no torch.distributed: install one from pytorch.org that has it"
    )

import torch.distributed as dist

__all__ = [
    "ProcessError",
    "Traffic",
    "all_gather",
    "all_reduce",
    "broadcast",
    "message_seconds",
    "naive_bytes",
    "naive_seconds",
    "reduce",
    "ring_all_reduce",
    "ring_bytes",
    "ring_seconds",
    "ring_step",
    "run_processes",
]


def broadcast(x: Shaped[torch.Tensor, "*shape"], source: int = 0) -> Shaped[torch.Tensor, "*shape"]:
    """Give every rank the tensor of one of them: it sends a copy to each of the others.

    Args:
        x: on the rank ``source`` what is to be sent; on all others any tensor of that shape and dtype.
        source: who sends.

    Returns:
        The tensor of ``source``, a new one on every rank.

    Raises:
        ValueError: if there is no such rank.

    Example:
        >>> def work():
        ...     return broadcast(torch.tensor([10.0 * dist.get_rank()]), source=2).item()
        >>> run_processes(work, 3)
        [20.0, 20.0, 20.0]
    """
    rank, count = _place("broadcast", source=source)
    x = _own(x)
    if rank == source:
        for other in range(count):
            if other != source:
                dist.send(x, dst=other)
    else:
        dist.recv(x, src=source)
    return x


def reduce(x: Shaped[torch.Tensor, "*shape"], target: int = 0) -> Shaped[torch.Tensor, "*shape"] | None:
    """Add up the tensors of all ranks on one of them: each of the others sends its own there.

    Args:
        x: this rank's tensor; the same shape and dtype on all.
        target: who adds.

    Returns:
        The sum, a new tensor, on the rank ``target``; None on the others.

    Raises:
        ValueError: if there is no such rank.

    Example:
        >>> def work():
        ...     return reduce(torch.tensor([10.0 * dist.get_rank()]), target=1)
        >>> run_processes(work, 3)
        [None, tensor([30.]), None]
    """
    rank, count = _place("reduce", target=target)
    if rank != target:
        dist.send(x.contiguous(), dst=target)
        return None
    total = _own(x)
    received = torch.empty_like(total)
    for other in range(count):
        if other != target:
            dist.recv(received, src=other)
            total += received
    return total


def all_reduce(x: Shaped[torch.Tensor, "*shape"]) -> Shaped[torch.Tensor, "*shape"]:
    """Add up the tensors of all ranks, through one of them: a reduce to rank 0, then a broadcast from there.

    Args:
        x: this rank's tensor; the same shape and dtype on all.

    Returns:
        The sum, a new tensor on every rank.

    Example:
        >>> run_processes(lambda: all_reduce(torch.tensor([10.0 * dist.get_rank()])).item(), 3)
        [30.0, 30.0, 30.0]
    """
    total = reduce(x, target=0)
    return broadcast(x if total is None else total, source=0)


def all_gather(x: Shaped[torch.Tensor, "*shape"]) -> Shaped[torch.Tensor, " count *shape"]:
    """Give every rank the tensors of all ranks, around a ring: each passes on to the next what came last.

    Args:
        x: this rank's tensor; the same shape and dtype on all.

    Returns:
        All tensors, stacked in the order of ranks.

    Example:
        >>> run_processes(lambda: all_gather(torch.tensor(10 * dist.get_rank())).tolist(), 3)
        [[0, 10, 20], [0, 10, 20], [0, 10, 20]]
    """
    rank, count = _place("all_gather")
    found = torch.stack([x] * count)  # (count, *shape)
    for step in range(count - 1):
        _around(found[(rank - step) % count], found[(rank - step - 1) % count])
    return found


def ring_step(rank: int, step: int, count: int) -> tuple[int, int]:
    r"""Tell which pieces are on their way in a step of the ring all-reduce.

    .. math:: (r - s - 1) \bmod n \quad\text{goes to rank } r + 1, \qquad
              (r - s - 2) \bmod n \quad\text{comes from rank } r - 1

    What comes in one step goes on in the next one. So what comes in step :math:`n - 2` has been everywhere: it is piece
    :math:`r`, complete, and goes around once more.

    Args:
        rank: who sends, :math:`r`.
        step: which step, :math:`s`, from 0 to :math:`2 (n - 1) - 1`.
        count: how many ranks there are, :math:`n`.

    Returns:
        The number of the piece that this rank sends, and of the one that it receives.

    Raises:
        ValueError: if there is no such rank or step.

    Example:
        >>> [ring_step(0, step, 3) for step in range(4)]
        [(2, 1), (1, 0), (0, 2), (2, 1)]
    """
    expect_positive("ring_step", count=count)
    if not (0 <= rank < count and 0 <= step < 2 * (count - 1)):
        raise ValueError(
            f"ring_step expects a rank from 0 to {count - 1} and a step from 0 to {2 * (count - 1) - 1} for {count} "
            f"ranks, got rank {rank} and step {step}"
        )
    return (rank - step - 1) % count, (rank - step - 2) % count


def ring_all_reduce(x: Shaped[torch.Tensor, "*shape"]) -> Shaped[torch.Tensor, "*shape"]:
    """Add up the tensors of all ranks, around a ring.

    The tensor is cut into as many pieces as there are ranks. In the first ``count - 1`` steps each rank adds the piece
    that comes from its left to its own, until each piece is complete on one rank. In as many steps more the complete
    pieces go around.

    Source: Patarasuk and Yuan (2009), section 3.

    Args:
        x: this rank's tensor; the same shape and dtype on all.

    Returns:
        The sum, a new tensor on every rank.

    Example:
        >>> run_processes(lambda: ring_all_reduce(torch.arange(4) * dist.get_rank()).tolist(), 3)
        [[0, 3, 6, 9], [0, 3, 6, 9], [0, 3, 6, 9]]
    """
    rank, count = _place("ring_all_reduce")
    total = _own(x)
    pieces = total.view(-1).tensor_split(count)  # views: to change them changes the whole
    received = torch.empty_like(pieces[0])  # the first piece is the longest one
    for step in range(2 * (count - 1)):
        sent, coming = ring_step(rank, step, count)
        piece = pieces[coming]
        _around(pieces[sent], came := received[: len(piece)])
        if step < count - 1:
            piece += came
        else:
            piece.copy_(came)
    return total


def naive_bytes(size: Number, count: int) -> Number:
    r"""Count the bytes that the busiest rank sends in an all-reduce through one rank.

    .. math:: (n - 1) \, S

    As many come in.

    Args:
        size: bytes of the tensor, :math:`S`.
        count: how many ranks there are, :math:`n`.

    Example:
        >>> naive_bytes(100, 8)
        700
    """
    expect_positive("naive_bytes", count=count)
    expect_above_0("naive_bytes", size=size)
    return (count - 1) * size


def ring_bytes(size: Number, count: int) -> float:
    r"""Count the bytes that each rank sends in an all-reduce around a ring.

    .. math:: \frac{2 (n - 1)}{n} \, S

    As many come in. It is exact where the pieces are equally long.

    Source: Patarasuk and Yuan (2009), who prove that no all-reduce can do with less.

    Args:
        size: bytes of the tensor, :math:`S`.
        count: how many ranks there are, :math:`n`.

    Example:
        >>> ring_bytes(100, 8)
        175.0
    """
    expect_positive("ring_bytes", count=count)
    expect_above_0("ring_bytes", size=size)
    return 2 * (count - 1) * size / count


def naive_seconds(
    size: Number, count: int, bandwidth: Number | Scalar, latency: Number | Scalar = 0.0
) -> float:
    r"""Estimate the time of an all-reduce through one rank, which takes and gives one message after the other.

    .. math:: 2 (n - 1) \Bigl(\alpha + \frac{S}{\beta}\Bigr)

    Args:
        size: bytes of the tensor, :math:`S`.
        count: how many ranks there are, :math:`n`.
        bandwidth: bytes that go from one rank to another in a second, :math:`\beta`.
        latency: seconds that a message takes, however short it is, :math:`\alpha`.

    Returns:
        Seconds; those of the additions are left out.

    Example:
        >>> naive_seconds(1000, 8, bandwidth=1e6, latency=1e-3)
        0.028
    """
    expect_positive("naive_seconds", count=count)
    return 2 * (count - 1) * message_seconds(size, bandwidth, latency)


def _place(function: str, **named: int) -> tuple[int, int]:
    """Return this process's rank and how many there are, if the ranks that are named exist."""
    if not dist.is_initialized():
        raise RuntimeError(
            f"{function} is called in processes that know one another: start them with run_processes, or with torchrun "
            "and torch.distributed.init_process_group"
        )
    count = dist.get_world_size()
    for name, rank in named.items():
        if not 0 <= rank < count:
            raise ValueError(f"{function} expects {name} to be a rank from 0 to {count - 1}, got {rank}")
    return dist.get_rank(), count


def _own(x: torch.Tensor) -> torch.Tensor:
    """Return a copy without gaps: messages are read from memory as it lies there."""
    return x.detach().clone(memory_format=torch.contiguous_format)


def _around(sent: torch.Tensor, received: torch.Tensor) -> None:
    """Send to the right and receive from the left at the same time: if all sent first, nobody would receive."""
    rank, count = dist.get_rank(), dist.get_world_size()
    sending: Any = dist.isend(sent, dst=(rank + 1) % count)
    dist.recv(received, src=(rank - 1) % count)
    sending.wait()
