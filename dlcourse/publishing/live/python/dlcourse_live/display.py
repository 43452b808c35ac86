"""Stand-ins for what notebooks import: IPython, its display, glue of the book, and matplotlib's inline figures.

The real ones would be twelve wheels more. Outputs are the same messages as in Jupyter.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import types
import uuid
from collections.abc import Callable
from html import escape
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from . import channel, formats, streams
from .imports import after_import

MOST_DISPLAYS = 2000
"""Displays of one cell; what it shows beyond that is thrown away."""

_shown: dict[int, int] = {}


def publish(
    data: formats.Bundle,
    metadata: formats.Bundle | None = None,
    *,
    display_id: str = "",
    update: bool = False,
) -> None:
    """Show a MIME bundle."""
    streams.flush()
    cell = channel.current()
    _shown[cell] = _shown.get(cell, 0) + 1
    if _shown[cell] > MOST_DISPLAYS and not update:
        return
    message: channel.Message = {"type": "display", "data": data, "metadata": metadata or {}}
    if display_id:
        message |= {"display_id": display_id, "update": update}
    channel.emit(message)


class DisplayHandle:
    """What ``display(..., display_id=True)`` returns: replaces what was shown."""

    def __init__(self, display_id: str | None = None) -> None:
        self.display_id = display_id or uuid.uuid4().hex

    def display(self, value: object, **arguments: Any) -> None:
        """Show a value once more under the same name."""
        display(value, display_id=self.display_id, **arguments)

    def update(self, value: object, **arguments: Any) -> None:
        """Show a value in place of the one before."""
        update_display(value, display_id=self.display_id, **arguments)


def display(
    *values: object,
    include: object = None,
    exclude: object = None,
    metadata: formats.Bundle | None = None,
    display_id: str | bool | None = None,
    raw: bool = False,
    clear: bool = False,
    update: bool = False,
    **_: object,
) -> DisplayHandle | None:
    """Show values, as IPython's function of this name does."""
    if clear:
        clear_output(wait=True)
    handle = None
    if display_id:
        handle = DisplayHandle(display_id if isinstance(display_id, str) else None)
    for value in values:
        if (
            not raw
            and not isinstance(value, type)
            and callable(own := getattr(value, "_ipython_display_", None))
        ):
            own()
            continue
        data, about = (value, {}) if raw and isinstance(value, dict) else formats.bundle_of(value)
        publish(data, about | (metadata or {}), display_id=handle.display_id if handle else "", update=update)
    return handle


def update_display(value: object, *, display_id: str, **arguments: Any) -> None:
    """Replace what was shown under ``display_id``."""
    display(value, display_id=display_id, update=True, **arguments)


def forget(cell: int) -> None:
    """Count a cell's outputs from zero, since they are shown anew."""
    _shown.pop(cell, None)


def clear_output(wait: bool = False) -> None:
    """Clear the outputs of the running cell; with ``wait``, when the next one comes."""
    streams.drop(wait=wait)
    _shown.pop(channel.current(), None)
    channel.emit({"type": "clear", "wait": wait})


