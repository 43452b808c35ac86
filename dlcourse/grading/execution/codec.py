"""Values as bytes between the grader and the sandbox: JSON for the shape of a value, raw bytes for its arrays.

What comes out of the sandbox may be anything. The decoder accepts numbers, strings, lists, dictionaries with text as
keys, and arrays of kind b, i, u and f; it counts before it builds, calls nothing that the bytes name, and raises one
error. Inputs, which only go in, may also be tuples, random generators, tensors, and functions that stay outside: of
these a number goes in, with which they can be called.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.inputs import Tensor

LARGEST = 64 * 2**20
"""Bytes of the largest message."""
LARGEST_HEADER = 4 * 2**20
"""Bytes of the largest description of a value, without its arrays."""
MOST_PARTS = 200_000
"""Parts of the largest value: numbers, strings, lists, arrays."""
DEEPEST = 60
"""How deep lists may lie in each other."""
MOST_BITS = 2048
"""Bits of the largest whole number."""

_DTYPE = re.compile(r"\|b1|\|[iu]1|<[iu][248]|<f[248]")


class CodecError(ValueError):
    """The bytes are no value, or a value that cannot be sent."""


def encode(value: Any, handle: Callable[[Any], int] | None = None) -> bytes:
    """Write a value.

    Args:
        value: None, bool, int, float, str, array, or a list, tuple or dictionary of these; inputs may hold more.
        handle: gives the number of an object that is not data; without it such an object is refused.

    Returns:
        Bytes that `decode` reads.

    Raises:
        CodecError: Something in it cannot be sent.
    """
    blobs: list[bytes] = []

    def part(item: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise CodecError(f"it is nested deeper than {DEEPEST} levels")
        kind = type(item)
        if item is None or kind in (bool, int, str):
            return item
        if kind is float:
            return item if math.isfinite(item) else ["n", repr(item)]
        if kind in (list, tuple):
            return ["l" if kind is list else "t", *(part(one, depth + 1) for one in item)]
        if kind is dict:
            return ["d", *([str(key), part(one, depth + 1)] for key, one in item.items())]
        if isinstance(item, np.generic):
            item = np.asarray(item)
        if isinstance(item, np.ndarray):
            return array(item)
        if isinstance(item, np.random.Generator):
            return ["g", type(item.bit_generator).__name__, part(item.bit_generator.state, depth + 1)]
        if isinstance(item, Tensor):
            return ["x", part(item.value, depth + 1), item.dtype]
        if handle is not None:
            return ["h", handle(item)]
        raise CodecError(f"a {kind.__name__} cannot be sent")

    def array(item: np.ndarray[Any, Any]) -> Any:
        if item.dtype.kind not in "biuf":
            raise CodecError(f"an array of dtype {item.dtype} cannot be sent")
        if item.dtype.kind == "f" and item.dtype.itemsize > 8:
            item = item.astype(np.float64)
        item = np.ascontiguousarray(item, item.dtype.newbyteorder("<")).reshape(item.shape)
        blobs.append(item.tobytes())
        return ["a", item.dtype.str, list(item.shape)]

    try:
        header = json.dumps(part(value, 0), separators=(",", ":"), allow_nan=False).encode()
    except (RecursionError, UnicodeError, ValueError) as error:
        raise error if isinstance(error, CodecError) else CodecError(str(error)) from error
    size = 4 + len(header) + sum(map(len, blobs))
    if len(header) > LARGEST_HEADER or size > LARGEST:
        raise CodecError(f"it has {size / 2**20:.0f} MB, more than {LARGEST // 2**20}, or too many parts")
    return b"".join([struct.pack(">I", len(header)), header, *blobs])


def decode(raw: bytes, *, inputs: Callable[[int], Any] | None = None, tuples: bool = False) -> Any:
    """Read a value, believing nothing about the bytes.

    Args:
        raw: What `encode` made, or anything.
        inputs: reads inputs, which hold more than data: makes of a number the function that stands for it. Only for
            bytes that come from the grader.
        tuples: whether there may be tuples, which inputs always may hold.

    Returns:
        The value; tuples that are not allowed are refused, as is everything else that is not data.

    Raises:
        CodecError: The bytes are no value, or one beyond the limits.
    """
    if len(raw) < 4 or len(raw) > LARGEST:
        raise CodecError(f"a message has {len(raw)} bytes")
    (length,) = struct.unpack(">I", raw[:4])
    if length > min(LARGEST_HEADER, len(raw) - 4):
        raise CodecError("a message is shorter than it says")
    try:
        header = json.loads(raw[4 : 4 + length].decode("utf-8"), parse_constant=_no_constant)
    except (RecursionError, ValueError) as error:
        raise CodecError("a message is not JSON") from error
    place, count = 4 + length, 0

    def part(item: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if depth > DEEPEST or count > MOST_PARTS:
            raise CodecError("a value has too many parts, or is nested too deeply")
        if item is None or type(item) in (bool, float):
            return item
        if type(item) is int:
            if item.bit_length() > MOST_BITS:
                raise CodecError("a whole number is too large")
            return item
        if type(item) is str:
            return item.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written again
        if type(item) is not list or not item or type(item[0]) is not str:
            raise CodecError("a value has an unknown form")
        return tagged(item[0], item[1:], depth)

    def tagged(tag: str, rest: list[Any], depth: int) -> Any:
        if tag == "l":
            return [part(one, depth + 1) for one in rest]
        if tag == "d":
            return dict(pair(one, depth + 1) for one in rest)
        if tag == "a":
            return array(rest)
        if tag == "n" and len(rest) == 1 and rest[0] in ("nan", "inf", "-inf"):
            return float(rest[0])
        if tag == "t" and (tuples or inputs is not None):
            return tuple(part(one, depth + 1) for one in rest)
        if inputs is not None:
            if tag == "h":
                return inputs(rest[0])
            if tag == "g":
                return _generator(rest[0], part(rest[1], depth + 1))
            if tag == "x":
                return Tensor(part(rest[0], depth + 1), rest[1])
        raise CodecError("a value has an unknown form")

    def pair(one: Any, depth: int) -> tuple[str, Any]:
        if type(one) is not list or len(one) != 2 or type(one[0]) is not str:
            raise CodecError("a dictionary has an unknown form")
        return part(one[0], depth), part(one[1], depth)

    def array(rest: list[Any]) -> np.ndarray[Any, Any]:
        nonlocal place
        if len(rest) != 2 or type(rest[0]) is not str or not _DTYPE.fullmatch(rest[0]):
            raise CodecError("an array has an unknown dtype")
        dtype, shape = np.dtype(rest[0]), rest[1]
        if type(shape) is not list or len(shape) > 32:
            raise CodecError("an array has no shape")
        if any(type(n) is not int or not 0 <= n <= LARGEST for n in shape):
            raise CodecError("an array has an impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if size > len(raw) - place:
            raise CodecError("an array is larger than its message")
        try:
            made = np.frombuffer(raw, dtype, math.prod(shape), place).reshape(shape).copy()
        except ValueError as error:  # NumPy multiplies all lengths but those that are 0
            raise CodecError("an array has an impossible shape") from error
        place += size
        if dtype.kind == "b" and made.size and made.view(np.uint8).max() > 1:
            raise CodecError("a truth value is neither true nor false")
        return made

    value = part(header, 0)
    if place != len(raw):
        raise CodecError("a message is longer than it says")
    return value


def _no_constant(name: str) -> Any:
    raise CodecError(f"a message holds {name}")


def _generator(name: str, state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, name)()
    bits.state = state
    return np.random.Generator(bits)
