"""The third part: what makes training quick, stable, and right about examples that it has never seen."""

from dlcourse.training._fit import History, Progress, fit

__all__ = ["History", "Progress", "fit"]