class DisplayObject:
    """A value that is shown as one MIME type."""

    mime = "text/plain"

    def __init__(
        self, data: Any = None, url: str | None = None, filename: str | None = None, **metadata: Any
    ) -> None:
        if url is not None:
            raise ValueError("A page that runs asks no other host: give the data itself, not its url.")
        if filename is not None:
            data = Path(filename).read_bytes()
        self.data = data
        self.metadata = metadata

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> formats.Bundle:
        return {self.mime: self.data, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<IPython.core.display.{type(self).__name__} object>"


class TextDisplayObject(DisplayObject):
    """A value that is shown as text of one kind."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> formats.Bundle:
        text = self.data.decode() if isinstance(self.data, bytes) else str(self.data)
        return {self.mime: text, "text/plain": repr(self)}


class HTML(TextDisplayObject):
    """HTML."""

    mime = "text/html"

    def _repr_html_(self) -> str:
        return str(self.data)


class Markdown(TextDisplayObject):
    """Markdown."""

    mime = "text/markdown"


class Latex(TextDisplayObject):
    """LaTeX."""

    mime = "text/latex"


class Math(Latex):
    """A formula."""

    def __init__(self, data: Any = None, **arguments: Any) -> None:
        super().__init__(f"$\\displaystyle {str(data).strip('$')}$", **arguments)


class SVG(TextDisplayObject):
    """A drawing."""

    mime = "image/svg+xml"


class Pretty(TextDisplayObject):
    """Text."""

    def __repr__(self) -> str:
        return str(self.data)


class Code(TextDisplayObject):
    """Source code."""

    mime = "text/html"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> formats.Bundle:
        return {"text/html": f"<pre>{escape(str(self.data))}</pre>", "text/plain": str(self.data)}


class JSON(DisplayObject):
    """Plain data."""

    mime = "application/json"


class Image(DisplayObject):
    """A picture, PNG or JPEG."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> formats.Bundle:
        jpeg = bytes(self.data[:2]) == b"\xff\xd8"
        return {"image/jpeg" if jpeg else "image/png": self.data, "text/plain": repr(self)}


class _Formatter:
    """IPython's display formatter, as far as ipywidgets asks it."""

    def format(self, value: object, include: object = None, exclude: object = None) -> tuple[Any, Any]:
        return formats.bundle_of(value)


class _Events:
    """IPython's events; figures are shown without them."""

    def register(self, event: str, function: Callable[..., object]) -> None:
        """Do nothing."""

    def unregister(self, event: str, function: Callable[..., object]) -> None:
        """Do nothing."""


class Shell:
    """IPython's shell, as far as libraries ask it."""

    display_formatter = _Formatter()
    events = _Events()

    @classmethod
    def instance(cls) -> Shell:
        """Return the only one."""
        return shell

    def showtraceback(self, exc_tuple: Any = None, **_: object) -> None:
        """Show an exception as a failing cell does."""
        from . import errors

        value = exc_tuple[1] if exc_tuple else sys.exception()
        if value is not None:
            streams.flush()
            channel.emit(errors.message(value))


shell = Shell()


def get_ipython() -> Shell:
    """Return the shell."""
    return shell


def glue(name: str, variable: object, display: bool = True) -> None:
    """Accept what the book's text shows elsewhere."""


class _Inline:
    """Finds the backend of matplotlib that shows figures after their cell: it is read when matplotlib asks."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "matplotlib_inline.backend_inline":
            return None
        return importlib.util.spec_from_file_location(name, Path(__file__).with_name("inline.py"))


def _module(name: str, **content: object) -> None:
    """Put a module of this name in place."""
    module = types.ModuleType(name)
    vars(module).update(content, __path__=[])
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def _plain_artists(artist: types.ModuleType) -> None:
    """Leave out the tables of properties in the docstrings of matplotlib: a fifth of its import makes them."""
    artist.kwdoc = lambda artist: ""  # type: ignore[attr-defined]
    artist.Artist._update_set_signature_and_docstring = classmethod(lambda cls: None)


def install() -> None:
    """Put the stand-ins in the place of what they stand for."""
    after_import("matplotlib.artist", _plain_artists)
    shows = (
        DisplayHandle,
        DisplayObject,
        TextDisplayObject,
        HTML,
        Markdown,
        Latex,
        Math,
        SVG,
        Pretty,
        Code,
        JSON,
        Image,
    )
    content: dict[str, object] = {each.__name__: each for each in shows}
    content |= {"display": display, "update_display": update_display, "clear_output": clear_output}
    _module("IPython", get_ipython=get_ipython, version_info=(8, 24, 0), __version__="8.24.0")
    _module("IPython.display", **content)
    _module("IPython.core")
    _module("IPython.core.display", **content)
    _module("IPython.core.display_functions", **content)
    _module("IPython.core.getipython", get_ipython=get_ipython)
    _module("IPython.core.interactiveshell", InteractiveShell=Shell)
    _module("myst_nb", glue=glue)
    _module("matplotlib_inline")
    sys.meta_path.insert(0, _Inline)
    # Under the name of the stand-in matplotlib would look for an entry point of the real one.
    os.environ["MPLBACKEND"] = "module://dlcourse_live.inline"
    vars(builtins).update(display=display, get_ipython=get_ipython)
