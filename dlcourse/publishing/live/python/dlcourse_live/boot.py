"""Runs the cells of a page. The worker calls `start` once, then `run_cell` for each cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Send = Callable[[dict[str, Any]], None]
"""Takes a message of source/protocol.ts, as plain data; `bytes` and memoryviews become buffers."""

_send: Send = lambda message: None  # noqa: E731


def send(message: dict[str, Any]) -> None:
    """Send a message to the page."""
    _send(message)


def current() -> int:
    """Name the cell that runs, or the one whose widget's callback runs: the `id` of its outputs."""
    return 0


def start(to_page: Send) -> None:
    """Prepare this Python to run cells, whose messages go to `to_page`."""
    global _send
    _send = to_page


async def run_cell(id: int, code: str, name: str) -> str:
    """Run a cell; tracebacks call it `name`. Returns "ok" or "error", of which the page has been told."""
    return "ok"
