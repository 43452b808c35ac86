"""What a page loads before anything is pressed, as a server with gzip sends it."""

import gzip
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

PACKED = (".gz", ".ipynb.zip", ".png", ".jpg", ".woff", ".woff2", ".whl", ".zip")
MOST = 400_000
"""Bytes that a page may load before anything is pressed."""


@cache
def sent(path: Path) -> int:
    """Return how many bytes of a file go over the wire."""
    content = path.read_bytes()
    return len(content) if path.suffix in PACKED else min(len(content), len(gzip.compress(content, 6)))


def weights(asked, address, site):
    """Weigh what a page asked for, each file once.

    Args:
        asked: the addresses.
        address: that of the site's root, without a slash at its end.
        site: the folder of the site.

    Returns:
        Bytes by the file's name, relative to the site.
    """
    found = {}
    for url in asked:
        if not url.startswith(f"{address}/"):
            continue
        name = unquote(urlsplit(url.removeprefix(f"{address}/")).path) or "index.html"
        found[name] = sent(site / name)
    return found
