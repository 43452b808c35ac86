"""Where the course is."""

from __future__ import annotations

from pathlib import Path


class NotInCourseError(Exception):
    """The current folder is in no copy of the course."""


def find_root(start: Path) -> Path:
    """Find the repository that a folder is in.

    Args:
        start: Any folder in it.

    Returns:
        The folder that holds `exercises/` and `nbgrader_config.py`.

    Raises:
        NotInCourseError: There is none above `start`.
    """
    for folder in (start, *start.parents):
        if (folder / "exercises").is_dir() and (folder / "nbgrader_config.py").is_file():
            return folder
    raise NotInCourseError(
        f"{start} is not in a copy of the course; change to the folder that holds exercises/ and try again."
    )
