import numpy as np
import pytest

from dlcourse.data import digits


def test_shipped_digits():
    images, labels = digits.load()
    assert images.shape == (5000, 28, 28)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert images.min() == 0
    assert images.max() == 255
    assert not images.flags.writeable
    assert not labels.flags.writeable


def test_each_ten_hold_every_digit_in_no_fixed_order():
    tens = digits.load().labels.reshape(-1, 10)
    assert (np.sort(tens, axis=1) == np.arange(10)).all()
    assert len({tuple(ten) for ten in tens}) > 400


def test_labels_belong_to_the_pictures():
    """A linear model fitted by least squares would be at 10 % if they did not."""
    x, y, x_test, y_test = digits.split()
    a = np.c_[x, np.ones(len(x))].astype(float)
    w = np.linalg.solve(a.T @ a + 10 * np.eye(785), a.T @ np.eye(10)[y])
    guessed = np.argmax(np.c_[x_test, np.ones(len(x_test))] @ w, axis=1)
    assert 0.8 < np.mean(guessed == y_test) < 0.95


def test_split_is_fixed_scaled_and_balanced():
    x_train, y_train, x_test, y_test = digits.split()
    assert x_train.shape == (4000, 784)
    assert x_test.shape == (1000, 784)
    assert x_train.dtype == np.float32
    assert x_train.min() == 0
    assert x_train.max() == 1
    assert np.bincount(y_train).tolist() == [400] * 10
    assert np.bincount(y_test).tolist() == [100] * 10
    np.testing.assert_array_equal(digits.split().x_test, x_test)
    images = digits.load().images
    np.testing.assert_array_equal(x_test[0].reshape(28, 28) * 255, images[4000])


def test_drawn_split_is_another_and_balanced():
    first = digits.split(rng=np.random.default_rng(1))
    again = digits.split(rng=np.random.default_rng(1))
    other = digits.split(rng=np.random.default_rng(2))
    np.testing.assert_array_equal(first.y_train, again.y_train)
    assert (first.x_test != other.x_test).any()
    assert np.bincount(first.y_test).tolist() == [100] * 10
    together = np.concatenate([first.x_train, first.x_test])
    assert len({row.tobytes() for row in together}) == 5000


@pytest.mark.parametrize("held_out", [0, -1, 5000])
def test_split_refuses_to_leave_a_side_empty(held_out):
    with pytest.raises(ValueError, match=f"expected 1 to 4999, got {held_out}"):
        digits.split(held_out=held_out)


def test_split_of_all_70000_holds_out_mnists_own_test_set():
    labels = np.zeros(70_000, np.int64)
    labels[60_000:] = 1
    images = np.zeros((70_000, 1, 1), np.uint8)
    y_test = digits.split(digits.Digits(images, labels)).y_test
    assert y_test.sum() == len(y_test) == 10_000
