"""Bytecode for the browser's Python: what pages import at their start is compiled once, when the site is built.

Without it, Pyodide compiles its own library and each package from source at every start of a page, which takes longer
than the rest of that start. Only the Python that runs it can make bytecode, so Pyodide compiles for itself, in Node.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from dlcourse.publishing.errors import PublishingError
from dlcourse.publishing.live import distribution
from dlcourse.publishing.live.trimming import files_in, zipped

HERE = Path(__file__).parent
RUN, INSIDE = HERE / "run.mjs", HERE / "inside.py"
LIMIT = 600.0  # seconds; a machine with much to do takes a minute


class NotCompiledError(PublishingError):
    """There is no bytecode; pages run without, too."""


def compiled(source: Path, archives: Mapping[str, bytes]) -> dict[str, bytes]:
    """Put bytecode in the place of source, for the modules that a page imports at its start.

    Args:
        source: the folder of the release, from `distribution.obtain`; what was made is kept there.
        archives: Python's own library and wheels, by file name.

    Returns:
        The same archives, with bytecode in them. They are hardly larger, since no source stands beside it.

    Raises:
        NotCompiledError: if Node is not there, or could not do it.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (RUN, INSIDE, Path(__file__))))
    for name, content in sorted(archives.items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    kept = source / f"compiled-{digest.hexdigest()[:16]}.zip"
    with FileLock(source / ".lock"):
        if not kept.is_file():
            for old in source.glob("compiled-*.zip"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=source) as folder:
                made = Path(folder, "made.zip")
                made.write_bytes(zipped(_compiled(source, archives, Path(folder))))
                made.replace(kept)
        return files_in(kept.read_bytes())


def node() -> str | None:
    """Find Node: that of the system, or the one that Playwright brings."""
    if found := shutil.which("node"):
        return found
    playwright = importlib.util.find_spec("playwright")
    if playwright is None or playwright.origin is None:
        return None
    brought = Path(playwright.origin).parent / "driver" / ("node.exe" if sys.platform == "win32" else "node")
    return str(brought) if brought.is_file() else None


def _compiled(source: Path, archives: Mapping[str, bytes], work: Path) -> dict[str, bytes]:
    """Let Pyodide compile in Node."""
    program = node()
    if program is None:
        raise NotCompiledError("Node was not found: install Node 18 or newer and build again")
    (work / "in").mkdir()
    for name, content in archives.items():
        (work / "in" / name).write_bytes(content)
    lock = {"info": dict(distribution.release().info), "packages": {}}
    (work / "lock.json").write_text(json.dumps(lock), encoding="utf-8")
    command = [program, str(RUN), str(source), str(work)]
    try:
        run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiledError(f"Node could not run Pyodide ({error})") from error
    if run.returncode:
        last = (run.stderr or run.stdout).strip().splitlines()[-1:]
        raise NotCompiledError(f"Node could not run Pyodide ({''.join(last)[:200]})")
    made = {}
    for name, content in archives.items():
        files = files_in(content)
        for path in (work / "out" / name).rglob("*.pyc"):
            entry = path.relative_to(work / "out" / name).as_posix()
            files[entry] = path.read_bytes()
            del files[entry.removesuffix("c")]
        made[name] = zipped(files)
    return made
