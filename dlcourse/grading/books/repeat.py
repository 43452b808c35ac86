"""A verdict is repeated from its receipt: the same file, executed again, and what differs then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from dlcourse.grading.books.outcomes import versions
from dlcourse.grading.books.receipts import ChapterReceipt, Receipt, checks_of, points_of
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.jobs import Outcome
from dlcourse.grading.material import Material, Taken

Execute = Callable[[bytes], bytes]
"""Turns a job into its outcome."""


@dataclass(frozen=True)
class Repeated:
    """What came of one notebook when its verdict was repeated.

    Args:
        chapter: the notebook.
        points: what it earns now.
        differences: what differs in its verdict, a sentence each.
        circumstances: what else differs, which may explain it.
    """

    chapter: str
    points: float
    differences: tuple[str, ...]
    circumstances: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the verdict is the same."""
        return not self.differences


def read_receipt(path: Path, material: Material) -> Receipt:
    """Read a receipt and check its signature.

    Args:
        path: The file.
        material: The class.

    Returns:
        The receipt.

    Raises:
        GradingError: There is no such file, it is no receipt, or its signature does not fit.
    """
    if not path.is_file():
        raise GradingError(
            f"There is no file {path}; receipts are in {material.folder / 'graded' / 'receipts'}."
        )
    return Receipt.from_bytes(path.read_bytes(), material.secret)


def repeat(receipt: Receipt, material: Material, execute: Execute) -> Iterator[Repeated]:
    """Execute again what a receipt is about, and compare.

    Args:
        receipt: The receipt.
        material: The class.
        execute: Executes a job; without looking for an outcome that is there already.

    Yields:
        One entry a notebook.
    """
    for chapter, entry in receipt.chapters.items():
        if not entry.file:
            yield Repeated(chapter, 0.0, (), ("nothing was handed in, or it was no plain file",))
            continue
        path = find_submission(material.folder, receipt.part, receipt.learner, chapter, entry.file)
        if path is None:
            yield Repeated(
                chapter, 0.0, ("the file that was graded is neither in submitted/ nor in earlier/",), ()
            )
            continue
        as_before = replace(material, device=entry.device or material.device)
        taken = as_before.take(receipt.part, chapter, receipt.learner, path)
        yield _compared(receipt, entry, taken, Outcome.from_bytes(execute(taken.job)) if taken.job else None)


def find_submission(folder: Path, part: str, learner: str, chapter: str, sha256: str) -> Path | None:
    """Find a submitted file by its digest.

    Args:
        folder: The class's folder.
        part: The assignment.
        learner: Who handed it in.
        chapter: The notebook.
        sha256: The digest of the file.

    Returns:
        The file: what is handed in now, or an earlier version of it; None if it is gone.
    """
    name = f"{chapter}.ipynb"
    candidates = [folder / "submitted" / learner / part / name]
    candidates += sorted((folder / "earlier" / learner / part).glob(f"*/{name}"))
    for path in candidates:
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                    return path
    return None


def _compared(receipt: Receipt, entry: ChapterReceipt, taken: Taken, outcome: Outcome | None) -> Repeated:
    circumstances = [
        f"{name} was {receipt.versions.get(name, 'missing')}, now it is {versions().get(name, 'missing')}"
        for name in sorted({*receipt.versions, *versions()})
        if receipt.versions.get(name) != versions().get(name)
    ]
    if entry.job != taken.job_digest:
        circumstances.append(
            "the exercise, its checks, its files, or how submissions are read have changed since"
        )
    if outcome is None:
        differences = [] if entry.reason else [f"it was graded, and now it cannot be: {taken.reason}"]
        return Repeated(taken.chapter, 0.0, tuple(differences), tuple(circumstances))
    if entry.isolation != outcome.isolation:
        circumstances.append(
            f"isolation was {entry.isolation or 'none needed'!r}, now it is {outcome.isolation!r}"
        )
    points = points_of(taken, outcome)
    differences = list(_points_differ(entry.points, points))
    differences += _checks_differ(entry, list(checks_of(taken, outcome)))
    return Repeated(taken.chapter, sum(points.values()), tuple(differences), tuple(circumstances))


def _points_differ(before: Mapping[str, float], now: Mapping[str, float]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old is None or new is None or abs(old - new) > 1e-9:
            yield f"{name}: {_shown(old)} points before, {_shown(new)} now"


def _checks_differ(entry: ChapterReceipt, now: list[dict[str, object]]) -> Iterator[str]:
    for old, new in zip_longest(entry.checks, now):
        if old is None or new is None or dict(old) != new:
            found = old or new or {}
            what = f"{found['cell']}, {found['name']} {found['what']}"
            yield f"{what}: {_verdict(old)} before, {_verdict(new)} now"


def _verdict(check: Mapping[str, object] | None) -> str:
    if check is None:
        return "not there"
    return f"{'passed' if check['passed'] else 'failed'} with {check['points']:g} of {check['total']:g}"


def _shown(points: float | None) -> str:
    return "no" if points is None else f"{points:g}"
