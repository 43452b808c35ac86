"""Errors as short tracebacks that point into the reader's cell."""

from __future__ import annotations

import linecache
import re
import traceback
import warnings
from pathlib import Path
from types import TracebackType

from .channel import Message

_PLACE = re.compile(r'^  File "<(?P<cell>[^>]*)>", line (?P<line>\d+)(?:, in (?P<name>.*))?$')
_names: dict[str, str] = {}
_sources: dict[str, list[str]] = {}
LONGEST = 20_000
"""The longest text of an error [characters]."""


def register(code: str, name: str) -> str:
    """Make a cell's source known to tracebacks and to ``inspect``; return the file name to compile it under.

    A function keeps the source with which it was defined: a cell that was changed gets another file name.
    """
    lines = [f"{line}\n" for line in code.split("\n")]
    turn, file = 1, f"<{name}>"
    while _sources.setdefault(file, lines) != lines:
        turn += 1
        file = f"<{name} #{turn}>"
    # Without a time of change, linecache does not look for a file.
    linecache.cache[file] = (len(code), None, lines, file)
    _names[file] = name
    return file


def message(error: BaseException) -> Message:
    """Describe an error, as the page is told of it."""
    lines = traceback_of(error)
    evalue = error.msg if isinstance(error, SyntaxError) else str(error)
    return {
        "type": "error",
        "ename": type(error).__name__,
        "evalue": evalue if len(evalue) <= LONGEST else f"{evalue[:LONGEST]}…",
        "traceback": [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in lines],
    }


def traceback_of(error: BaseException) -> list[str]:
    """Write an error's traceback: the frames of the reader's cells, then where in a library it arose."""
    lines: list[str] = []
    for each, why in _chain(error):
        if why:
            lines += ["", why, ""]
        frames = [frame for frame in traceback.extract_tb(each.__traceback__) if frame.filename in _names]
        for entry in traceback.StackSummary.from_list(frames).format():
            lines += map(_place, entry.rstrip("\n").split("\n"))
        if (origin := _origin(each.__traceback__)) and frames:
            lines.append(origin)
        said = traceback.TracebackException(type(each), each, None).format_exception_only()
        lines += [_place(line) for entry in said for line in entry.rstrip("\n").split("\n")]
    return lines


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """List an error after those that it came from, each with how it came."""
    chain: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(chain) < 5:
        seen.add(id(at))
        if at.__cause__ is not None:
            chain.append((at, "That error is the direct cause of this one:"))
            at = at.__cause__
        elif at.__context__ is not None and not at.__suppress_context__:
            chain.append((at, "While that error was handled, this one arose:"))
            at = at.__context__
        else:
            chain.append((at, ""))
            at = None
    chain.reverse()
    return [(chain[0][0], ""), *chain[1:]]


def _place(line: str) -> str:
    """Write the head of a frame as a reader names it: ``cell 3, line 2, in f``."""
    if not (found := _PLACE.match(line)):
        return line[2:] if line.startswith("    ") else line
    name = _names.get(f"<{found['cell']}>", found["cell"])
    within = f", in {found['name']}" if found["name"] and found["name"] != "<module>" else ""
    return f"{name}, line {found['line']}{within}"


def _origin(trace: TracebackType | None) -> str:
    """Say where in a library an error arose, if it did not arise in a cell."""
    frames = traceback.extract_tb(trace)
    if not frames or frames[-1].filename in _names or frames[-1].filename.startswith("<"):
        return ""
    last = frames[-1]
    parts = Path(last.filename).parts
    if "dlcourse_live" in parts:
        return ""
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
    return f"{'/'.join(parts[-4:]).lstrip('/')}, line {last.lineno}, in {last.name}"


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Write a warning that arose in a cell as a reader names the place."""
    if filename in _names:
        source = (line if line is not None else linecache.getline(filename, lineno)).strip()
        return f"{_names[filename]}, line {lineno}: {category.__name__}: {message}\n  {source}\n"
    return f"{Path(filename).name}, line {lineno}: {category.__name__}: {message}\n"


def install() -> None:
    """Write warnings in the same way."""
    warnings.formatwarning = _warning
