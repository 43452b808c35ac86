"""A copy of parts of the package, for sandboxes that cannot show single files where they lie."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from dlcourse.grading.sandbox.view import OURS, PACKAGE, files_of


def stage(modules: Sequence[str], folder: Path) -> None:
    """Copy parts of the package, so that they can be imported from a folder.

    Args:
        modules: The parts, by their dotted names.
        folder: Where `dlcourse` is made.
    """
    for path in files_of([*modules, OURS]):
        copy = folder / path.relative_to(PACKAGE.parent)
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)  # with its date, by which Python knows whether it is compiled already
    # Whoever runs it may be another user; it is not secret.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
