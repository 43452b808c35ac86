"""Submissions come into the class: found in a folder, looked at from outside, and copied, never opened."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dlcourse.grading.errors import GradingError, did_you_mean
from dlcourse.grading.flags import shown

FILE_LIMIT = 100 * 1024 * 1024
"""Bytes above which a file is not even copied."""

_LEARNER = re.compile(r"\w[\w.@-]{0,99}")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)  # what Windows takes for a device


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


def collect(source: Path, part: str, chapters: Sequence[str], submitted: Path) -> Collected:
    """Copy submissions from any folder into the class, one folder a learner.

    In `source` each learner has a folder with the notebooks in it, or in a folder named after the part. A submission
    that replaces an earlier, different one moves that one to `earlier/` beside `submitted/`: nothing is lost. What was
    left out is kept with its reasons in `collected/`, beside `submitted/` too.

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
    spellings = Counter(_folded(folder.name) for folder in folders)
    known = {_folded(path.name): path.name for path in submitted.glob("*")}
    count, learners, left_out = 0, 0, []
    for folder in folders:
        name = folder.name
        trouble = why_no_learner(name)
        if folder.is_symlink():
            trouble = "a link to another place; copy the folder itself"
        elif not trouble and spellings[_folded(name)] > 1:
            trouble = "another folder has the same name but for capital letters; rename one of them"
        elif not trouble and known.get(_folded(name), name) != name:
            trouble = (
                f"the class has {known[_folded(name)]!r} already; rename the folder if that is the learner"
            )
        if trouble:
            left_out.append(f"{shown(name)}: {trouble}")
            continue
        taken, problems = _collect_learner(folder, part, chapters, submitted)
        left_out += [f"{name}{problem}" for problem in problems]
        count += taken
        learners += taken > 0
    result = Collected(count, learners, tuple(left_out))
    _keep(result, source, submitted.parent / "collected" / f"{part}.json")
    return result


def why_no_learner(name: str) -> str:
    """Say why a name cannot be a learner's folder in the class.

    Args:
        name: What somebody calls a learner: a folder, an entry of an archive, a row of a list.

    Returns:
        The reason, or an empty string.
    """
    if not _LEARNER.fullmatch(name):
        return "a learner's name is letters, digits and . _ @ - only; rename the folder"
    if _DEVICES.fullmatch(name) or name.endswith("."):
        return "some computers cannot have a folder of this name; rename it"
    return ""


def _collect_learner(
    folder: Path, part: str, chapters: Sequence[str], submitted: Path
) -> tuple[int, list[str]]:
    """Take in one learner's notebooks; return how many, and what was left out."""
    inner = folder / part
    if inner.is_symlink():
        return 0, [f"/{part}: a link to another place; copy the folder itself"]
    found = sorted((inner if inner.is_dir() else folder).glob("*.ipynb"))
    if not found:
        return 0, [": no notebook"]
    count, left_out = 0, []
    for path in found:
        if path.stem not in chapters:
            trouble = f"no notebook of {part} has this name.{did_you_mean(path.stem, chapters)}"
        elif path.is_symlink() or not path.is_file():
            trouble = "not a plain file"
        elif path.stat().st_size > FILE_LIMIT:
            trouble = f"{path.stat().st_size / 2**20:.0f} MB is too large for a notebook"
        else:
            trouble = _take(path, submitted / folder.name / part / path.name)
            count += not trouble
        if trouble:
            left_out.append(f"/{shown(path.name)[1:-1]}: {trouble}")
    timestamp = inner / "timestamp.txt"
    target = submitted / folder.name / part / timestamp.name
    if count and (timestamp.is_symlink() or timestamp.exists()) and target.resolve() != timestamp.resolve():
        text = read_timestamp(timestamp)
        if text:
            target.write_text(text, encoding="utf-8")
        else:
            left_out.append(f"/{part}/{timestamp.name}: holds no time; nothing counts as late")
    return count, left_out


def read_timestamp(path: Path) -> str:
    """Return the time in a `timestamp.txt`, or an empty string where there is none that nbgrader understands.

    Args:
        path: The file; it may be missing, a link, or hold anything.

    Returns:
        What is in it.
    """
    from nbgrader.utils import parse_utc

    if path.is_symlink() or not path.is_file() or path.stat().st_size > 100:
        return ""
    try:
        text = path.read_text(encoding="utf-8").strip()
        parse_utc(text)
    except Exception:  # dateutil raises many things on what is no time
        return ""
    return text


def _take(path: Path, target: Path) -> str:
    """Copy a file into the class; return why it could not be copied, or an empty string."""
    if target.resolve() == path.resolve():
        return ""
    try:
        _copy(path, target)
    except OSError as error:
        return f"cannot be copied ({error.strerror})"
    return ""


def _copy(path: Path, target: Path) -> None:
    if target.exists() and target.read_bytes() != path.read_bytes():
        stamp = datetime.fromtimestamp(target.stat().st_mtime).strftime("%Y-%m-%d-%H%M%S")
        part, learner = target.parent.name, target.parent.parent.name
        kept = target.parents[3] / "earlier" / learner / part / stamp / target.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(target, kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
    target.chmod(0o644)


def _folded(name: str) -> str:
    """Return a name as a file system sees it that does not tell capital letters apart."""
    return unicodedata.normalize("NFC", name).casefold()


def _keep(result: Collected, source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"from": str(source), **asdict(result)}
    # A folder's name need not be text that UTF-8 can hold.
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
