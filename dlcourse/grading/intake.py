"""What learners hand in, before anything of it runs: found in a folder, looked at, and copied into the class."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlcourse.grading.errors import GradingError, did_you_mean
from dlcourse.grading.notebooks import Notebook, grade_id

LIMIT = 20 * 1024 * 1024
"""Bytes above which a submitted notebook is not read."""

_LEARNER = re.compile(r"\w[\w.@-]{0,99}")


@dataclass(frozen=True)
class Collected:
    """What was taken in.

    Args:
        notebooks: how many notebooks were copied.
        learners: how many learners they are from.
        left_out: what was not taken in, each with its reason.
    """

    notebooks: int
    learners: int
    left_out: tuple[str, ...]


def read_notebook(path: Path) -> Notebook:
    """Read somebody's notebook.

    Args:
        path: An `.ipynb` file.

    Returns:
        The notebook, in the current format.

    Raises:
        GradingError: It is missing, too large, or no notebook.
    """
    import nbformat

    if not path.exists():
        siblings = [p.name for p in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings) or " Check the name and the folder."
        raise GradingError(f"There is no file {path}.{hint}")
    if not path.is_file() or path.is_symlink():
        raise GradingError(f"{path.name} is not a plain file; hand in the notebook itself.")
    if path.stat().st_size > LIMIT:
        size = path.stat().st_size / 2**20
        raise GradingError(
            f"{path.name} has {size:.0f} MB, more than {LIMIT // 2**20}; clear its outputs and save it."
        )
    try:
        data = json.loads(path.read_bytes().decode("utf-8"))
        if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
            raise ValueError("it has no list of cells")
        notebook = nbformat.reads(json.dumps(data), as_version=4)
        nbformat.validate(notebook)
    except RecursionError as error:
        raise GradingError(_no_notebook(path, "it is nested too deeply")) from error
    except Exception as error:  # nbformat raises what its parsers and validators raise
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GradingError(_no_notebook(path, words[:100])) from error
    return notebook


def why_unusable(path: Path) -> str:
    """Say why a submitted notebook cannot be graded, or return an empty string."""
    try:
        notebook = read_notebook(path)
    except GradingError as error:
        return str(error)
    copies = [name for name, n in Counter(filter(None, map(grade_id, notebook.cells))).items() if n > 1]
    if copies:
        return f"the cell {copies[0]!r} is there twice; delete the copy and hand in again"
    return ""


def collect(source: Path, part: str, chapters: Sequence[str], submitted: Path) -> Collected:
    """Copy submissions from any folder into the class, one folder a learner.

    In `source` each learner has a folder with the notebooks in it, or in a folder named after the part. A submission that
    replaces an earlier, different one moves that one to `earlier/` beside `submitted/`: nothing is lost.

    Args:
        source: The folder with the learners' folders.
        part: The assignment.
        chapters: Its notebooks.
        submitted: nbgrader's folder of submissions.

    Returns:
        What was taken in and what was not.

    Raises:
        GradingError: The folder is missing or has no folders in it.
    """
    if not source.is_dir():
        raise GradingError(f"There is no folder {source}; give the one in which each learner has a folder.")
    folders = sorted(p for p in source.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise GradingError(f"{source} has no folders; it must hold one for each learner.")
    count, learners, left_out = 0, 0, []
    for folder in folders:
        if not _LEARNER.fullmatch(folder.name):
            left_out.append(
                f"{folder.name!r}: a learner's name is letters, digits and . _ @ - only; rename the folder"
            )
            continue
        inner = folder / part
        found = sorted((inner if inner.is_dir() else folder).glob("*.ipynb"))
        for path in found:
            if path.stem not in chapters:
                hint = did_you_mean(path.stem, chapters)
                left_out.append(f"{folder.name}/{path.name}: no notebook of {part} has this name.{hint}")
            elif path.is_symlink() or not path.is_file():
                left_out.append(f"{folder.name}/{path.name}: not a plain file")
            else:
                _take(path, submitted / folder.name / part / path.name, inner / "timestamp.txt")
                count += 1
        learners += any(path.stem in chapters for path in found)
        if not found:
            left_out.append(f"{folder.name}: no notebook")
    return Collected(count, learners, tuple(left_out))


def _take(path: Path, target: Path, timestamp: Path) -> None:
    if target.resolve() == path.resolve():
        return
    if target.exists() and target.read_bytes() != path.read_bytes():
        stamp = datetime.fromtimestamp(target.stat().st_mtime).strftime("%Y-%m-%d-%H%M%S")
        part, learner = target.parent.name, target.parent.parent.name
        kept = target.parents[3] / "earlier" / learner / part / stamp / target.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(target, kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
    target.chmod(0o644)
    if timestamp.is_file() and not timestamp.is_symlink():
        shutil.copyfile(timestamp, target.parent / "timestamp.txt")


def _no_notebook(path: Path, reason: str) -> str:
    return f"{path.name} is not a notebook ({reason}); save it again in JupyterLab as .ipynb."
