"""At the end of a part the learner's own code does the work: its functions take the place of the package's, and train.

A part's milestone is a module of this room: pieces, stages, probes. The rest is the same for all parts.
"""

from dlcourse.milestones.clock import Interrupted
from dlcourse.milestones.pieces import Milestone, MilestoneError
from dlcourse.milestones.reading import find
from dlcourse.milestones.run import PARTS, Report, milestone, run

__all__ = ["PARTS", "Interrupted", "Milestone", "MilestoneError", "Report", "find", "milestone", "run"]
