"""The cells of a page as the browser gets them: ``_live/PAGENAME.json``, and their numbers in the HTML.

A page runs in the browser if what its cells import does: the NumPy half of dlcourse, and the libraries that the site
ships. Else the file says in a sentence why it does not.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from nbformat import NotebookNode
from sphinx.writers.html5 import HTML5Translator

from dlcourse.publishing.live import packages

NUMBER = "live_number"
DATA = "live_data"
"""What else a cell's ``div`` says of itself: attributes by name."""
_CALLED = {
    "jax": "JAX",
    "keras": "Keras",
    "nbgrader": "nbgrader",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
    "triton": "Triton",
}
_LIBRARIES = {
    *("IPython", "PIL", "comm", "contourpy", "cycler", "dateutil", "ipywidgets", "jaxtyping", "kiwisolver"),
    *("matplotlib", "mpl_toolkits", "myst_nb", "numpy", "packaging", "pyparsing", "six", "tqdm", "traitlets"),
}
# Of the standard library, what a browser has no use for, or Pyodide leaves out.
_NOT_IN_A_BROWSER = {
    *(
        "_multiprocessing",
        "curses",
        "dbm",
        "fcntl",
        "grp",
        "multiprocessing",
        "pty",
        "pwd",
        "readline",
        "resource",
    ),
    *("socketserver", "subprocess", "syslog", "termios", "tkinter", "tty", "turtle", "venv"),
}


def write(site: Path, page: str, title: str, notebook: NotebookNode, needs: Iterable[str] = ()) -> None:
    """Write the file of a page's cells, if it has any.

    Args:
        site: the folder of the site.
        page: the page's name, as in ``_toc.yml``.
        title: its title, as text.
        notebook: the page as a notebook.
        needs: the libraries that its front matter names.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return
    sources = [cell.source for cell in code]
    why = why_not(sources, needs)
    about = {
        "page": page,
        "title": title,
        "runs": not why,
        "why": why,
        "notebook": f"_sources/{page}.ipynb",
        "digest": digest(sources),
        "cells": [described(number, cell) for number, cell in enumerate(code)],
    }
    target = site / "_live" / f"{page}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def described(number: int, cell: NotebookNode) -> dict[str, Any]:
    """Describe a code cell.

    Args:
        number: its place among the page's code cells, from 0.
        cell: the cell.
    """
    tags = [tag.replace("_", "-") for tag in cell.metadata.get("tags", ())]
    hidden = "remove-cell" in tags or {"remove-input", "remove-output"} <= set(tags)
    return {"n": number, "source": cell.source, "tags": tags, "shown": not hidden, "kind": "code"}


def digest(sources: Iterable[str]) -> str:
    """Hash what the cells say, to tell whether a page has changed since a reader edited it."""
    return hashlib.sha256(json.dumps(list(sources)).encode()).hexdigest()[:16]


def why_not(sources: Iterable[str], needs: Iterable[str] = ()) -> str:
    """Say why cells do not run in a browser.

    Args:
        sources: the cells.
        needs: libraries that the page says it needs.

    Returns:
        A sentence, or an empty string if they do run.
    """
    asked = set(needs)
    for source in sources:
        try:
            asked |= set(packages.imported(source))
        except SyntaxError:
            return "This page does not run in the browser, for one of its cells is not Python alone."
    foreign = {name for each in asked for name in _foreign(each)}
    if not foreign:
        return ""
    libraries = {name for name in foreign if not name.startswith("dlcourse.")}
    rooms = {"dlcourse." + name.split(".")[1] for name in foreign - libraries}
    return f"This page does not run in the browser, for it uses {_listed(libraries or rooms)}."


def _listed(names: Iterable[str]) -> str:
    """Write names as a sentence does."""
    *others, last = sorted(names, key=str.lower)
    return f"{', '.join(others)} and {last}" if others else last


def number(doctree: nodes.document, notebook: NotebookNode) -> None:
    """Note in the cells of a page which of its code cells they are.

    Args:
        doctree: the page, as it was read.
        notebook: the same page as a notebook.
    """
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            node[NUMBER] = code.index(node["cell_index"])


def open_container(self: HTML5Translator, node: nodes.Element) -> None:
    """Open the ``div`` of a container as MyST does, with the cell's number if it is one."""
    attributes = {"data-cell": str(node[NUMBER])} if NUMBER in node else {}
    attributes |= node.get(DATA, {})
    if "style" in node:
        attributes["style"] = node["style"]
    kind = "docutils" if node.get("is_div", False) else "docutils container"
    self.body.append(self.starttag(node, "div", CLASS=kind, **attributes))


def close_container(self: HTML5Translator, node: nodes.Element) -> None:
    """Close the ``div``."""
    self.body.append("</div>\n")


@cache
def _foreign(module: str) -> frozenset[str]:
    """Name what keeps a module from a browser: libraries it imports, or that its own imports import."""
    room = module.split(".")[0]
    if room != "dlcourse":
        runs = room in _LIBRARIES or (room in sys.stdlib_module_names and room not in _NOT_IN_A_BROWSER)
        return frozenset() if runs else frozenset({_CALLED.get(room, room)})
    path = packages.PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in packages.modules() or not path.is_file():  # the last name of a `from` may be no module
        return frozenset()
    # What else an absent room imports is its own affair.
    asked = packages.imported(path.read_text(encoding="utf-8"), module, is_package=path.stem == "__init__")
    named = {_CALLED[top] for each in asked if (top := each.split(".")[0]) in _CALLED}
    return frozenset(named or {module})
