import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from dlcourse.figures import plots, show


def right_half(points):
    return (points[:, 0] > 0).astype(int)


POINTS = np.array([[-1.0, 0.0], [1.0, 0.5], [2.0, -1.0]])


def test_decision_regions_ask_everywhere_and_show_the_examples():
    asked = []

    def predict(points):
        asked.append(points)
        return right_half(points)

    fig = plots.decision_regions(predict, POINTS, np.array([0, 1, 1]), limits=(-2, 3, -2, 2), resolution=11)
    (plane,) = asked
    assert plane.shape == (121, 2)
    assert plane.min(axis=0).tolist() == [-2, -2]
    assert plane.max(axis=0).tolist() == [3, 2]
    marked = [c.get_offsets() for c in fig.axes[0].collections if len(c.get_offsets()) > 0]
    assert sorted(len(offsets) for offsets in marked if np.ma.count(offsets) > 2) == [2]


def test_decision_regions_of_one_class_only():
    fig = plots.decision_regions(lambda p: np.zeros(len(p), int), POINTS, np.zeros(3, int))
    show(fig, alt="One colour everywhere.")


def test_decision_regions_can_share_a_figure():
    fig = Figure()
    left, right = fig.subplots(1, 2)
    labels = np.array([0, 1, 1])
    assert plots.decision_regions(right_half, POINTS, labels, ax=left) is fig
    names = ["no", "yes"]
    assert plots.decision_regions(right_half, POINTS, labels, ax=right, names=names) is fig
    assert left.get_legend() is None
    assert [t.get_text() for t in right.get_legend().get_texts()] == names


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (np.zeros((3, 3)), np.zeros(3, int), r"got \(3, 3\) and \(3,\)"),
        (np.zeros((3, 2)), np.zeros(2, int), r"got \(3, 2\) and \(2,\)"),
        (POINTS, np.array([0, 1, 8]), "classes 0 to 7"),
        (POINTS, np.array([-1, 0, 1]), "classes 0 to 7"),
    ],
)
def test_decision_regions_refuse(points, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.decision_regions(right_half, points, labels)


def test_digit_grid():
    images = np.arange(7 * 4).reshape(7, 2, 2)
    fig = plots.digit_grid(images, list("abcdefg"), columns=3, wrong=np.arange(7) == 2)
    assert len(fig.axes) == 9
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c ✗", "d", "e", "f", "g", "", ""]
    shown = [ax.images[0] for ax in fig.axes if ax.images]
    assert len(shown) == 7
    assert {image.get_clim() for image in shown} == {(0, 27)}
    np.testing.assert_array_equal(shown[4].get_array(), images[4])


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [
        (np.zeros((3, 784)), None, r"reshape rows of 784 numbers"),
        (np.zeros((0, 28, 28)), None, r"got \(0, 28, 28\)"),
        (np.zeros((3, 28, 28)), "ab", "3 images and 2 titles"),
    ],
)
def test_digit_grid_refuses(images, titles, message):
    with pytest.raises(ValueError, match=message):
        plots.digit_grid(images, titles)


def test_confusion_shows_each_count_in_its_field():
    matrix = np.array([[90, 0, 2], [1, 40, 0], [0, 0, 0]])
    fig = plots.confusion(matrix, ["cat", "dog", "owl"])
    (ax,) = fig.axes
    counts = {tuple(int(p) for p in text.get_position()): text.get_text() for text in ax.texts}
    assert counts == {(0, 0): "90", (2, 0): "2", (0, 1): "1", (1, 1): "40"}  # column, row
    shades = {tuple(patch.get_center()): patch for patch in ax.patches}
    assert shades[0, 0].get_facecolor()[:3] == shades[1, 1].get_facecolor()[:3]
    assert shades[0, 0].get_facecolor()[:3] != shades[2, 0].get_facecolor()[:3]
    # A share of the row decides the shade: 1 of 41 is more than 2 of 92.
    assert shades[0, 1].get_alpha() > shades[2, 0].get_alpha()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog", "owl"]
    assert ax.yaxis_inverted()
    show(fig, alt="Counts.")


def test_confusion_can_share_a_figure_and_be_without_mistakes():
    fig = Figure()
    left, right = fig.subplots(1, 2)
    assert plots.confusion(np.eye(2, dtype=int), ax=left) is fig
    assert plots.confusion(np.zeros((2, 2), int), ax=right) is fig
    assert [text.get_text() for text in left.texts] == ["1", "1"]
    assert len(right.texts) == 0


def test_confusion_refuses():
    with pytest.raises(ValueError, match=r"\(classes, classes\), got \(2, 3\)"):
        plots.confusion(np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="2 classes and 3 names"):
        plots.confusion(np.eye(2, dtype=int), "abc")


def test_nothing_outside_is_changed():
    before = dict(mpl.rcParams)
    plots.decision_regions(right_half, POINTS, np.array([0, 1, 1]))
    plots.digit_grid(np.zeros((3, 4, 4)))
    plots.confusion(np.eye(3, dtype=int))
    assert dict(mpl.rcParams) == before
