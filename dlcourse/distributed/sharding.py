"""One model on several ranks: each holds a part, and what is missing comes when it is needed.

Two ways to divide. Sharded data parallelism lets each rank hold a share of the parameters, the gradients and the
optimizer's moments, and brings a layer together just before it is used (:func:`state_bytes`, :class:`ShardedMLP`).
Tensor parallelism divides the matrix product itself: columns or rows of the weights, and one sum over all ranks where
the parts meet (:func:`column_linear_op`, :func:`row_linear_op`). What FSDP of PyTorch makes of the first one is in
:mod:`dlcourse.distributed._fsdp`.
Chapter: book/distributed/sharding.md. Sources: Rajbhandari et al. (2020); Shoeybi et al. (2019); Zhao et al. (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float

from dlcourse.distributed._fsdp import fully_sharded, load_checkpoint, save_checkpoint, state_held
from dlcourse.distributed._shares import State, divided, pieces_to_read, share, state_bytes, traffic_bytes
from dlcourse.distributed._zero import ShardedMLP
from dlcourse.gpus._device import torch

__all__ = [
    "ShardedMLP",
    "State",
    "all_sum",
    "column_linear_op",
    "column_part",
    "fully_sharded",
    "load_checkpoint",
    "mlp_op",
    "mlp_part",
    "pieces_to_read",
    "row_linear_op",
    "row_part",
    "save_checkpoint",
    "share",
    "state_bytes",
    "state_held",
    "traffic_bytes",
]

Tensor: TypeAlias = torch.Tensor
Sum: TypeAlias = Callable[[Tensor], Tensor]
Pullback: TypeAlias = Callable[[Tensor], tuple[Tensor, ...]]
Parts: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]


def all_sum(part: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Add up the parts of all ranks, so that each of them has the sum: an all-reduce.

    Args:
        part: what this rank contributes; the same shape on all ranks. It is not changed.

    Raises:
        RuntimeError: if there is no process group.
    """
    if not torch.distributed.is_initialized():
        raise RuntimeError(
            "all_sum expects processes that know one another, got a process alone: call it in what run_processes or "
            "torchrun starts"
        )
    whole = part.clone()
    torch.distributed.all_reduce(whole)
    return whole


def column_part(
    W: Float[Tensor, "n_in n_out"],
    b: Float[Tensor, " n_out"],
    rank: int,
    ranks: int,
) -> tuple[Float[Tensor, "n_in n_part"], Float[Tensor, " n_part"]]:
    """Cut out the units that a rank holds: columns of the weights, and their biases.

    Args:
        W: weights, ``(n_in, n_out)``.
        b: biases, ``(n_out,)``.
        rank: which part.
        ranks: how many parts there are; they divide ``n_out``.

    Returns:
        Weights ``(n_in, n_out / ranks)`` and biases ``(n_out / ranks,)``, in memory of their own.

    Raises:
        ValueError: if the ranks do not divide the units.
    """
    own = divided("column_part", "n_out", W.shape[1], rank, ranks)
    return W[:, own].clone(), b[own].clone()


def row_part(
    W: Float[Tensor, "n_in n_out"],
    rank: int,
    ranks: int,
) -> Float[Tensor, "n_part n_out"]:
    """Cut out the inputs that a rank holds: rows of the weights. The biases are needed once, so all ranks keep them.

    Args:
        W: weights, ``(n_in, n_out)``.
        rank: which part.
        ranks: how many parts there are; they divide ``n_in``.

    Returns:
        Weights ``(n_in / ranks, n_out)``, in memory of their own.
    """
    return W[divided("row_part", "n_in", W.shape[0], rank, ranks)].clone()


def column_linear_op(
    x: Float[Tensor, "batch n_in"],
    W: Float[Tensor, "n_in n_part"],
    b: Float[Tensor, " n_part"],
    all_reduce: Sum = all_sum,
) -> tuple[Float[Tensor, "batch n_part"], Pullback]:
    r"""Apply the units of this rank to a batch that all ranks have.

    .. math:: Z_k = X W_k + b_k, \qquad \bar X = \sum_k \bar Z_k W_k^\top

    Forward no rank needs another one. On the way back each rank knows only what **its** units ask of the inputs, so all
    ranks add up.

    Source: Shoeybi et al. (2019), section 3.

    Args:
        x: the whole batch, the same on all ranks, ``(batch, n_in)``.
        W: columns of this rank, ``(n_in, n_part)``.
        b: their biases, ``(n_part,)``.
        all_reduce: adds up the parts of all ranks.

    Returns:
        Answers of these units, ``(batch, n_part)``, and the pullback: ``d_z`` of these units to ``(d_x, d_W, d_b)``.

    Example:
        >>> x, W, b = torch.ones(2, 3), torch.ones(3, 4), torch.zeros(4)
        >>> z, pullback = column_linear_op(x, W, b, all_reduce=lambda part: part)
        >>> z.shape, [tuple(gradient.shape) for gradient in pullback(z)]
        (torch.Size([2, 4]), [(2, 3), (3, 4), (4,)])
    """
    _expect_fits("column_linear_op", x, W)

    def pullback(d_z: Tensor) -> tuple[Tensor, ...]:
        d_x = all_reduce(d_z @ W.T)  # (batch, n_in), of all ranks
        return d_x, x.T @ d_z, d_z.sum(0)

    return x @ W + b, pullback


def row_linear_op(
    x: Float[Tensor, "batch n_part"],
    W: Float[Tensor, "n_part n_out"],
    b: Float[Tensor, " n_out"],
    all_reduce: Sum = all_sum,
) -> tuple[Float[Tensor, "batch n_out"], Pullback]:
    r"""Apply all units to the inputs that this rank has, and add up over the ranks.

    .. math:: Z = \sum_k X_k W_k + b, \qquad \bar X_k = \bar Z W_k^\top

    Forward each rank knows only a part of each sum, so all ranks add up; the biases come after that, once. On the way
    back no rank needs another one: all have the whole ``d_z``.

    Source: Shoeybi et al. (2019), section 3.

    Args:
        x: the inputs of this rank, ``(batch, n_part)``.
        W: their rows, ``(n_part, n_out)``.
        b: the biases, the same on all ranks, ``(n_out,)``.
        all_reduce: adds up the parts of all ranks.

    Returns:
        Answers of all units, ``(batch, n_out)``, and the pullback: the whole ``d_z`` to ``(d_x, d_W, d_b)``.

    Example:
        >>> x, W, b = torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)
        >>> row_linear_op(x, W, b, all_reduce=lambda part: 2 * part)[0][0]  # as if two ranks had the same
        tensor([7., 7., 7., 7.])
    """
    _expect_fits("row_linear_op", x, W)

    def pullback(d_z: Tensor) -> tuple[Tensor, ...]:
        return d_z @ W.T, x.T @ d_z, d_z.sum(0)

    return all_reduce(x @ W) + b, pullback


def mlp_part(parts: Parts, rank: int, ranks: int) -> Parts:
    """Cut out what a rank holds of two layers: units of the first one, and the rows that belong to them.

    Args:
        parts: weights and biases of both layers, ``(n_in, hidden), (hidden,), (hidden, n_out), (n_out,)``.
        rank: which part.
        ranks: how many parts there are; they divide ``hidden``.
    """
    W1, b1, W2, b2 = parts
    return *column_part(W1, b1, rank, ranks), row_part(W2, rank, ranks), b2.clone()


def mlp_op(
    x: Float[Tensor, "batch n_in"],
    parts: Parts,
    all_reduce: Sum = all_sum,
) -> tuple[Float[Tensor, "batch n_out"], Pullback]:
    r"""Apply two layers that are divided so that they meet once: columns of the first, rows of the second.

    .. math:: Z = \sum_k \operatorname{relu}(X W_k + b_k) \, V_k + c

    The activation is computed for each unit alone, so each rank can do it for its own units, and nothing is sent
    between the two layers. There is one sum over all ranks forward, and one on the way back.

    Args:
        x: the whole batch, the same on all ranks, ``(batch, n_in)``.
        parts: what :func:`mlp_part` gives this rank.
        all_reduce: adds up the parts of all ranks.

    Returns:
        Answers, ``(batch, n_out)``, and the pullback: ``d_z`` to ``d_x`` and the gradients of the four parts.
    """
    W1, b1, W2, b2 = parts
    z, back_1 = column_linear_op(x, W1, b1, all_reduce)  # (batch, hidden / ranks)
    h = torch.relu(z)
    answers, back_2 = row_linear_op(h, W2, b2, all_reduce)  # (batch, n_out)

    def pullback(d_answers: Tensor) -> tuple[Tensor, ...]:
        d_h, d_W2, d_b2 = back_2(d_answers)
        return *back_1(d_h * (z > 0)), d_W2, d_b2

    return answers, pullback


def _expect_fits(function: str, x: Tensor, W: Tensor) -> None:
    """Refuse inputs that were not divided as the weights were."""
    if x.ndim != 2 or x.shape[1] != W.shape[0]:
        whose = "all inputs" if function.startswith("column") else "the inputs of this rank alone"
        raise ValueError(
            f"{function} expects x of shape (batch, {W.shape[0]}), got {tuple(x.shape)}: give it {whose}"
        )
