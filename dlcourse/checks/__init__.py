"""The small language in which test cells are written; NumPy only.

A check is declared (:class:`Check`), observed (:func:`observe`, the only part that runs the learner's code) and judged
(:func:`judge`, the only part that knows the answer). :func:`run_checks` does the three in one place, for a notebook.
"""

from dlcourse.checks.declare import Check, Mistake
from dlcourse.checks.gradients import GradientError, check_gradients
from dlcourse.checks.inputs import (
    Case,
    Draw,
    Drawn,
    Tensor,
    argument,
    call,
    drawn,
    given,
    integers,
    normal,
    pull,
    read,
    take,
    tensor,
    uniform,
    value,
)
from dlcourse.checks.judge import Verdict, judge
from dlcourse.checks.observe import Observation, observe
from dlcourse.checks.report import MIME, Report
from dlcourse.checks.run import declared, run_checks

__all__ = [
    "MIME",
    "Case",
    "Check",
    "Draw",
    "Drawn",
    "GradientError",
    "Mistake",
    "Observation",
    "Report",
    "Tensor",
    "Verdict",
    "argument",
    "call",
    "check_gradients",
    "declared",
    "drawn",
    "given",
    "integers",
    "judge",
    "normal",
    "observe",
    "pull",
    "read",
    "run_checks",
    "take",
    "tensor",
    "uniform",
    "value",
]
