"""The book's figures and widgets.

`style` is how they look, `show` puts one on the page, `stepper` leafs through many with a slider,
`diagrams` draws neurons and networks, `plots` decision regions and grids of digits, and `curves` how a training run went.
"""

from dlcourse.figures import curves, diagrams, plots, style
from dlcourse.figures.show import Shown, show
from dlcourse.figures.stepper import stepper

__all__ = ["Shown", "curves", "diagrams", "plots", "show", "stepper", "style"]
