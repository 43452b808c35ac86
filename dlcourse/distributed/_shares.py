"""Who holds which part of what, and how many bytes that is: counted, without any process.

Chapter: book/distributed/sharding.md. Source: Rajbhandari et al. (2020), sections 3, 5 and 7.
"""

from __future__ import annotations

from operator import index
from typing import NamedTuple

from dlcourse.gpus._expect import expect_positive

STAGES = ("nothing", "the optimizer", "the optimizer and the gradients", "all three")
"""What is divided among the ranks in each stage of ZeRO."""


class State(NamedTuple):
    """The bytes that one rank holds between two steps, whatever the batch.

    Args:
        parameters: bytes of weights and biases.
        gradients: bytes of their gradients.
        optimizer: bytes of what the optimizer keeps.
    """

    parameters: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """All bytes together."""
        return sum(self)


def share(count: int, rank: int, ranks: int) -> tuple[int, int]:
    r"""Say which of ``count`` numbers or rows a rank holds, in order: all take as many, and the last ones what is left.

    .. math:: \Bigl[\, k \lceil c / n \rceil, \; (k + 1) \lceil c / n \rceil \,\Bigr) \cap [0, c)

    The last ranks may have fewer, or none. This is the rule of ``torch.chunk``, and of FSDP for the rows of a parameter.

    Args:
        count: how many there are, :math:`c`.
        rank: whose share, :math:`k`, from 0 on.
        ranks: how many ranks there are, :math:`n`.

    Returns:
        The first one, and the one behind the last.

    Raises:
        ValueError: if there is no such rank.

    Example:
        >>> [share(10, rank, 4) for rank in range(4)]
        [(0, 3), (3, 6), (6, 9), (9, 10)]
    """
    expect_positive("share", count=count, ranks=ranks)
    expect_rank("share", rank, ranks)
    size = -(-count // ranks)
    return min(rank * size, count), min((rank + 1) * size, count)


def divided(function: str, name: str, count: int, rank: int, ranks: int) -> slice:
    """Cut out the share of a rank, where all must be equal because the ranks compute side by side."""
    expect_positive(function, ranks=ranks)
    expect_rank(function, rank, ranks)
    if count % ranks:
        below = count // ranks * ranks
        near = f"{below} or {below + ranks}" if below else f"{ranks}"
        raise ValueError(
            f"{function} expects {name} to be a multiple of the {ranks} ranks, got {count}: make the layer {near} wide, "
            "or take a number of ranks that divides it"
        )
    return slice(*share(count, rank, ranks))


def state_bytes(parameters: int, ranks: int, stage: int, itemsize: int = 4, moments: int = 2) -> State:
    r"""Count the bytes that one rank holds of a model that is trained, in one of the stages of ZeRO.

    .. math:: s N \cdot \Bigl( \tfrac{1}{n} \text{ if stage} \ge 3 \Bigr), \quad
              s N \cdot \Bigl( \tfrac{1}{n} \text{ if stage} \ge 2 \Bigr), \quad
              s m N \cdot \Bigl( \tfrac{1}{n} \text{ if stage} \ge 1 \Bigr)

    Stage 0 is plain data parallelism. What does not divide is rounded up: the longest share counts.

    Source: Rajbhandari et al. (2020), section 5.

    Args:
        parameters: how many weights and biases there are, :math:`N`.
        ranks: how many ranks share them, :math:`n`.
        stage: 0 divides nothing, 1 the optimizer, 2 the gradients besides, 3 the parameters, too.
        itemsize: bytes of one number, :math:`s`.
        moments: numbers that the optimizer keeps for each parameter, :math:`m`; 2 for Adam.

    Raises:
        ValueError: if there is no such stage.

    Example:
        >>> [state_bytes(7_000_000_000, ranks=8, stage=stage).total // 10**9 for stage in range(4)]
        [112, 63, 38, 14]
    """
    expect_positive("state_bytes", parameters=parameters, ranks=ranks, itemsize=itemsize)
    expect_stage("state_bytes", stage)
    if index(moments) < 0:
        raise ValueError(
            f"state_bytes expects moments from 0 on, got {moments}: plain descent keeps 0, Adam 2"
        )
    whole, part = itemsize * parameters, itemsize * -(-parameters // ranks)
    return State(
        parameters=part if stage >= 3 else whole,
        gradients=part if stage >= 2 else whole,
        optimizer=moments * (part if stage >= 1 else whole),
    )


def traffic_bytes(parameters: int, ranks: int, stage: int, itemsize: int = 4) -> float:
    r"""Count the bytes that a rank sends in one training step, if each collective goes round a ring.

    .. math:: \frac{n - 1}{n} \, s N \cdot
              \begin{cases} 2 & \text{stages 0, 1 and 2} \\ 3 & \text{stage 3} \end{cases}

    An all-reduce is a reduce-scatter and an all-gather. Stages 1 and 2 do the same two, with the update between them.
    Stage 3 gathers the parameters twice, forward and on the way back, and scatters the gradients once.

    Source: Rajbhandari et al. (2020), section 7.

    Args:
        parameters: how many weights and biases there are, :math:`N`.
        ranks: how many ranks there are, :math:`n`.
        stage: what is divided, as for :func:`state_bytes`.
        itemsize: bytes of one number, :math:`s`.

    Example:
        >>> traffic_bytes(1000, ranks=4, stage=2), traffic_bytes(1000, ranks=4, stage=3)
        (6000.0, 9000.0)
    """
    expect_positive("traffic_bytes", parameters=parameters, ranks=ranks, itemsize=itemsize)
    expect_stage("traffic_bytes", stage)
    times = 3 if stage == 3 else 2
    return times * (ranks - 1) / ranks * itemsize * parameters


def pieces_to_read(count: int, saved: int, rank: int, ranks: int) -> list[tuple[int, int, int]]:
    """Say where a rank finds its share in a checkpoint that another number of ranks saved.

    Args:
        count: how many numbers or rows there are.
        saved: how many ranks saved them, each its share in a file of its own.
        rank: which rank reads.
        ranks: how many ranks read.

    Returns:
        For each file that is needed its rank, and from where to where to read **in that file**.

    Example:
        >>> pieces_to_read(10, saved=4, rank=1, ranks=2)  # numbers 5 to 9
        [(1, 2, 3), (2, 0, 3), (3, 0, 1)]
    """
    expect_positive("pieces_to_read", saved=saved)
    first, end = share(count, rank, ranks)
    found = []
    for file in range(saved):
        begins, ends = share(count, file, saved)
        start, stop = max(first, begins), min(end, ends)
        if start < stop:
            found.append((file, start - begins, stop - begins))
    return found


def expect_rank(function: str, rank: int, ranks: int) -> None:
    """Refuse a rank that is not there."""
    if not 0 <= index(rank) < ranks:
        raise ValueError(
            f"{function} expects a rank from 0 to {ranks - 1}, got {rank}: ranks are counted from 0"
        )


def expect_stage(function: str, stage: int) -> None:
    """Refuse a stage that ZeRO does not have."""
    if index(stage) not in range(len(STAGES)):
        raise ValueError(
            f"{function} expects a stage from 0 to 3, got {stage}: 0 divides nothing, 1 the optimizer, 2 the gradients "
            "besides, 3 the parameters, too"
        )
