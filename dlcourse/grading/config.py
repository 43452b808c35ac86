"""The one configuration of nbgrader: for `dlcourse`, for the stock `nbgrader` commands and for formgrader."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

COURSE_VARIABLE = "DLCOURSE_COURSE"
CELL_TIMEOUT = 30
"""Seconds that one cell of a submission may run."""
CPU_SECONDS = 600
"""Processor time of one notebook in the sandbox."""
MEMORY = 3 * 2**30
"""Bytes that a process in the sandbox may allocate."""
ADDRESS_SPACE = 6 * 2**30
"""Bytes that it may map, shared memory and libraries included."""
FILE_SIZE = 64 * 2**20
"""Bytes of the largest file that it may write."""
PROCESSES = 128
"""Processes and threads of one sandbox."""


def course_folder(root: Path) -> Path:
    """Return the class's folder: `course/` in the repository, or what `DLCOURSE_COURSE` names.

    Args:
        root: The repository.

    Returns:
        An absolute path, which need not exist.
    """
    return (root / os.environ.get(COURSE_VARIABLE, "course")).resolve()


def configure(course: Path) -> Any:
    """Build nbgrader's configuration for one class.

    Args:
        course: The class's folder, which holds source, release, submitted, autograded, feedback and the gradebook.

    Returns:
        A `traitlets.config.Config`.
    """
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.preprocessors import ClearHiddenTests, GetGrades
    from nbgrader.server_extensions import formgrader
    from traitlets.config import Config

    from dlcourse.grading.feedback import SpareHidden, WriteMathML

    _find_scripts()
    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.course_id = "dlcourse"
    # A deleted check is put back and fails; otherwise its old score would stay.
    config.OverwriteCells.add_missing_cells = True
    config.Execute.timeout = CELL_TIMEOUT
    # Waiting for a graceful end of each kernel takes as long as the grading.
    config.Execute.shutdown_kernel = "immediate"
    # ipykernel warns on every start that its sockets are local TCP.
    config.Execute.extra_arguments = ["--log-level=ERROR"]
    config.GenerateFeedback.preprocessors = [
        GetGrades,
        SpareHidden,  # before ClearHiddenTests, which takes away what marks a hidden check
        ClearHiddenTests,
        WriteMathML,
        CSSHTMLHeaderPreprocessor,
    ]
    config.HTMLExporter.extra_template_basedirs = [
        str(Path(__file__).parent / "templates"),
        str(Path(formgrader.__file__).parent / "templates"),
    ]
    return config


def _find_scripts() -> None:
    """Put this environment's commands on the PATH: nbgrader starts `alembic` by name, activated or not."""
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "")
    if scripts not in path.split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + path
