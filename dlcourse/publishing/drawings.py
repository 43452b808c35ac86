"""Figures of a page, made lighter: the same pictures in fewer bytes.

Matplotlib writes each figure by itself: the outline of every letter again in each, and pictures as uncompressed as PNG
allows. On one page they share the letters, and pictures are WebP.
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter

from PIL import Image

_PNG = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")
_GLYPH = re.compile(r'<path d="([^"]*)" transform="scale\(0\.015625\)" id="([^"]*)" ?/>')
_EMPTY = re.compile(r"<defs>\s*</defs>")
_USE = re.compile(r'(<use (?:xlink:)?href="#)([^"]*)"')
QUALITY = 90
FEW = 256
"""With fewer colours than this a picture is a drawing, which must stay as it is; with more it is a photograph."""


def lighter(body: str) -> str:
    """Make the figures of a page lighter.

    Args:
        body: the page's HTML.
    """
    return share_glyphs(pack_pictures(body))


def pack_pictures(markup: str) -> str:
    """Write the PNG pictures inside of figures as WebP where that is smaller.

    Args:
        markup: HTML with inline SVG.
    """
    return _PNG.sub(lambda found: _packed(found[0], base64.b64decode(found[1])), markup)


def _packed(address: str, png: bytes) -> str:
    """Return the address of a picture, packed, or the one it had."""
    picture: Image.Image = Image.open(io.BytesIO(png))
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    exact = _webp(picture, lossless=True, quality=100, exact=True)
    found = [png, exact]
    if picture.getcolors(FEW) is None:
        found.append(_webp(picture, quality=QUALITY))
    best = min(found, key=len)
    return address if best is png else f"data:image/webp;base64,{base64.b64encode(best).decode()}"


def _webp(picture: Image.Image, **settings: int) -> bytes:
    """Write a picture as WebP."""
    content = io.BytesIO()
    picture.save(content, "WEBP", method=4, **settings)
    return content.getvalue()


def share_glyphs(body: str) -> str:
    """Keep the outline of each letter once a page.

    Args:
        body: the page's HTML, with figures whose text is outlines.

    Returns:
        The HTML; the letters stand in an empty drawing at its end, so that each figure may go and the others stay whole.
    """
    outlines = Counter(outline for outline, _ in _GLYPH.findall(body))
    names = {
        outline: f"glyph-{n}" for n, outline in enumerate(o for o, count in outlines.items() if count > 1)
    }
    if not names:
        return body
    shared: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        """Take a letter out of its figure, if another has it too."""
        if found[1] not in names:
            return found[0]
        shared[found[2]] = names[found[1]]
        return ""

    body = _EMPTY.sub("", _GLYPH.sub(take, body))
    body = _USE.sub(lambda found: f'{found[1]}{shared.get(found[2], found[2])}"', body)
    glyphs = "".join(
        f'<path id="{name}" transform="scale(0.015625)" d="{outline}"/>' for outline, name in names.items()
    )
    return f'{body}<svg aria-hidden="true" class="dl-glyphs"><defs>{glyphs}</defs></svg>'
