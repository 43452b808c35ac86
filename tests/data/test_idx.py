import struct

import numpy as np
import pytest

from dlcourse.data import idx


def packed(array, code):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("u1", 0x08), ("i1", 0x09), ("i2", 0x0B), ("i4", 0x0C), ("f4", 0x0D), ("f8", 0x0E)],
)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3), (0, 4)])
def test_reads_what_was_written(dtype, code, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    read = idx.parse(packed(array, code))
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array)


GOOD = packed(np.arange(6, dtype=np.uint8).reshape(2, 3), 0x08)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "two zero bytes first"),
        (b"\x1f\x8b\x08\0rest", "uncompress it"),
        (b"\0\0\x07\x01\0\0\0\x01x", "type code 0x07"),
        (GOOD[:7], "ends inside its header"),
        (GOOD[:-1], "17 bytes|18 bytes; got 17"),
        (GOOD + b"x", "got 19"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "which is"),
    ],
)
def test_refuses_malformed(data, message):
    with pytest.raises(ValueError, match=message):
        idx.parse(data, "the labels")


def test_names_the_file():
    with pytest.raises(ValueError, match=r"^train-labels "):
        idx.parse(b"", "train-labels")
