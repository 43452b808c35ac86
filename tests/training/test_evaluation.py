import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from dlcourse.data import digits, weather
from dlcourse.learning._fused import FusedMLP
from dlcourse.neurons.activation import softmax
from dlcourse.neurons.network import accuracy
from dlcourse.training import fit
from dlcourse.training._asked import past_and_future
from dlcourse.training.evaluation import (
    apart,
    balanced_accuracy,
    calibration_error,
    class_scores,
    confusion_matrix,
    lagged_windows,
    reliability,
    skill_score,
    worst_mistakes,
)
from dlcourse.training.initialization import initialize
from dlcourse.training.optimizers import AdamW, cosine, warmup
from dlcourse.training.regularization import RegularizedMLP, augment

SEEDS = st.integers(0, 2**32)


def answers(n, classes, seed, wrong=0.4):
    """Draw labels, and predictions some of which are wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return np.where(rng.random(n) < wrong, rng.integers(0, classes, n), labels), labels


# --- classes ---


@given(n=st.integers(1, 60), classes=st.integers(2, 8), seed=SEEDS)
def test_the_matrix_and_its_scores_agree_with_scikit_learn(n, classes, seed):
    predicted, labels = answers(n, classes, seed)
    matrix = confusion_matrix(predicted, labels, classes)
    everything = list(range(classes))
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, predicted, labels=everything))
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=everything, zero_division=0)
    for got, want in zip(class_scores(matrix), expected, strict=False):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    found = np.unique(labels)
    recall = metrics.recall_score(labels, predicted, labels=found, average="macro", zero_division=0)
    np.testing.assert_allclose(balanced_accuracy(matrix), recall, rtol=1e-12)


def test_balanced_accuracy_agrees_with_scikit_learn():
    predicted, labels = answers(200, 5, seed=1)
    labels[:150] = 2  # a frequent class
    expected = metrics.balanced_accuracy_score(labels, predicted)
    np.testing.assert_allclose(
        balanced_accuracy(confusion_matrix(predicted, labels, 5)), expected, rtol=1e-12
    )


@given(n=st.integers(1, 60), classes=st.integers(1, 8), seed=SEEDS)
def test_every_sample_is_counted_once(n, classes, seed):
    predicted, labels = answers(n, classes, seed)
    matrix = confusion_matrix(predicted, labels, classes)
    np.testing.assert_allclose(np.trace(matrix) / matrix.sum(), accuracy(predicted, labels), rtol=1e-12)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=classes))
    np.testing.assert_array_equal(matrix.sum(axis=0), np.bincount(predicted, minlength=classes))
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, classes), matrix.T)
    # Precision and recall exchange their places where predictions and labels do.
    scores, other = class_scores(matrix), class_scores(matrix.T)
    np.testing.assert_array_equal(scores.precision, other.recall)
    np.testing.assert_array_equal(scores.f1, other.f1)
    # F1 is the harmonic mean of the other two.
    both = scores.precision + scores.recall
    harmonic = 2 * scores.precision * scores.recall / np.where(both > 0, both, 1)
    np.testing.assert_allclose(scores.f1, harmonic, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_whole_numbers_of_any_dtype_are_counted(dtype):
    predicted, labels = answers(300, 200, seed=2)
    expected = confusion_matrix(predicted, labels, 200)
    np.testing.assert_array_equal(confusion_matrix(predicted.astype(dtype), labels, 200), expected)
    np.testing.assert_array_equal(confusion_matrix(predicted, labels.astype(dtype), 200), expected)
    assert expected.sum() == 300


def test_a_class_that_is_never_answered_scores_0():
    scores = class_scores(np.array([[5, 0, 0], [2, 0, 0], [0, 0, 0]]))
    np.testing.assert_allclose(scores.precision, [5 / 7, 0, 0])
    np.testing.assert_allclose(scores.recall, [1, 0, 0])
    np.testing.assert_allclose(scores.f1, [10 / 12, 0, 0])
    assert balanced_accuracy(np.array([[5, 0, 0], [2, 0, 0], [0, 0, 0]])) == 0.5


@given(n=st.integers(1, 40), classes=st.integers(2, 6), count=st.integers(0, 45), seed=SEEDS)
def test_the_worst_mistakes_are_those_with_the_largest_loss_in_torch(n, classes, count, seed):
    rng = np.random.default_rng(seed)
    logits, labels = 3 * rng.standard_normal((n, classes)), rng.integers(0, classes, n)
    losses = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels), reduction="none")
    wrong = [i for i in range(n) if logits[i].argmax() != labels[i]]
    expected = sorted(wrong, key=lambda i: -float(losses[i]))[:count]
    assert worst_mistakes(logits, labels, count).tolist() == expected


def test_worst_is_not_least_confident():
    # Sure and right, unsure and wrong, sure and wrong.
    logits = np.array([[9.0, 0.0], [0.1, 0.0], [9.0, 0.0], [1e4, 0.0]])
    assert worst_mistakes(logits, np.array([0, 1, 1, 1]), 3).tolist() == [3, 2, 1]
    assert worst_mistakes(logits, np.array([0, 0, 0, 0]), 3).tolist() == []


# --- confidence ---


@given(
    n=st.integers(1, 80),
    classes=st.integers(1, 6),
    bins=st.integers(1, 20),
    seed=SEEDS,
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_reliability_agrees_with_scikit_learn(n, classes, bins, seed, dtype):
    rng = np.random.default_rng(seed)
    p = softmax((2 * rng.standard_normal((n, classes))).astype(dtype))
    labels = rng.integers(0, classes, n)
    found = reliability(p, labels, bins)
    confidence = np.minimum(p.max(axis=-1).astype(float), 1)  # float32 may add up to a little more
    right = p.argmax(axis=-1) == labels
    expected = calibration_curve(np.r_[right, 0, 1], np.r_[confidence, 0, 1], n_bins=bins)
    # scikit-learn refuses labels that are all alike, so one of each is added, and taken off again here.
    count = found.answers + np.bincount([0, bins - 1], minlength=bins)
    sums = found.accuracy * found.answers + np.bincount([bins - 1], minlength=bins)
    np.testing.assert_allclose(sums[count > 0] / count[count > 0], expected[0], rtol=1e-6, atol=1e-12)
    sums = found.confidence * found.answers + np.bincount([bins - 1], minlength=bins)
    np.testing.assert_allclose(sums[count > 0] / count[count > 0], expected[1], rtol=1e-6, atol=1e-12)
    assert found.answers.sum() == n
    used = found.answers > 0
    gap = np.abs(found.accuracy - found.confidence)[used]
    error = calibration_error(p, labels, bins)
    np.testing.assert_allclose(error, np.average(gap, weights=found.answers[used]), rtol=1e-6, atol=1e-12)
    assert 0 <= error <= 1


def test_one_bin_compares_the_means():
    p = softmax(np.random.default_rng(3).standard_normal((50, 4)))
    labels = np.arange(50) % 4
    expected = abs(accuracy(p.argmax(axis=-1), labels) - p.max(axis=-1).mean())
    np.testing.assert_allclose(calibration_error(p, labels, bins=1), expected, rtol=1e-12)


def test_a_network_that_is_right_as_often_as_it_says_has_no_error():
    p = np.array([[0.75, 0.25]] * 4 + [[0.0, 1.0]])
    assert calibration_error(p, np.array([0, 0, 1, 0, 1])) == pytest.approx(0, abs=1e-12)
    assert calibration_error(p, np.array([1, 1, 1, 1, 0])) == pytest.approx((4 * 0.75 + 1) / 5)


# --- time ---


@given(
    time=st.integers(2, 40),
    columns=st.integers(1, 3),
    past=st.integers(1, 6),
    ahead=st.integers(1, 6),
    missing=st.floats(0, 0.3),
    seed=SEEDS,
)
def test_windows_are_what_a_loop_would_cut(time, columns, past, ahead, missing, seed):
    rng = np.random.default_rng(seed)
    series, target = rng.standard_normal((time, columns)), rng.standard_normal(time)
    series[rng.random(series.shape) < missing] = np.nan
    target[rng.random(time) < missing] = np.nan
    if time < past + ahead:
        with pytest.raises(ValueError, match="shorter windows"):
            lagged_windows(series, target, past, ahead)
        return
    expected = []
    for t in range(time):
        if t - past + 1 >= 0 and t + ahead < time:
            x, y = series[t - past + 1 : t + 1].ravel(), target[t + ahead]
            if np.isfinite(x).all() and np.isfinite(y):
                expected.append((x, y, t))
    x, y, now = lagged_windows(series, target, past, ahead)
    assert x.shape == (len(expected), past * columns)
    for i, (x_i, y_i, t) in enumerate(expected):
        np.testing.assert_array_equal(x[i], x_i)
        assert (y[i], now[i]) == (y_i, t)


def test_the_future_does_not_change_what_is_known():
    rng = np.random.default_rng(4)
    series = rng.standard_normal(30)
    before = lagged_windows(series[:, None], series, 4, 3)
    changed = series.copy()
    changed[20:] += 100
    after = lagged_windows(changed[:, None], changed, 4, 3)
    known = before.now < 20
    np.testing.assert_array_equal(after.x[known], before.x[known])
    assert (after.y != before.y).tolist() == (before.now + 3 >= 20).tolist()
    after.x[:] = 0  # a copy: nobody's series is written over
    assert changed[0] == series[0] != 0


@given(
    n=st.integers(1, 40), held=st.integers(1, 8), past=st.integers(1, 5), ahead=st.integers(1, 5), seed=SEEDS
)
def test_samples_apart_share_no_step(n, held, past, ahead, seed):
    rng = np.random.default_rng(seed)
    now, held_out = rng.integers(0, 60, n), rng.integers(0, 60, held)

    def steps(t):
        return set(range(t - past + 1, t + ahead + 1))

    taken = set().union(*map(steps, held_out))
    expected = [not steps(t) & taken for t in now]
    assert apart(now, held_out, past + ahead).tolist() == expected


def test_no_hour_of_the_year_is_in_two_sets():
    """The division of the chapter: nothing that is tested on was part of what was learned from."""
    hours = weather.load()
    x, _, now = lagged_windows(hours.temperature[:, None], hours.temperature, 24, 6)
    _, test = weather.split_masks(hours.time[now].astype("datetime64[D]"))
    train = apart(now, now[test], 30)
    assert not (train & test).any()
    assert np.abs(now[train][:, None] - now[test][None]).min() >= 30
    assert train.sum() > 5000
    assert len(x) == len(now)


@given(n=st.integers(2, 40), seed=SEEDS)
def test_skill_agrees_with_scikit_learn(n, seed):
    rng = np.random.default_rng(seed)
    predicted, target, baseline = rng.standard_normal((3, n))
    errors = [metrics.mean_absolute_error(target, p) for p in (predicted, baseline)]
    np.testing.assert_allclose(
        skill_score(predicted, target, baseline), 1 - errors[0] / errors[1], rtol=1e-9, atol=1e-12
    )
    # Against the median it is scikit-learn's D².
    median = np.full(n, np.median(target))
    expected = metrics.d2_absolute_error_score(target, predicted)
    np.testing.assert_allclose(skill_score(predicted, target, median), expected, rtol=1e-9, atol=1e-12)
    assert skill_score(target, target, baseline) == 1
    assert skill_score(baseline, target, baseline) == 0


@given(time=st.integers(2, 30), past=st.integers(1, 6), ahead=st.integers(1, 6), seed=SEEDS)
def test_what_the_exercise_asks_for_is_the_case_of_one_column(time, past, ahead, seed):
    series = np.random.default_rng(seed).standard_normal(time + past + ahead)
    x, y = past_and_future(series, past, ahead)
    expected = lagged_windows(series[:, None], series, past, ahead)
    np.testing.assert_array_equal(x, expected.x)
    np.testing.assert_array_equal(y, expected.y)


# --- what the chapter promises ---


@pytest.mark.slow
def test_a_network_reads_95_of_100_digits_that_it_has_never_seen():
    x, y, x_test, y_test = digits.split()
    net = initialize(
        [784, 256, 128, 10], "he", output="class", rng=np.random.default_rng(0), dtype=np.float32
    )
    model = RegularizedMLP(net, augment=augment, rng=np.random.default_rng(1))
    steps = 20 * 55
    optimizer = AdamW(model.parameters, rate=warmup(cosine(2e-3, steps - 50), 50), weight_decay=0.01)
    fit(
        model,
        x[:3500],
        y[:3500],
        optimizer=optimizer,
        epochs=20,
        batch=64,
        rng=np.random.default_rng(2),
        validation=(x[3500:], y[3500:]),
        patience=8,
    )
    matrix = confusion_matrix(model.predict(x_test), y_test, 10)
    assert np.trace(matrix) / matrix.sum() >= 0.95
    assert class_scores(matrix).recall.min() > 0.88


@pytest.mark.slow
def test_a_network_beats_persistence_on_the_weather_of_days_that_it_has_never_seen():
    hours = weather.load()
    columns = np.stack([hours.temperature, hours.dew_point, hours.wind_speed], axis=1)
    x, y, now = lagged_windows(columns, hours.temperature, past=24, ahead=6)
    last = x[:, -3]
    _, test = weather.split_masks(hours.time[now].astype("datetime64[D]"))
    train = apart(now, now[test], reach=30)
    x = ((x - x[train].mean(axis=0)) / x[train].std(axis=0)).astype(np.float32)
    scale = (y - last)[train].std()
    change = ((y - last) / scale)[:, None].astype(np.float32)
    model = FusedMLP(
        initialize([72, 32, 1], "he", output="value", rng=np.random.default_rng(0), dtype=np.float32)
    )
    optimizer = AdamW(model.parameters, rate=1e-3, weight_decay=0.1)
    fit(
        model, x[train], change[train], optimizer=optimizer, epochs=10, batch=64, rng=np.random.default_rng(1)
    )
    forecast = last + scale * model.predict(x)[:, 0]
    assert skill_score(forecast[test], y[test], last[test]) > 0.3


# --- errors ---

two = np.array([0, 1])
half = np.full((2, 2), 0.5)
line = np.arange(6.0)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: confusion_matrix(two, two[:1], 2), ValueError, r"\(batch,\) twice, got \(2,\) and \(1,\)"),
        (lambda: confusion_matrix(half, half, 2), ValueError, r"argmax\(axis=-1\)"),
        (lambda: confusion_matrix(two * 1.0, two, 2), TypeError, r"predicted as whole numbers, got float64"),
        (lambda: confusion_matrix(two, two > 0, 2), TypeError, r"labels as whole numbers, got bool"),
        (lambda: confusion_matrix(two, two + 1, 2), ValueError, r"from 0 to 1, got \[0, 1, 2\]"),
        (lambda: confusion_matrix(two - 1, two, 2), ValueError, r"from 0 to 1, got \[-1, 0, 1\]"),
        (lambda: class_scores(np.ones((2, 3), int)), ValueError, r"\(classes, classes\), got shape \(2, 3\)"),
        (lambda: class_scores(-np.eye(2, dtype=int)), ValueError, r"counts of at least 0"),
        (lambda: class_scores(half), TypeError, r"matrix as whole numbers, got float64"),
        (lambda: balanced_accuracy(np.zeros((2, 2), int)), ValueError, r"at least one sample"),
        (lambda: worst_mistakes(half, two, -1), ValueError, r"count of at least 0, got -1"),
        (lambda: worst_mistakes(half, two + 1, 1), ValueError, r"labels from 0 to 1"),
        (lambda: reliability(half * 3, two), ValueError, r"pass softmax\(logits\), not the logits"),
        (lambda: reliability(half - 1, two), ValueError, r"0 or more with the sum 1"),
        (lambda: reliability(half * np.nan, two), ValueError, r"0 or more with the sum 1"),
        (lambda: reliability(half, two[:1]), ValueError, r"got \(2, 2\) and \(1,\): one row and one label"),
        (lambda: reliability(half, two * 1.0), TypeError, r"labels as whole numbers"),
        (lambda: reliability(half, two, bins=0), ValueError, r"at least 1 bin, got 0"),
        (lambda: calibration_error(two, two), TypeError, r"probabilities as an array of floating"),
        (lambda: lagged_windows(line, line, 1, 1), ValueError, r"series\[:, None\]"),
        (lambda: lagged_windows(line[:, None], line[1:], 1, 1), ValueError, r"got \(6, 1\) and \(5,\)"),
        (
            lambda: lagged_windows(line[:, None], line, 2, 0),
            ValueError,
            r"got 2 and 0: with 0 ahead the answer",
        ),
        (lambda: lagged_windows(line[:, None], line, 0, 1), ValueError, r"at least 1, got 0 and 1"),
        (lambda: lagged_windows(line[:, None], line, 5, 2), ValueError, r"past \+ ahead = 7 steps, got 6"),
        (lambda: apart(two, two[:0], 3), ValueError, r"got 0 and 3: the reach is past \+ ahead"),
        (lambda: apart(two, two, 0), ValueError, r"a reach of at least 1"),
        (lambda: skill_score(line, line, line), ValueError, r"wrong at least once"),
        (lambda: skill_score(line, line, line[1:]), ValueError, r"three arrays of shape \(n,\)"),
        (lambda: skill_score(half, half, half), ValueError, r"a column becomes flat with \[:, 0\]"),
    ],
)
def test_errors_say_what_to_do(call, error, says):
    with pytest.raises(error, match=says):
        call()
