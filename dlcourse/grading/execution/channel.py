"""Messages over a pair of file descriptors, with a length before each and a time by which it must be there."""

from __future__ import annotations

import os
import select
import struct
import time

from dlcourse.grading.execution.codec import LARGEST

ASK, REPLY, LAST, CALL, STATE, ENDED = b"a", b"r", b"l", b"c", b"s", b"e"
"""What a message is: the grader's wish, its answer, the last answer of a process, a call of a function that stays
outside, news of a process, or the end of a submission, which only the zygote tells."""
NO_DEVICE = "no device"
"""The state of a process that finds no GPU where there should be one."""


class ChannelError(Exception):
    """The other side is gone, or does not keep to the form."""


class Channel:
    """A dialog in which both sides take turns.

    Args:
        reading: the file descriptor to read from.
        writing: the one to write to.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing
        os.set_blocking(writing, False)

    def send(self, kind: bytes, payload: bytes, *, until: float | None = None) -> None:
        """Write a message.

        Args:
            kind: One byte that says what it is.
            payload: The rest.
            until: The monotonic time by which the other side must have taken it.

        Raises:
            ChannelError: The other side is gone.
            TimeoutError: It does not read.
        """
        view = memoryview(struct.pack(">I", len(payload) + 1) + kind + payload)
        while view:
            _wait(self.writing, until, write=True)
            try:
                view = view[os.write(self.writing, view[: 2**20]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelError("the other side is gone") from error

    def receive(self, *, until: float | None = None) -> tuple[bytes, bytes]:
        """Read a message.

        Args:
            until: The monotonic time by which it must be there, whole.

        Returns:
            What it is, and the rest.

        Raises:
            ChannelError: The other side is gone, or says more than may be said.
            TimeoutError: It was not there in time.
        """
        (size,) = struct.unpack(">I", self._read(4, until))
        if not 1 <= size <= LARGEST + 1:
            raise ChannelError("a message has an impossible length")
        raw = self._read(size, until)
        return raw[:1], raw[1:]

    def close(self) -> None:
        """Close both ends."""
        for end in {self.reading, self.writing}:
            os.close(end)

    def _read(self, size: int, until: float | None) -> bytes:
        parts = []
        while size:
            _wait(self.reading, until)
            try:
                piece = os.read(self.reading, min(size, 2**20))
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelError("the other side is gone") from error
            if not piece:
                raise ChannelError("the other side is gone")
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)


def _wait(end: int, until: float | None, *, write: bool = False) -> None:
    left = None if until is None else max(0.0, until - time.monotonic())
    poll = select.poll()
    poll.register(end, select.POLLOUT if write else select.POLLIN)
    if not poll.poll(None if left is None else left * 1000 + 1):
        raise TimeoutError
