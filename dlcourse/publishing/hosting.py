"""The built site as a folder that any static host serves, below any path."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from dlcourse.publishing.errors import PublishingError
from dlcourse.publishing.live import policy

MARK = ".nojekyll"
"""Tells GitHub Pages to serve folders that begin with an underscore; here also that a folder is a copy of ours."""
HEADERS = "_headers"
"""What Netlify, Cloudflare Pages and others read the headers from."""
_DEBRIS = (".buildinfo", ".doctrees", "__pycache__", "*.pyc", ".DS_Store")


def default_folder(root: Path) -> Path:
    """Name the folder of the site to put on a host.

    Args:
        root: the folder with ``_toc.yml``.
    """
    return root / "build" / "site"


def export(site: Path, target: Path) -> Path:
    """Copy a built site to a folder for a host; an earlier copy in it is replaced when the new one is complete.

    Args:
        site: the site as it was built.
        target: the folder, which may not exist yet.

    Returns:
        The folder.

    Raises:
        PublishingError: if the folder holds something else, or cannot be written.
    """
    target = target.resolve()
    check(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
            new = Path(name, "new")
            shutil.copytree(site, new, ignore=shutil.ignore_patterns(*_DEBRIS))
            (new / MARK).touch()
            (new / HEADERS).write_text(headers(site), encoding="utf-8")
            if target.exists():
                target.rename(Path(name, "old"))
            new.rename(target)
    except OSError as error:
        raise PublishingError(
            f"{target} cannot be written ({error.strerror}): name a folder in a place that you may write to."
        ) from error
    return target


def headers(site: Path) -> str:
    """Write the headers of a site as hosts read them.

    Args:
        site: the site as it was built.
    """
    return f"/*\n  {policy.HEADER}: {policy.policy(site)}\n  X-Content-Type-Options: nosniff\n"


def check(target: Path) -> None:
    """Refuse a folder that holds anything but an earlier copy.

    Args:
        target: the folder, which may not exist yet.

    Raises:
        PublishingError: if it does.
    """
    if not target.exists() or (target.is_dir() and ((target / MARK).is_file() or not any(target.iterdir()))):
        return
    raise PublishingError(f"{target} holds other files: name a folder that is empty or does not exist yet.")
