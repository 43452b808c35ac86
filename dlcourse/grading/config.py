"""The one configuration of nbgrader: for `dlcourse`, for the stock `nbgrader` commands and for formgrader."""

from __future__ import annotations

import copy
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.jobs import AUTO, DEVICES

COURSE_VARIABLE = "DLCOURSE_COURSE"
DB_VARIABLE = "DLCOURSE_DB"
DEVICE_VARIABLE = "DLCOURSE_DEVICE"


def course_folder(root: Path) -> Path:
    """Return the class's folder: `course/` in the repository, or what `DLCOURSE_COURSE` names.

    Args:
        root: The repository.

    Returns:
        An absolute path, which need not exist.
    """
    return (root / os.environ.get(COURSE_VARIABLE, "course")).resolve()


def wanted_device(named: str = "") -> str:
    """Return where tensors among the inputs of checks are made: what is named, or what `DLCOURSE_DEVICE` names.

    Args:
        named: What somebody asked for, if they did.

    Returns:
        One of `jobs.DEVICES`; `auto` by default.

    Raises:
        GradingError: It is none of them.
    """
    device = named or os.environ.get(DEVICE_VARIABLE) or AUTO
    if device not in DEVICES:
        raise GradingError(
            f"There is no device {device!r} to grade on: take {' or '.join(DEVICES)}, with --device or {DEVICE_VARIABLE}."
        )
    return device


def configure(course: Path, root: Path, *, db: str = "", device: str = "", unsafe: bool = False) -> Any:
    """Build nbgrader's configuration for one class.

    Args:
        course: The class's folder, which holds source, release, submitted, autograded, feedback and the gradebook.
        root: The repository.
        db: The gradebook, as a URL of SQLAlchemy; what `DLCOURSE_DB` names, or a file in the class's folder by default.
        device: See `wanted_device`.
        unsafe: Whether learners' code may run without a sandbox.

    Returns:
        A `traitlets.config.Config`.
    """
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.preprocessors import (
        AssignLatePenalties,
        ClearHiddenTests,
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
    )
    from nbgrader.server_extensions import formgrader
    from traitlets.config import Config

    from dlcourse.grading.books import feedback
    from dlcourse.grading.books.preprocessors import Judge, Rebuild

    _find_scripts()
    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.course_id = "dlcourse"
    url = db or os.environ.get(DB_VARIABLE, "")
    if url:
        config.CourseDirectory.db_url = gradebook_url(url)
    config.InCourse.course = str(course)
    config.InCourse.repository = str(root)
    config.InCourse.device = wanted_device(device)
    config.Judge.unsafe = unsafe
    # The metadata is the released one, which nbgrader checked when it made it.
    config.Autograde.sanitize_preprocessors = [Rebuild]
    config.Autograde.autograde_preprocessors = [
        Judge,
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
    ]
    config.Exporter.optimistic_validation = True  # once at the end, not after each preprocessor
    config.GenerateFeedback.preprocessors = [
        feedback.GetGradesGiven,
        feedback.SpareHidden,  # before ClearHiddenTests, which takes away what marks a hidden check
        ClearHiddenTests,
        feedback.WriteMathML,
        CSSHTMLHeaderPreprocessor,
    ]
    config.HTMLExporter.preprocessors = [feedback.EscapeNames]
    config.HTMLExporter.filters = {
        "markdown2html": feedback.graders_html,
        "clean_html": feedback.graders_raw_html,
    }
    config.HTMLExporter.extra_template_basedirs = [
        str(Path(feedback.__file__).parent / "templates"),
        str(Path(formgrader.__file__).parent / "templates"),
    ]
    return config


def read_config(course: Path, root: Path, *, db: str = "", device: str = "", unsafe: bool = False) -> Any:
    """Return nbgrader's configuration for one class, with the lines that the instructor has written.

    They count as they do for nbgrader's own commands: those of the machine, of the user, and of `nbgrader_config.py` in
    the repository. Which class it is, and whether code may run without a sandbox, is said by the caller.

    Args:
        course: The class's folder.
        root: The repository.
        db: The gradebook, if it is not the one that the configuration finds.
        device: See `wanted_device`.
        unsafe: Whether learners' code may run without a sandbox.

    Returns:
        A `traitlets.config.Config`.

    Raises:
        GradingError: A configuration file cannot be read.
    """
    from jupyter_core.application import JupyterApp
    from nbgrader.apps import NbGrader
    from traitlets.config import Application

    if str(root) not in sys.path:  # where nbgrader looks for plugins
        sys.path.append(str(root))
    config = configure(course, root, db=db, device=device, unsafe=unsafe)
    said = copy.deepcopy(config)
    app = NbGrader(raise_config_file_errors=True)
    try:
        JupyterApp.load_config_file(app)
        Application.load_config_file(app, app.config_file_name, path=str(root))
    except Exception as error:  # the file is a program
        raise GradingError(
            f"nbgrader_config.py cannot be read ({type(error).__name__}: {error}); mend it, or take out your lines."
        ) from error
    config.merge(app.config)
    config.CourseDirectory.root = said.CourseDirectory.root
    if db:
        config.CourseDirectory.db_url = said.CourseDirectory.db_url
    config.InCourse = said.InCourse
    config.Judge.unsafe = unsafe
    return config


def gradebook_url(url: str) -> str:
    """Return a gradebook's address as SQLAlchemy takes it on every version.

    Args:
        url: What somebody wrote: `postgresql://user@host/name`, or `sqlite:///file`.

    Returns:
        The same with psycopg 3 as PostgreSQL's driver, and with a file's path that does not depend on the current folder.

    Example:
        >>> gradebook_url("postgresql://ada@db.example.org/grades")
        'postgresql+psycopg://ada@db.example.org/grades'
    """
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgresql", "postgres"):
        return f"postgresql+psycopg{separator}{rest}"
    if scheme == "sqlite" and rest.startswith("/") and not Path(rest[1:]).is_absolute():
        return f"sqlite:///{Path(rest[1:]).resolve()}"
    return url


def _find_scripts() -> None:
    """Put this environment's commands on the PATH: nbgrader starts `alembic` by name, activated or not."""
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "")
    if scripts not in path.split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + path
