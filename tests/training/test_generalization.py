from functools import partial

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from dlcourse.data import digits
from dlcourse.neurons.network import accuracy
from dlcourse.training._asked import (
    class_means,
    growing_sets,
    hold_out_groups,
    split_once,
)
from dlcourse.training.generalization import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    centred,
    cross_validate,
    error_rate,
    folds,
    learning_curve,
    noisy,
    polynomial,
    split,
    split_groups,
)
from dlcourse.training.regularization import shift

SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0.1, 0.4)


def nearest(x, y):
    """Learn by heart: the answer is that of the nearest sample."""
    return lambda new: y[((new[:, None] - x) ** 2).sum(axis=2).argmin(axis=1)]


# --- dividing ---


@given(st.lists(st.integers(5, 40), min_size=1, max_size=6), SHARES, SHARES, SEEDS)
def test_each_example_is_in_one_part_and_each_class_keeps_its_share(counts, validation, test, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    assume(min(validation, test, 1 - validation - test) * min(counts) >= 1)  # else a part may get nothing
    parts = split(labels, validation=validation, test=test, rng=rng)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    for rows, share in zip(parts, (1 - validation - test, validation, test), strict=True):
        assert (np.diff(rows) > 0).all()
        wanted = share * np.array(counts)
        assert np.abs(np.bincount(labels[rows], minlength=len(counts)) - wanted).max() <= 1 + 1e-6


def test_split_is_drawn_and_the_same_draws_give_the_same_parts():
    labels = np.repeat(np.arange(10), 50)
    first, again, other = (split(labels, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first.test, other.test)
    assert [len(rows) for rows in first] == [300, 100, 100]
    # Every example has the same chance to be tested on.
    rng = np.random.default_rng(0)
    tested = (
        np.bincount(np.concatenate([split(labels, rng=rng).test for _ in range(400)]), minlength=500) / 400
    )
    assert np.abs(tested - 0.2).max() < 0.1


def test_split_takes_names_and_may_leave_out_a_part(rng):
    labels = np.array(["cat"] * 10 + ["dog"] * 10)
    parts = split(labels, validation=0.0, test=0.3, rng=rng)
    assert len(parts.validation) == 0
    assert sorted(labels[parts.test]) == ["cat"] * 3 + ["dog"] * 3


@given(st.lists(st.integers(1, 6), min_size=8, max_size=30), SHARES, SHARES, SEEDS)
def test_no_group_is_divided(sizes, validation, test, seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)) * 7, sizes))
    assume(min(validation, test, 1 - validation - test) * len(sizes) >= 1)
    parts = split_groups(groups, validation=validation, test=test, rng=rng)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(groups)))
    seen = [set(groups[rows].tolist()) for rows in parts]
    assert sum(map(len, seen)) == len(set.union(*seen)) == len(sizes)
    assert abs(len(seen[2]) - test * len(sizes)) <= 1


@given(st.integers(2, 60), st.integers(2, 60), SEEDS)
def test_each_example_is_held_out_in_one_fold(n, k, seed):
    assume(k <= n)
    made = list(folds(n, k, rng=np.random.default_rng(seed)))
    assert len(made) == k
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.held_out for fold in made])), np.arange(n))
    for train, held_out in made:
        assert len(held_out) in (n // k, -(-n // k))
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n))


def test_folds_are_drawn_in_random_order():
    (_, first), *_ = folds(100, 5, rng=np.random.default_rng(0))
    assert np.ptp(first) > 50


# --- measures ---


def test_error_rate_is_the_rest_of_the_accuracy():
    predicted, labels = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    assert error_rate(predicted, labels) == pytest.approx(1 - accuracy(predicted, labels)) == 0.25


@given(st.integers(1, 5000), st.floats(0, 1))
def test_interval_of_an_accuracy_is_wilsons(n, share):
    right = round(share * n)
    got = accuracy_interval(right, n, z=scipy.stats.norm.ppf(0.975))
    want = scipy.stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(got, (want.low, want.high), atol=1e-12)
    assert got.low <= right / n <= got.high
    assert got.low < got.high


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_interval_holds_the_true_accuracy_as_often_as_it_says(p, rng):
    held = [
        low <= p <= high for low, high in (accuracy_interval(int(r), 500) for r in rng.binomial(500, p, 4000))
    ]
    assert 0.93 < np.mean(held) < 0.975


