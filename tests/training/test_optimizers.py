from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.learning._flat import flat_views
from dlcourse.training.optimizers import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    adam_step,
    adamw_step,
    clip_by_norm,
    constant,
    cosine,
    rmsprop_step,
    sgd_step,
    step_decay,
    warmup,
)

torch.set_num_threads(1)
SHAPES = [(3, 4), (4,), (2, 1, 2), ()]
STEPS = 50

# Our optimizer, torch's, and the settings of each.
CASES = {
    "sgd": (SGD, torch.optim.SGD, {}, {}),
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9}, {"momentum": 0.9}),
    "nesterov": (SGD, torch.optim.SGD, *[{"momentum": 0.8, "nesterov": True}] * 2),
    "sgd, decay": (SGD, torch.optim.SGD, *[{"weight_decay": 0.1}] * 2),
    "nesterov, decay": (
        SGD,
        torch.optim.SGD,
        *[{"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}] * 2,
    ),
    "rmsprop": (RMSProp, torch.optim.RMSprop, {}, {}),
    "rmsprop, settings": (
        RMSProp,
        torch.optim.RMSprop,
        *[{"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}] * 2,
    ),
    "adam": (Adam, torch.optim.Adam, {}, {}),
    "adam, settings": (Adam, torch.optim.Adam, *[{"betas": (0.5, 0.9), "eps": 1e-2}] * 2),
    "adam, no momentum": (Adam, torch.optim.Adam, *[{"betas": (0.0, 0.99)}] * 2),
    "adam, decay": (Adam, torch.optim.Adam, *[{"weight_decay": 0.1}] * 2),
    "adamw": (AdamW, torch.optim.AdamW, {}, {}),
    "adamw, decay": (AdamW, torch.optim.AdamW, *[{"weight_decay": 0.3}] * 2),
}
SCHEDULES = {
    "constant": (constant(0.1), lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (
        step_decay(0.1, every=7, factor=0.5),
        lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.5),
    ),
    "cosine": (
        cosine(0.1, steps=STEPS, lowest=0.01),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01),
    ),
    "warm-up": (
        warmup(cosine(0.1, steps=STEPS - 9), steps=9),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [
                torch.optim.lr_scheduler.LinearLR(o, start_factor=1 / 10, total_iters=9),
                torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS - 9),
            ],
            milestones=[9],
        ),
    ),
}
PLAIN = {
    "sgd": (SGD, partial(sgd_step, momentum=0.9, nesterov=True, weight_decay=0.1), 1, False),
    "rmsprop": (RMSProp, partial(rmsprop_step, weight_decay=0.1), 1, False),
    "adam": (Adam, partial(adam_step, weight_decay=0.1), 2, True),
    "adamw": (AdamW, partial(adamw_step, weight_decay=0.1), 2, True),
}


def parts(shapes, dtype, flat):
    """Make arrays of these shapes: each on its own, or all in one buffer."""
    return flat_views(shapes, dtype)[1] if flat else tuple(np.zeros(shape, dtype) for shape in shapes)


def fill(arrays, rng, spread=1.0):
    for array in arrays:
        array[...] = spread * rng.standard_normal(array.shape)
    return arrays


def follow(optimizer, gradients, rng, steps):
    """Take steps along gradients of very different sizes; return the parameters after each."""
    path = []
    for _ in range(steps):
        fill(gradients, rng, spread=10.0 ** (optimizer.steps % 5 - 2))
        optimizer.step(gradients)
        path.append([p.copy() for p in optimizer.parameters])
    return path


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("case", CASES)
def test_optimizer_agrees_with_torch_step_by_step(case, schedule, dtype, tolerance, rng):
    ours, theirs, our_settings, their_settings = CASES[case]
    rate, scheduler = SCHEDULES[schedule]
    x = fill(parts(SHAPES, dtype, flat=True), rng)
    g = parts(SHAPES, dtype, flat=True)
    peers = [torch.tensor(p, requires_grad=True) for p in x]
    peer = theirs(peers, lr=0.1, **their_settings)
    scheduled = scheduler(peer)
    optimizer = ours(x, rate=rate, **our_settings)
    for t in range(STEPS):
        fill(g, rng, spread=10.0 ** (t % 5 - 2))
        np.testing.assert_allclose(optimizer.rate, peer.param_groups[0]["lr"], rtol=1e-12, atol=1e-15)
        optimizer.step(g)
        for p, d in zip(peers, g, strict=True):
            p.grad = torch.tensor(d)
        peer.step()
        scheduled.step()
        for p, q in zip(x, peers, strict=True):
            assert p.dtype == dtype
            np.testing.assert_allclose(p, q.detach().numpy(), rtol=tolerance, atol=tolerance)


