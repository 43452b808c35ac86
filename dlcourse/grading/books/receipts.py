"""What a learner's grades stand on, signed: the digests, versions and seeds from which every verdict can be repeated."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.grading import secret
from dlcourse.grading.books.outcomes import replace
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.jobs import Outcome, digest
from dlcourse.grading.material import Taken


@dataclass(frozen=True)
class ChapterReceipt:
    """What one notebook's grade stands on.

    Args:
        file: the SHA-256 of the file as it was handed in.
        job: the SHA-256 of what was executed; empty if nothing was.
        outcome: the SHA-256 of what came of it.
        key: the name under which the outcome is kept.
        notebook: the SHA-256 of the autograded notebook.
        seed: the seed of hidden inputs.
        isolation: what kept the learner's code away from everything else.
        reason: why it has no grade, or an empty string.
        flags: what an instructor should look at, a sentence each.
        low_trust: the graded cells whose tests ran beside the learner's code.
        points: points of the checks by the name of their cell.
        checks: the verdicts in order: cell, name, what is checked, whether it passed, points, points possible.
        scores: what the gradebook held as automatic scores after recording, by the name of the cell.
        device: where tensors among the inputs were to be made, one of `jobs.DEVICES`; what came of that says `isolation`.
    """

    file: str = ""
    job: str = ""
    outcome: str = ""
    key: str = ""
    notebook: str = ""
    seed: int = 0
    isolation: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    low_trust: tuple[str, ...] = ()
    points: Mapping[str, float] = field(default_factory=dict)
    checks: tuple[Mapping[str, Any], ...] = ()
    scores: Mapping[str, float | None] = field(default_factory=dict)
    device: str = ""


@dataclass(frozen=True)
class Receipt:
    """What a learner's grades in a part stand on.

    Args:
        part: the assignment.
        learner: whose work it is.
        time: when it was recorded, in UTC.
        seconds_late: how late the gradebook took it to be.
        submitted: what is in its timestamp.txt, if that is a time.
        versions: what graded it.
        chapters: one entry a notebook.
    """

    part: str
    learner: str
    time: str
    seconds_late: float
    submitted: str
    versions: Mapping[str, str]
    chapters: Mapping[str, ChapterReceipt]

    def to_bytes(self, key: bytes) -> bytes:
        """Write the receipt as JSON, with its signature.

        Args:
            key: The course's secret.

        Returns:
            What `from_bytes` reads.
        """
        data = json.loads(json.dumps(asdict(self)))
        return json.dumps({**data, "signature": secret.signature(key, data)}, indent=1).encode() + b"\n"

    @staticmethod
    def from_bytes(raw: bytes, key: bytes) -> Receipt:
        """Read a receipt.

        Args:
            raw: A file's content.
            key: The course's secret.

        Returns:
            The receipt.

        Raises:
            GradingError: It is no receipt, or it was changed after it was signed, or signed with another secret.
        """
        try:
            data = json.loads(raw)
            signed = data.pop("signature")
            if not hmac.compare_digest(signed.encode(), secret.signature(key, data).encode()):
                raise GradingError(
                    "The receipt's signature does not fit: it was changed, or it is from a course with another secret."
                )
            chapters = {name: _chapter(found) for name, found in data.pop("chapters").items()}
            return Receipt(**data, chapters=chapters)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise GradingError(
                "The file is not a receipt; name one from graded/receipts/PART/ in the class's folder."
            ) from error


class Receipts:
    """The receipts of a class.

    Args:
        folder: The class's folder.
        key: The course's secret.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder / "graded" / "receipts"
        self.key = key

    def path(self, part: str, learner: str) -> Path:
        """Return the file of a receipt, which need not be there."""
        return self.folder / part / f"{learner}.json"

    def find(self, part: str, learner: str) -> Receipt | None:
        """Return a learner's receipt; None if there is none, or none to rely on."""
        try:
            return Receipt.from_bytes(self.path(part, learner).read_bytes(), self.key)
        except (OSError, GradingError):
            return None

    def keep(self, receipt: Receipt) -> None:
        """Write a receipt, in place of an earlier one."""
        replace(self.path(receipt.part, receipt.learner), receipt.to_bytes(self.key))

    def of_part(self, part: str) -> Iterator[Receipt]:
        """Return all receipts of a part that can be relied on."""
        for path in sorted((self.folder / part).glob("*.json")):
            if found := self.find(part, path.stem):
                yield found


def chapter_receipt(
    taken: Taken,
    outcome: bytes,
    *,
    key: str,
    notebook: str,
    reason: str,
    scores: Mapping[str, float | None],
) -> ChapterReceipt:
    """Write down what one notebook's grade stands on.

    Args:
        taken: What was handed in.
        outcome: What came of it; empty if nothing was executed.
        key: The name under which the outcome is kept.
        notebook: The SHA-256 of the autograded notebook.
        reason: Why it has no grade, or an empty string.
        scores: The gradebook's automatic scores.

    Returns:
        The receipt's entry.
    """
    base = ChapterReceipt(taken.file, taken.job_digest, seed=taken.seed, reason=reason, flags=taken.flags,
                          scores=dict(scores), device=taken.device)  # fmt: skip
    if not outcome:
        return base
    found = Outcome.from_bytes(outcome)
    return ChapterReceipt(
        base.file,
        base.job,
        digest(outcome),
        key,
        notebook,
        base.seed,
        found.isolation,
        reason,
        taken.flags + found.notes,
        found.low_trust,
        points_of(taken, found),
        tuple(checks_of(taken, found)),
        base.scores,
        base.device,
    )


def points_of(taken: Taken, outcome: Outcome) -> dict[str, float]:
    """Return the points of each graded cell."""
    cells = taken.notebook.cells
    return {
        cells[cell.index].metadata["nbgrader"]["grade_id"]: cell.points
        for cell in outcome.cells
        if cell.points is not None
    }


def checks_of(taken: Taken, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Return the verdict of each check, without its words: those show inputs."""
    for cell in outcome.cells:
        if cell.report is None:
            continue
        name = taken.notebook.cells[cell.index].metadata["nbgrader"]["grade_id"]
        for verdict in cell.report["verdicts"]:
            yield {"cell": name} | {
                key: verdict[key] for key in ("name", "what", "passed", "points", "total")
            }


def _chapter(data: Mapping[str, Any]) -> ChapterReceipt:
    lists = {key: tuple(data[key]) for key in ("flags", "low_trust", "checks")}
    return ChapterReceipt(**{**data, **lists})
