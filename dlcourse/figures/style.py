"""How every figure of the course looks: sizes one can read, colours everybody can tell apart.

The colours are names, not fixed values. `INK` (text and axes), `PAPER`, `MUTED`, `LINE` and the
categories `C0` to `C7` stand for what the page calls ``--dl-ink``, ``--dl-paper`` and so on;
`dlcourse.figures.show` puts the page's own colour in their place, so that one figure is right in
light and in dark. The categories follow Okabe and Ito (2008), "Color Universal Design",
darkened where thin lines on white would be too faint.
"""

from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from cycler import cycler

INK = "#1b1f24"
PAPER = "#fefefe"
MUTED = "#5d6671"
LINE = "#c9ced6"
C0 = "#0072b2"  # blue
C1 = "#d98a00"  # orange
C2 = "#009068"  # green
C3 = "#c94a00"  # vermilion
C4 = "#b8578f"  # purple
C5 = "#2f97d0"  # sky
C6 = "#9c8a00"  # yellow
C7 = "#71777f"  # grey
CATEGORIES = (C0, C1, C2, C3, C4, C5, C6, C7)

LIGHT = {"ink": INK, "paper": PAPER, "muted": MUTED, "line": LINE} | {
    f"c{i}": colour for i, colour in enumerate(CATEGORIES)
}
"""Each colour's name on the page, and its value where the page defines none."""

DARK = {
    "ink": "#e6e8eb",
    "paper": "#121417",
    "muted": "#a3abb5",
    "line": "#454c55",
    "c0": "#4aa8e0",
    "c1": "#f0ab33",
    "c2": "#2cc295",
    "c3": "#f57f3d",
    "c4": "#df8fbd",
    "c5": "#82cbf5",
    "c6": "#e5d54a",
    "c7": "#a0a7b0",
}
"""The same names on a dark page."""

PAGE = (5.7, 3.5)
"""Width and height [inch] of a usual figure. A wider one has tiny letters on a phone, where every
figure shrinks to the width of the screen."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A shape for each category: colour is never the only difference."""

_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 12,
    "axes.linewidth": 0.9,
    "axes.prop_cycle": cycler(color=CATEGORIES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 12.5,
    "axes.titlepad": 8,
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,
    "figure.edgecolor": "none",
    "figure.facecolor": "none",
    "figure.figsize": PAGE,
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "hatch.color": MUTED,
    "image.cmap": "viridis",
    "image.interpolation": "none",
    "legend.edgecolor": "none",
    "legend.facecolor": PAPER,
    "legend.fontsize": 11,
    "legend.framealpha": 0.85,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "mathtext.fontset": "dejavusans",
    "patch.edgecolor": INK,
    "savefig.edgecolor": "none",
    "savefig.facecolor": "none",
    "scatter.edgecolors": PAPER,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 11,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 11,
}


def apply() -> None:
    """Make this the style of every figure drawn from now on."""
    mpl.rcParams.update(_SETTINGS)


def context() -> AbstractContextManager[None]:
    """Make this the style inside a ``with`` block only.

    Returns:
        A context manager that restores the former style.
    """
    return mpl.rc_context(_SETTINGS)
