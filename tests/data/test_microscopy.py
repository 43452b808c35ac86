import numpy as np

from dlcourse.data import fields, microscopy


def test_the_crop_of_the_opening_page_is_part_of_the_whole():
    whole, crop = microscopy.load(), fields.microscopy()
    np.testing.assert_array_equal(crop.image, whole.image[200:360, 180:340])
    np.testing.assert_array_equal(crop.nucleus > 0, whole.nucleus[200:360, 180:340] > 0)
    assert len(crop.boxes()) == 17
    assert not crop.image.flags.writeable


def test_a_crop_full_of_nucleus_is_numbered_too():
    whole = microscopy.load()
    row, column = np.argwhere(whole.nucleus == 60)[20]
    assert whole.crop(row, column, 1).nucleus.tolist() == [[1]]


def test_nuclei_are_numbered_without_gaps_and_shine():
    whole = microscopy.load()
    assert np.unique(whole.nucleus).tolist() == list(range(126))
    marked = whole.nucleus > 0
    assert 0.1 < marked.mean() < 0.5
    assert whole.image[marked].mean() > 2 * whole.image[~marked].mean()
