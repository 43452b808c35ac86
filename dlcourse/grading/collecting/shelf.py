"""Where submissions are kept: `submitted/<learner>/<part>/`, and `earlier/` for what they replace."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from dlcourse.grading.collecting.archive import Budget, Item

TIMESTAMP = "timestamp.txt"


class Shelf:
    """One learner's place in a part.

    Args:
        submitted: nbgrader's folder of submissions.
        learner: Whose place it is.
        part: The assignment.
    """

    def __init__(self, submitted: Path, learner: str, part: str) -> None:
        self.folder = submitted / learner / part
        self._earlier = submitted.parent / "earlier" / learner / part
        self._incoming = submitted.parent / "collected"

    def put(self, item: Item, name: str, budget: Budget) -> bool:
        """Copy a file; one that differs and is there already is kept in `earlier/`.

        Args:
            item: The file.
            name: What it is called here.
            budget: What may still be read for this learner.

        Returns:
            Whether it replaced a different one.

        Raises:
            LeftOutError: It cannot be read, or is too large; nothing has changed then.
        """
        target = self.folder / name
        if item.origin and target.resolve() == item.origin.resolve():
            return False
        self._incoming.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=self._incoming)
        incoming = Path(path)
        try:
            with open(handle, "wb") as file:
                item.copy(file, budget)
            replaces = target.exists() and not filecmp.cmp(incoming, target, shallow=False)
            if replaces:
                self._set_aside(target)
            self.folder.mkdir(parents=True, exist_ok=True)
            incoming.chmod(0o644)
            os.replace(incoming, target)
        finally:
            incoming.unlink(missing_ok=True)
        return replaces

    def stamp(self, when: str, *, replaced: bool) -> None:
        """Write the time of a submission; that of an earlier one does not stay beside a later one.

        Args:
            when: The time, or an empty string if nobody knows it.
            replaced: Whether the submission replaced an earlier one.
        """
        target = self.folder / TIMESTAMP
        if not when and replaced and target.exists():
            self._set_aside(target)
        if when and (not target.exists() or time_in(target.read_bytes()) != when):
            target.write_text(when, encoding="utf-8")

    def _set_aside(self, target: Path) -> None:
        when = datetime.fromtimestamp(target.stat().st_mtime).strftime("%Y-%m-%d-%H%M%S")
        kept = next(path for path in _numbered(self._earlier / when) if not (path / target.name).exists())
        kept.mkdir(parents=True, exist_ok=True)
        shutil.move(target, kept / target.name)


def time_in(raw: bytes) -> str:
    """Return the time that a file holds.

    Args:
        raw: The file's bytes.

    Returns:
        The time as it is written, or an empty string if nbgrader does not understand it.
    """
    from nbgrader.utils import parse_utc

    try:
        text = raw.decode("utf-8").strip()
        parse_utc(text)
    except Exception:  # dateutil raises many things on what is no time
        return ""
    return text


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1
