import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from dlcourse.data import animals, digits
from dlcourse.introduction import features
from dlcourse.introduction.features import (
    balanced_accuracy,
    class_means,
    edge_directions,
    hidden_features,
    holes,
    ink,
    measure,
    nearest_mean,
    predict_each_group,
    profiles,
    standardize_by,
    symmetry,
    train_classifier,
)
from dlcourse.neurons.network import accuracy, forward

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))
MEASURES = (ink, symmetry, profiles, holes, measure)


@st.composite
def pictures(draw):
    rng = np.random.default_rng(draw(SEEDS))
    return rng.uniform(0, 1, draw(SIZES)).astype(draw(st.sampled_from([np.float32, np.float64])))


# --- measurements ---


@given(pictures())
def test_each_picture_is_measured_for_itself(images):
    for function in MEASURES:
        whole = function(images)
        assert whole.dtype == images.dtype
        assert len(whole) == len(images)
        assert np.isfinite(whole).all()
        alone = np.concatenate([function(image[None]) for image in images])
        np.testing.assert_allclose(whole, alone, rtol=1e-5)


@given(pictures())
def test_ink_and_profiles_tell_the_same_amount(images):
    _, h, w = images.shape
    rows, columns = np.split(profiles(images), [h], axis=1)
    assert (rows.shape[1], columns.shape[1]) == (h, w)
    for part in (rows, columns):
        np.testing.assert_allclose(part.mean(axis=1), ink(images), rtol=1e-5)


@given(pictures())
def test_symmetry_is_a_share_and_blind_to_mirrors(images):
    found = symmetry(images)
    assert found.min() >= -1e-6
    assert found.max() <= 1
    np.testing.assert_allclose(symmetry(images[:, :, ::-1]), found, rtol=1e-5)
    mirrored = (images + images[:, :, ::-1]) / 2
    np.testing.assert_array_equal(symmetry(mirrored), 1)


def test_symmetry_of_one_half_and_of_paper():
    half = np.zeros((1, 3, 4))
    half[:, :, :2] = 0.7
    assert symmetry(half) == 0
    assert symmetry(half.transpose(0, 2, 1)) == 1
    assert symmetry(np.zeros((1, 3, 4))) == 1


@given(SIZES, SEEDS)
def test_holes_are_those_of_scipy(size, seed):
    images = np.random.default_rng(seed).uniform(0, 1, size)
    paper = np.pad(images <= 0.5, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    expected = [scipy.ndimage.label(picture)[1] - 1 for picture in paper]  # one piece is what lies outside
    assert holes(images).tolist() == expected


@pytest.mark.slow
def test_digits_have_the_holes_they_should_have():
    images, labels = digits.load()
    found = holes((images / 255).astype(np.float32))
    usual = {0: 1, 1: 0, 2: 0, 3: 0, 5: 0, 6: 1, 7: 0, 8: 2}
    for digit, expected in usual.items():
        counts = np.bincount(found[labels == digit].astype(int))
        assert counts.argmax() == expected


def test_measure_puts_the_measurements_side_by_side(rng):
    images = rng.uniform(0, 1, (3, 5, 6))
    columns = [ink(images), symmetry(images), symmetry(images.transpose(0, 2, 1)), holes(images)]
    np.testing.assert_array_equal(measure(images), np.stack(columns, axis=1))
    assert measure(images).shape == (3, len(features.MEASURES))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("cells", "directions"), [(1, 1), (2, 4), (4, 8), (7, 3)])
