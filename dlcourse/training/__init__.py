"""The third part: what makes training quick, stable, and right about examples that it has never seen."""

from dlcourse.training._fit import Progress, fit
from dlcourse.training._run import History

__all__ = ["History", "Progress", "fit"]
