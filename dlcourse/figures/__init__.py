"""The book's figures and widgets.

`style` is how they look, `show` puts one on the page, `stepper` leafs through many with a slider,
`diagrams` draws neurons and networks, and `plots` decision regions and grids of digits.
"""

from dlcourse.figures import diagrams, plots, style
from dlcourse.figures.show import Shown, show
from dlcourse.figures.stepper import stepper

__all__ = ["Shown", "diagrams", "plots", "show", "stepper", "style"]
