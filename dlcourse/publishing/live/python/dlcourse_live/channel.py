"""The way out to the page: messages of source/protocol.ts, each output under the cell that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Message = dict[str, Any]
Send = Callable[[Message], None]

_cell: ContextVar[int] = ContextVar("_cell", default=0)
_ways: list[Send] = [lambda message: None]


def connect(to_page: Send) -> None:
    """Send every message to the page from now on."""
    _ways[0] = to_page


def send(message: Message) -> None:
    """Send a message to the page."""
    _ways[0](message)


def emit(message: Message) -> None:
    """Send an output of the running cell: to the page, or to whoever captures outputs."""
    _ways[-1]({"id": current(), **message})


def current() -> int:
    """Name the cell that runs, or the one to which the running callback belongs: the ``id`` of its outputs."""
    return _cell.get()


@contextmanager
def running(cell: int) -> Iterator[None]:
    """Let outputs belong to a cell."""
    token = _cell.set(cell)
    try:
        yield
    finally:
        _cell.reset(token)


@contextmanager
def diverted(sink: Send) -> Iterator[None]:
    """Give outputs to ``sink`` instead of the page."""
    _ways.append(sink)
    try:
        yield
    finally:
        _ways.remove(sink)
