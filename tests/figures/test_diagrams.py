import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from dlcourse.figures import diagrams, style


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


def test_nothing_outside_is_changed():
    before = dict(mpl.rcParams)
    diagrams.neuron()
    diagrams.network([2, 3, 1])
    assert dict(mpl.rcParams) == before
