"""What the exercise on kernels is compared with: NumPy, so that the process that judges needs no Triton.

Tensors may come in; arrays go out. The size of a block changes who computes a number, not the number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.neurons import activation
from dlcourse.neurons._arrays import Array


def _in_float64(*arrays: Any) -> list[Array]:
    return [np.array(a, dtype=np.float64) for a in arrays]


def add(x: Any, y: Any, block: int) -> Array:
    """Return the sum of two arrays.

    Args:
        x: numbers, ``(n,)``.
        y: numbers, ``(n,)``.
        block: numbers of a program.
    """
    x, y = _in_float64(x, y)
    return x + y


def softmax(z: Any) -> Array:
    """Return the probabilities of each row.

    Args:
        z: scores, ``(rows, n)``.
    """
    return activation.softmax(_in_float64(z)[0])


def matmul(a: Any, b: Any) -> Array:
    """Return a matrix product.

    Args:
        a: ``(m, k)``.
        b: ``(k, n)``.
    """
    a, b = _in_float64(a, b)
    return a @ b


def linear_gelu(x: Any, W: Any, b: Any) -> Array:
    """Return the activations of a layer with GELU.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
    """
    x, W, b = _in_float64(x, W, b)
    return activation.gelu(x @ W + b)


def gelu_back(z: Any, d_y: Any, block: int) -> Array:
    """Return the gradient of the weighted sums.

    Args:
        z: weighted sums, ``(n,)``.
        d_y: gradients of the activations, ``(n,)``.
        block: numbers of a program.
    """
    z, d_y = _in_float64(z, d_y)
    d_z: Array = activation.gelu_op(z)[1](d_y)
    return d_z