# What hypothesis draws is plain data: beartype's run-time check draws from `random`, which a strategy may not do.
DRAWN = st.fixed_dictionaries(
    {
        "shapes": st.lists(
            st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), min_size=1, max_size=5
        ),
        "flat": st.booleans(),
        "flat_gradients": st.booleans(),
        "seed": st.integers(0, 2**32),
    }
)


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("kind", PLAIN)
@given(drawn=DRAWN)
def test_fast_form_is_the_plain_formula(kind, drawn):
    fast, plain, count, numbered = PLAIN[kind]
    rng = np.random.default_rng(drawn["seed"])
    x = fill(parts(drawn["shapes"], np.float64, drawn["flat"]), rng)
    g = parts(drawn["shapes"], np.float64, drawn["flat_gradients"])
    expected = [p.copy() for p in x]
    moments = [[np.zeros_like(p) for _ in range(count)] for p in x]
    optimizer = fast(x, rate=0.01, **plain.keywords)
    for t in range(1, 21):
        fill(g, rng, spread=10.0 ** (t % 5 - 2))
        before = [d.copy() for d in g]
        optimizer.step(g)
        for i, d in enumerate(before):
            np.testing.assert_array_equal(g[i], d)  # a gradient stays as it is
            number = (t,) if numbered else ()
            expected[i], *moments[i] = plain(expected[i], d, *moments[i], *number, rate=0.01)
            np.testing.assert_allclose(x[i], expected[i], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", PLAIN)
def test_blocks_leave_nothing_out(kind, rng):
    fast, plain, _, _ = PLAIN[kind]
    shapes = [
        (130, 127),
        (127,),
        (127, 200),
        (1,),
    ]  # a block ends inside of an array, and an array inside of a block
    paths = []
    for size in (None, 1000):
        draw = np.random.default_rng(0)
        x = fill(parts(shapes, np.float32, flat=size is None), draw)
        optimizer = fast(x, rate=0.01, **plain.keywords)
        paths.append(follow(optimizer, parts(shapes, np.float32, flat=size is None), draw, 3))
    for one, two in zip(*paths, strict=True):
        for p, q in zip(one, two, strict=True):
            np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("case", CASES)
def test_gradients_may_come_in_new_arrays_or_in_another_order_of_memory(case, rng):
    ours, _, our_settings, _ = CASES[case]
    start = rng.standard_normal((5, 6))
    x = [start.copy(), start.copy(), start.copy()]
    optimizers = [ours([p], rate=0.1, **our_settings) for p in x]
    same = np.empty((5, 6))
    turned = np.empty((6, 5))
    for _ in range(4):
        same[:] = rng.standard_normal((5, 6))
        turned[:] = same.T
        for optimizer, g in zip(optimizers, [same, same.copy(), turned.T], strict=True):
            optimizer.step([g])
    np.testing.assert_array_equal(x[0], x[1])
    np.testing.assert_array_equal(x[0], x[2])


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_resumes_bit_for_bit(case, dtype, tmp_path):
    ours, _, our_settings, _ = CASES[case]
    rate = warmup(cosine(0.1, steps=20), steps=5)

    def build(seed):
        return ours(
            fill(parts(SHAPES, dtype, flat=True), np.random.default_rng(seed)), rate=rate, **our_settings
        )

    through, first, second = build(1), build(1), build(2)
    g = parts(SHAPES, dtype, flat=True)
    whole = follow(through, g, np.random.default_rng(3), 20)
    rng = np.random.default_rng(3)
    follow(first, g, rng, 8)
    np.savez(tmp_path / "checkpoint.npz", **first.state())
    for mine, theirs in zip(second.parameters, first.parameters, strict=True):
        mine[...] = theirs
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as saved:
        second.load(dict(saved))
    for one, two in zip(whole[8:], follow(second, g, rng, 12), strict=True):
        for p, q in zip(one, two, strict=True):
            np.testing.assert_array_equal(p, q)


def test_state_is_a_copy(rng):
    optimizer = Adam([np.ones(3)], rate=0.1)
    optimizer.step([np.ones(3)])
    before = optimizer.state()
    optimizer.step([np.ones(3)])
    assert (before["steps"], optimizer.state()["steps"]) == (1, 2)
    assert (before["sums"] != optimizer.state()["sums"]).all()
    optimizer.load(before)
    optimizer.step([np.ones(3)])
    np.testing.assert_array_equal(before["sums"], np.ones(3))


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3), st.sampled_from(["rmsprop", "adam"]))
def test_size_of_the_gradient_does_not_matter_to_adam_and_rmsprop(seed, scale, kind):
    paths = []
    for factor in (1.0, scale):
        rng = np.random.default_rng(seed)
        x = fill(parts([(4,)], np.float64, flat=False), rng)
        optimizer = PLAIN[kind][0](x, rate=0.1, eps=1e-300)
        for _ in range(10):
            optimizer.step([factor * rng.standard_normal(4)])
        paths.append(x[0])
    np.testing.assert_allclose(*paths, rtol=1e-8)


