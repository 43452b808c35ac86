"""Printed digits, drawn with the fonts that matplotlib brings along: the other world beside handwritten ones.

They are prepared as MNIST's digits were: 20 pixels high at most, in a picture of 28, the centre of mass of the ink in the
middle. So all that is new about them is their shape. Chapter: training/generalization.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from dlcourse.training.generalization import centred

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmtt10",
)
"""Fonts with digits of full height among those in matplotlib's own folder, which is there without a network."""

_SIDE, _BOX, _FINE = 28, 20, 8


class Printed(NamedTuple):
    """Pictures of printed digits.

    Attributes:
        images: grey values, 0 is paper and 1 is ink, ``(n, 28, 28)``.
        labels: the digits, ``(n,)``.
    """

    images: Float[np.ndarray, "n 28 28"]
    labels: Int[np.ndarray, " n"]


def printed_digits(fonts: Sequence[str] = FONTS) -> Printed:
    """Draw the ten digits in each font.

    Args:
        fonts: names of font files in matplotlib's folder, without ``.ttf``.

    Returns:
        Ten pictures a font, one font after the other.

    Raises:
        ValueError: if there is no such font.
    """
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in fonts:
        if not (folder / f"{name}.ttf").is_file():
            raise ValueError(f"printed_digits expects fonts of matplotlib, got {name!r}: choose from FONTS")
    fine = _drawn([folder / f"{name}.ttf" for name in fonts])
    images = fine.reshape(len(fonts), _SIDE, _FINE, 10, _SIDE, _FINE).mean(axis=(2, 5))  # (fonts, 28, 10, 28)
    images = images.transpose(0, 2, 1, 3).reshape(-1, _SIDE, _SIDE).astype(np.float32)  # (n, 28, 28)
    return Printed(centred(images), np.tile(np.arange(10), len(fonts)))


def _drawn(fonts: Sequence[Path]) -> Float[np.ndarray, "h w"]:
    """Draw a row of ten digits a font, eight times as fine as they will be; ink is 1."""
    width, height = 10 * _SIDE, len(fonts) * _SIDE
    # The layout that figures of the book have would move the digits.
    fig = Figure(figsize=(width, height), dpi=_FINE, facecolor="white")
    fig.set_layout_engine("none")
    canvas = FigureCanvasAgg(fig)
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    for row, font in enumerate(fonts):
        for digit in range(10):
            path = TextPath((0, 0), str(digit), size=100, prop=FontProperties(fname=str(font)))
            box = path.get_extents()
            scale = _BOX / max(box.width, box.height)
            place = Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).scale(scale, -scale)
            place.translate((digit + 0.5) * _SIDE, (row + 0.5) * _SIDE)
            ax.add_patch(PathPatch(place.transform_path(path), facecolor="black", linewidth=0))
    canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[..., 0] / 255
