"""Outcomes that are there already: kept by what decides them, so that equal work is executed once."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from functools import cache
from importlib import metadata
from pathlib import Path

import dlcourse
from dlcourse.grading.execution.jobs import NOT_EXECUTED, Outcome


class Outcomes:
    """The outcomes of a class, one file each.

    Args:
        folder: The class's folder.
        unsafe: Whether code runs without a sandbox; such outcomes are kept apart from the others.
    """

    def __init__(self, folder: Path, *, unsafe: bool = False) -> None:
        self.folder = folder / "graded" / "outcomes"
        self.unsafe = unsafe

    def key(self, job: bytes) -> str:
        """Return the name of a job's outcome.

        Args:
            job: The job, as bytes.

        Returns:
            A digest of the job, of this environment, and of whether there is a sandbox.
        """
        parts = (environment(), "unsafe" if self.unsafe else "sandbox", hashlib.sha256(job).hexdigest())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def path(self, key: str) -> Path:
        """Return the file of an outcome, which need not be there."""
        return self.folder / key[:2] / f"{key}.json"

    def find(self, key: str) -> bytes | None:
        """Return an outcome, or None if there is none that can be read.

        Args:
            key: What `key` returned.

        Returns:
            The bytes of the outcome.
        """
        try:
            raw = self.path(key).read_bytes()
            Outcome.from_bytes(raw)
        except (OSError, ValueError, KeyError, TypeError):  # missing, or damaged
            return None
        return raw

    def holds(self, key: str) -> bool:
        """Return whether there is an outcome that lasts: what could not be executed is tried again next time.

        Args:
            key: What `key` returned.
        """
        raw = self.find(key)
        return raw is not None and Outcome.from_bytes(raw).isolation != NOT_EXECUTED

    def keep(self, key: str, outcome: bytes) -> None:
        """Keep an outcome, in place of an earlier one.

        Args:
            key: What `key` returned.
            outcome: Its bytes.
        """
        replace(self.path(key), outcome)


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is either there in full or as it was before, whenever this process ends.

    Args:
        path: The file; its folder is made if need be.
        content: What it holds afterwards.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or an empty string if it is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@cache
def versions() -> dict[str, str]:
    """Return the versions of what grades: this package, Python, NumPy, PyTorch if it is installed, nbgrader."""
    found = {"dlcourse": dlcourse.__version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "nbgrader"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def environment() -> str:
    """Return a digest of what outcomes depend on besides the job: Python, NumPy, PyTorch and this package's code."""
    digest = hashlib.sha256()
    for name in ("python", "numpy", "torch"):
        digest.update(f"{name} {versions().get(name, 'none')}\n".encode())
    package = Path(dlcourse.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
