"""A matplotlib figure as a part of the page: sharp, described in words, light or dark with it.

The figure becomes inline SVG. Colours named in `dlcourse.figures.style` turn into CSS variables
with a fallback, so the page's theme decides them while it is being read. Text becomes outlines:
it then looks the same wherever the fonts differ, and nothing overlaps that did not before.
"""

import hashlib
import io
import re
import sys
from dataclasses import dataclass
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from dlcourse.figures import style

_PIXELS_PER_INCH = 96
_FALLBACK = {"ink": "currentColor", "paper": "var(--jp-layout-color0, #fefefe)"}
_VARIABLES = {
    value: f"var(--dl-{name}, {_FALLBACK.get(name, value)})" for name, value in style.LIGHT.items()
} | {"#000000": "var(--dl-ink, currentColor)", "#ffffff": f"var(--dl-paper, {_FALLBACK['paper']})"}
_JUPYTER_DARK = (
    '[data-jp-theme-light="false"] .dl-figure{'
    + ";".join(f"--dl-{n}:{value}" for n, value in style.DARK.items() if n not in _FALLBACK)
    + "}"
)
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True)
class Shown:
    """A drawn figure and its description, as notebooks and the book display it.

    Attributes:
        markup: the figure, HTML.
        alt: what it shows, in words.
    """

    markup: str
    alt: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.markup, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def show(fig: Figure, *, alt: str) -> Shown:
    """Turn a figure into something that a cell can end with, or that ``glue`` can keep.

    Args:
        fig: the figure; it is closed.
        alt: what one sees in it and should take away, for those who do not see it.

    Returns:
        The figure as HTML, with ``alt`` as its plain text.

    Raises:
        ValueError: if ``alt`` is empty.
    """
    alt = checked_alt(alt)
    markup = to_svg(fig, alt=alt)
    close(fig)
    return Shown(markup, alt)


def to_svg(fig: Figure, *, alt: str, salt: str = "") -> str:
    """Draw a figure as one HTML element that holds inline SVG.

    The same figure gives the same text every time. Names inside it carry a prefix made from its
    content, so figures on one page never share one.

    Args:
        fig: the figure.
        alt: what it shows, in words.
        salt: tells apart figures that are equal but stand on one page.

    Returns:
        HTML.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "dlcourse"}):
        fig.savefig(
            buffer,
            format="svg",
            dpi=2 * _PIXELS_PER_INCH,
            transparent=True,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )
    drawing = buffer.getvalue()
    prefix = "f" + hashlib.sha256((salt + alt + drawing).encode()).hexdigest()[:10]
    root = ElementTree.fromstring(drawing)
    _drop_namespaces(root)
    for child in [child for child in root if child.tag == "metadata"]:
        root.remove(child)
    for parent in list(root.iter()):
        for sheet in [child for child in parent if child.tag == "style"]:
            parent.remove(sheet)
    _name_uniquely(root, prefix)
    for element in root.iter():
        _restyle(element)
    for element in root.iter():
        _share_style(element)
    width, height = (fig.get_size_inches() * _PIXELS_PER_INCH).round().astype(int)
    root.attrib = {
        "role": "img",
        "aria-label": alt,
        "viewBox": root.get("viewBox", f"0 0 {width} {height}"),
        "width": str(width),
        "height": str(height),
        "style": "max-width:100%;height:auto;fill:var(--dl-ink, currentColor);"
        "stroke-linejoin:round;stroke-linecap:butt",
    }
    svg = ElementTree.tostring(root, encoding="unicode")
    svg = re.sub(r">\s+<", "><", svg)
    return f'<div class="dl-figure"><style>{_JUPYTER_DARK}</style>{svg}</div>'


def close(fig: Figure) -> None:
    """Let pyplot forget a figure, if it knows it, so that it is not displayed a second time.

    Args:
        fig: the figure.
    """
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)


def checked_alt(alt: str) -> str:
    """Tidy the blanks of a description; refuse an empty one.

    Args:
        alt: the description.

    Returns:
        The same words, on one line.

    Raises:
        ValueError: if there are no words.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"a figure needs a description: expected alt='what one sees in it', got {alt!r}. "
            "Say what the figure shows and what to take away."
        )
    return " ".join(alt.split())


def _drop_namespaces(root: ElementTree.Element) -> None:
    """Name tags and attributes as HTML does, where SVG needs no prefixes."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


def _name_uniquely(root: ElementTree.Element, prefix: str) -> None:
    """Prefix every id that something refers to, and drop the others."""
    used = set()
    for element in root.iter():
        if element.get("href", "").startswith("#"):
            used.add(element.attrib["href"][1:])
        for value in element.attrib.values():
            used.update(_REFERENCE.findall(value))
    short = {name: f"{prefix}-{number}" for number, name in enumerate(sorted(used))}
    for element in root.iter():
        if (name := element.attrib.pop("id", None)) in short:
            element.set("id", short[name])
        if element.get("href", "").startswith("#"):
            element.set("href", "#" + short[element.attrib["href"][1:]])
        for key, value in element.attrib.items():
            element.attrib[key] = _REFERENCE.sub(lambda m: f"url(#{short[m[1]]})", value)


def _restyle(element: ElementTree.Element) -> None:
    """Let the page decide the colours, and shorten what is longer than anyone can see."""
    if declared := element.get("style"):
        declared = _COLOUR.sub(lambda m: _VARIABLES.get(m[0], m[0]), declared)
        element.set("style", declared.replace("; ", ";").replace(": ", ":"))
    for name in ("d", "x", "y"):
        if (text := element.get(name)) is not None:
            text = _LONG_NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)
            element.set(name, " ".join(text.split()))


def _share_style(group: ElementTree.Element) -> None:
    """Say once for a group of equal marks how they look, instead of at each of them."""
    looks = {child.get("style", "") for child in group}
    if group.tag != "g" or len(group) < 2 or len(looks) > 1 or "style" in group.attrib:
        return
    (look,) = looks
    # An opacity of its own would blend the group as a whole instead of mark by mark.
    if look and not look.startswith("opacity") and ";opacity" not in look:
        group.set("style", look)
        for child in group:
            del child.attrib["style"]
