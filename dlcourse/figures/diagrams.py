"""Drawings that the chapters share: a neuron, a network.

Each function returns a new figure and changes nothing outside.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from dlcourse.figures import style
from dlcourse.figures.style import INK, MUTED, PAPER

INPUT, HIDDEN, OUTPUT, BIAS = style.C0, style.C2, style.C3, style.C1
"""The colour of each kind of unit, the same in every drawing."""

_STEP, _APART, _RADIUS = 2.1, 0.78, 0.29


def neuron(
    *,
    inputs: Sequence[str] = ("$x_1$", "$x_2$", "$x_3$"),
    weights: Sequence[str] | None = None,
    bias: str | None = "$b$",
    activation: str = "$f$",
    output: str = "$y = f(z)$",
) -> Figure:
    """Draw one neuron: inputs, weights, the sum with its bias, the activation, the output.

    Args:
        inputs: what to write into the inputs.
        weights: what to write at the connections; ``$w_1$`` and so on if left out.
        bias: what to write at the bias; ``None`` draws none.
        activation: what to write into the activation.
        output: what to write behind the last arrow.

    Returns:
        The figure.

    Raises:
        ValueError: if there is not one weight for each input.

    Example:
        >>> neuron(inputs=["rain", "cold"]).axes[0].get_title()
        ''
    """
    n_in = len(inputs)
    weights = [f"$w_{i + 1}$" for i in range(n_in)] if weights is None else weights
    if n_in == 0 or len(weights) != n_in:
        raise ValueError(f"neuron expects one weight an input: got {n_in} inputs and {len(weights)} weights.")
    height = max(1.15 * n_in, 2.6)
    with style.context():
        fig, ax = _canvas((-0.6, 7.9), (-height / 2 - 0.3, height / 2 + 0.2))
        at = np.linspace((n_in - 1) / 2, -(n_in - 1) / 2, n_in) * 1.15
        centre = (3.0, 0.0)
        for y, name, weight in zip(at, inputs, weights, strict=True):
            _arrow(ax, (0, y), centre, 0.45, 0.6, INPUT)
            ax.text(1.45, y * 0.53 + 0.1, weight, ha="center", va="bottom", size=13, color=INK)
            _unit(ax, (0, y), 0.45, INPUT, name)
        if bias is not None:
            top = (3.0, height / 2 - 0.1)
            _arrow(ax, top, centre, 0.24, 0.6, BIAS)
            ax.text(*top, bias, ha="center", va="center", size=14, color=INK)
        _arrow(ax, centre, (5.0, 0), 0.6, 0.5, MUTED)
        _arrow(ax, (5.0, 0), (6.4, 0), 0.5, 0.0, OUTPUT)
        _unit(ax, centre, 0.6, HIDDEN, r"$\Sigma$", size=18)
        _unit(ax, (5.0, 0), 0.5, HIDDEN, activation)
        ax.text(4.05, 0.12, "$z$", ha="center", va="bottom", size=13, color=INK)
        ax.text(6.5, 0, output, ha="left", va="center", size=13, color=INK)
        below = -height / 2 - 0.1
        names = ((0, "inputs"), (1.5, "weights"), (3.0, "sum"), (5.0, "activation"), (6.75, "output"))
        for x, name in names:
            ax.text(x, below, name, ha="center", va="center", size=11, color=MUTED)
    return fig


def network(
    sizes: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    weights: Sequence[Float[np.ndarray, "n_in n_out"]] | None = None,
    units: Sequence[Sequence[str]] | None = None,
    most: int = 7,
) -> Figure:
    """Draw a multi-layer perceptron: a column of units for each layer, all connected to the next.

    Of a layer with more units than ``most``, dots stand for the middle ones.

    Args:
        sizes: how many units each layer has, the input first and the output last.
        names: what to write under each layer; input, hidden and output layer, with which of
            them are visible, if left out.
        weights: one array a connection, ``(n_in, n_out)``; blue lines are positive, orange ones
            negative, and the thicker the further from zero.
        units: what to write into the units of each layer; an empty list for none.
        most: how many places a column may have; at least 3.

    Returns:
        The figure.

    Raises:
        ValueError: if there are fewer than two layers, or names, weights or units do not fit.

    Example:
        >>> len(network([3, 4, 2]).axes)
        1
    """
    _check_network(sizes, names, weights, units)
    layers, columns = len(sizes), [_shown_units(size, most) for size in sizes]
    captions = _captions(sizes, names)
    low = -((max(map(len, columns)) - 1) / 2 * _APART + _RADIUS)
    with style.context():
        fig, ax = _canvas((-0.95, _STEP * (layers - 1) + 0.95), (low - 0.95, -low + 0.1))
        places = [
            [(_STEP * i, _APART * ((len(column) - 1) / 2 - k)) for k in range(len(column))]
            for i, column in enumerate(columns)
        ]
        for i in range(layers - 1):
            _connect(ax, columns, places, i, None if weights is None else weights[i])
        for i, column in enumerate(columns):
            colour = INPUT if i == 0 else OUTPUT if i == layers - 1 else HIDDEN
            texts = units[i] if units is not None else ()
            for place, unit in zip(places[i], column, strict=True):
                if unit is None:
                    ax.text(*place, "⋮", ha="center", va="center", size=17, color=INK)
                else:
                    _unit(ax, place, _RADIUS, colour, texts[unit] if texts else "", size=11)
            ax.text(
                _STEP * i,
                low - 0.15,
                captions[i],
                ha="center",
                va="top",
                size=11,
                color=INK,
                linespacing=1.3,
            )
    return fig


def _canvas(x: tuple[float, float], y: tuple[float, float]) -> tuple[Figure, Axes]:
    """Make a figure of one empty drawing area, equal units both ways, not wider than a page."""
    wide, high = x[1] - x[0], y[1] - y[0]
    inches = min(0.8, 5.8 / wide)
    fig = Figure(figsize=(inches * wide, inches * high))
    fig.set_layout_engine("none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=x, ylim=y)
    ax.set_axis_off()
    return fig, ax


def _unit(
    ax: Axes, place: tuple[float, float], radius: float, colour: str, text: str, size: float = 14
) -> None:
    """Draw a circle with a text in it; paper below, so that lines end at its edge."""
    ax.add_patch(Circle(place, radius, facecolor=PAPER, edgecolor="none", zorder=2))
    ax.add_patch(Circle(place, radius, facecolor=(colour, 0.18), edgecolor=colour, lw=1.8, zorder=3))
    ax.text(*place, text, ha="center", va="center", size=size, color=INK, zorder=4)


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    leave: float,
    stop: float,
    colour: str,
) -> None:
    """Draw an arrow between two places, shortened by the radius of what stands there."""
    a, b = np.asarray(start), np.asarray(end)
    along = (b - a) / np.linalg.norm(b - a)
    ax.add_patch(
        FancyArrowPatch(
            tuple(a + leave * along),
            tuple(b - (stop + 0.03) * along),
            arrowstyle="-|>",
            mutation_scale=15,
            shrinkA=0,
            shrinkB=0,
            lw=1.8,
            color=colour,
        )
    )


def _shown_units(size: int, most: int) -> list[int | None]:
    """Choose which units of a layer to draw; ``None`` stands for those left out."""
    if size <= most:
        return list(range(size))
    half = (most - 1) // 2
    return [*range(half), None, *range(size - half, size)]


def _captions(sizes: Sequence[int], names: Sequence[str] | None) -> list[str]:
    """Say under each layer what it is; the outer ones are visible, those between hidden."""
    layers = len(sizes)
    between = [f"hidden layer{'' if layers == 3 else f' {i}'}" for i in range(1, layers - 1)]
    said = ["input layer", *between, "output layer"] if names is None else names
    captions = [f"{s}\n{n} unit{'' if n == 1 else 's'}" for s, n in zip(said, sizes, strict=True)]
    if names is None:
        captions[0] += "\n(visible)"
        captions[-1] += "\n(visible)"
    return captions


def _connect(
    ax: Axes,
    columns: list[list[int | None]],
    places: list[list[tuple[float, float]]],
    i: int,
    weights: Float[np.ndarray, "n_in n_out"] | None,
) -> None:
    """Draw the lines from layer ``i`` to the next one."""
    largest = 1.0 if weights is None else max(float(np.abs(weights).max()), 1e-12)
    for here, k in zip(places[i], columns[i], strict=True):
        for there, j in zip(places[i + 1], columns[i + 1], strict=True):
            if k is None or j is None:
                continue
            colour, width = MUTED, 0.9
            if weights is not None:
                value = float(weights[k, j])
                colour = style.C0 if value >= 0 else style.C1
                width = 0.3 + 3.2 * abs(value) / largest
            ax.plot(*zip(here, there, strict=True), color=colour, lw=width, alpha=0.75, zorder=1)


def _check_network(
    sizes: Sequence[int],
    names: Sequence[str] | None,
    weights: Sequence[Float[np.ndarray, "n_in n_out"]] | None,
    units: Sequence[Sequence[str]] | None,
) -> None:
    """Refuse what cannot be drawn."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"network expects two or more layers of at least one unit, got sizes {list(sizes)}.")
    for what, given in (("names", names), ("units", units)):
        if given is not None and len(given) != len(sizes):
            raise ValueError(f"network got {len(sizes)} layers and {len(given)} {what}.")
    for i, texts in enumerate(units or ()):
        if len(texts) not in (0, sizes[i]):
            raise ValueError(f"layer {i} has {sizes[i]} units, got {len(texts)} texts for them.")
    if weights is not None:
        expected = list(itertools.pairwise(sizes))
        got = [np.shape(w) for w in weights]
        if got != expected:
            raise ValueError(f"network expects weights of shapes {expected}, got {got}.")
