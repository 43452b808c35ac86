import re
import sys

import ipywidgets as widgets
import pytest
from ipywidgets.embed import embed_data
from matplotlib.figure import Figure

from dlcourse.figures import stepper, style


def draw(value):
    with style.context():
        fig = Figure(figsize=(3, 2))
        fig.add_subplot().plot([0, 1], [0, float(value)])
    return fig


def parts(box):
    slider, stack = box.children
    return slider, stack


def test_each_value_has_its_figure():
    drawn = []

    def recorded(value):
        drawn.append(value)
        return draw(value)

    slider, stack = parts(stepper("bias", [-1.0, 0.0, 0.5], recorded, alt="A line."))
    assert drawn == [-1.0, 0.0, 0.5]
    assert isinstance(slider, widgets.SelectionSlider)
    assert isinstance(stack, widgets.Stack)
    assert [name for name, _ in slider.options] == ["−1", "0", "0.5"]
    assert slider.description == "bias"
    for child, name in zip(stack.children, ["−1", "0", "0.5"], strict=True):
        assert f'aria-label="A line. (bias: {name})"' in child.value


def test_it_starts_where_it_is_told():
    slider, stack = parts(stepper("b", [1, 2, 3], draw, alt="A line.", start=2))
    assert slider.index == stack.selected_index == 1
    slider, stack = parts(stepper("b", [1, 2, 3], draw, alt="A line."))
    assert slider.index == stack.selected_index == 0


def test_the_link_is_saved_with_the_page():
    """A page without Python has only what is in this state."""
    box = stepper("b", [1, 2], draw, alt="A line.")
    slider, stack = parts(box)
    state = embed_data(views=[box])["manager_state"]["state"]
    links = [m["state"] for m in state.values() if m["model_name"] == "LinkModel"]
    ends = (
        [f"IPY_MODEL_{slider.model_id}", "index"],
        [
            f"IPY_MODEL_{stack.model_id}",
            "selected_index",
        ],
    )
    assert [link for link in links if (link["source"], link["target"]) == ends]


def test_description_can_follow_the_value():
    _, stack = parts(stepper("$b$", [1, 2], draw, alt=lambda v: f"It ends at {v}."))
    assert 'aria-label="It ends at 2. (b: 2)"' in stack.children[1].value


def test_equal_figures_share_no_names():
    _, stack = parts(stepper("b", [1, 2], lambda _: draw(1), alt="A line."))
    one, two = (set(re.findall(r'\bid="([^"]+)"', child.value)) for child in stack.children)
    assert one
    assert not one & two


@pytest.mark.parametrize("values", [[], [1], range(42)])
def test_number_of_values_is_bounded(values):
    with pytest.raises(ValueError, match="expects 2 to 41 values"):
        stepper("b", list(values), draw, alt="A line.")


def test_values_must_read_differently():
    with pytest.raises(ValueError, match="read differently"):
        stepper("b", [1.0, 1.0001], draw, alt="A line.")


def test_start_must_be_a_value():
    with pytest.raises(ValueError, match="cannot start at 5"):
        stepper("b", [1, 2], draw, alt="A line.", start=5)


def test_description_is_needed():
    with pytest.raises(ValueError, match="needs a description"):
        stepper("b", [1, 2], draw, alt=" ")


def test_heavy_figures_are_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["dlcourse.figures.stepper"], "MOST_CHARACTERS", 5_000)
    with pytest.raises(ValueError, match=r"'b' would add 0\.\d MB to the page, more than 0\.0"):
        stepper("b", [1, 2], draw, alt="Lines.")
