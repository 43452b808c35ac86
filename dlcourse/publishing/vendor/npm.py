"""What the commands that build from npm share: installing what a lock names, and collecting licences."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
BSD = Path(__file__).parent / "source" / "BSD-3-Clause.txt"
"""A licence that Jupyter's packages name without bringing its text."""


def install(folder: Path) -> None:
    """Install into ``folder/node_modules`` what the lock in ``folder`` says, or ``package.json`` where there is none.

    Args:
        folder: where ``package.json`` lies; a lock is written where there is none.

    Raises:
        subprocess.CalledProcessError: if npm fails; it has said why.
    """
    command = "ci" if (folder / "package-lock.json").exists() else "install"
    subprocess.run(["npm", command, *FLAGS], cwd=folder, check=True)


def package_of(path: Path) -> Path:
    """Find the package folder that a bundled file belongs to."""
    return next(
        folder
        for folder in path.parents
        if folder.parent.name == "node_modules" or folder.parent.name.startswith("@")
        if not folder.name.startswith("@")
    )


def about(package: Path) -> dict[str, object]:
    """Read a package's ``package.json``."""
    content: dict[str, object] = json.loads((package / "package.json").read_text(encoding="utf-8"))
    return content


def licence_name(about: dict[str, object]) -> str:
    """Read a package's licence from its ``package.json``, in either of the two forms in use."""
    licence = about.get("license")
    return str(licence["type"] if isinstance(licence, dict) else licence)


def licences(packages: list[Path]) -> str:
    """Write the licences of bundled packages, each under its name and version."""
    texts = [*map(_licence_of, packages), BSD.read_text(encoding="utf-8").rstrip()]
    return "\n\n".join(texts) + "\n"


def _licence_of(package: Path) -> str:
    """Write a package's name, version and the text of its licence."""
    described = about(package)
    head = f"{described['name']} {described['version']} ({licence_name(described)})"
    texts = sorted(p for p in package.iterdir() if p.name.lower().startswith("licen"))
    body = texts[0].read_text(encoding="utf-8").strip() if texts else ""
    return f"{head}\n{'-' * len(head)}\n{body}".rstrip()
