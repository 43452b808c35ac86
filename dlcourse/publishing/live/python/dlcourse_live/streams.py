"""Standard output and error: sent to the page as they come, and cut off where they would flood it."""

from __future__ import annotations

import io
import sys
import time
from typing import SupportsIndex

from . import channel

LIMIT = 1_000_000
"""The text that one cell may write [characters]; what it writes beyond that is thrown away."""

WINDOW = 0.05  # seconds
AT_ONCE = 8
"""Messages in one window: lines appear when they are written, and still a thousand of them do not stall the page."""

_BLOCK = 65_536


class _Flow:
    """What both streams write, in order."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.origin = ("", 0)
        self.written: dict[int, int] = {}
        self.began = -WINDOW
        self.sent = 0

    def add(self, name: str, text: str) -> None:
        """Take text, and send it if that is due."""
        cell = channel.current()
        room = LIMIT - self.written.get(cell, 0)
        if room < 0:
            return
        if self.origin != (name, cell):
            self.flush()
            self.origin = (name, cell)
        self.written[cell] = LIMIT - room + len(text)
        self.parts.append(text[:room])
        self.size += len(text)
        if len(text) > room:
            self.flush(cut=True)
        elif self.size > _BLOCK:
            self.flush()
        elif text.endswith("\n"):
            self.offer()

    def offer(self) -> None:
        """Send what waits, unless much was sent just now."""
        now = time.monotonic()
        if now - self.began >= WINDOW:
            self.began, self.sent = now, 0
        if self.sent < AT_ONCE:
            self.sent += 1
            self.flush()

    def flush(self, *, cut: bool = False) -> None:
        """Send what waits."""
        text = "".join(self.parts)
        self.parts.clear()
        self.size = 0
        if text or cut:
            name, cell = self.origin
            message = {"type": "stream", "name": name, "text": text}
            with channel.running(cell):
                channel.emit(message | {"cut": LIMIT} if cut else message)


_flow = _Flow()


class Stream(io.TextIOBase):
    """One of the two streams, in place of ``sys.stdout`` or ``sys.stderr``."""

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, name: str) -> None:
        self.name = name

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Write text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        _flow.add(self.name, text)
        return len(text)

    def flush(self) -> None:
        """Let the page have what was written, unless it had much just now."""
        _flow.offer()


def flush() -> None:
    """Let the page have all that was written."""
    _flow.flush()


def drop(*, wait: bool = False) -> None:
    """Forget how much the running cell has written, since its outputs are cleared."""
    if not wait:
        _flow.parts.clear()
        _flow.size = 0
    flush()
    _flow.written.pop(channel.current(), None)


def install() -> None:
    """Take the place of the standard streams."""
    sys.stdout = Stream("stdout")
    sys.stderr = Stream("stderr")
    sleep = time.sleep

    def sleep_after_flush(seconds: float | SupportsIndex, /) -> None:
        """Sleep, with nothing left unsaid: no timer could say it meanwhile."""
        flush()
        sleep(seconds)

    time.sleep = sleep_after_flush
