"""The Content-Security-Policy that a built site works under: what its pages may load and run.

Scripts come from the site alone. The theme has a few inline ones; each is allowed by its hash, so nothing else that gets
into a page runs. A server has to send the policy as a header: `nginx` writes what to tell it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

from dlcourse.publishing.live.shipping import LIVE, read_manifest

HEADER = "Content-Security-Policy"
SNIPPET = LIVE / "nginx.conf"

_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_NOT_RUN = re.compile(
    r"""\bsrc\s*=|\btype\s*=\s*["']?(?!module|text/javascript|application/javascript)""", re.I
)
_HANDLER = re.compile(r"""\son[a-z]+\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


def policy(site: Path) -> str:
    """Write the policy of a site.

    Args:
        site: the folder of the site.

    Returns:
        The value of the header.
    """
    about = Path(site).stat()
    return _policy(Path(site), (about.st_ino, about.st_mtime_ns))


def nginx(site: Path) -> str:
    """Write the lines with which nginx serves a site as it should be served.

    Args:
        site: the folder of the site.
    """
    return f"""\
# Within the `server` block of nginx, for this very build of the site:
#     location / {{ root /where/the/site/is; include /where/the/site/is/{SNIPPET.as_posix()}; }}
# The hashes are those of the scripts inside the pages, so copy this file anew after each build.
add_header {HEADER} "{policy(site)}" always;
add_header X-Content-Type-Options nosniff always;
# Python's files are compared with their hashes before they are used: the browser may keep them.
set $kept no-cache;
if ($uri ~ "/{LIVE.as_posix()}/(pyodide|python)/") {{ set $kept "max-age=31536000"; }}
add_header Cache-Control $kept;
include /etc/nginx/mime.types;
types {{ text/javascript mjs; application/zip whl; }}
gzip on;
gzip_comp_level 6;
gzip_vary on;
gzip_types application/wasm application/json text/javascript application/javascript text/css image/svg+xml;
"""


@lru_cache(maxsize=4)
def _policy(site: Path, build: tuple[int, int]) -> str:
    """Write the policy of a build: each makes the folder anew."""
    scripts, handlers = _inline(site.rglob("*.html"))
    allowed = ["'self'", "'wasm-unsafe-eval'", *sorted(map(_source, scripts))]
    if handlers:
        allowed += ["'unsafe-hashes'", *sorted(map(_source, handlers))]
    answered = ["'self'"]
    if (
        core := urlsplit(read_manifest(site)["core"] if (site / LIVE / "manifest.json").is_file() else "")
    ).netloc:
        # The worker checks what came from there, and runs the copy that it checked.
        allowed.append("blob:")
        answered.append(f"{core.scheme}://{core.netloc}")
    rules = {
        "default-src": ["'self'"],
        "script-src": allowed,
        # MathJax, the widgets and figures set styles as they go.
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": answered,
        "worker-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def _inline(pages: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Find the scripts inside of pages, and the handlers of their elements."""
    scripts: set[str] = set()
    handlers: set[str] = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        scripts |= {
            body for about, body in _SCRIPT.findall(text) if body.strip() and not _NOT_RUN.search(about)
        }
        # In prose and listings the quotation marks are escaped, so what this finds is an attribute.
        handlers |= {unescape(double or single) for double, single in _HANDLER.findall(_SCRIPT.sub("", text))}
    return scripts, handlers


def _source(code: str) -> str:
    """Write how a policy names a piece of code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
