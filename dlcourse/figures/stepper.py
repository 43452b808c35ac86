"""A slider that leafs through figures drawn beforehand, so it moves without a kernel.

A page that is read, not run, has no Python behind it. The figures for all positions are
therefore drawn once; the slider is linked to the stack that shows one of them, in the browser.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ipywidgets as widgets
from matplotlib.figure import Figure

from dlcourse.figures.show import checked_alt, close, to_svg

Value = TypeVar("Value")

MOST_FRAMES = 41
MOST_CHARACTERS = 2_000_000


def stepper(
    label: str,
    values: Sequence[Value],
    draw: Callable[[Value], Figure],
    *,
    alt: str | Callable[[Value], str],
    start: Value | None = None,
) -> Any:
    """Make a slider over values, each with its figure.

    Arrow keys move it once it has the focus.

    Args:
        label: what the values are; stands before the slider.
        values: the positions, in order; floats are shown with up to three decimals.
        draw: draws the figure of one value; figures should all be of one size.
        alt: what to see, either for all figures or computed from the value.
        start: the value shown first; the first one if left out.

    Returns:
        A widget, to be the last expression of a cell.

    Raises:
        ValueError: if there are fewer than two values or too many, ``start`` is none of them, or
            the figures together would make the page heavy.
    """
    values = list(values)
    if not 2 <= len(values) <= MOST_FRAMES:
        raise ValueError(
            f"stepper expects 2 to {MOST_FRAMES} values, got {len(values)}: take fewer, further apart."
        )
    first = 0 if start is None else _position(values, start)
    names = _distinct_names(values)
    plain = label.replace("$", "")
    frames = []
    for value, name in zip(values, names, strict=True):
        said = checked_alt(alt(value) if callable(alt) else alt)
        fig = draw(value)
        frames.append(to_svg(fig, alt=f"{said} ({plain}: {name})", salt=f"{label}={name}"))
        close(fig)
    size = sum(map(len, frames))
    if size > MOST_CHARACTERS:
        raise ValueError(
            f"stepper {label!r} would add {size / 1e6:.1f} MB to the page, "
            f"more than {MOST_CHARACTERS / 1e6:.1f}: draw fewer points or take fewer values."
        )
    slider = widgets.SelectionSlider(
        options=list(zip(names, range(len(names)), strict=True)),
        index=first,
        description=label,
        continuous_update=True,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="100%", max_width="560px"),
    )
    slider.add_class("dl-stepper-slider")
    stack = widgets.Stack([widgets.HTML(frame) for frame in frames], selected_index=first)
    box = widgets.VBox([slider, stack])
    box.add_class("dl-stepper")
    box.link = widgets.jslink((slider, "index"), (stack, "selected_index"))
    return box


def _position(values: list[Value], start: Value) -> int:
    """Find the value to begin with."""
    if start not in values:
        raise ValueError(f"stepper cannot start at {start!r}: expected one of {values}.")
    return values.index(start)


def _distinct_names(values: list[Any]) -> list[str]:
    """Write the values as short as they stay different, with a true minus sign."""
    names = [f"{value:.3g}".replace("-", "−") if isinstance(value, float) else str(value) for value in values]
    if len(set(names)) < len(names):
        raise ValueError(f"stepper expects values that read differently, got {names}.")
    return names
