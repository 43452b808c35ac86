"""Lets `nbgrader` and formgrader, started here, work on the class in `course/` with the course's sandbox and verdicts.

`DLCOURSE_COURSE=build/sample-class jupyter lab` opens the sample class instead; `DLCOURSE_DB` names another gradebook.
"""

from pathlib import Path

from dlcourse.grading.config import configure, course_folder

root = Path(__file__).resolve().parent
get_config().merge(configure(course_folder(root), root))  # noqa: F821  (nbgrader defines it)
