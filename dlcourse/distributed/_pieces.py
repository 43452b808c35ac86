"""What all ranks do together, computed in one process with NumPy: the same arithmetic, without a message.

The first axis counts the ranks. Chapter: book/distributed/sharding.md.
"""

from __future__ import annotations

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


def mlp_answers(
    x: Float[np.ndarray, "batch n_in"],
    W: Float[np.ndarray, "ranks n_in n_part"],
    b: Float[np.ndarray, "ranks n_part"],
    V: Float[np.ndarray, "ranks n_part n_out"],
    c: Float[np.ndarray, " n_out"],
) -> Float[np.ndarray, "ranks batch n_out"]:
    """Return the answers of two divided layers as each rank has them in the end: on all the same.

    Args:
        x: the batch, which all ranks have.
        W: columns of the first layer, of each rank.
        b: their biases.
        V: rows of the second layer, of each rank.
        c: the biases of the second layer, which all ranks have.
    """
    hidden = np.maximum(x @ W + b[:, None], 0)  # (ranks, batch, n_part)
    return np.stack([(hidden @ V).sum(axis=0) + c] * len(W))
