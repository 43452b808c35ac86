"""What cells showed, as a notebook keeps it: read from the sandbox without believing it, and cut to what may be kept."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dlcourse.checks import Verdict

MOST_OUTPUTS = 200
"""Outputs of one cell."""
MOST_TEXT = 2 * 2**20
"""Characters of all cells of a notebook."""
MOST_PICTURES = 16 * 2**20
"""Letters of all pictures of a notebook."""

_SAID = 200  # characters beyond the limit, for saying that there was more
_LONGEST_LINE = 2000
_LONGEST_TEXT = 2000
_BASE64 = re.compile(r"[A-Za-z0-9+/=\n]+")  # a page writes a picture as it stands
_PICTURES = ("image/png", "image/jpeg")


class Shown:
    """Reads what the cells of one notebook showed.

    Args:
        limit: characters of text of one cell.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit + _SAID
        self.text, self.pictures = MOST_TEXT, MOST_PICTURES
        self.left = 0

    def read(self, reply: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        """Read the answer to a cell; what has not the form of an output is left out.

        Args:
            reply: What came out of the sandbox.

        Returns:
            The outputs, and the name of the error that ended the cell or an empty string.
        """
        self.left = self.limit
        listed, error = reply.get("outputs"), reply.get("error")
        read = [self._output(one) for one in (listed if isinstance(listed, list) else [])[:MOST_OUTPUTS]]
        return [output for output in read if output], error[:_SAID] if isinstance(error, str) else ""

    def _output(self, output: Any) -> dict[str, Any] | None:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream" and isinstance(output.get("text"), str):
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            return {"output_type": "stream", "name": name, "text": self._cut(output["text"])}
        if kind in ("execute_result", "display_data") and isinstance(output.get("data"), dict):
            data = {
                mime: output["data"][mime] for mime in _PICTURES if self._is_picture(output["data"].get(mime))
            }
            if isinstance(output["data"].get("text/plain"), str):
                data["text/plain"] = self._cut(output["data"]["text/plain"])
            counted = {"execution_count": None} if kind == "execute_result" else {}
            return {"output_type": kind, "data": data, "metadata": {}} | counted if data else None
        if kind == "error":
            lines = output.get("traceback")
            name, sentence = (str(output.get(key, ""))[:_LONGEST_LINE] for key in ("ename", "evalue"))
            listed = lines[:MOST_OUTPUTS] if isinstance(lines, list) else []
            return failure(name, sentence, [self._cut(line) for line in listed if isinstance(line, str)])
        return None

    def _cut(self, text: str) -> str:
        text = text[: min(self.left, self.text)]
        self.left -= len(text)
        self.text -= len(text)
        return text

    def _is_picture(self, data: Any) -> bool:
        if not isinstance(data, str) or len(data) > self.pictures or not _BASE64.fullmatch(data):
            return False
        self.pictures -= len(data)
        return True


def failure(name: str, sentence: str, trace: Sequence[str] = ()) -> dict[str, Any]:
    """Return an output that shows an error.

    Args:
        name: The name of the exception.
        sentence: What it says.
        trace: Lines that show where it came from; name and sentence by default.
    """
    return {
        "output_type": "error",
        "ename": name,
        "evalue": sentence,
        "traceback": list(trace) or [f"{name}: {sentence}"],
    }


def calm(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output of a test cell: a warning is no failure, as it would be for nbgrader."""
    return output | {"name": "stdout"} if output["output_type"] == "stream" else output


def points_of(outputs: Sequence[dict[str, Any]], total: float) -> float:
    """Apply nbgrader's rule to a test cell: an error is 0, a bare number is partial credit, all else is full.

    Args:
        outputs: What it shows.
        total: What it is worth.
    """
    for output in outputs:
        if output["output_type"] == "error":
            return 0.0
        if output["output_type"] == "execute_result":
            try:
                points = float(output["data"].get("text/plain", "full"))
            except ValueError:
                return total
            return min(max(points, 0.0), total) if math.isfinite(points) else 0.0
    return total


def short(verdict: Verdict) -> Verdict:
    """Return a verdict that fits on a page, whatever the learner's function gave."""
    return replace(verdict, message=_cut(verdict.message), example=_cut(verdict.example))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} ..."
