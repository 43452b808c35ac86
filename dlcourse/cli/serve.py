"""The built book, served to this machine alone."""

from __future__ import annotations

import errno
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class ServeError(Exception):
    """The book cannot be shown; its text is one sentence with the remedy."""


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Say nothing: a line a request would hide the address."""


class _Server(ThreadingHTTPServer):
    # On Windows, reusing an address would let two servers share one port.
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = True


def site(root: Path) -> Path:
    """Find the built book.

    Args:
        root: The repository.

    Returns:
        The folder with its first page.

    Raises:
        ServeError: It is not built, or its build did not come to an end.
    """
    pages = sorted((root / "build" / "book").rglob("index.html"), key=lambda page: len(page.parts))
    if not pages:
        raise ServeError("The book is not built yet; run `dlcourse build` first.")
    folder = pages[0].parent
    if not (folder / "searchindex.js").is_file():  # Sphinx writes it last
        raise ServeError("The book is half built; run `dlcourse build` again and mend what it says.")
    return folder


def listen(folder: Path, port: int) -> ThreadingHTTPServer:
    """Open a server on 127.0.0.1.

    Args:
        folder: What it shows.
        port: Where it listens; 0 takes a free one.

    Returns:
        The server, which does not answer yet.

    Raises:
        ServeError: The port is in use or not allowed.
    """
    try:
        return _Server(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} is in use"
        elif error.errno == errno.EACCES:
            reason = f"Port {port} needs more rights than you have"
        else:
            raise
        raise ServeError(
            f"{reason}; choose another one: dlcourse serve --port {port % 60000 + 1025}"
        ) from error