def test_bootstrap_is_that_of_scipy(rng):
    values = rng.exponential(size=80)
    got = bootstrap_interval(values, rng=np.random.default_rng(0), times=4000)
    peer = scipy.stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=rng)
    np.testing.assert_allclose(got, peer.confidence_interval, atol=0.02)
    wide, narrow = (
        bootstrap_interval(values, rng=np.random.default_rng(0), level=level) for level in (0.99, 0.5)
    )
    assert wide.low < narrow.low < values.mean() < narrow.high < wide.high


def test_bootstrap_agrees_with_wilson_on_right_and_wrong(rng):
    values = np.repeat([1.0, 0.0], [940, 60])
    np.testing.assert_allclose(bootstrap_interval(values, rng=rng), accuracy_interval(940, 1000), atol=0.004)
    assert bootstrap_interval(np.ones(10), rng=rng) == Interval(1.0, 1.0)


# --- curves ---


def test_cross_validation_is_that_of_scikit_learn(rng):
    x, y = rng.standard_normal((60, 3)), rng.integers(3, size=60)
    got = cross_validate(nearest, x, y, k=6, rng=np.random.default_rng(4))
    same_folds = list(folds(60, 6, rng=np.random.default_rng(4)))
    want = 1 - cross_val_score(KNeighborsClassifier(1), x, y, cv=same_folds)
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_learning_curve_learns_from_the_first_of_an_order_and_holds_out_the_same():
    seen = []

    def learn(x, y):
        seen.append(x.copy())
        np.testing.assert_array_equal(y, 2 * x)
        return lambda new: new

    x = np.arange(20.0)
    held_out = (x[:5], x[:5] + 3)
    curve = learning_curve(
        learn,
        x,
        2 * x,
        [2, 7, 20],
        held_out=held_out,
        rng=np.random.default_rng(1),
        repeats=2,
        error=lambda a, b: np.abs(a - b).mean(),
    )
    assert curve.train.shape == curve.held_out.shape == (2, 3)
    np.testing.assert_array_equal(curve.held_out, 3)
    np.testing.assert_array_equal(curve.sizes, [2, 7, 20])
    for repeat in (0, 1):
        small, middle, whole = seen[3 * repeat : 3 * repeat + 3]
        np.testing.assert_array_equal(small, middle[:2])
        np.testing.assert_array_equal(middle, whole[:7])
        np.testing.assert_array_equal(np.sort(whole), x)
        np.testing.assert_allclose(curve.train[repeat], [s.mean() for s in (small, middle, whole)])
    assert not np.array_equal(seen[2], seen[5])


@pytest.mark.slow
def test_more_digits_help_and_the_training_set_is_known_by_heart():
    x_train, y_train, x_test, y_test = digits.split()
    curve = learning_curve(
        nearest,
        x_train[:400],
        y_train[:400],
        [20, 80, 400],
        held_out=(x_test[:300], y_test[:300]),
        rng=np.random.default_rng(0),
        repeats=2,
    )
    assert (curve.train == 0).all()
    assert (np.diff(curve.held_out.mean(axis=0)) < 0).all()


@given(st.integers(0, 8), SEEDS)
def test_polynomial_is_that_of_polyfit(degree, seed):
    rng = np.random.default_rng(seed)
    t, new, y = rng.uniform(-1, 1, 40), rng.uniform(-1, 1, 10), rng.standard_normal(40)
    want = np.polyval(np.polyfit(t, y, degree), new)
    np.testing.assert_allclose(polynomial(degree)(t, y)(new), want, rtol=1e-7, atol=1e-7)


def test_capacity_only_lowers_the_training_error(rng):
    t, y = np.sort(rng.uniform(-1, 1, 12)), rng.standard_normal(12)
    errors = [np.square(polynomial(degree)(t, y)(t) - y).mean() for degree in range(12)]
    assert (np.diff(errors) < 1e-12).all()
    assert errors[-1] < 1e-12


# --- moved data ---


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_noise_has_its_level_and_stays_in_range(dtype, rng):
    images = np.full((20, 28, 28), 0.5, dtype)
    moved = noisy(images, 0.1, rng=rng)
    assert moved.dtype == dtype
    assert abs((moved - 0.5).std() - 0.1) < 0.005
    strong = noisy(images, 2.0, rng=rng)
    assert strong.min() == 0
    assert strong.max() == 1
    np.testing.assert_array_equal(noisy(images, 0.0, rng=rng), images)


@given(st.integers(-4, 4), st.integers(-4, 4))
def test_centring_undoes_a_shift(down, right):
    images = digits.load().images[:20].astype(float)
    keep = np.zeros_like(images, bool)
    keep[:, 4:24, 4:24] = True
    images[~keep] = 0  # nothing is lost at the rim
    moved = shift(images, np.full(20, float(down)), np.full(20, float(right)))
    np.testing.assert_allclose(centred(moved), centred(images), atol=1e-12)


