"""The universal test of a derivative: compare it with a finite difference along random directions.

Going once along a random direction tests all partial derivatives at once, and costs two evaluations whatever the
number of inputs.
Chapter: book/learning/backpropagation.md. Source: Nocedal and Wright (2006), Numerical Optimization, section 8.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Pullback = Callable[[Any], Any]


class GradientError(AssertionError):
    """A pullback does not agree with the finite difference."""


def check_gradients(
    op: Callable[..., tuple[Any, Pullback]],
    *inputs: Any,
    rng: np.random.Generator,
    rtol: float = 1e-6,
    eps: float = 1e-5,
) -> None:
    r"""Hold the pullback of ``op`` to a central difference.

    .. math:: \langle \bar y, \tfrac{f(x + \epsilon v) - f(x - \epsilon v)}{2 \epsilon} \rangle
              \approx \langle J^\top \bar y, v \rangle

    Args:
        op: function of arrays that returns its value and its pullback; the pullback takes the gradient of the value and
            returns one gradient an input, in order.
        inputs: float64 arrays.
        rng: draws the directions :math:`v` and the gradient :math:`\bar y`.
        rtol: relative tolerance.
        eps: step of the difference.

    Raises:
        TypeError: if an input is not float64, which is too coarse for a difference.
        GradientError: if a gradient is wrong, or has the wrong shape or dtype.

    Example:
        >>> import numpy as np
        >>> square = lambda x: (x * x, lambda d_y: 2 * x * d_y)
        >>> check_gradients(square, np.arange(3.0), rng=np.random.default_rng(0))
    """
    arrays = [np.asarray(x) for x in inputs]
    for i, x in enumerate(arrays):
        if x.dtype != np.float64:
            raise TypeError(
                f"check_gradients expects float64, got {x.dtype} as input {i + 1}: convert it with astype(float)"
            )
    value, pullback = op(*arrays)
    d_value = rng.standard_normal(np.shape(value))
    gradients = pullback(d_value)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    if len(gradients) != len(arrays):
        raise GradientError(f"{len(arrays)} inputs went in, but {len(gradients)} gradients came back")
    for i, (x, d_x) in enumerate(zip(arrays, gradients, strict=True)):
        if np.shape(d_x) != x.shape or np.asarray(d_x).dtype != x.dtype:
            raise GradientError(
                f"the gradient of input {i + 1} should be {x.dtype} of shape {x.shape}, "
                f"but it is {np.asarray(d_x).dtype} of shape {np.shape(d_x)}"
            )
        v = rng.standard_normal(x.shape)
        plus = op(*arrays[:i], x + eps * v, *arrays[i + 1 :])[0]
        minus = op(*arrays[:i], x - eps * v, *arrays[i + 1 :])[0]
        numeric = float(np.sum(d_value * (np.asarray(plus) - np.asarray(minus))) / (2 * eps))
        analytic = float(np.sum(d_x * v))
        if abs(numeric - analytic) > rtol * max(1.0, abs(numeric), abs(analytic)):
            raise GradientError(
                f"the gradient of input {i + 1} along a random direction is {analytic:.9g}, "
                f"but the finite difference is {numeric:.9g}"
            )