@given(st.integers(0, 2**32), st.floats(1e-4, 1.0))
def test_first_step_of_adam_is_the_rate(seed, rate):
    g = np.random.default_rng(seed).standard_normal(5)
    x = np.zeros(5)
    Adam([x], rate=rate, eps=1e-300).step([g])
    np.testing.assert_allclose(x, -rate * np.sign(g), rtol=1e-12)


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("case", CASES)
def test_every_optimizer_finds_the_lowest_point_of_a_ravine(case):
    ours, _, our_settings, _ = CASES[case]
    curvature = np.array([1.0, 50.0])
    x = np.array([5.0, 1.0])
    optimizer = ours([x], rate=cosine(0.03, steps=3000), **our_settings | {"weight_decay": 0.0})
    for _ in range(3000):
        optimizer.step([curvature * x])
    np.testing.assert_allclose(x, 0.0, atol=1e-3)


def test_zero_gradients_move_nothing():
    for optimizer in (SGD, RMSProp, Adam):
        x = np.ones(3)
        optimizer([x], rate=0.1).step([np.zeros(3)])
        np.testing.assert_array_equal(x, 1.0)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e15), (np.float32, 1e-15), (np.float64, 1e150)])
@pytest.mark.parametrize("case", CASES)
def test_large_and_small_gradients_give_finite_steps(case, dtype, size):
    ours, _, our_settings, _ = CASES[case]
    x = np.ones(3, dtype)
    optimizer = ours([x], rate=0.1, **our_settings)
    for sign in (1, -1, 0):
        optimizer.step([np.array([sign * size, 0, 1], dtype)])
    assert np.isfinite(x).all()


