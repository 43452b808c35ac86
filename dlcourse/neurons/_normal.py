"""The normal distribution's share below a point, which GELU needs and NumPy does not have."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

FAR = 40.0
"""Beyond this distance from 0 nothing of the normal distribution is left, even in float64."""

# Shepherd and Laframboise (1981): (1 + 2x) exp(x²) erfc(x) for all x >= 0, as a Chebyshev series in
# t = (x - 3.75) / (x + 3.75).
_CHEBYSHEV = (
    1.1775789345674017541,
    -4.5900545806464773309e-3,
    -8.4249133366517915584e-2,
    5.9209939998191890498e-2,
    -2.6658668435305752277e-2,
    9.0749976707052650939e-3,
    -2.4131635404176081909e-3,
    4.9077583652580863229e-4,
    -6.9169733025012063671e-5,
    4.1390279860730101675e-6,
    7.7403830661984906686e-7,
    -2.1886401049234395661e-7,
    1.0764999465670910377e-8,
    4.5219598112182868979e-9,
    -7.7544002088313511065e-10,
    -6.3180883408866844944e-11,
    2.8687950109306698981e-11,
    1.9455868545777347230e-13,
    -9.6546967484334389059e-13,
    3.2525481481487398415e-14,
    3.3478119482868053878e-14,
    -1.8645628804193131015e-15,
    -1.2507950530688647085e-15,
)


def _powers(terms: int) -> tuple[float, ...]:
    """Rewrite the first terms of the series in powers of t, the highest first."""
    return tuple(np.polynomial.chebyshev.cheb2poly(_CHEBYSHEV[:terms])[::-1].tolist())


_DOUBLE, _SINGLE = _powers(len(_CHEBYSHEV)), _powers(12)
_BLOCK = 16384  # numbers: what is worked on stays in the processor's cache


def normal_cdf(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    r"""Compute the share of the standard normal distribution that lies below each number.

    .. math:: \Phi(z) = \tfrac12 \operatorname{erfc}\bigl(-z / \sqrt 2\bigr)

    The error is relative to the value, so the far left tail keeps its digits: 1e-14 down to z = -10 in float64,
    which :math:`(1 + \operatorname{erf}) / 2` would round to 0 there.

    Source: Shepherd and Laframboise (1981), Mathematics of Computation 36, pages 249-253.

    Args:
        z: any shape; floating-point.

    Returns:
        Shares from 0 to 1 in the dtype of ``z``, same shape.

    Example:
        >>> normal_cdf(np.array([-np.inf, 0.0, 1.0])).round(6)
        array([0.      , 0.5     , 0.841345])
    """
    flat = np.ravel(z)
    shares = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        shares[start : start + _BLOCK] = _cdf(flat[start : start + _BLOCK])
    return shares.reshape(z.shape)


def _cdf(z: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    x = np.minimum(np.abs(z), FAR) * math.sqrt(0.5)
    t = (x - 3.75) / (x + 3.75)
    highest, *rest = _DOUBLE if x.dtype.itemsize > 4 else _SINGLE
    tail = np.full_like(t, highest)
    for coefficient in rest:
        tail *= t
        tail += coefficient
    tail *= np.exp(-x * x) / (2 + 4 * x)  # half of erfc(x): the share beyond |z|
    return np.abs((z > 0) - tail)


def normal_density(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    r"""Compute the derivative of :func:`normal_cdf`.

    .. math:: \varphi(z) = \exp(-z^2 / 2) / \sqrt{2 \pi}

    Args:
        z: any shape; floating-point.

    Returns:
        Densities in the dtype of ``z``, same shape.
    """
    x = np.minimum(np.abs(z), FAR)
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
