"""The foreign files that pages load from the site itself: MathJax, and the code of the widgets.

They are kept in ``files/`` with their licences; ``manifest.json`` names each with its version and SHA-256.
``python -m dlcourse.publishing.vendor`` makes them anew from npm, as ``source/`` says.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TypedDict

HERE = Path(__file__).parent
FILES = HERE / "files"
MANIFEST = HERE / "manifest.json"


class Component(TypedDict):
    """One foreign work: where it is from, and its files with their SHA-256."""

    version: str
    licence: str
    licence_file: str
    source: str
    files: dict[str, str]


def manifest() -> dict[str, Component]:
    """Read what is vendored, by the name of its folder in ``files/``."""
    components: dict[str, Component] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return components


def sha256_by_file(folder: Path) -> dict[str, str]:
    """Hash every file below ``folder``, by its path relative to ``files/``."""
    return {
        path.relative_to(folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
