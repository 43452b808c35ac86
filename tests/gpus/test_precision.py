"""Every format bit for bit against NumPy and PyTorch; sums against exact ones; the scaler against that of PyTorch."""

import importlib.util
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.gpus.precision import (
    FORMATS,
    Format,
    LossScaler,
    decode,
    encode,
    grain,
    kahan_sum,
    matmul,
    mixed_step,
    next_scale,
    round_to,
    running_sum,
    tree_sum,
)

HALF, BRAIN, SINGLE, TF32 = (FORMATS[name] for name in ("float16", "bfloat16", "float32", "tf32"))
E4M3, E5M2 = FORMATS["e4m3"], FORMATS["e5m2"]
formats = st.sampled_from(list(FORMATS.values())) | st.builds(Format, st.integers(2, 8), st.integers(1, 23))
singles = st.floats(width=32)
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
IN_TORCH = {"float16": HALF, "bfloat16": BRAIN, "float8_e5m2": E5M2, "float8_e4m3fn": E4M3}


def same(got, want):
    """Compare numbers with their signs, those of zeros too; NaN has none."""
    np.testing.assert_array_equal(got, want)
    there = ~np.isnan(np.asarray(want))
    np.testing.assert_array_equal(np.signbit(np.asarray(got)[there]), np.signbit(np.asarray(want)[there]))


@pytest.fixture
def awkward(rng):
    """Numbers in float32 of every size, and those beside which rounding is decided."""
    random = rng.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    rounded = [np.arange(2**k) << (32 - k) for k in (12, 16)]  # numbers and middles of fewer bits
    middles = np.concatenate([r + off for r in rounded for off in (0, 1)]).astype(np.uint32).view(np.float32)
    usual = (rng.standard_normal(50_000) * 10.0 ** rng.uniform(-9, 6, 50_000)).astype(np.float32)
    edges = [
        f.largest * s for f in FORMATS.values() for s in (0.5, 1, 1 + f.epsilon / 4, 1 + f.epsilon / 2, 2)
    ]
    edges += [f.smallest * s for f in FORMATS.values() for s in (0.49, 0.5, 0.51, 1, 1.5)]
    with np.errstate(over="ignore"):
        edges = np.array([0.0, -0.0, np.inf, np.nan, *edges]).astype(np.float32)
    return np.concatenate([random, middles, usual, edges, -edges])


def test_float16_is_read_as_numpy_reads_it_bit_for_bit():
    bits = np.arange(2**16, dtype=np.uint16)
    same(decode(bits, *HALF), bits.view(np.float16).astype(float))


@needs_torch
@pytest.mark.parametrize("dtype", IN_TORCH)
def test_every_number_of_a_small_format_is_read_as_torch_reads_it(dtype):
    import torch

    known = IN_TORCH[dtype]
    bits = np.arange(2**known.bits)
    whole = torch.from_numpy(bits.astype(f"u{known.bits // 8}"))
    same(decode(bits, *known), whole.view(getattr(torch, dtype)).double().numpy())


def test_float32_is_read_as_numpy_reads_it(rng):
    bits = rng.integers(0, 2**32, 10**6).astype(np.uint32)
    with np.errstate(invalid="ignore"):  # some NaNs signal
        want = bits.view(np.float32).astype(float)
    same(decode(bits, *SINGLE), want)


@pytest.mark.parametrize("known", FORMATS.values())
def test_bits_survive_being_read_and_written(known, rng):
    bits = rng.integers(0, 2**known.bits, 10**5)
    bits = bits[~np.isnan(decode(bits, *known))]
    np.testing.assert_array_equal(encode(decode(bits, *known), *known), bits)


def test_a_number_is_read_from_its_parts_by_hand():
    assert decode(np.array(0b0_10001_0100000000), 5, 10) == (1 + 0.25) * 2 ** (17 - 15)
    assert decode(np.array(0b1_00000_0000000001), 5, 10) == -(2.0**-24)
    assert decode(np.array(0b0_11111_0000000000), 5, 10) == np.inf
    assert np.isnan(decode(np.array(0b0_11111_0000000001), 5, 10))
    assert decode(np.array(0b0_1111_110), *E4M3) == 448


@needs_torch
@pytest.mark.parametrize("dtype", IN_TORCH)
def test_rounding_is_torchs_bit_for_bit(dtype, awkward):
    import torch

    known = IN_TORCH[dtype]
    there = torch.from_numpy(awkward).to(getattr(torch, dtype))
    same(round_to(awkward, *known), there.float().numpy())
    bits = there.view({16: torch.uint16, 8: torch.uint8}[known.bits]).numpy()
    number = ~np.isnan(awkward)
    np.testing.assert_array_equal(encode(awkward, *known)[number], bits[number])