@pytest.mark.parametrize("limit", [0.01, 1.0, 1e3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_clipping_agrees_with_torch(dtype, tolerance, limit, rng):
    g = fill(parts(SHAPES, dtype, flat=True), rng)
    peers = [
        torch.zeros(shape, dtype=getattr(torch, np.dtype(dtype).name), requires_grad=True) for shape in SHAPES
    ]
    for p, d in zip(peers, g, strict=True):
        p.grad = torch.tensor(d)
    norm = torch.nn.utils.clip_grad_norm_(peers, limit)
    np.testing.assert_allclose(clip_by_norm(g, limit), float(norm), rtol=tolerance)
    for p, d in zip(peers, g, strict=True):
        np.testing.assert_allclose(d, p.grad.numpy(), rtol=tolerance, atol=tolerance * limit)


@given(DRAWN, st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_the_limit(drawn, limit):
    g = fill(parts(drawn["shapes"], np.float64, drawn["flat"]), np.random.default_rng(drawn["seed"]))
    before = np.concatenate([d.ravel() for d in g])
    norm = clip_by_norm(g, limit)
    after = np.concatenate([d.ravel() for d in g])
    np.testing.assert_allclose(norm, np.linalg.norm(before), rtol=1e-12)
    assert np.linalg.norm(after) <= limit * (1 + 1e-12)
    if norm + 1e-6 <= limit:
        np.testing.assert_array_equal(after, before)
    else:
        np.testing.assert_allclose(after / np.linalg.norm(after), before / norm, rtol=1e-9, atol=1e-12)


def test_clipping_survives_gradients_whose_squares_overflow():
    g = [np.full(4, 1e30, np.float32)]
    np.testing.assert_allclose(clip_by_norm(g, 1.0), 2e30, rtol=1e-6)
    np.testing.assert_allclose(g[0], 0.5, rtol=1e-6)


@given(st.floats(1e-5, 10.0), st.floats(0.0, 1e-5), st.integers(1, 200), st.integers(1, 50))
def test_schedules_rise_once_and_then_fall(rate, lowest, steps, warm):
    schedule = warmup(cosine(rate, steps=steps, lowest=lowest), steps=warm)
    rates = [schedule(t) for t in range(warm + steps + 20)]
    top = warm
    assert all(a < b for a, b in pairwise(rates[: top + 1]))
    assert all(a >= b for a, b in pairwise(rates[top:]))
    assert rates[top] == pytest.approx(rate)
    assert rates[-1] == pytest.approx(lowest, abs=1e-15 + 1e-12 * rate)


x2, g2 = np.ones(2), np.ones(2)


def load(state):
    Adam([np.ones(2)], rate=0.1).load(state)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: SGD([], rate=0.1), ValueError, r"at least one parameter, got none: pass model\.parameters"),
        (
            lambda: SGD([np.ones(2, int)], rate=0.1),
            TypeError,
            r"floating-point arrays of one dtype, got int64",
        ),
        (lambda: SGD([[1.0]], rate=0.1), TypeError, r"floating-point arrays of one dtype, got list"),
        (lambda: SGD([x2, np.ones(2, np.float32)], rate=0.1), TypeError, r"got float32, float64"),
        (lambda: SGD([x2, x2], rate=0.1), ValueError, r"one array twice: it would move twice a step"),
        (lambda: SGD([np.broadcast_to(1.0, 2)], rate=0.1), ValueError, r"read-only: pass p\.copy\(\)"),
        (
            lambda: SGD([np.ones((2, 3)).T], rate=0.1),
            ValueError,
            r"must be contiguous.*np\.ascontiguousarray",
        ),
        (lambda: SGD([x2], rate=-0.1), ValueError, r"at least 0, got -0\.1: a negative rate would climb"),
        (lambda: SGD([x2], rate=float("nan")), ValueError, r"finite and at least 0, got nan"),
        (lambda: SGD([x2], rate=lambda t: -1.0).step([g2]), ValueError, r"step 0 of SGD expects a rate"),
        (lambda: SGD([x2], rate=0.1, momentum=1.0), ValueError, r"momentum of at least 0\.0 and below 1\.0"),
        (lambda: SGD([x2], rate=0.1, nesterov=True), ValueError, r"pass momentum=0\.9 too"),
        (lambda: SGD([x2], rate=0.1, weight_decay=-1.0), ValueError, r"weight_decay of at least 0\.0, got"),
        (lambda: RMSProp([x2], rate=0.1, alpha=1.0), ValueError, r"RMSProp expects alpha"),
        (lambda: Adam([x2], rate=0.1, betas=(0.9, 1.0)), ValueError, r"Adam expects beta_2 .* below 1\.0"),
        (lambda: AdamW([x2], rate=0.1, eps=0.0), ValueError, r"AdamW expects a finite eps above 0, got 0\.0"),
        (lambda: Adam([x2], rate=0.1).step([]), ValueError, r"expects 1 gradients, one a parameter, got 0"),
        (
            lambda: Adam([x2], rate=0.1).step([np.ones(3)]),
            ValueError,
            r"gradient 0 of shape \(2,\).*got \(3,\)",
        ),
        (
            lambda: Adam([x2], rate=0.1).step([np.ones(2, np.float32)]),
            ValueError,
            r"and float64, got .*float32",
        ),
        (lambda: load(SGD([x2], rate=0.1).state()), ValueError, r"build the same optimizer that wrote it"),
        (
            lambda: load(Adam([np.ones(3)], rate=0.1).state()),
            ValueError,
            r"sums of shape \(2,\).*got\s+\(3,\)",
        ),
        (lambda: Optimizer([x2], rate=0.1).step([g2]), NotImplementedError, r"must say how"),
        (lambda: clip_by_norm([g2.copy()], 0.0), ValueError, r"limit above 0"),
        (lambda: clip_by_norm([np.array([np.nan])], 1.0), ValueError, r"a length of nan: .* lower the rate"),
        (lambda: clip_by_norm([np.array([np.inf])], 1.0), ValueError, r"a length of inf"),
        (lambda: cosine(0.1, steps=0), ValueError, r"cosine expects steps of at least 1, got 0"),
        (lambda: step_decay(0.1, every=0), ValueError, r"every of at least 1"),
        (lambda: warmup(0.1, steps=0), ValueError, r"warmup expects steps"),
    ],
)
def test_errors_say_the_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()
