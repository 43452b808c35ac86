"""Comms of ipywidgets over the worker's messages."""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Make `comm.create_comm` use these; called by `boot.start`, before ipywidgets is imported."""


def handle(message: dict[str, Any]) -> None:
    """Take a message of the page: see CommMessage in source/protocol.ts; buffers are memoryviews."""
