"""Samples fetched one by one, by this process and by others."""

import time
from itertools import chain

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.data import digits  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.gpus._loading import Pictures, loader, seconds_waited  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shipped():
    x, y, _, _ = digits.split()
    return x[:100], y[:100]


def test_a_picture_comes_back_as_it_was_packed(shipped):
    x, y = shipped
    data = Pictures(x, y)
    assert len(data) == 100
    for index in (0, 7, 99):
        picture, label = data[index]
        assert picture.dtype == torch.float32
        np.testing.assert_allclose(picture.numpy(), x[index], atol=1e-6)  # 256 grey values, as in the file
        assert label.dtype == torch.int64
        assert label == y[index]
    assert sum(map(len, data.packed)) < x.nbytes / 10


def test_fetching_takes_as_long_as_the_disk_is_far(shipped):
    data = Pictures(*shipped, wait=0.02)
    start = time.perf_counter()
    data[0]
    assert time.perf_counter() - start >= 0.02


def test_each_sample_comes_once_an_epoch_in_an_order_that_can_be_repeated(shipped):
    x = np.arange(100, dtype=np.float32)[:, None] / 255

    def epochs(seed):
        batches = loader(Pictures(x, np.arange(100)), batch=30, seed=seed)
        return [[labels.tolist() for _, labels in batches] for _ in range(2)]

    first, second = epochs(1)
    assert [len(batch) for batch in first] == [30, 30, 30, 10]
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(100))
    assert first != second
    assert epochs(1) == [first, second]
    assert epochs(2)[0] != first


@pytest.mark.slow
def test_workers_bring_the_same_batches(shipped):
    alone, shared = (loader(Pictures(*shipped), batch=30, workers=workers, seed=3) for workers in (0, 2))
    for (x, labels), (x_too, labels_too) in zip(alone, shared, strict=True):
        torch.testing.assert_close(x, x_too)
        assert torch.equal(labels, labels_too)
    assert shared.multiprocessing_context.get_start_method() == "spawn"


def test_who_waits_is_measured():
    def slow(count):
        for number in range(count):
            time.sleep(0.05 if number else 0.02)
            yield number

    seen = []
    first, waited, worked = seconds_waited(slow(3), lambda batch: (seen.append(batch), time.sleep(0.03)))
    assert seen == [0, 1, 2]
    assert first >= 0.02
    assert waited >= 0.1
    assert worked >= 0.09


def test_a_label_for_each_picture_is_needed(no_shape_check):
    with pytest.raises(ValueError, match="got 3 pictures and 2 labels"):
        Pictures(np.ones((3, 4), np.float32), np.zeros(2, int))
