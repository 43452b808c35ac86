"""Lets `nbgrader` and formgrader, started here, work on the class in `course/`.

`DLCOURSE_COURSE=build/sample-class jupyter lab` opens the sample class instead.
"""

from pathlib import Path

from dlcourse.grading.config import configure, course_folder

get_config().merge(configure(course_folder(Path(__file__).parent)))  # noqa: F821  (nbgrader defines it)
