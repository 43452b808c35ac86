"""A batch in pieces: the gradient of many samples, with the memory of a few.

Chapter: book/gpus/memory.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Shaped

from dlcourse.gpus._expect import expect_positive
from dlcourse.neurons._arrays import Array


def accumulate(
    loss_and_gradients: Callable[
        [Array, Array],
        tuple[float, Sequence[Array]],
    ],
    x: Shaped[np.ndarray, "batch ..."],
    y: Shaped[np.ndarray, "batch ..."],
    *,
    size: int,
) -> tuple[float, tuple[Array, ...]]:
    """Compute the loss of a large batch, and its gradients, from pieces that fit into memory.

    A loss is a mean over its samples. So each piece counts by its share of the samples, and the last one may be smaller.

    Args:
        loss_and_gradients: that of a model, such as ``TorchMLP``; its losses are means over the samples.
        x: samples, ``(batch, ...)``.
        y: labels or targets, ``(batch, ...)``.
        size: most samples of a piece.

    Returns:
        The loss, and one gradient a parameter.

    Raises:
        ValueError: if there is no sample, or not one target for each of them.
    """
    expect_positive("accumulate", size=size)
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(
            f"accumulate expects one target for each sample, got {len(x)} samples and {len(y)} targets"
        )
    total, sums = 0.0, tuple[Array, ...]()
    for start in range(0, len(x), size):
        piece = slice(start, start + size)
        share = len(x[piece]) / len(x)
        loss, gradients = loss_and_gradients(x[piece], y[piece])
        total += share * loss
        # As Python's float, so that the dtype of the gradients stays.
        shares = [share * gradient for gradient in gradients]
        sums = tuple(map(np.add, sums, shares)) if sums else tuple(shares)
    return total, sums


def held_gradients(
    W: Float[np.ndarray, "n_in n_out"],
    x: Float[np.ndarray, "batch n_in"],
    y: Float[np.ndarray, "batch n_out"],
    size: int,
) -> Float[np.ndarray, "pieces n_in n_out"]:
    r"""Return what has been added up after each piece of a batch: the gradient of a linear layer's mean squared error.

    .. math:: \frac{2}{\text{batch} \cdot n_\text{out}} \sum_{i \le \text{end of the piece}} x_i^\top (x_i W - y_i)

    Args:
        W: weights, ``(n_in, n_out)``.
        x: samples, ``(batch, n_in)``.
        y: targets, ``(batch, n_out)``.
        size: most samples of a piece.

    Returns:
        One gradient a piece, ``(pieces, n_in, n_out)``; the last one is that of the whole batch.

    Example:
        >>> held_gradients(np.array([[2.0]]), np.array([[1.0], [3.0]]), np.array([[5.0], [0.0]]), 1).ravel()
        array([-3., 15.])
    """
    expect_positive("held_gradients", size=size)
    pieces = [slice(start, start + size) for start in range(0, len(x), size)]
    shares = [2 / y.size * x[piece].T @ (x[piece] @ W - y[piece]) for piece in pieces]  # (n_in, n_out) each
    return np.cumsum(shares, axis=0)
