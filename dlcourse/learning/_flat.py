"""Many arrays in one buffer, so that one pass over memory updates them all.

Chapters: book/learning/backpropagation.md, book/training/optimizers.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dlcourse.neurons._arrays import Array

LINE = 64
"""Bytes of a cache line. Arrays that begin on one are read with half as many accesses as arrays that straddle them."""


def aligned(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Make an array of zeros that begins on a cache line; NumPy promises 16 bytes only.

    Example:
        >>> aligned((2, 3), np.float32).ctypes.data % LINE
        0
    """
    shape = (shape,) if isinstance(shape, int) else shape
    size, itemsize = prod(shape), np.dtype(dtype).itemsize
    room = np.zeros(size + LINE // itemsize, dtype)
    start = -_address(room) % LINE // itemsize
    return room[start : start + size].reshape(shape)


def flat_views(shapes: Sequence[tuple[int, ...]], dtype: Any) -> tuple[Array, tuple[Array, ...]]:
    """Make one buffer and lend it out in pieces.

    Args:
        shapes: the shape of each piece.
        dtype: of the numbers.

    Returns:
        The buffer, filled with zeros, and one view a piece, in order and without gaps.

    Example:
        >>> buffer, (W, b) = flat_views([(2, 3), (3,)], np.float32)
        >>> b[:] = 1
        >>> buffer
        array([0., 0., 0., 0., 0., 0., 1., 1., 1.], dtype=float32)
    """
    sizes = [prod(shape) for shape in shapes]
    buffer = aligned(sum(sizes), dtype)
    pieces = np.split(buffer, np.cumsum(sizes)[:-1])
    return buffer, tuple(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True))


def runs(arrays: Sequence[Array]) -> list[Array]:
    """Cover arrays by as few flat views as possible: one, if they lie in one buffer without gaps.

    Args:
        arrays: contiguous ones.

    Returns:
        Flat views of all their numbers, in order.

    Raises:
        ValueError: if one is not contiguous: a flat view of it would be a copy.

    Example:
        >>> buffer, pieces = flat_views([(2, 3), (3,)], np.float64)
        >>> [run.shape for run in runs(pieces)], [run.shape for run in runs([np.ones((2, 2)), np.ones(3)])]
        ([(9,)], [(4,), (3,)])
    """
    found: list[Array] = []
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError(
                f"parameters must be contiguous, got an array of shape {array.shape} and strides {array.strides}: "
                "pass np.ascontiguousarray(array)"
            )
        flat = array.reshape(-1)
        joined = _joined(found[-1], flat) if found else None
        if joined is None:
            found.append(flat)
        else:
            found[-1] = joined
    return found


def _joined(left: Array, right: Array) -> Array | None:
    """Return one view of two neighbours in a buffer, or None if they are none."""
    buffer = left.base
    if not isinstance(buffer, np.ndarray) or buffer is not right.base or buffer.ndim != 1:
        return None
    if buffer.dtype != left.dtype or not buffer.flags.c_contiguous:
        return None
    start, end = (_address(part) - _address(buffer) for part in (left, right))
    if start + left.nbytes != end:
        return None
    return buffer[start // buffer.itemsize : (end + right.nbytes) // buffer.itemsize]


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
