r"""What a floating-point number is made of, how it is rounded, and how sums stay right all the same.

A format is two numbers of bits: those of the exponent say how far it reaches, those of the fraction how fine it is. All
the formats that deep learning uses follow from these two (:data:`FORMATS`), so one function rounds to any of them
(:func:`round_to`). Then sums are taken as a machine takes them: one term after the other, with what was lost kept
(:func:`kahan_sum`), as a tree, or in a finer format (:func:`matmul`). How training gets along with 16 bits is in
:mod:`dlcourse.gpus._scaling`. Chapter: book/gpus/precision.md.
Sources: Goldberg (1991); Micikevicius et al. (2018, 2022); Kalamkar et al. (2019).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Integer

from dlcourse.gpus._formats import FORMATS, Format, decode, expect_format
from dlcourse.gpus._scaling import LossScaler, mixed_step, next_scale
from dlcourse.neurons._arrays import Floats

__all__ = [
    "FORMATS",
    "Format",
    "LossScaler",
    "decode",
    "encode",
    "grain",
    "kahan_sum",
    "matmul",
    "mixed_step",
    "next_scale",
    "round_to",
    "running_sum",
    "tree_sum",
]

Number = TypeVar("Number", bound=np.ndarray[Any, np.dtype[Any]] | np.floating[Any] | float)


def _last_place(x: Any, exponent_bits: int, fraction_bits: int) -> Any:
    """Find the power of two that the last digit of each number counts."""
    lowest = 2 - 2 ** (exponent_bits - 1)  # the exponent of the smallest normal number
    with np.errstate(invalid="ignore"):  # some processors complain of a signalling NaN
        exponent = np.where(np.equal(x, 0), lowest, np.frexp(x)[1] - 1)
    return np.maximum(exponent, lowest) - fraction_bits


def grain(x: Number, exponent_bits: int, fraction_bits: int) -> Number:
    r"""Return how far apart the numbers of a format lie around ``x``.

    .. math:: 2^{\max(\lfloor \log_2 |x| \rfloor,\; 1 - \text{bias}) - F}

    Args:
        x: finite numbers, any shape.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction, :math:`F`.

    Returns:
        The distances, same shape.

    Example:
        >>> grain(1000.0, *FORMATS["float16"][:2]), grain(1000.0, *FORMATS["bfloat16"][:2])
        (np.float64(0.5), np.float64(4.0))
    """
    expect_format("grain", exponent_bits, fraction_bits)
    if not np.isfinite(x).all():
        raise ValueError(f"grain expects finite numbers, got {x}: nothing lies beside infinity or NaN")
    return np.ldexp(np.ones_like(x), _last_place(x, exponent_bits, fraction_bits))[()]


def round_to(x: Number, exponent_bits: int, fraction_bits: int, infinite: bool = True) -> Number:
    r"""Round to the nearest number of a format; from the middle, to the one whose last bit is 0.

    .. math:: \hat x = q \cdot \mathrm{rint}(x / q), \qquad q = \mathrm{grain}(x)

    What lies half a grain or more above the largest number becomes infinite. A format without infinity keeps its largest
    number instead, as PyTorch does.

    Source: Goldberg (1991), section 2; Micikevicius et al. (2022) for eight bits.

    Args:
        x: numbers in float32 or float64, any shape.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction.
        infinite: see :class:`Format`.

    Returns:
        The rounded numbers, in the dtype of ``x``, same shape.

    Raises:
        TypeError: if ``x`` holds neither float32 nor float64.

    Example:
        >>> round_to(np.array([0.1, 1000.7]), *FORMATS["bfloat16"])
        array([1.00097656e-01, 1.00000000e+03])
    """
    expect_format("round_to", exponent_bits, fraction_bits)
    if np.asarray(x).dtype not in (np.float32, np.float64):
        raise TypeError(
            f"round_to expects float32 or float64, got {np.asarray(x).dtype}: convert with x.astype(np.float32)"
        )
    last = _last_place(x, exponent_bits, fraction_bits)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are answers here
        y = np.ldexp(np.rint(np.ldexp(x, -last)), last)  # by powers of two: nothing else is rounded
    largest = Format(exponent_bits, fraction_bits, infinite).largest
    if not infinite:
        return np.clip(y, -largest, largest)[()]
    return np.where(np.abs(y) > largest, np.copysign(y.dtype.type(np.inf), y), y)[()]


def encode(
    x: Floats, exponent_bits: int, fraction_bits: int, infinite: bool = True
) -> Integer[np.ndarray, "*shape"]:
    """Write numbers as bits, after rounding them: the inverse of :func:`decode`.

    Args:
        x: numbers, any shape.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction.
        infinite: see :class:`Format`.

    Returns:
        Whole numbers, same shape; NaN as the one without a sign that processors give.

    Example:
        >>> f"{encode(np.array([-3.0]), 5, 10)[0]:016b}"
        '1100001000000000'
    """
    known = Format(exponent_bits, fraction_bits, infinite)
    y = np.asarray(round_to(x, *known), float)
    magnitude = np.where(np.isfinite(y), np.abs(y), 0)
    last = _last_place(magnitude, exponent_bits, fraction_bits)
    steps = np.ldexp(magnitude, -last).astype(np.int64)
    # The leading 1 carries into the exponent, which is counted from 0 for subnormal numbers: they have none.
    bits = steps + ((last + fraction_bits - (1 - known.bias)).astype(np.int64) << fraction_bits)
    top = (2**exponent_bits - 1) << fraction_bits
    bits = np.where(np.isinf(y), top, bits)
    bits = bits + (np.signbit(y).astype(np.int64) << (known.bits - 1))
    quiet = top + (2 ** (fraction_bits - 1) if infinite else 2**fraction_bits - 1)
    return np.where(np.isnan(y), quiet, bits)


def running_sum(x: Floats, exponent_bits: int, fraction_bits: int, infinite: bool = True) -> Floats:
    r"""Add one term after the other, and round after each addition.

    .. math:: s_k = \mathrm{round}(s_{k-1} + x_k)

    Args:
        x: terms, ``(n, *shape)``; they are rounded first.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction.
        infinite: see :class:`Format`.

    Returns:
        The sum after each term, ``(n, *shape)``.

    Example:
        >>> running_sum(np.full(500, 1 / 3), *FORMATS["bfloat16"])[-1]
        np.float64(128.0)
    """
    sums = np.array(round_to(x, exponent_bits, fraction_bits, infinite))
    for k in range(1, len(sums)):
        sums[k] = round_to(sums[k - 1] + sums[k], exponent_bits, fraction_bits, infinite)
    return sums


def kahan_sum(x: Floats, exponent_bits: int, fraction_bits: int, infinite: bool = True) -> Any:
    r"""Add one term after the other, and hand what each rounding lost to the next term.

    .. math:: y = x_k - c, \qquad t = s + y, \qquad c = (t - s) - y, \qquad s = t

    All four are rounded. For real numbers :math:`c` would always be 0.

    Source: Kahan (1965).

    Args:
        x: terms, ``(n, *shape)``; they are rounded first.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction.
        infinite: see :class:`Format`.

    Returns:
        The sum, ``(*shape)``.

    Example:
        >>> kahan_sum(np.full(500, 1 / 3), *FORMATS["bfloat16"])  # 1/3 itself is 0.334 there
        np.float64(167.0)
    """

    def rounded(value: Any) -> Any:
        return round_to(value, exponent_bits, fraction_bits, infinite)

    terms = rounded(x)
    total = lost = np.zeros_like(terms[0])
    for term in terms:
        y = rounded(term - lost)
        new = rounded(total + y)
        lost = rounded(rounded(new - total) - y)
        total = new
    return total


def tree_sum(x: Floats, exponent_bits: int, fraction_bits: int, infinite: bool = True) -> Any:
    """Add neighbours, then neighbours of these sums, and so on: as NumPy, PyTorch and every GPU do.

    Args:
        x: terms, ``(n, *shape)``; they are rounded first.
        exponent_bits: bits of the exponent.
        fraction_bits: bits of the fraction.
        infinite: see :class:`Format`.

    Returns:
        The sum, ``(*shape)``.

    Example:
        >>> tree_sum(np.full(500, 1 / 3), *FORMATS["bfloat16"])
        np.float64(167.0)
    """
    sums = round_to(x, exponent_bits, fraction_bits, infinite)
    while len(sums) > 1:
        if len(sums) % 2:
            sums = np.concatenate([sums, np.zeros_like(sums[:1])])
        sums = round_to(sums[::2] + sums[1::2], exponent_bits, fraction_bits, infinite)
    return sums[0]


def matmul(
    a: Float[np.ndarray, "n k"], b: Float[np.ndarray, "k m"], factors: Format, sums: Format
) -> Float[np.ndarray, "n m"]:
    """Multiply matrices as a tensor core does: factors in one format, and the sums in another, usually a finer one.

    Args:
        a: left matrix, ``(n, k)``.
        b: right matrix, ``(k, m)``.
        factors: what both are rounded to. The product of two such numbers is exact.
        sums: what each sum is rounded to after each of its ``k`` terms.

    Returns:
        The product, ``(n, m)``.

    Example:
        >>> brain, single = FORMATS["bfloat16"], FORMATS["float32"]
        >>> ones, thirds = np.ones((1, 500)), np.full((500, 1), 1 / 3)
        >>> matmul(ones, thirds, brain, brain).item(), matmul(ones, thirds, brain, single).item()
        (128.0, 166.9921875)
    """
    a, b = round_to(a, *factors), round_to(b, *factors)
    total = np.zeros((len(a), b.shape[1]))
    for column, row in zip(a.T, b, strict=True):  # (n,), (m,)
        total = round_to(total + column[:, None] * row, *sums)
    return total