def test_edges_lose_no_strength(dtype, cells, directions, rng):
    images = rng.uniform(0, 1, (3, 28, 28)).astype(dtype)
    found = edge_directions(images, cells=cells, directions=directions)
    assert found.shape == (3, cells * cells * directions)
    assert found.dtype == dtype
    assert found.min() >= 0
    down, right = np.gradient(images, axis=(1, 2))
    np.testing.assert_allclose(found.sum(axis=1), np.hypot(down, right).sum(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize("degrees", [0, 15, 45, 67.5, 90, 120, 179])
def test_an_edge_is_put_beside_its_direction(degrees):
    turn = np.deg2rad(degrees)
    down, right = np.mgrid[:16, :16] / 40
    ramp = down * np.sin(turn) + right * np.cos(turn)
    ramp -= ramp.min()
    found = edge_directions(ramp[None], cells=1, directions=4)[0]
    place = degrees / 45
    lower = int(place)
    expected = np.zeros(4)
    expected[lower % 4] += 1 - (place - lower)
    expected[(lower + 1) % 4] += place - lower
    np.testing.assert_allclose(found / found.sum(), expected, atol=1e-10)


def test_edges_do_not_ask_which_side_is_dark(rng):
    images = rng.uniform(0, 1, (2, 8, 8))
    np.testing.assert_allclose(edge_directions(images), edge_directions(1 - images), atol=1e-12)


# --- classifiers ---


@given(SEEDS, st.integers(2, 20), st.integers(1, 6), st.integers(1, 5))
def test_scale_is_that_of_scikit_learn(seed, n, columns, others):
    rng = np.random.default_rng(seed)
    x_train = rng.normal(rng.normal(size=columns), rng.uniform(0.1, 5, columns), (n, columns))
    x_train[:, 0] = 0.1
    x = rng.standard_normal((others, columns))
    expected = StandardScaler().fit(x_train)
    np.testing.assert_allclose(standardize_by(x_train, x), expected.transform(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(standardize_by(x_train, x_train)[:, 0], 0)


def test_the_scale_comes_from_the_training_set_alone(rng):
    x_train, x = rng.standard_normal((20, 3)), rng.standard_normal((10, 3))
    whole = standardize_by(x_train, x)
    np.testing.assert_array_equal(standardize_by(x_train, x[:4]), whole[:4])
    assert abs(whole.mean()) > 1e-3
    assert standardize_by(x_train.astype(np.float32), x.astype(np.float32)).dtype == np.float32


@given(SEEDS, st.integers(2, 5), st.integers(1, 6))
def test_nearest_mean_is_that_of_scikit_learn(seed, classes, columns):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 20)])
    x, new = rng.standard_normal((len(labels), columns)), rng.standard_normal((15, columns))
    peer = NearestCentroid().fit(x, labels)
    np.testing.assert_allclose(class_means(x, labels), peer.centroids_, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(nearest_mean(new, class_means(x, labels)), peer.predict(new))


@pytest.mark.parametrize("hidden", [(), (16,), (8, 4)])
def test_training_finds_what_can_be_told_apart(hidden, rng):
    labels = np.arange(120) % 3
    x = (rng.standard_normal((120, 4)) / 4 + 2 * np.eye(4)[labels]).astype(np.float32)
    net = train_classifier(x, labels, hidden=hidden, rng=np.random.default_rng(1), epochs=60)
    assert net.sizes == (4, *hidden, 3)
    assert accuracy(net.predict(x), labels) > 0.97
    again = train_classifier(x, labels, hidden=hidden, rng=np.random.default_rng(1), epochs=60)
    for one, other in zip(net.parameters, again.parameters, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)


def test_hidden_features_are_what_the_last_layer_weighs(rng):
    x, labels = rng.standard_normal((30, 5)), np.arange(30) % 2
    net = train_classifier(x, labels, hidden=(7, 6), rng=rng, epochs=2)
    found = hidden_features(net, x)
    assert found.shape == (30, 6)
    np.testing.assert_allclose(forward(found, net.layers[-1:]), net.forward(x), rtol=1e-12)


@pytest.mark.slow
def test_better_features_make_the_same_classifier_better():
    """The result that the chapter shows, in small."""
    x_train, y_train, x_test, y_test = digits.split()
    x_train, y_train = x_train[:1000], y_train[:1000]
    pictures = [x.reshape(-1, 28, 28) for x in (x_train, x_test)]
    net = train_classifier(x_train, y_train, hidden=(64,), rng=np.random.default_rng(0))
    kinds = {
        "measured": [measure(p) for p in pictures],
        "pixels": (x_train, x_test),
        "edges": [edge_directions(p) for p in pictures],
        "learned": [hidden_features(net, x) for x in (x_train, x_test)],
    }
    shares = {}
    for name, (train, test) in kinds.items():
        means = class_means(standardize_by(train, train), y_train)
        shares[name] = accuracy(nearest_mean(standardize_by(train, test), means), y_test)
    assert 0.25 < shares["measured"] < 0.5
    assert shares["pixels"] < shares["edges"]
    assert shares["pixels"] < shares["learned"]


# --- judging ---


@given(SEEDS, st.integers(2, 4))
def test_balanced_accuracy_is_that_of_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 10)])
    predicted = rng.permutation(labels)
    expected = balanced_accuracy_score(labels, predicted)
    assert balanced_accuracy(predicted, labels) == pytest.approx(expected, abs=1e-12)


