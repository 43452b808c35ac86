"""What ``python -m dlcourse.publishing.live`` built, and from what: the hashes that tell whether it is fresh."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

HERE = Path(__file__).parent
SOURCE = HERE / "source"
FILES = HERE / "files"
MANIFEST = FILES / "manifest.json"
"""About the files beside it; it is not shipped, the site's ``_static/live/manifest.json`` is another."""


class Manifest(TypedDict):
    """The hash of ``source/`` as it was at the build, and that of each file that the build made."""

    source: str
    files: dict[str, str]


def manifest() -> Manifest:
    """Read what the last build recorded."""
    recorded: Manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return recorded


def sha256_of_source(source: Path = SOURCE) -> str:
    """Hash the names and contents of all files in ``source``."""
    digest = sha256()
    for path in sorted(source.iterdir()):
        digest.update(f"{path.name} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def sha256_of_files(files: Path = FILES) -> dict[str, str]:
    """Hash each built file, by its path below ``files``."""
    return {
        path.relative_to(files).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(files.rglob("*"))
        if path.is_file() and path.relative_to(files) != MANIFEST.relative_to(FILES)
    }
