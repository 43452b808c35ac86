"""What lies in a folder or a zip: listed and copied without trusting a name, a size or a byte of it.

Nothing is unpacked. A zip's entries are read one by one through a counter, because what a zip says about their size need
not be true. Links, devices, paths that lead elsewhere and whatever is locked are listed with a reason and never opened.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

FILE_LIMIT = 100 * 2**20
"""Bytes above which no file is taken."""
LEARNER_LIMIT = 3 * FILE_LIMIT
"""Bytes that are read for one learner, whatever the files are."""
ENTRIES = 100_000
"""Entries of a folder or a zip above which it is not listed."""
DEPTH = 12
"""Folders in folders below which nothing is looked for."""
RATIO = 200
"""How many times its packed size a file may unpack to."""

_DIRECTORY = 64 * 2**20  # bytes of a zip's table of contents
_CHUNK = 2**16
_SMALL = 10 * 2**20  # up to here a high ratio is no matter
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others can ask for gigabytes to unpack one byte
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)
_JUNK = re.compile(r"__MACOSX|Thumbs\.db|desktop\.ini", re.I)


class LeftOutError(Exception):
    """A file that is not taken; its text is the reason."""


@dataclass
class Budget:
    """How many more bytes may be read for one learner."""

    left: int = LEARNER_LIMIT

    def spend(self, count: int) -> None:
        """Count bytes that were read.

        Args:
            count: How many.

        Raises:
            LeftOutError: There are too many.
        """
        self.left -= count
        if self.left < 0:
            raise LeftOutError(
                f"with it there are more than {LEARNER_LIMIT // 2**20} MB of this learner; ask for the notebooks only"
            )


@dataclass(frozen=True)
class Item:
    """One file.

    Args:
        path: where it lies, below the folder or in the zip.
        trouble: why it cannot be taken, or an empty string.
        stream: opens it for reading.
        packed: bytes that it takes in a zip; 0 in a folder.
        origin: the file itself, if it lies in a folder.
    """

    path: PurePosixPath
    trouble: str
    stream: Callable[[], AbstractContextManager[IO[bytes]]]
    packed: int = 0
    origin: Path | None = None

    def copy(self, target: IO[bytes], budget: Budget) -> None:
        """Copy the bytes, as many as there really are.

        Args:
            target: Where to.
            budget: What may still be read for this learner.

        Raises:
            LeftOutError: It cannot be read, or is too large.
        """
        if self.trouble:
            raise LeftOutError(self.trouble)
        size = 0
        for chunk in self._chunks():
            size += len(chunk)
            budget.spend(len(chunk))
            if size > FILE_LIMIT:
                raise LeftOutError(f"more than {FILE_LIMIT // 2**20} MB is too large for a notebook")
            if self.packed and size > max(_SMALL, RATIO * self.packed):
                raise LeftOutError("it unpacks to far more than a notebook holds")
            target.write(chunk)

    def _chunks(self) -> Iterator[bytes]:
        try:
            with self.stream() as source:
                while chunk := source.read(_CHUNK):
                    yield chunk
        except _BROKEN as error:
            raise LeftOutError(f"cannot be read ({_words(error)})") from error


@contextmanager
def opened(source: Path) -> Iterator[list[Item]]:
    """List a folder or a zip.

    Args:
        source: The folder or the file.

    Yields:
        Its files, ordered by path; they can be read as long as it is open.

    Raises:
        LeftOutError: It is neither, or cannot be listed.
    """
    if source.is_dir():
        yield sorted(_in_folder(source), key=lambda item: item.path.parts)
    elif source.is_file():
        with source.open("rb") as file, opened_zip(file) as items:
            yield items
    else:
        raise LeftOutError("it is neither a folder nor a file")


@contextmanager
def opened_zip(file: IO[bytes]) -> Iterator[list[Item]]:
    """List a zip.

    Args:
        file: The zip, a file on disk that is open for reading.

    Yields:
        Its files, ordered by path; they can be read as long as it is open.

    Raises:
        LeftOutError: It is no zip, or has too many entries.
    """
    with _Bounded(io.FileIO(os.dup(file.fileno()))) as raw:
        try:
            archive = zipfile.ZipFile(raw)
        except _BROKEN as error:
            raise LeftOutError(f"it is not a zip that can be opened ({_words(error)})") from error
        with archive:
            entries = [entry for entry in archive.infolist() if not entry.filename.endswith(("/", "\\"))]
            if len(entries) > ENTRIES:
                raise LeftOutError(f"it has {len(entries)} entries, more than {ENTRIES}")
            items = [_of_entry(archive, entry) for entry in entries]
            yield sorted((item for item in items if not is_junk(item.path)), key=lambda item: item.path.parts)


def is_junk(path: PurePosixPath) -> bool:
    """Tell whether a file is what computers add by themselves: nobody handed it in."""
    return any((part.startswith(".") and part != "..") or _JUNK.fullmatch(part) for part in path.parts)


def _in_folder(folder: Path) -> Iterator[Item]:
    """Yield the files below a folder; links are listed, never followed."""
    waiting, count = [(folder, PurePosixPath())], 0
    while waiting:
        here, inner = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            yield Item(inner, f"cannot be read ({error.strerror})", partial(_plain, here))
            continue
        count += len(entries)
        if count > ENTRIES:
            raise LeftOutError(f"it has more than {ENTRIES} files; name the folder of this part only")
        for entry in entries:
            at, path = Path(entry), inner / entry.name
            if is_junk(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                if len(path.parts) < DEPTH:
                    waiting.append((at, path))
                continue
            trouble = "" if entry.is_file(follow_symlinks=False) else "not a plain file"
            if entry.is_symlink():
                trouble = "a link to another place; copy the file or folder itself"
            yield Item(path, trouble, partial(_plain, at), origin=at)


@contextmanager
def _plain(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unless it was replaced by a link or a pipe since it was listed."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LeftOutError("not a plain file")
        if os.fstat(file.fileno()).st_size > FILE_LIMIT:
            size = os.fstat(file.fileno()).st_size
            raise LeftOutError(f"{size / 2**20:.0f} MB is too large for a notebook")
        yield file


def _of_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Item:
    name = _name(entry).replace("\\", "/")
    path = PurePosixPath(*(part for part in name.split("/") if part not in ("", ".")))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    trouble = ""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in path.parts:
        trouble = "its path leads out of the zip"
    elif not path.parts or len(path.parts) > DEPTH:
        trouble = "its path cannot be used"
    elif kind == stat.S_IFLNK:
        trouble = "a link to another place; hand in the file itself"
    elif kind not in (0, stat.S_IFREG):
        trouble = "not a plain file"
    elif entry.flag_bits & 0x1:
        trouble = "locked with a password; ask for it without one"
    elif entry.compress_type not in _METHODS:
        trouble = "packed in a way that is not opened here; ask for an ordinary zip"
    elif entry.file_size > FILE_LIMIT:
        trouble = f"{entry.file_size / 2**20:.0f} MB is too large for a notebook"
    return Item(path, trouble, partial(archive.open, entry), packed=max(1, entry.compress_size))


def _name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name: many programs write UTF-8 and do not say so, and it is read as CP437 then."""
    if entry.flag_bits & 0x800 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


class _Bounded(io.BufferedReader):
    """A file of which nobody reads more at once than a table of contents may have: that bounds the entries."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY:
            raise zipfile.BadZipFile("its table of contents is too long")
        return super().read(_DIRECTORY if size is None or size < 0 else size)


def _words(error: BaseException) -> str:
    words = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words[:100])
