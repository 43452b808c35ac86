"""The IDX format, in which MNIST is distributed: a header of a few bytes, then the numbers.

Bytes 0 and 1 are zero, byte 2 names the type of the numbers, byte 3 counts the axes. Each axis
follows as a big-endian 32-bit length, and the numbers come last, row by row.
Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import math
import struct
from typing import Any

import numpy as np
from jaxtyping import Shaped

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def parse(data: bytes, name: str = "the IDX data") -> Shaped[np.ndarray, "..."]:
    """Read one array from the bytes of an IDX file.

    Args:
        data: the whole file, uncompressed.
        name: what to call the file in an error message.

    Returns:
        The array, in the byte order of this machine.

    Raises:
        ValueError: if the header is not one of IDX, or the length is not what the header says.

    Example:
        >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        array([7, 2, 1], dtype=uint8)
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError(
            f"{name} is not an IDX file: expected two zero bytes first, got {data[:2]!r}. "
            "If it ends in .gz, uncompress it before parsing."
        )
    code, axes = data[2], data[3]
    if code not in _TYPES:
        known = ", ".join(f"0x{known:02X}" for known in _TYPES)
        raise ValueError(f"{name} has type code 0x{code:02X}: expected one of {known}.")
    start = 4 + 4 * axes
    if len(data) < start:
        raise ValueError(
            f"{name} ends inside its header: {axes} axes need {start} bytes, got {len(data)}. "
            "Fetch the file again."
        )
    shape = struct.unpack(f">{axes}I", data[4:start])
    dtype = _TYPES[code]
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise ValueError(
            f"{name} says its shape is {shape}, which is {expected} bytes; got {len(data)}. "
            "Fetch the file again."
        )
    array: np.ndarray = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))
