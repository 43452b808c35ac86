import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from dlcourse.figures import diagrams, show, style


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts if text.get_text()]


def circles(fig):
    """Places of the units; each has a paper disc and a coloured one."""
    return sorted({p.center for p in fig.axes[0].patches if isinstance(p, Circle)})


def test_neuron_names_its_parts():
    said = texts(diagrams.neuron(inputs=["rain", "cold"], weights=["1", "−2"], bias="0.5"))
    for word in ("rain", "cold", "1", "−2", "0.5", r"$\Sigma$", "$z$"):
        assert said.count(word) == 1
    for word in ("inputs", "weights", "sum", "activation", "output"):
        assert word in said


def test_neuron_without_bias():
    assert "$b$" in texts(diagrams.neuron())
    assert "$b$" not in texts(diagrams.neuron(bias=None))


@pytest.mark.parametrize(
    ("inputs", "weights"), [([], None), (["a"], ["w", "v"])], ids=["none", "too many weights"]
)
def test_neuron_refuses(inputs, weights):
    with pytest.raises(ValueError, match="one weight an input"):
        diagrams.neuron(inputs=inputs, weights=weights)


def test_network_draws_each_unit_and_line():
    fig = diagrams.network([3, 4, 2])
    columns = [x for x, _ in circles(fig)]
    assert [columns.count(x) for x in sorted(set(columns))] == [3, 4, 2]
    assert len(fig.axes[0].lines) == 3 * 4 + 4 * 2
    assert texts(fig) == [
        "input layer\n3 units\n(visible)",
        "hidden layer\n4 units",
        "output layer\n2 units\n(visible)",
    ]


def test_network_shortens_wide_layers():
    fig = diagrams.network([784, 1], most=5)
    assert len(circles(fig)) == 4 + 1
    assert texts(fig).count("⋮") == 1
    assert "input layer\n784 units\n(visible)" in texts(fig)
    assert "output layer\n1 unit\n(visible)" in texts(fig)


def test_network_shows_sign_and_size_of_weights():
    fig = diagrams.network([2, 1], weights=[np.array([[3.0], [-1.0]])])
    positive, negative = fig.axes[0].lines
    assert to_hex(positive.get_color()) == style.C0
    assert to_hex(negative.get_color()) == style.C1
    assert positive.get_linewidth() > negative.get_linewidth()


def test_network_writes_into_units_of_shortened_layers():
    fig = diagrams.network([10, 1], units=[[f"u{i}" for i in range(10)], []], most=3)
    assert {t for t in texts(fig) if t.startswith("u")} == {"u0", "u9"}


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([3], {}, "two or more layers"),
        ([3, 0], {}, "at least one unit"),
        ([3, 2], {"names": ["a"]}, "2 layers and 1 names"),
        ([3, 2], {"units": [["a"], []]}, "layer 0 has 3 units, got 1"),
        ([3, 2], {"weights": [np.zeros((2, 3))]}, r"shapes \[\(3, 2\)\], got \[\(2, 3\)\]"),
    ],
)
def test_network_refuses(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        diagrams.network(sizes, **options)


def right_half(points):
    return (points[:, 0] > 0).astype(int)


POINTS = np.array([[-1.0, 0.0], [1.0, 0.5], [2.0, -1.0]])


def test_decision_regions_ask_everywhere_and_show_the_examples():
    asked = []

    def predict(points):
        asked.append(points)
        return right_half(points)

    fig = diagrams.decision_regions(
        predict, POINTS, np.array([0, 1, 1]), limits=(-2, 3, -2, 2), resolution=11
    )
    (plane,) = asked
    assert plane.shape == (121, 2)
    assert plane.min(axis=0).tolist() == [-2, -2]
    assert plane.max(axis=0).tolist() == [3, 2]
    marked = [c.get_offsets() for c in fig.axes[0].collections if len(c.get_offsets()) > 0]
    assert sorted(len(offsets) for offsets in marked if np.ma.count(offsets) > 2) == [2]


def test_decision_regions_of_one_class_only():
    fig = diagrams.decision_regions(lambda p: np.zeros(len(p), int), POINTS, np.zeros(3, int))
    show(fig, alt="One colour everywhere.")


def test_decision_regions_can_share_a_figure():
    fig = Figure()
    left, right = fig.subplots(1, 2)
    labels = np.array([0, 1, 1])
    assert diagrams.decision_regions(right_half, POINTS, labels, ax=left) is fig
    names = ["no", "yes"]
    assert diagrams.decision_regions(right_half, POINTS, labels, ax=right, names=names) is fig
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
        diagrams.decision_regions(right_half, points, labels)


def test_digit_grid():
    images = np.arange(7 * 4).reshape(7, 2, 2)
    fig = diagrams.digit_grid(images, list("abcdefg"), columns=3, wrong=np.arange(7) == 2)
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
        diagrams.digit_grid(images, titles)


def test_nothing_outside_is_changed():
    before = dict(mpl.rcParams)
    diagrams.neuron()
    diagrams.network([2, 3, 1])
    diagrams.decision_regions(right_half, POINTS, np.array([0, 1, 1]))
    diagrams.digit_grid(np.zeros((3, 4, 4)))
    assert dict(mpl.rcParams) == before
