import numpy as np
import pytest

from dlcourse.figures import style
from dlcourse.figures.printed import FONTS, printed_digits
from dlcourse.training.generalization import centred


def test_each_font_gives_ten_digits_prepared_like_handwritten_ones():
    images, labels = printed_digits(["DejaVuSans", "cmr10"])
    assert images.shape == (20, 28, 28)
    assert images.dtype == np.float32
    assert labels.tolist() == [*range(10), *range(10)]
    assert images.min() == 0
    assert 0.9 < images.max() <= 1
    np.testing.assert_array_equal(centred(images), images)
    for image in images:
        rows = np.flatnonzero(image.max(axis=1) > 0.1)
        assert 18 <= np.ptp(rows) + 1 <= 21


def test_digits_stand_upright_and_are_not_mirrored():
    images, _ = printed_digits(["DejaVuSans"])
    seven, six = images[7], images[6]
    assert seven[:14].sum() > seven[14:].sum()  # the bar of a 7 is at the top
    assert six[14:, :].sum() > six[:14, :].sum()  # the ring of a 6 is at the bottom
    four = images[4]
    assert four[:, 14:].sum() > four[:, :14].sum()  # the stem of a 4 is on the right


def test_all_fonts_are_there_and_differ():
    images, labels = printed_digits()
    assert len(images) == 10 * len(FONTS) == len(labels)
    assert len(np.unique(images.reshape(len(FONTS), -1), axis=0)) == len(FONTS)


def test_an_unknown_font_is_refused():
    with pytest.raises(ValueError, match="got 'Comic': choose from FONTS"):
        printed_digits(["Comic"])


def test_the_style_of_the_book_changes_nothing():
    plain, _ = printed_digits(["DejaVuSans", "cmr10"])
    with style.context():
        styled, _ = printed_digits(["DejaVuSans", "cmr10"])
    np.testing.assert_array_equal(plain, styled)