def test_the_shipped_digits_are_centred_and_an_empty_picture_stays():
    images = digits.load().images[:300].astype(float)
    changed = (centred(images) != images).any(axis=(1, 2))
    assert changed.mean() < 0.1
    np.testing.assert_array_equal(centred(np.zeros((2, 5, 4))), 0)


# --- as the exercise asks for them ---


def test_functions_of_the_exercise_agree_with_the_package(rng):
    labels = rng.integers(3, size=40)
    train, held_out = split_once(labels, 0.25, rng=np.random.default_rng(3))
    parts = split(labels, validation=0.0, test=0.25, rng=np.random.default_rng(3))
    assert [train.tolist(), held_out.tolist()] == [parts.train.tolist(), parts.test.tolist()]
    parts = split_groups(labels, validation=0.0, test=1 / 3, rng=rng)
    train, held_out = hold_out_groups(labels, labels[parts.test][:1])
    assert [train.tolist(), held_out.tolist()] == [parts.train.tolist(), parts.test.tolist()]
    x = rng.standard_normal((40, 2)) + labels[:, None]
    got = growing_sets(x, labels, x[:9] + 0.3, labels[:9], np.array([5, 20, 40]))

    class Unchanged(np.random.Generator):
        def permutation(self, n):
            return np.arange(n)

    curve = learning_curve(
        lambda x, y: partial(class_means, x, y),
        x,
        labels,
        [5, 20, 40],
        held_out=(x[:9] + 0.3, labels[:9]),
        rng=Unchanged(np.random.PCG64(0)),
    )
    np.testing.assert_allclose(got, np.stack([curve.train[0], curve.held_out[0]], axis=1))


# --- errors ---


@pytest.fixture
def without_shape_checks():
    from jaxtyping import config

    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", before)


SIX = np.zeros(6, int)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda rng: split(SIX, validation=0.5, test=0.5, rng=rng),
            ValueError,
            r"leave something to train on",
        ),
        (lambda rng: split(SIX, validation=-0.1, rng=rng), ValueError, r"got validation=-0\.1 and test=0\.2"),
        (lambda rng: split(SIX[:2], rng=rng), ValueError, r"split expects enough .* got none for test"),
        (
            lambda rng: split_groups(SIX, rng=rng),
            ValueError,
            r"split_groups expects enough .* none for validation",
        ),
        (lambda rng: folds(5, 6, rng=rng), ValueError, r"k from 2 to the number of examples, 5, got 6"),
        (lambda rng: folds(5, 1, rng=rng), ValueError, r"got 1: each part is held out"),
        (lambda _: accuracy_interval(7, 6), ValueError, r"got 7 of 6"),
        (lambda _: accuracy_interval(0, 0), ValueError, r"n of at least 1, got 0 of 0"),
        (lambda rng: bootstrap_interval(np.ones(0), rng=rng), ValueError, r"got 0 values"),
        (lambda rng: bootstrap_interval(np.ones(3), rng=rng, level=95), ValueError, r"level=95"),
        (lambda rng: bootstrap_interval(SIX, rng=rng), TypeError, r"values as an array of floating"),
        (
            lambda rng: cross_validate(nearest, np.ones((4, 2)), SIX, rng=rng),
            ValueError,
            r"4 samples and 6 targets",
        ),
        (
            lambda rng: learning_curve(nearest, np.ones((6, 2)), SIX, [7], held_out=(SIX, SIX), rng=rng),
            ValueError,
            r"sizes from 1 to the number of examples, 6, got \[7\]",
        ),
        (
            lambda rng: learning_curve(nearest, np.ones((6, 2)), SIX, [], held_out=(SIX, SIX), rng=rng),
            ValueError,
            r"got \[\]",
        ),
        (lambda _: polynomial(-1), ValueError, r"a degree of at least 0, got -1"),
        (lambda _: polynomial(1)(np.array([0.0, 2.0]), np.ones(2)), ValueError, r"inputs from -1 to 1"),
        (
            lambda rng: noisy(np.ones((1, 2, 2)), -1.0, rng=rng),
            ValueError,
            r"a level of at least 0, .* got -1",
        ),
        (lambda _: centred(np.ones((4, 4))), ValueError, r"images of shape \(batch, h, w\)"),
    ],
)
def test_errors_say_what_to_do(call, error, says, rng):
    with pytest.raises(error, match=says):
        call(rng)
