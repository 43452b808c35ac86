"""The curve of a training run: how the loss fell, and how good the network was on examples it did not learn from."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from dlcourse.figures import style
from dlcourse.training import History


def training_curve(history: History, *, title: str = "") -> Figure:
    """Draw the losses of a run, epoch by epoch, and the accuracy below them if there is one.

    Args:
        history: what `fit` returned.
        title: what was trained on what.

    Returns:
        The figure.

    Raises:
        ValueError: if no epoch is complete.
    """
    if not history.epochs:
        raise ValueError(
            "training_curve expects a history with at least one whole epoch, got none: train longer"
        )
    epochs = np.arange(1, history.epochs + 1)
    lines = {"training": (history.loss, style.C0, style.MARKERS[0])}
    if history.validation_loss:
        lines["validation"] = (history.validation_loss, style.C1, style.MARKERS[1])
    with style.context():
        fig = Figure(figsize=(style.PAGE[0], style.PAGE[1] * (1.5 if history.accuracy else 1)))
        axes = fig.subplots(2 if history.accuracy else 1, 1, sharex=True, squeeze=False)[:, 0]
        losses, every = axes[0], max(1, history.epochs // 10)
        for name, (values, colour, marker) in lines.items():
            losses.plot(epochs, values, color=colour, marker=marker, markevery=every, label=name)
        # Below 0 there is no logarithm; over a small range a plain scale is easier to read.
        smallest, largest = (f(v for values, *_ in lines.values() for v in values) for f in (min, max))
        if smallest > 0 and largest > 5 * smallest:
            losses.set_yscale("log")
            losses.yaxis.set_major_formatter("{x:g}")
            losses.yaxis.set_minor_formatter(NullFormatter())
        losses.set_ylabel("loss")
        losses.set_title(title)
        if history.accuracy:
            axes[1].plot(
                epochs, 100 * np.array(history.accuracy), color=style.C1, marker="s", markevery=every
            )
            axes[1].set_ylabel("accuracy on\nvalidation set [%]")
        if history.best:
            for ax in axes:
                ax.axvline(history.best, color=style.MUTED, linestyle="--", linewidth=1.2)
            losses.plot([], [], color=style.MUTED, linestyle="--", linewidth=1.2, label="best epoch")
        losses.legend()
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig
