"""Build the site: run the cells, let jupyter-book write the pages, then put them in place at once.

Every build writes the whole site anew into a folder of its own, so no page is left from an earlier
one; only the outputs of cells are kept. The site is replaced when all went well, and not before.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sphinx.util.console import strip_colors

from dlcourse.publishing import cache, pages
from dlcourse.publishing.errors import PublishingError
from dlcourse.publishing.execution import ONE_THREAD, Progress, execute, quiet
from dlcourse.publishing.live import distribution, shipping

WARNING = re.compile(r"(?:WARNING|ERROR|CRITICAL): |^\S*(?:Error|Exception)\b")
PERCENT = re.compile(r"writing output\.\.\. \[ *(\d+)%\]")
SHOWN_WARNINGS = 5


@dataclass(frozen=True)
class BuildResult:
    """What a build made.

    Attributes:
        site: the folder to serve.
        index: the page to open first.
        pages: how many pages the book has.
        executed: how many notebooks ran.
        reused: how many notebooks were in the cache.
        seconds: how long it took.
        note: what the one who builds should know, or an empty string.
    """

    site: Path
    index: Path
    pages: int
    executed: int
    reused: int
    seconds: float
    note: str = ""


def site_folder(root: Path) -> Path:
    """Name the folder of the finished site."""
    return root / "build" / "book" / "html"


def build(root: Path, *, fresh: bool = False, on_progress: Progress = quiet) -> BuildResult:
    """Build the book.

    Args:
        root: the folder with ``_toc.yml``.
        fresh: run every cell, even those whose outputs are known.
        on_progress: called with steps done, steps in all, and the last one's name.

    Returns:
        Where the site is and what was done.

    Raises:
        PublishingError: if a cell fails, a page has a warning, or a folder cannot be written. The
            site of the last build that went well stays as it was.
    """
    started = time.perf_counter()
    root = Path(root).resolve()
    count = len(pages.pages(root))
    with workshop(root) as work:
        if fresh:
            shutil.rmtree(cache.caches(root), ignore_errors=True)
        with leaving_site(root):
            ran = execute(root, on_progress=on_progress)
            note = fetch_pyodide(on_progress)
            settings = {distribution.SETTING: distribution.CDN} if note else {}
            made = write_pages(root, work, "html", on_progress, settings)
        replace(made, site_folder(root))
    return BuildResult(
        site=site_folder(root),
        index=site_folder(root) / "index.html",
        pages=count,
        executed=len(ran.ran),
        reused=len(ran.reused),
        seconds=time.perf_counter() - started,
        note=note,
    )


def fetch_pyodide(on_progress: Progress = quiet) -> str:
    """Have Pyodide at hand for the pages that run.

    Args:
        on_progress: called with bytes fetched, bytes in all, and what arrives.

    Returns:
        An empty string; where Pyodide cannot be had, a sentence that says so and what the site does instead.
    """
    try:
        distribution.obtain(lambda done, total, name: on_progress(100 * done // total, 100, name))
    except distribution.OutOfReachError as error:
        return shipping.without_pyodide(error)
    return ""


@contextlib.contextmanager
def workshop(root: Path) -> Iterator[Path]:
    """Lend a new folder below ``build/book``, and take it away afterwards."""
    folder = root / "build" / "book"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
    except OSError as error:
        raise PublishingError(
            f"{folder} cannot be written ({error.strerror}): allow it, or copy the course to a folder of yours."
        ) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def leaving_site(root: Path) -> Iterator[None]:
    """Add to a failure that the site of the last good build is still there, if it is."""
    try:
        yield
    except PublishingError as error:
        if (site_folder(root) / "index.html").is_file():
            raise PublishingError(f"{error}\nThe site of the last good build is unchanged.") from error
        raise


def write_pages(
    root: Path,
    work: Path,
    builder: str,
    on_progress: Progress = quiet,
    settings: Mapping[str, str] | None = None,
) -> Path:
    """Let jupyter-book write the book into ``work``, every warning an error.

    Args:
        root: the folder with ``_toc.yml``.
        work: an empty folder.
        builder: Sphinx's name of the output: ``html`` or ``gettext``.
        on_progress: called with percent done, 100, and what is done.
        settings: environment variables for it, beside those of this process.

    Returns:
        The folder written.

    Raises:
        PublishingError: if there is a warning or an error; the message begins with the first ones.
    """
    kind = ["html"] if builder == "html" else ["custom", "--custom-builder", builder]
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(root)]
    command += ["--path-output", str(work), "-W", "--keep-going", "--builder", *kind]
    log = []
    with subprocess.Popen(
        command,
        cwd=root,
        env=os.environ | ONE_THREAD | dict(settings or {}) | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        for coloured in process.stdout:
            line = strip_colors(coloured).rstrip()
            log.append(line)
            if percent := PERCENT.search(line):
                on_progress(int(percent[1]), 100, "pages written")
    record = root / "build" / "book" / f"{builder}.log"
    record.write_text("\n".join(log) + "\n", encoding="utf-8")
    if process.returncode:
        raise PublishingError(complaint(log, root, record))
    return work / "_build" / builder


def complaint(log: Sequence[str], root: Path, record: Path) -> str:
    """Say in a few lines what Sphinx disliked."""
    found = [line.replace(f"{root}{os.sep}", "") for line in log if WARNING.search(line)]
    lines = list(dict.fromkeys(found))
    more = f"\nand {len(lines) - SHOWN_WARNINGS} more" if len(lines) > SHOWN_WARNINGS else ""
    return (
        "The book was not built; mend this and build again"
        f" (all that was said is in {record.relative_to(root).as_posix()}):\n"
        + "\n".join(lines[:SHOWN_WARNINGS] or log[-SHOWN_WARNINGS:])
        + more
    )


def replace(new: Path, old: Path) -> None:
    """Put a finished folder in the place of another one, which is deleted."""
    old.parent.mkdir(parents=True, exist_ok=True)
    if old.exists():
        # Beside the new one, so that it goes when the workshop does.
        old.rename(new.with_name(f"{old.name}-before"))
    new.rename(old)
