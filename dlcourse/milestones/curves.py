"""The curves of a milestone: as a picture, and as one line of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dlcourse.figures import style
from dlcourse.milestones.pieces import MilestoneError
from dlcourse.milestones.run import Report

_BLOCKS = "▁▂▃▄▅▆▇█"


def smoothed(values: Sequence[float], *, points: int) -> tuple[list[float], list[float]]:
    """Average neighbours, so that at most some points are left.

    Args:
        values: one a step.
        points: how many may be left.

    Returns:
        The middle step and the mean of each group; steps without a finite number are left out.
    """
    groups = np.array_split(np.arange(len(values)), min(points, len(values))) if len(values) else []
    kept = [(float(g.mean()), float(np.mean(np.asarray(values)[g]))) for g in groups]
    finite = [(step, mean) for step, mean in kept if np.isfinite(mean)]
    return [step for step, _ in finite], [mean for _, mean in finite]


def spark(values: Sequence[float], *, width: int = 48) -> str:
    """Draw a curve with one letter a column.

    Args:
        values: one a step.
        width: how many columns.

    Example:
        >>> spark([4.0, 2.0, 1.0, 0.0])
        '█▅▃▁'
    """
    _, means = smoothed(values, points=width)
    if not means:
        return ""
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[int(np.ceil((mean - low) * scale - 1e-9))] for mean in means)


def draw(report: Report) -> Figure:
    """Draw the curves of all stages side by side.

    Args:
        report: what a milestone showed.

    Returns:
        The figure.
    """
    with style.context():
        fig = Figure(figsize=(3.1 * len(report.trained), 2.9))
        axes = fig.subplots(1, len(report.trained), squeeze=False)[0]
        for ax, trained in zip(axes, report.trained, strict=True):
            steps, means = smoothed(trained.curve, points=120)
            ax.plot(steps, means, color=style.C0, marker="o" if len(steps) < 10 else "")
            ax.set(xlabel="step", ylabel=trained.stage.measure, ylim=(0, None))
            says = trained.result.says if trained.result else "stopped"
            ax.set_title(f"{trained.stage.name}\n{says}", size=10)
    return fig


def save(report: Report, path: Path) -> None:
    """Save the curves as a picture.

    Args:
        report: what a milestone showed.
        path: a file; its ending chooses the format.

    Raises:
        MilestoneError: Pictures of this kind cannot be written.
    """
    fig = draw(report)
    known = sorted(fig.canvas.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in known:
        raise MilestoneError(
            f"{path.name} is no picture that can be saved; let its name end in .png, .svg or .pdf."
        )
    fig.savefig(path, dpi=160, facecolor=style.PAPER)
