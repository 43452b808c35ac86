"""Values as bytes: what may be sent comes back equal, and any bytes at all are either a value or a `CodecError`."""

import json
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlcourse.grading.execution import codec
from dlcourse.grading.execution.codec import (
    DEEPEST,
    LARGEST,
    MOST_BITS,
    MOST_PARTS,
    CodecError,
    decode,
    encode,
)

LETTERS = st.characters(exclude_categories=["Cs"])
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="="),
    arrays.unsigned_integer_dtypes(endianness="="),
    arrays.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
)
ARRAYS = arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**MOST_BITS) + 1, 2**MOST_BITS - 1),
    st.floats(),
    st.text(LETTERS),
    ARRAYS,
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(LETTERS), inner, max_size=5),
    max_leaves=20,
)
INPUTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from("ladntghx"),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.builds(lambda tag, rest: [tag, *rest], st.sampled_from("ladntghx"), st.lists(inner, max_size=4))
    ),
    max_leaves=30,
)


def message(header, blobs=b""):
    """Write a message as `encode` does, whatever its header is."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(raw)) + raw + blobs


def assert_same(mine, yours):
    """Compare types, dtypes and bits, so that NaN equals itself and 0 is neither False nor -0.0."""
    assert type(mine) is type(yours)
    if isinstance(mine, np.ndarray):
        assert (mine.dtype, mine.shape) == (yours.dtype, yours.shape)
        np.testing.assert_array_equal(mine, yours)
    elif isinstance(mine, list | tuple):
        assert len(mine) == len(yours)
        for one, other in zip(mine, yours, strict=True):
            assert_same(one, other)
    elif isinstance(mine, dict):
        assert list(mine) == list(yours)
        assert_same(list(mine.values()), list(yours.values()))
    elif isinstance(mine, float):
        assert mine == yours or (math.isnan(mine) and math.isnan(yours))
        assert math.copysign(1, mine) == math.copysign(1, yours) or math.isnan(mine)
    else:
        assert mine == yours


def assert_is_data(value, depth=0):
    assert depth <= DEEPEST + 1
    if isinstance(value, list):
        for item in value:
            assert_is_data(item, depth + 1)
    elif isinstance(value, dict):
        assert all(type(key) is str for key in value)
        for item in value.values():
            assert_is_data(item, depth + 1)
    elif isinstance(value, np.ndarray):
        assert type(value) is np.ndarray
        assert value.dtype.kind in "biuf"
    else:
        assert value is None or type(value) in (bool, int, float, str)


def read_or_refused(raw):
    """Decode bytes of whatever origin; what comes out is data, and can be sent on."""
    try:
        value = decode(raw)
    except CodecError:
        return
    assert_is_data(value)
    assert_same(decode(encode(value)), value)


@given(VALUES)
def test_every_value_that_may_be_sent_comes_back_equal(value):
    assert_same(decode(encode(value)), value)


@given(INPUTS)
def test_inputs_may_be_tuples_too(value):
    assert_same(decode(encode(value), inputs=lambda number: number), value)


def test_tuples_are_read_where_they_are_allowed():
    assert decode(encode(((2, 1), [3])), tuples=True) == ((2, 1), [3])
    with pytest.raises(CodecError, match="unknown form"):
        decode(message(["h", 0]), tuples=True)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(raw):
    read_or_refused(raw)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_bytes_in_a_frame_are_a_value_or_refused(header, blobs):
    read_or_refused(message(header, blobs))


@settings(max_examples=3 * settings().max_examples // 2)
@given(JSON, st.binary(max_size=64))
def test_any_json_in_a_frame_is_a_value_or_refused(header, blobs):
    read_or_refused(message(header, blobs))


@settings(max_examples=3 * settings().max_examples // 2)
@given(
    st.sampled_from(
        ["|b1", "|u1", "<i8", "<f2", "<f8", ">f8", "|O", "|V8", "<U1", "<c16", "<M8[s]", "f8", "", 3, None]
    ),
    st.lists(st.integers(-2, 4) | st.sampled_from([2**31, 2**62, 2**64, 1.0, True, None]), max_size=40),
    st.binary(max_size=64),
)
def test_any_array_in_a_frame_is_a_value_or_refused(dtype, shape, blobs):
    read_or_refused(message(["a", dtype, shape], blobs))


@settings(max_examples=3 * settings().max_examples // 2)
@given(VALUES, st.data())
def test_a_damaged_message_is_a_value_or_refused(value, data):
    raw = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    read_or_refused(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    read_or_refused(bytes(raw))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(message(b"[" * 2_000_000), id="deep nesting"),
        pytest.param(message(b'["l",' * 50_000 + b"1" + b"]" * 50_000), id="deep lists"),
        pytest.param(message(b"9" * 4_000_000), id="a number of four million digits"),
        pytest.param(message(["l", *[0] * (MOST_PARTS + 1)]), id="too many parts"),
        pytest.param(
            message(["a", "<f8", [2**26, 2**26]], bytes(100)), id="an array larger than its message"
        ),
        pytest.param(message(["a", "<f8", [2**26]], bytes(100)), id="an array of half a gigabyte"),
        pytest.param(message(["a", "<f8", [0, 2**26, 2**26, 2**26]]), id="an empty array with long axes"),
        pytest.param(
            message(["l", *[["a", "|u1", [100_000]]] * 100], bytes(100_000)), id="the same bytes again"
        ),
        pytest.param(message(b'"' + b"\\ud800" * 100_000 + b'"'), id="lone surrogates"),
        pytest.param(struct.pack(">I", 2**32 - 1) + bytes(1000), id="a header of 4 GB"),
        pytest.param(bytes(LARGEST + 1), id="a message that is too large"),
        pytest.param(
            message(["d", *[["x" * 10, 0]] * 100_000]),
            id="a hundred thousand equal keys",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_no_message_takes_more_memory_than_its_size_warrants(raw):
    tracemalloc.start()
    try:
        read_or_refused(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(raw) + 2**20


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "has 0 bytes"),
        (b"\0\0\0", "has 3 bytes"),
        (struct.pack(">I", 5) + b"1", "shorter than it says"),
        (message(b"\xff\xfe1\x00"), "is not JSON"),
        (message(b"NaN"), "is not JSON"),
        (message(b"-Infinity"), "is not JSON"),
        (message([]), "unknown form"),
        (message([1, 2]), "unknown form"),
        (message({"a": 1}), "unknown form"),
        (message(["p", "os.system"]), "unknown form"),
        (message(["n", "1"]), "unknown form"),
        (message(["d", [1, 2]]), "a dictionary has an unknown form"),
        (message(["d", ["a"]]), "a dictionary has an unknown form"),
        (message(2**MOST_BITS), "too large"),
        (message(1, b"x"), "longer than it says"),
        (message(["a", "|O", [1]], bytes(8)), "unknown dtype"),
        (message(["a", "<c16", [1]], bytes(16)), "unknown dtype"),
        (message(["a", ["<f8"], [1]], bytes(8)), "unknown dtype"),
        (message(["a", "<f8", 1], bytes(8)), "no shape"),
        (message(["a", "<f8", [1] * 33], bytes(8)), "no shape"),
        (message(["a", "<f8", [-1]], bytes(8)), "impossible shape"),
        (message(["a", "<f8", [True]], bytes(8)), "impossible shape"),
        (message(["a", "<f8", [2]], bytes(8)), "larger than its message"),
        (message(["a", "|b1", [2]], b"\1\2"), "neither true nor false"),
        # What only inputs may hold does not come out of a sandbox.
        (message(["t", 1]), "unknown form"),
        (message(["h", 0]), "unknown form"),
        (message(["g", "PCG64", 1]), "unknown form"),
        (message(["x", 1, "float32"]), "unknown form"),
    ],
)
def test_what_is_no_value_is_refused_and_said(raw, why):
    with pytest.raises(CodecError, match=why):
        decode(raw)


def test_what_was_decoded_can_be_changed_and_does_not_hold_the_message():
    made = decode(encode(np.zeros(3)))
    made += 1
    assert made.base is None or made.base.base is None
    np.testing.assert_array_equal(made, [1, 1, 1])


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (np.float32(1.5), np.array(1.5, np.float32)),
        (np.arange(6, dtype=">i4").reshape(2, 3).T, np.array([[0, 3], [1, 4], [2, 5]], np.int32)),
        (np.array([1, 2], np.longdouble), np.array([1.0, 2.0])),
        (np.zeros((2, 3), order="F")[:, ::2], np.zeros((2, 2))),
        ("\ud800", "?"),
        ({3: 1}, {"3": 1}),
    ],
)
def test_what_has_an_equal_among_plain_values_is_sent_as_that(value, back):
    assert_same(decode(encode(value)), back)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        1j,
        b"bytes",
        {1, 2},
        np.array([object()]),
        np.array([1j]),
        np.array(["text"]),
        np.array([1], "M8[s]"),
        [[[print]]],
        type("Int", (int,), {})(3),
    ],
)
def test_what_is_no_data_is_not_sent(value):
    with pytest.raises(CodecError, match="cannot be sent"):
        encode(value)


def test_what_is_too_large_or_too_deep_is_not_sent():
    chain = []
    chain.append(chain)
    with pytest.raises(CodecError, match="deeper than"):
        encode(chain)
    with pytest.raises(CodecError, match="more than 64"):
        encode(np.zeros(LARGEST // 8))
    with pytest.raises(CodecError, match="too many parts"):
        encode("x" * codec.LARGEST_HEADER)
    assert encode(np.zeros(LARGEST // 8 - 100))
    deep = 1.0
    for _ in range(DEEPEST):
        deep = [deep]
    assert_same(decode(encode(deep)), deep)


def test_functions_stay_where_they_are_and_are_numbered():
    outside = []

    def number(thing):
        outside.append(thing)
        return len(outside) - 1

    raw = encode({"instead": [print, len]}, number)
    assert outside == [print, len]
    assert decode(raw, inputs=lambda n: ("function", n)) == {"instead": [("function", 0), ("function", 1)]}
    with pytest.raises(CodecError):
        decode(raw)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_a_generator_goes_on_where_it_was(bits):
    rng = np.random.Generator(bits(3))
    rng.random(5)
    copy = decode(encode(rng), inputs=lambda number: number)
    np.testing.assert_array_equal(copy.random(10), rng.random(10))
