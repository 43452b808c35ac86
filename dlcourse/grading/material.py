"""What a class's notebooks are graded with: the released ones, the instructor's, and what lies beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from dlcourse.grading import secret
from dlcourse.grading.book import earlier_modules
from dlcourse.grading.collecting.collect import read_timestamp
from dlcourse.grading.execution.jobs import AUTO, Job, digest, make_job
from dlcourse.grading.intake import reading
from dlcourse.grading.notebooks import Notebook

LARGEST_FILES = 64 * 2**20
"""Bytes above which files beside a notebook are left out."""


@dataclass(frozen=True)
class Taken:
    """One notebook of a submission, ready to be executed.

    Args:
        chapter: which notebook it is.
        handed_in: whether there is a file at all.
        notebook: the released notebook with the learner's answers.
        file: the digest of the file as it was handed in.
        flags: what an instructor should look at, a sentence each.
        reason: why there is nothing to execute, or an empty string.
        job: what is executed; empty where there is a reason.
        seed: the seed of its hidden inputs.
        device: where tensors among its inputs are to be made.
    """

    chapter: str
    handed_in: bool
    notebook: Notebook
    file: str
    flags: tuple[str, ...]
    reason: str
    job: bytes
    seed: int
    device: str = ""

    @property
    def job_digest(self) -> str:
        """The digest of the job, or an empty string."""
        return digest(self.job) if self.job else ""


@dataclass(frozen=True)
class Material:
    """What is graded, and with what.

    Args:
        root: the repository.
        folder: the class's folder.
        device: where tensors among the inputs of checks are made, one of `jobs.DEVICES`.
    """

    root: Path
    folder: Path
    device: str = AUTO

    @cached_property
    def secret(self) -> bytes:
        """The course's secret."""
        return secret.course_secret(self.folder)

    def released(self, part: str, chapter: str) -> Notebook:
        """Return a notebook as it was handed out."""
        return _read(self.folder / "release" / part / f"{chapter}.ipynb")

    def source(self, part: str, chapter: str) -> Notebook:
        """Return the instructor's version of a notebook, with hidden checks."""
        return _read(self.folder / "source" / part / f"{chapter}.ipynb")

    def take(self, part: str, chapter: str, learner: str, path: Path | None = None) -> Taken:
        """Take in one notebook of a submission.

        Args:
            part: The assignment.
            chapter: The notebook in it.
            learner: Whose it is.
            path: The file; the one in `submitted/` by default.

        Returns:
            The notebook and its job; never an error for what somebody handed in.
        """
        path = path or self.folder / "submitted" / learner / part / f"{chapter}.ipynb"
        released = self.released(part, chapter)
        if not os.path.lexists(path):
            return Taken(chapter, False, released, "", (), "not handed in", b"", 0)
        found = reading.intake_file(path, released)
        if found.reason:
            return Taken(chapter, True, found.notebook, found.sha256, found.flags, found.reason, b"", 0)
        flags = found.flags
        if os.path.lexists(time := path.parent / "timestamp.txt") and not read_timestamp(time):
            flags += ("Its timestamp.txt holds no time; it does not count as late.",)
        job = self.job(part, chapter, learner, found.notebook)
        return Taken(
            chapter, True, found.notebook, found.sha256, flags, "", job.to_bytes(), job.seed, job.device
        )

    def job(self, part: str, chapter: str, learner: str, notebook: Notebook) -> Job:
        """Return the job of a notebook that was built on the released one.

        Args:
            part: The assignment.
            chapter: The notebook in it.
            learner: Whose it is.
            notebook: The released notebook with the learner's answers.

        Returns:
            All that decides its outcome.
        """
        name = f"{part}/{chapter}"
        return make_job(
            notebook,
            self.source(part, chapter),
            chapter=name,
            seed=secret.seed_of(self.secret, name, learner),
            modules=earlier_modules(self.root, name),
            files=files_beside(self.folder / "release" / part),
            device=self.device,
        )


def files_beside(folder: Path) -> dict[str, bytes]:
    """Return what was handed out with the notebooks: plain files, no notebooks, no links.

    Args:
        folder: `release/<part>`.

    Returns:
        The files' contents by their path in the folder.
    """
    found: dict[str, bytes] = {}
    left = LARGEST_FILES
    for where, folders, names in os.walk(folder):  # which does not enter links
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            if path.suffix == ".ipynb" or path.is_symlink() or not path.is_file():
                continue
            left -= path.stat().st_size
            if left < 0:
                return found
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _read(path: Path) -> Notebook:
    """Read one of the class's own notebooks, once until it changes."""
    try:
        stat = path.stat()
    except OSError:
        return reading.read_notebook(path)  # which says what is missing
    return _read_once(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _read_once(path: Path, changed: int, size: int) -> Notebook:
    return reading.read_notebook(path)