def test_rounding_float64_to_float16_and_float32_is_numpys(rng):
    x = rng.standard_normal(200_000) * 10.0 ** rng.uniform(-50, 45, 200_000)
    x = np.concatenate(
        [x, [65519.999, 65520.0, 2.0**-25, 1.0000001 * 2.0**-25, 0.0, -0.0, np.inf, -np.inf, np.nan]]
    )
    with np.errstate(over="ignore", under="ignore"):
        same(round_to(x, *HALF), x.astype(np.float16).astype(float))
        same(round_to(x, *SINGLE), x.astype(np.float32).astype(float))


def test_tf32_is_float32_without_its_last_13_bits(awkward):
    """There is no tensor of this dtype: here it is made by adding half of the last place to the bits."""
    x = awkward[np.isfinite(awkward)]
    bits = x.view(np.uint32).astype(np.uint64)
    rounded = bits + 0xFFF + (bits >> 13 & 1)
    want = (rounded & 0xFFFFE000).astype(np.uint32).view(np.float32)
    same(round_to(x, *TF32), want)


@given(singles, formats)
def test_rounding_finds_the_nearest_number_and_stays_there(x, known):
    y = round_to(x, *known)
    if math.isnan(x):
        assert math.isnan(y)
        return
    assert round_to(y, *known) == y
    assert round_to(-x, *known) == -y
    if math.isfinite(y) and abs(x) <= known.largest:
        assert abs(Fraction(float(y)) - Fraction(x)) <= Fraction(float(grain(x, *known[:2]))) / 2


@given(singles, singles, formats)
def test_rounding_never_changes_an_order(a, b, known):
    if a <= b:
        assert round_to(a, *known) <= round_to(b, *known)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_and_the_shape_are_kept(dtype, rng):
    x = rng.standard_normal((2, 0, 3)).astype(dtype)
    assert round_to(x, *BRAIN).dtype == dtype
    assert round_to(x, *BRAIN).shape == grain(x, *BRAIN[:2]).shape == (2, 0, 3)


def test_the_middle_goes_to_the_even_neighbour():
    q = grain(1.0, *HALF[:2])
    np.testing.assert_array_equal(
        round_to(1 + q * np.array([0.5, 1.5, 2.5]), *HALF), 1 + q * np.array([0, 2, 2])
    )


@needs_torch
@pytest.mark.parametrize("dtype", IN_TORCH)
def test_range_and_grain_are_those_of_torchs_finfo(dtype):
    import torch

    info, known = torch.finfo(getattr(torch, dtype)), IN_TORCH[dtype]
    assert (known.bits, known.largest, known.epsilon) == (info.bits, info.max, info.eps)
    assert known.smallest_normal == info.tiny
    assert decode(np.array([1]), *known)[0] == known.smallest
    assert SINGLE.largest == np.finfo(np.float32).max


@pytest.mark.parametrize("known", [HALF, BRAIN, TF32, E5M2, E4M3])
def test_the_grain_is_the_way_to_the_next_number(known):
    numbers = decode(np.arange(2 ** (known.bits - 1)), *known)
    numbers = numbers[np.isfinite(numbers)]
    np.testing.assert_array_equal(grain(numbers[:-1], *known[:2]), np.diff(numbers))


def test_a_sum_in_float16_is_numpys_step_by_step(rng):
    x = rng.uniform(0, 1, 3000)
    np.testing.assert_array_equal(
        running_sum(x, *HALF), np.add.accumulate(x.astype(np.float16), dtype=np.float16).astype(float)
    )
    x = x.astype(np.float32)
    np.testing.assert_array_equal(running_sum(x, *SINGLE), np.add.accumulate(x))


@pytest.mark.parametrize(("known", "stop"), [(HALF, 1024), (BRAIN, 128), (Format(8, 4), 16)])
def test_adding_a_third_stops_where_the_grain_is_1(known, stop):
    sums = running_sum(np.full(4 * stop, 1 / 3), *known)
    assert sums[-1] == stop
    assert grain(sums[-1], *known[:2]) == 1


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=200), st.sampled_from([HALF, BRAIN, TF32]))
def test_kahans_sum_is_right_to_some_grains_however_many_terms(terms, known):
    x = round_to(np.array(terms), *known)
    exact = math.fsum(x)
    assert abs(kahan_sum(x, *known) - exact) <= 3 * known.epsilon * exact + 2 * known.smallest
    assert (
        abs(tree_sum(x, *known) - exact) <= (len(x).bit_length() + 1) * known.epsilon * exact + known.smallest
    )


