import numpy as np

from dlcourse.data import fields, shuttle


def test_few_readings_are_unusual_and_none_comes_twice():
    whole = shuttle.load()
    assert whole.readings.shape == (49097, 9)
    assert 0.07 < whole.anomaly.mean() < 0.08
    assert len(np.unique(whole.readings, axis=0)) == len(whole.readings)


def test_the_sample_of_the_opening_page_is_taken_from_the_whole():
    whole, sample = shuttle.load(), fields.shuttle()
    np.testing.assert_array_equal(sample.readings, whole.readings[:3000])
    assert not sample.readings.flags.writeable


def test_the_order_is_drawn():
    """Each stretch holds as many anomalies as chance gives it, so that the last ones can be held out."""
    shares = [part.mean() for part in np.array_split(shuttle.load().anomaly, 10)]
    assert max(shares) - min(shares) < 0.02
    assert abs(shuttle.split().y_train.mean() - shuttle.split().y_test.mean()) < 0.01
