"""Functions of ours that stand in for a learner's earlier ones, and are called with the learner's values.

They are right and harmless, but not made for any values that somebody may think of: 10**14 turns, or an outer product
that fills the machine. So they are called in a fork, with limits of its own, and the grader only passes bytes on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from dlcourse.checks.observe import plain
from dlcourse.grading.execution.channel import CALL, REPLY, Channel, ChannelError
from dlcourse.grading.execution.codec import CodecError, decode, encode

MEMORY = 2**30
"""Bytes that the fork may allocate beyond what this process has."""


def numbering(outside: dict[int, Any]) -> Callable[[Any], int]:
    """Return what gives an object a number and remembers it.

    Args:
        outside: The objects by number, which grows.
    """

    def number(thing: Any) -> int:
        outside[len(outside)] = thing
        return len(outside) - 1

    return number


class Stand:
    """The fork, which is made for the first call and ended at the end.

    Args:
        outside: The functions by number.
    """

    def __init__(self, outside: dict[int, Any]) -> None:
        self.outside = outside
        self.child = 0
        self.channel: Channel | None = None

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def called(self, payload: bytes, until: float) -> bytes:
        """Have a call answered.

        Args:
            payload: What the learner's process sent.
            until: The monotonic time by which the answer must be there.

        Returns:
            What to send back.
        """
        if not self.outside:
            return encode({"error": "TypeError", "message": "nothing stands outside"})
        if self.channel is None:
            self.start()
        assert self.channel
        try:
            self.channel.send(CALL, payload, until=until)
            return self.channel.receive(until=until)[1]
        except (ChannelError, TimeoutError):
            self.end()
            return encode({"error": "RuntimeError", "message": "the call took too long, or too much memory"})

    def start(self) -> None:
        """Make the fork."""
        mine, theirs = socket.socketpair()
        self.child = os.fork()
        if self.child == 0:
            try:
                mine.close()
                _limit()
                _serve(Channel(theirs.fileno(), theirs.fileno()), self.outside)
            finally:
                os._exit(0)
        theirs.close()
        self.socket = mine
        self.channel = Channel(mine.fileno(), mine.fileno())

    def end(self) -> None:
        """End the fork, if there is one."""
        if self.channel is None:
            return
        self.channel = None
        self.socket.close()
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


def _limit() -> None:
    import resource  # which Windows lacks

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    has = MEMORY
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            has += int(file.read().split()[5]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (has if hard < 0 else min(has, hard), hard))


def _serve(channel: Channel, outside: dict[int, Any]) -> None:
    while True:
        try:
            _, payload = channel.receive()
            channel.send(REPLY, encode(_called(payload, outside), numbering(outside)))
        except ChannelError:
            return
        except CodecError as error:
            channel.send(REPLY, encode({"error": "ValueError", "message": str(error)}))


def _called(payload: bytes, outside: dict[int, Any]) -> dict[str, Any]:
    try:
        wish = decode(payload, tuples=True)
        target = outside[wish["call"]]
        method = wish["method"]
        if method:
            if method.startswith("_") or not callable(getattr(target, method, None)):
                raise AttributeError(f"there is no method {method!r}")
            target = getattr(target, method)
        return {"value": _sendable(target(*wish["args"]))}
    except Exception as error:  # whatever a function raises that gets any values
        return {"error": type(error).__name__, "message": str(error)[:300]}


def _sendable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_sendable, value))
    try:
        return plain(value)
    except TypeError:
        return value  # a function or an object: its number goes in
