"""Plots that several chapters need: what a classifier decides where, what it takes for what, and digits in a grid.

The functions return a `Figure` and leave matplotlib's settings as they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int, Num, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dlcourse.figures import style
from dlcourse.figures.style import CATEGORIES, INK, MARKERS, MUTED, PAPER


def decision_regions(
    predict: Callable[[Float[np.ndarray, "batch 2"]], Int[np.ndarray, " batch"]],
    points: Float[np.ndarray, "n 2"],
    labels: Int[np.ndarray, " n"],
    *,
    limits: tuple[float, float, float, float] | None = None,
    names: Sequence[str] | None = None,
    axes_names: tuple[str, str] = ("$x_1$", "$x_2$"),
    resolution: int = 240,
    ax: Axes | None = None,
) -> Figure:
    """Draw which class a classifier gives to each place of the plane, and the true examples.

    Args:
        predict: gives the class, 0 to 7, of each row of ``(batch, 2)``.
        points: the examples, ``(n, 2)``.
        labels: their true classes, 0 to 7, ``(n,)``.
        limits: left, right, bottom and top; a margin around the points if left out.
        names: what to call the classes in the legend; no legend if left out.
        axes_names: what the two inputs are.
        resolution: how many places to ask about along each side.
        ax: where to draw; a new figure if left out.

    Returns:
        The figure.

    Raises:
        ValueError: if the shapes do not fit or a class is not 0 to 7.
    """
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"decision_regions expects points (n, 2) and labels (n,), got {points.shape} and {labels.shape}."
        )
    left, right, bottom, top = _limits(points) if limits is None else limits
    x, y = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    plane = np.stack(np.meshgrid(x, y), axis=-1)  # (resolution, resolution, 2)
    classes = np.asarray(predict(plane.reshape(-1, 2))).reshape(resolution, resolution)
    seen = np.union1d(labels, classes).astype(int)
    if seen.min() < 0 or seen.max() >= len(CATEGORIES):
        raise ValueError(f"decision_regions draws classes 0 to {len(CATEGORIES) - 1}, got {seen.tolist()}.")
    with style.context():
        if ax is None:
            fig = Figure(figsize=(5.2, 4.4))
            ax = fig.add_subplot()
        for k in seen:
            inside = (classes == k).astype(float)
            if inside.any():
                ax.contourf(x, y, inside, levels=[0.5, 1.5], colors=[CATEGORIES[k]], alpha=0.2)
            if inside.any() and not inside.all():
                ax.contour(x, y, inside, levels=[0.5], colors=[MUTED], linewidths=1.2)
            mine = labels == k
            name = None if names is None else names[k]
            ax.scatter(
                points[mine, 0],
                points[mine, 1],
                s=52,
                color=CATEGORIES[k],
                marker=MARKERS[k],
                edgecolors=PAPER,
                linewidths=0.8,
                label=name,
                zorder=3,
            )
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.set(xlabel=axes_names[0], ylabel=axes_names[1])
        ax.grid(False)
        if names is not None:
            ax.legend(loc="best")
    return _figure_of(ax)


def digit_grid(
    images: Num[np.ndarray, "n h w"],
    titles: Sequence[object] | None = None,
    *,
    columns: int = 10,
    wrong: Shaped[np.ndarray, " n"] | None = None,
    size: float = 0.54,
) -> Figure:
    """Draw small grey pictures in a grid, ink on paper.

    Args:
        images: the pictures, 0 is paper and the largest value is ink, ``(n, height, width)``.
        titles: what to write above each one, such as its label.
        columns: how many stand in a row.
        wrong: which titles to mark as wrong, booleans ``(n,)``; they turn orange and get a ✗.
        size: width of one picture [inch].

    Returns:
        The figure.

    Raises:
        ValueError: if the shapes do not fit.
    """
    images = np.asarray(images)
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(
            f"digit_grid expects images (n, height, width), got {images.shape}: "
            "reshape rows of 784 numbers to (-1, 28, 28)."
        )
    for what, given in (("titles", titles), ("wrong", wrong)):
        if given is not None and len(given) != len(images):
            raise ValueError(f"digit_grid got {len(images)} images and {len(given)} {what}.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    above = 0.0 if titles is None else 0.3
    with style.context():
        fig = Figure(figsize=(size * columns * 1.08, (size * 1.08 + above) * rows))
        axes = fig.subplots(rows, columns, squeeze=False).ravel()
        darkest = max(float(images.max()), 1e-12)
        for ax in axes:
            ax.set_axis_off()
        for i, (ax, image) in enumerate(zip(axes, images, strict=False)):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=darkest)
            if titles is not None:
                bad = wrong is not None and bool(wrong[i])
                ax.set_title(
                    f"{titles[i]} ✗" if bad else str(titles[i]),
                    color=style.C3 if bad else INK,
                    size=12,
                    pad=3,
                )
    return fig


def confusion(
    matrix: Int[np.ndarray, "classes classes"],
    names: Sequence[object] | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw a confusion matrix: right answers on the diagonal in one colour, mistakes beside it in another.

    Each field is the darker the larger its share of its row, and the shades of mistakes end at the largest mistake, so
    that a few of them can be seen beside hundreds of right answers.

    Args:
        matrix: counts, rows are what was right and columns what was answered, ``(classes, classes)``.
        names: what to call the classes; their numbers if left out.
        ax: where to draw; a new figure if left out.

    Returns:
        The figure.

    Raises:
        ValueError: if the matrix is not square, or there is not one name a class.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
        raise ValueError(f"confusion expects counts of shape (classes, classes), got {matrix.shape}.")
    classes = len(matrix)
    if names is not None and len(names) != classes:
        raise ValueError(f"confusion expects one name a class, got {classes} classes and {len(names)} names.")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # (classes, classes)
    diagonal = np.eye(classes, dtype=bool)
    largest = max(float(shares[~diagonal].max(initial=0)), 1e-12)
    with style.context():
        if ax is None:
            side = max(0.42 * classes + 1.0, 3.0)
            fig = Figure(figsize=(side, side))
            ax = fig.add_subplot()
        for k, j in zip(*np.nonzero(matrix), strict=True):
            colour, shade = (style.C0, shares[k, j]) if k == j else (style.C3, shares[k, j] / largest)
            ax.add_patch(
                Rectangle((j - 0.5, k - 0.5), 1, 1, facecolor=colour, alpha=0.12 + 0.5 * shade, lw=0)
            )
            ax.text(j, k, f"{matrix[k, j]}", ha="center", va="center", size=10.5)
        ax.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), aspect="equal")
        shown = [str(name) for name in (range(classes) if names is None else names)]
        ax.set_xticks(range(classes), shown)
        ax.set_yticks(range(classes), shown)
        ax.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
        ax.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
        ax.grid(False)
        ax.grid(which="minor")
        ax.tick_params(which="both", length=0)
        ax.set(xlabel="answered", ylabel="right")
    return _figure_of(ax)


def _limits(points: Float[np.ndarray, "n 2"]) -> tuple[float, float, float, float]:
    """Leave a margin of a fifth around the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(0.2 * (high - low), 0.1)
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)


def _figure_of(ax: Axes) -> Figure:
    """Name the figure that axes belong to, also inside a subfigure."""
    fig = ax.get_figure(root=True)
    assert isinstance(fig, Figure)
    return fig