def test_kahans_sum_is_the_one_numpy_would_compute(rng):
    x = rng.uniform(0, 3, 2000).astype(np.float16)
    total = lost = np.float16(0)
    for term in x:
        y = term - lost
        new = total + y
        lost = (new - total) - y
        total = new
    assert kahan_sum(x.astype(float), *HALF) == total


def test_sums_of_columns_are_the_sums_of_each(rng):
    x = rng.uniform(-1, 1, (37, 3))
    for add in (kahan_sum, tree_sum, lambda x, *known: running_sum(x, *known)[-1]):
        np.testing.assert_array_equal(add(x, *HALF), [add(column, *HALF) for column in x.T.copy()])


@needs_torch
def test_a_product_of_16_bit_numbers_with_sums_in_float32_is_torchs(rng):
    import torch

    a, b = rng.standard_normal((6, 50)), rng.standard_normal((50, 4))
    want = torch.from_numpy(a).bfloat16().float() @ torch.from_numpy(b).bfloat16().float()
    np.testing.assert_allclose(matmul(a, b, BRAIN, SINGLE), want.double().numpy(), rtol=1e-4, atol=1e-5)
    exact = round_to(a, *BRAIN) @ round_to(b, *BRAIN)
    errors = [abs(matmul(a, b, BRAIN, sums) - exact).max() for sums in (SINGLE, TF32, BRAIN)]
    assert errors[0] < errors[1] < errors[2]


@needs_torch
@given(
    st.lists(st.booleans(), max_size=60),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([1.0, 2.0**16, 2.0**126]),
)
def test_the_scaler_is_torchs_step_by_step(finite, interval, start):
    import torch

    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    theirs = torch.amp.GradScaler("cpu", init_scale=start, growth_interval=interval)
    ours = LossScaler(start, interval=interval)
    theirs.scale(torch.zeros(1))
    for good in finite:
        before = w.item()
        value = 3.0 if good else np.inf
        w.grad = torch.tensor([value])
        true = ours.unscale([np.array([value], np.float32)])
        theirs.step(optimizer)
        theirs.update()
        assert ours.scale == theirs.get_scale()
        assert ours.good == theirs.state_dict()["_growth_tracker"]
        assert (true is None) == (not good)
        assert w.item() == before - (0 if true is None else true[0][0])


def test_a_step_keeps_small_gradients_and_small_updates():
    w = np.ones(2, np.float32)
    gradient = np.array([6e-5, 0.0], np.float16)  # scaled by 2^16: about 1e-9 in truth
    new, scale, good = mixed_step(w, gradient, 1000.0, 2.0**16, 5)
    assert new.dtype == np.float32
    assert 0 < w[0] - new[0] < 2e-6
    assert new[1] == 1
    assert (scale, good) == (2.0**16, 6)
    np.testing.assert_array_equal(w, 1)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_step_that_is_not_finite_is_left_out(bad):
    w = np.ones(2, np.float32)
    new, scale, good = mixed_step(w, np.array([1, bad], np.float16), 0.1, 1024.0, 7)
    np.testing.assert_array_equal(new, w)
    assert (scale, good) == (512.0, 0)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: round_to(1.0, 9, 7),
            "round_to expects 2 to 8 bits of exponent and 1 to 23 of fraction, got 9 and 7",
        ),
        (lambda: decode(np.array([2**16]), 5, 10), r"decode expects whole numbers from 0 to 2\^16 - 1"),
        (lambda: decode(np.array([-1]), 5, 10), "a number of this format has 16 bits"),
        (lambda: grain(np.array([np.inf]), 5, 10), "grain expects finite numbers"),
        (lambda: next_scale(0.0, 0, True), "next_scale expects a scale above 0"),
        (lambda: next_scale(1.0, 0, True, 0), "an interval from 1 on"),
    ],
)
def test_errors_say_what_to_do(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_wrong_dtypes_are_refused():
    with pytest.raises(TypeError, match="round_to expects float32 or float64, got float16"):
        round_to(np.ones(2, np.float16), *HALF)
    with pytest.raises(TypeError, match="got int64"):
        round_to(np.ones(2, int), *HALF)
    with pytest.raises(TypeError, match="mixed_step expects weights finer than the gradient"):
        mixed_step(np.ones(2, np.float16), np.ones(2, np.float16), 0.1, 1.0, 0)
