"""What the grader says when it cannot go on: one sentence that names the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any


class GradingError(Exception):
    """Something the person at the keyboard can mend; its text is one sentence with the remedy."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the known name closest to `name`, or an empty string.

    Args:
        name: What was typed.
        known: The names that exist.

    Returns:
        A question to append to an error message.

    Example:
        >>> did_you_mean("nuerons", ["neurons", "learning"])
        " Did you mean 'neurons'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def reason(result: Mapping[str, Any]) -> str:
    """Say in one line why a step of nbgrader failed.

    Args:
        result: What a method of `NbGraderAPI` returned.

    Returns:
        A sentence for the instructor.
    """
    log = f"{result.get('log', '')}\n{result.get('error', '')}"
    raised = re.findall(r"^\s*(?:[\w.]+\.)?(\w*(?:Error|Exception|Entry)): (.+)$", log, re.M)
    useful = [text if kind == "GradingError" else f"{kind}: {text}" for kind, text in raised
              if "above traceback" not in text and kind != "NbGraderException"]  # fmt: skip
    return useful[-1] if useful else "nbgrader gave no reason; run `nbgrader autograde` to see its log"