def test_who_always_says_the_same_is_at_chance():
    is_dog = animals.load().is_dog.astype(int)
    always_cat = np.zeros_like(is_dog)
    assert accuracy(always_cat, is_dog) > 0.7
    assert balanced_accuracy(always_cat, is_dog) == 0.5


def test_each_group_is_predicted_by_the_others(rng):
    x, labels = rng.standard_normal((12, 2)), np.arange(12) % 2
    groups = np.array(["a", "b", "c"])[np.arange(12) // 4]
    seen = []

    def classify(x_train, y_train, x_test):
        seen.append((x_train, y_train, x_test))
        return np.full(len(x_test), len(seen))

    predicted = predict_each_group(classify, x, labels, groups)
    assert predicted.tolist() == [1] * 4 + [2] * 4 + [3] * 4
    for k, (x_train, y_train, x_test) in enumerate(seen):
        inside = np.arange(12) // 4 == k
        np.testing.assert_array_equal(x_test, x[inside])
        np.testing.assert_array_equal(x_train, x[~inside])
        np.testing.assert_array_equal(y_train, labels[~inside])


# --- errors ---

pair = np.array([[0.0, 1.0], [1.0, 1.0]])


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize("function", [ink, symmetry, profiles, holes, measure, edge_directions])
@pytest.mark.parametrize(
    ("images", "error", "says"),
    [
        (np.full((1, 4, 4), 255.0), ValueError, r"from 0 \(paper\) to 1 \(ink\), got 255 to 255: divide"),
        (np.full((1, 4, 4), -0.5), ValueError, r"got -0\.5 to -0\.5"),
        (np.full((1, 4, 4), np.nan), ValueError, r"fill what is NaN"),
        (np.zeros((1, 4, 4), np.uint8), TypeError, r"floating-point numbers, got uint8"),
        (np.zeros((4, 16)), ValueError, r"images of shape \(batch, h, w\), got \(4, 16\)"),
        (np.zeros((0, 4, 4)), ValueError, r"at least one picture with pixels, got shape \(0, 4, 4\)"),
    ],
)
def test_what_is_no_grey_picture_is_refused(function, images, error, says):
    with pytest.raises(error, match=says):
        function(images)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: edge_directions(np.zeros((1, 9, 8))), ValueError, r"4 cells and 8 directions .* 9 x 8"),
        (lambda: edge_directions(np.zeros((1, 8, 8)), directions=0), ValueError, r"at least one direction"),
        (lambda: edge_directions(np.zeros((1, 1, 4)), cells=1), ValueError, r"pictures of 1 x 4"),
        (lambda: standardize_by(pair, np.ones((2, 3))), ValueError, r"the same features in x_train and x"),
        (lambda: standardize_by(pair.astype(int), pair), TypeError, r"x_train as an array of floating"),
        (lambda: class_means(pair, np.array([0, 2])), ValueError, r"from 0 to 2, got none of class 1"),
        (lambda: class_means(pair, np.array([0])), ValueError, r"the same batch in x and labels"),
        (lambda: nearest_mean(pair, np.ones((2, 3))), ValueError, r"the same features in x and means"),
        (
            lambda: train_classifier(pair, np.array([0]), rng=np.random.default_rng(0)),
            ValueError,
            r"the same batch in x and labels",
        ),
        (
            lambda: hidden_features(
                train_classifier(pair, np.array([0, 1]), epochs=1, rng=np.random.default_rng(0)), pair
            ),
            ValueError,
            r"a network with a hidden layer, got MLP\(2-2",
        ),
        (lambda: balanced_accuracy(np.array([0]), np.array([0, 1])), ValueError, r"the same batch"),
        (
            lambda: predict_each_group(lambda *_: None, pair, np.array([0, 1]), np.array(["a", "a"])),
            ValueError,
            r"needs two groups to learn from one of them, got \['a'\]",
        ),
    ],
)
def test_errors_say_what_to_do(call, error, says):
    with pytest.raises(error, match=says):
        call()
