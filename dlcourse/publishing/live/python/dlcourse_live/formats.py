"""How a value is shown: the MIME bundle that IPython would make of it."""

from __future__ import annotations

import base64
import inspect
import sys
import traceback
import types
from contextlib import suppress
from typing import Any

from .streams import LIMIT

Bundle = dict[str, Any]

METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
}
WIDTH = 79
_BRACKETS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    list: ("[", "]"),
    set: ("{", "}"),
    tuple: ("(", ")"),
}
MOST_ITEMS = 1000


def bundle_of(value: object) -> tuple[Bundle, Bundle]:
    """Make the MIME bundle of a value, and its metadata."""
    data, metadata = _own_bundle(value)
    if not data and (png := _figure(value)) is not None:
        data["image/png"] = png
    for mime, name in METHODS.items():
        if mime not in data:
            found, about = _call(value, name)
            if found is not None:
                data[mime] = found
                if about:
                    metadata[mime] = about
    if "text/plain" not in data:
        data["text/plain"] = pretty(value)
    return {mime: _fitting(each) for mime, each in data.items()}, metadata


def pretty(value: object, indent: int = 0) -> str:
    """Write a value as IPython does: containers that do not fit into a line have one item a line."""
    if isinstance(value, type) and type(value).__repr__ is type.__repr__:
        return (
            value.__qualname__
            if value.__module__ == "builtins"
            else f"{value.__module__}.{value.__qualname__}"
        )
    if isinstance(value, types.FunctionType):
        try:
            return f"<function {value.__module__}.{value.__qualname__}{inspect.signature(value)}>"
        except (TypeError, ValueError):
            return repr(value)
    if type(value) not in _BRACKETS or not value:
        return repr(value)
    return _container(value, indent)


def _container(value: Any, indent: int) -> str:
    """Write a container, in one line if it fits."""
    opening, closing = _BRACKETS[type(value)]
    inner = indent + len(opening)
    shown = list(value)[:MOST_ITEMS]
    if type(value) in (set, frozenset):
        # What cannot be compared stays in its order.
        with suppress(Exception):
            shown = sorted(shown)
    if type(value) is dict:
        items = [
            f"{(head := pretty(key, inner) + ': ')}{pretty(value[key], inner + len(head))}" for key in shown
        ]
    else:
        items = [pretty(each, inner) for each in shown]
    if len(value) > MOST_ITEMS:
        items.append("...")
    line = opening + ", ".join(items) + ("," if type(value) is tuple and len(items) == 1 else "") + closing
    if "\n" not in line and indent + len(line) <= WIDTH:
        return line
    return opening + (",\n" + " " * inner).join(items) + closing


def _own_bundle(value: object) -> tuple[Bundle, Bundle]:
    """Ask a value for its whole bundle."""
    found, about = _call(value, "_repr_mimebundle_", include=None, exclude=None)
    return dict(found or {}), dict(about or {})


def _call(value: object, name: str, **arguments: object) -> tuple[Any, Any]:
    """Call a method that shows a value, if it has it; one that fails is told of and passed over."""
    if isinstance(value, type):
        return None, None
    try:
        # A class that answers to every name, as mocks do, has no methods that show it.
        if hasattr(value, "_ipython_canary_method_should_not_exist_"):
            return None, None
        method = getattr(value, name, None)
        found = method(**arguments) if callable(method) else None
    except NotImplementedError:
        return None, None
    except Exception:
        traceback.print_exc(limit=-1, file=sys.stderr)
        return None, None
    if isinstance(found, tuple) and len(found) == 2:
        return found[0], found[1]
    return found, None


def _figure(value: object) -> bytes | None:
    """Draw a matplotlib figure, as it appears in a notebook."""
    figures = sys.modules.get("matplotlib.figure")
    if figures is None or not isinstance(value, figures.Figure):
        return None
    from io import BytesIO

    if not value.axes and not value.lines:
        return None
    box: Any = "tight"
    if value.get_layout_engine() is None and hasattr(value.canvas, "get_renderer"):
        # The same box. To find it, "tight" draws the figure once more, for which only a layout engine has a use.
        padding = sys.modules["matplotlib"].rcParams["savefig.pad_inches"]
        box = value.get_tightbbox(value.canvas.get_renderer()).padded(padding)
    target = BytesIO()
    value.savefig(target, format="png", bbox_inches=box, dpi="figure")
    return target.getvalue()


def _fitting(shown: Any) -> Any:
    """Bring a value into the form of messages, cut off where it would stall the page."""
    if isinstance(shown, bytes | bytearray | memoryview):
        return base64.b64encode(shown).decode("ascii")
    if isinstance(shown, str) and len(shown) > 20 * LIMIT:
        return f"{shown[:LIMIT]}…"
    return shown
