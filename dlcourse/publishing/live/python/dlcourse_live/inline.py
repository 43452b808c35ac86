"""The backend of matplotlib under which a figure is shown where ``plt.show()`` stands, or after its cell."""

from __future__ import annotations

from matplotlib import pyplot
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg, FigureManagerBase

# Python reads this file under another name, so that it has no neighbours.
from dlcourse_live.display import display  # type: ignore[import-not-found]

FigureCanvas = FigureCanvasAgg
FigureManager = FigureManagerBase


def show(close: bool | None = None, block: bool | None = None) -> None:
    """Show all figures that are open, and close them."""
    try:
        for manager in Gcf.get_all_fig_managers():
            display(manager.canvas.figure)
    finally:
        pyplot.close("all")


def flush_figures() -> None:
    """Show what a cell left open."""
    show()
