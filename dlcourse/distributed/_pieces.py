"""What all ranks do together, computed in one process with NumPy: the same arithmetic, without a message.

The first axis counts the ranks. Chapter: book/distributed/sharding.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from dlcourse.distributed._shares import divided
from dlcourse.gpus._expect import Scalar


def sharded_step(
    shares: Float[np.ndarray, "ranks size"],
    gradients: Float[np.ndarray, "ranks ranks*size"],
    rate: Scalar,
) -> Float[np.ndarray, "ranks size"]:
    r"""Take one step of gradient descent in which each rank changes its own share only.

    .. math:: p_k \leftarrow p_k - \eta \Bigl( \frac{1}{n} \sum_j g_j \Bigr)_k

    The average that is cut into shares is a reduce-scatter.

    Args:
        shares: the parameters that each rank holds, ``(ranks, size)``.
        gradients: of all parameters, as each rank found them with its own samples, ``(ranks, ranks * size)``.
        rate: the learning rate.

    Example:
        >>> sharded_step(np.zeros((2, 1)), np.array([[1.0, 2.0], [3.0, 4.0]]), rate=1.0)
        array([[-2.],
               [-3.]])
    """
    if gradients.shape != (len(shares), shares.size):
        raise ValueError(
            f"sharded_step expects one gradient of all parameters for each rank, {(len(shares), shares.size)}, "
            f"got {gradients.shape}"
        )
    return shares - rate * gradients.mean(axis=0).reshape(shares.shape)


def column_backward(
    x: Float[np.ndarray, "batch n_in"],
    W_parts: Float[np.ndarray, "ranks n_in n_part"],
    d_z_parts: Float[np.ndarray, "ranks batch n_part"],
) -> tuple[Float[np.ndarray, "batch n_in"], Float[np.ndarray, "ranks n_in n_part"]]:
    r"""Go back through a layer whose columns are divided among the ranks.

    .. math:: \bar X = \sum_k \bar Z_k W_k^\top, \qquad \bar W_k = X^\top \bar Z_k

    Args:
        x: the batch, which all ranks have.
        W_parts: the columns of each rank.
        d_z_parts: the gradient with respect to the answers of each rank.

    Returns:
        ``d_x``, and the gradient of each rank's columns.
    """
    d_x = np.einsum("kbp,kip->bi", d_z_parts, W_parts)  # the sum over k is an all-reduce
    return d_x, x.T @ d_z_parts


def row_linear(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "n_in n_out"],
    b: Float[np.ndarray, " n_out"],
    ranks: int,
) -> tuple[Float[np.ndarray, "ranks batch n_out"], Float[np.ndarray, "batch n_out"]]:
    r"""Apply a layer whose rows are divided among the ranks.

    .. math:: Z = \sum_k X_k W_k + b

    Args:
        x: the batch; rank ``k`` uses its part of the columns.
        W: all weights; rank ``k`` holds its part of the rows.
        b: the biases.
        ranks: how many there are; they divide ``n_in``.

    Returns:
        What each rank contributes, and the answers after the sum over the ranks.
    """
    own = [divided("row_linear", "n_in", len(W), rank, ranks) for rank in range(ranks)]
    parts = np.stack([x[:, k] @ W[k] for k in own])  # (ranks, batch, n_out)
    return parts, parts.sum(axis=0) + b


def parallel_mlp(x: Any, W: Any, b: Any, V: Any, c: Any, ranks: int) -> list[Any]:
    """Return the answers of two layers as each rank has them in the end: the undivided ones, on each the same.

    Args:
        x: the batch, a tensor ``(batch, n_in)``.
        W: weights of the first layer, ``(n_in, hidden)``.
        b: its biases, ``(hidden,)``.
        V: weights of the second layer, ``(hidden, n_out)``.
        c: its biases, ``(n_out,)``.
        ranks: how many there are.
    """
    return [(x @ W + b).clamp(min=0) @ V + c] * ranks
