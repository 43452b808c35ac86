"""Files that are too large to ship: fetched once, checked, and kept in a folder of the user's.

A file is used only if its SHA-256 is the one that the caller states. It is written under a
temporary name and renamed when it is complete and right, so a broken transfer leaves nothing.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

Progress = Callable[[int, int], None]
"""Called as ``progress(bytes_done, bytes_total)`` while a file arrives."""


class FetchError(OSError):
    """No mirror gave the file that was asked for."""


def cache_folder() -> Path:
    """Name the folder in which fetched files are kept; it need not exist yet.

    The environment variable ``DLCOURSE_CACHE`` decides, if it is set. Otherwise it is the usual
    place of the system: ``%LOCALAPPDATA%`` on Windows, ``~/Library/Caches`` on macOS,
    ``$XDG_CACHE_HOME`` or ``~/.cache`` elsewhere.

    Returns:
        The folder.
    """
    if chosen := os.environ.get("DLCOURSE_CACHE"):
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "dlcourse" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "dlcourse"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else home / ".cache") / "dlcourse"


def fetch(
    name: str,
    *,
    mirrors: Sequence[str],
    sha256: str,
    size: int,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> Path:
    """Return the path of a checked copy of a file, fetching it if there is none yet.

    Args:
        name: the file's name, the same at every mirror and in the cache.
        mirrors: addresses of folders, each ending in a slash, tried in this order.
        sha256: what the SHA-256 of the file must be, in hexadecimal.
        size: the file's length [bytes].
        progress: told how many bytes have arrived.
        timeout: how long to wait for a silent server [s].

    Returns:
        The path of the file in the cache.

    Raises:
        FetchError: if no mirror gave the right file, or the cache cannot be written.
    """
    target = cache_folder() / name
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=name, suffix=".part")
        os.close(handle)
    except OSError as error:
        raise FetchError(
            f"cannot write to the folder {target.parent} ({error.strerror}): "
            "set DLCOURSE_CACHE to a folder that you may write to."
        ) from error
    failures = []
    try:
        for mirror in mirrors:
            try:
                _download(mirror + name, Path(part), sha256, size, progress, timeout)
            except (OSError, HTTPException, ValueError) as error:
                failures.append(f"{mirror} ({error})")
            else:
                os.replace(part, target)
                return target
    finally:
        Path(part).unlink(missing_ok=True)
    raise FetchError(f"could not fetch {name} from {' or '.join(failures)}")


def _download(
    url: str, part: Path, sha256: str, size: int, progress: Progress | None, timeout: float
) -> None:
    """Write one address to one file; refuse anything but the expected bytes."""
    digest, done = hashlib.sha256(), 0
    request = Request(url, headers={"User-Agent": "dlcourse"})
    with urlopen(request, timeout=timeout) as response, part.open("wb") as file:
        while block := response.read(1 << 16):
            file.write(block)
            digest.update(block)
            done += len(block)
            if done > size:
                raise ValueError(f"longer than the expected {size} bytes")
            if progress is not None:
                progress(done, size)
    if done < size:
        raise ValueError(f"broke off after {done} of {size} bytes")
    if digest.hexdigest() != sha256:
        raise ValueError("its SHA-256 is not the expected one")
