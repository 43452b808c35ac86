"""Show the built site on this machine alone."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dlcourse.publishing.build import site_folder
from dlcourse.publishing.errors import PublishingError
from dlcourse.publishing.live import policy

HOST = "127.0.0.1"
PORT = 8000


class _Handler(SimpleHTTPRequestHandler):
    """Files of the site; the browser asks again each time, so a new build shows at once."""

    # What the system says of these endings may be wrong: on Windows any program can change it.
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header(policy.HEADER, policy.policy(Path(self.directory)))
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def make_server(root: Path, port: int = PORT) -> ThreadingHTTPServer:
    """Prepare to serve the site; ``serve_forever`` of what is returned starts it.

    Args:
        root: the folder with ``_toc.yml``.
        port: the port on 127.0.0.1; 0 takes any that is free.

    Returns:
        The server, bound to its port.

    Raises:
        PublishingError: if there is no site yet, or the port cannot be had.
    """
    site = site_folder(Path(root).resolve())
    if not (site / "index.html").is_file():
        raise PublishingError("There is no site to show yet: run `dlcourse build` first.")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(site)))
    except OverflowError as error:
        raise PublishingError(f"Port {port} does not exist: choose one from 1024 to 65535.") from error
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise PublishingError(
            f"Port {port} {reason}: choose another one with `dlcourse serve --port {port + 1}`."
        ) from error


def serve(root: Path, port: int = PORT, *, on_ready: Callable[[str], None] = lambda address: None) -> None:
    """Serve the site until Ctrl+C.

    Args:
        root: the folder with ``_toc.yml``.
        port: the port on 127.0.0.1; 0 takes any that is free.
        on_ready: called with the address, once it can be opened.

    Raises:
        PublishingError: if there is no site yet, or the port cannot be had.
    """
    with make_server(root, port) as server:
        on_ready(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
