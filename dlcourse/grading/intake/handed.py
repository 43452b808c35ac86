"""One cell of a submitted file, whatever stands there instead of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dlcourse.grading.intake.flags import Flags

CELL_LIMIT = 1024 * 1024
"""Characters above which the text of a cell is not taken over."""

_KINDS = ("code", "markdown", "raw")
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")  # nothing that could end an attribute of the feedback page
# The markers by which nbgrader finds its regions: in a learner's cell they would stop the writing of feedback.
_MARKERS = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")


@dataclass(frozen=True, eq=False)
class Handed:
    """One cell of a submitted file, as far as it can be read."""

    position: int
    kind: str
    source: str
    nbgrader: dict[str, Any]
    cell_id: str
    attachments: dict[str, Any]

    @property
    def name(self) -> str:
        """Its grade_id, or an empty string."""
        name = self.nbgrader.get("grade_id")
        return name if isinstance(name, str) else ""


def read_cell(position: int, data: Any, flags: Flags) -> Handed | None:
    """Read one cell of a submitted file.

    Args:
        position: Its place in the file, from 1.
        data: Any JSON.
        flags: Gets what is odd.

    Returns:
        The cell, or None if there is nothing to read.
    """
    source = _text(data.get("source", "")) if isinstance(data, dict) else None
    if source is None:
        flags.add("Cell {} of the file cannot be read and was left out.", f"number {position}")
        return None
    if len(source) > CELL_LIMIT:
        flags.add("Cell {} of the file is too long to be code or prose; its text was left out.",
                  f"number {position}")  # fmt: skip
        source = ""
    # A lone surrogate cannot be written to a file.
    source = source.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    for marker in _MARKERS:
        if marker in source:
            flags.add("Cell {} of the file holds nbgrader's marker of hidden tests, which was renamed.",
                      f"number {position}")  # fmt: skip
            source = source.replace(marker, marker.replace(" ", "_"))
    metadata = data.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    kind, cell_id, attachments = data.get("cell_type"), data.get("id"), data.get("attachments")
    return Handed(
        position,
        kind if isinstance(kind, str) and kind in _KINDS else "",
        source,
        nbgrader if isinstance(nbgrader, dict) else {},
        cell_id if isinstance(cell_id, str) else "",
        _pictures(attachments),
    )


def _pictures(attachments: Any) -> dict[str, Any]:
    """Return the pictures that belong to a text, without anything else that may be attached."""
    found = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        texts = {mime: _text(bundle.get(mime)) for mime in _PICTURES} if isinstance(bundle, dict) else {}
        pictures = {mime: text for mime, text in texts.items() if text and _BASE64.fullmatch(text)}
        if pictures and name.isprintable():
            found[name] = pictures
    return found


def _text(data: Any) -> str | None:
    """Return a text that a notebook may hold as one string or as a list of lines."""
    if isinstance(data, list) and all(isinstance(line, str) for line in data):
        return "".join(data)
    return data if isinstance(data, str) else None
