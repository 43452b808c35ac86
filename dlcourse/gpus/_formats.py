"""What a floating-point number is made of: the formats of deep learning, and how their bits are read.

Chapter: book/gpus/precision.md. Sources: Goldberg (1991); Micikevicius et al. (2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer


class Format(NamedTuple):
    """How the bits of a number are divided: one for the sign, some for the exponent, the rest for the fraction.

    It unpacks into the arguments that the functions below take: ``round_to(x, *FORMATS["bfloat16"])``.

    Args:
        exponent_bits: they decide how large and how small a number can be.
        fraction_bits: they decide how fine the numbers lie.
        infinite: whether the largest exponent is kept for infinity and NaN. Where bits are few (e4m3) it holds numbers,
            but for a single NaN.

    Example:
        >>> FORMATS["float16"].largest, FORMATS["float16"].smallest
        (65504.0, 5.960464477539063e-08)
    """

    exponent_bits: int
    fraction_bits: int
    infinite: bool = True

    @property
    def bits(self) -> int:
        """How many bits there are in all."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self) -> int:
        """What is added to an exponent so that it is stored without a sign."""
        return int(2 ** (self.exponent_bits - 1) - 1)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        # Without infinity there is one exponent more, whose last fraction is NaN.
        exponent = 2**self.exponent_bits - 1 - self.infinite - self.bias
        last = self.fraction_bits - (0 if self.infinite else 1)
        return (2.0 - 2.0**-last) * 2.0**exponent

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with all its digits; below it they get lost one by one."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest(self) -> float:
        """The smallest positive number. Half of it, and less, becomes 0."""
        return self.smallest_normal * self.epsilon

    @property
    def epsilon(self) -> float:
        """From 1 to the next larger number."""
        return 2.0**-self.fraction_bits


FORMATS = {
    "float32": Format(8, 23),
    "tf32": Format(8, 10),
    "bfloat16": Format(8, 7),
    "float16": Format(5, 10),
    "e5m2": Format(5, 2),
    "e4m3": Format(4, 3, infinite=False),
}
"""The formats of deep learning. TF32 takes 32 bits in memory; a GPU reads the 19 that count when it multiplies."""


def decode(
    bits: Integer[np.ndarray, "*shape"],
    exponent_bits: int,
    fraction_bits: int,
    infinite: bool = True,
) -> Float[np.ndarray, "*shape"]:
    r"""Read numbers from their bits.

    .. math:: x = (-1)^s \cdot \begin{cases}
              (1 + f / 2^F) \cdot 2^{\,e - \text{bias}} & e > 0 \text{, normal} \\
              (0 + f / 2^F) \cdot 2^{\,1 - \text{bias}} & e = 0 \text{, subnormal} \end{cases}
              \qquad \text{bias} = 2^{E-1} - 1

    With the largest exponent, a fraction of 0 is infinity, and any other is NaN.

    Source: Goldberg (1991), section 2.2; IEEE 754.

    Args:
        bits: whole numbers from 0 on, any shape: sign, exponent :math:`e`, fraction :math:`f`, in this order.
        exponent_bits: :math:`E`.
        fraction_bits: :math:`F`.
        infinite: see :class:`Format`.

    Returns:
        The numbers in float64, same shape.

    Example:
        >>> decode(np.array([0b0_01111_0000000000, 0b1_10000_1000000000]), 5, 10)
        array([ 1., -3.])
    """
    expect_format("decode", exponent_bits, fraction_bits)
    known = Format(exponent_bits, fraction_bits, infinite)
    if bits.size and not 0 <= int(bits.min()) <= int(bits.max()) < 2**known.bits:
        raise ValueError(
            f"decode expects whole numbers from 0 to 2^{known.bits} - 1, got {bits.min()} to {bits.max()}: "
            f"a number of this format has {known.bits} bits"
        )
    top = 2**exponent_bits - 1
    sign = bits >> (exponent_bits + fraction_bits)
    exponent = (bits >> fraction_bits & top).astype(int)
    fraction = bits & 2**fraction_bits - 1
    significand = (exponent > 0) + fraction / 2**fraction_bits
    value = np.ldexp(significand, np.maximum(exponent, 1) - known.bias)
    if infinite:
        value = np.where(exponent == top, np.where(fraction == 0, np.inf, np.nan), value)
    else:
        value = np.where((exponent == top) & (fraction == 2**fraction_bits - 1), np.nan, value)
    return np.where(sign == 1, -value, value)


def expect_format(function: str, exponent_bits: int, fraction_bits: int) -> None:
    if not (2 <= exponent_bits <= 8 and 1 <= fraction_bits <= 23):
        raise ValueError(
            f"{function} expects 2 to 8 bits of exponent and 1 to 23 of fraction, got {exponent_bits} and "
            f"{fraction_bits}: float32 has 8 and 23"
        )
