"""Where the outputs of executed cells are kept, so that a cell runs again only when it must.

jupyter-cache knows a notebook by its cells alone. A figure also depends on the package that drew
it; the folder of the cache therefore carries a hash of that package, its data, and the versions of
the libraries that draw.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dlcourse

PACKAGE = Path(dlcourse.__file__).parent
# No chapter imports these rooms, so a change in them redraws nothing.
UNSEEN = ("cli", "grading", "publishing")
LIBRARIES = ("ipykernel", "ipywidgets", "jax", "matplotlib", "numpy", "tensorflow-cpu", "torch")
KEPT = 2


def package_hash(package: Path = PACKAGE, libraries: Iterable[str] = LIBRARIES) -> str:
    """Hash what cells depend on beside their own text: sources, shipped data, library versions.

    Args:
        package: the folder of the package.
        libraries: the distributions whose version counts, where they are installed.

    Returns:
        Sixteen hexadecimal digits.
    """
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for library in libraries:
        digest.update(f"{library} {_version(library)}\n".encode())
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package)
        if path.is_file() and name.parts[0] not in UNSEEN and "__pycache__" not in name.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def caches(root: Path) -> Path:
    """Name the folder that holds all caches of the book in ``root``."""
    return root / "build" / "book" / "cache"


def cache_folder(root: Path) -> Path:
    """Name the cache that is right for the package as it is now.

    Args:
        root: the folder with ``_toc.yml``.

    Returns:
        The folder, which need not exist yet.
    """
    return caches(root) / package_hash()


def prune(root: Path, keep: int = KEPT) -> list[Path]:
    """Delete all caches but those used last, so that going back and forth stays fast.

    Args:
        root: the folder with ``_toc.yml``.
        keep: how many stay.

    Returns:
        The folders deleted.
    """
    folders = [path for path in caches(root).glob("*") if path.is_dir()]
    folders.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for old in folders[keep:]:
        shutil.rmtree(old)
    return folders[keep:]


def _version(library: str) -> str:
    """Read the version of a distribution, or ``-`` where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "-"
