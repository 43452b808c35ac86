"""What learners get back: their notebook with the verdicts, and nothing of the hidden checks."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from dlcourse.checks import MIME
from dlcourse.grading.notebooks import graded

_FORMULA = re.compile(r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<line>[^$\n]+?)\$", re.S)
# docutils writes the index of an accented letter, as in \hat{y}_i, below it instead of beside it.
_ACCENTED = re.compile(
    r'<munderover>(<mi>\w+</mi>)(<m[in]>\w+</m[in]>)(<mo stretchy="false">[ˆ¯˜˙]</mo>)</munderover>'
)
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{chapter}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 45rem; margin: 3rem auto; padding: 0 1rem }}
p.reason {{ border-left: 4px solid #bc4c00; padding: .5rem 1rem; background: #fdf3ec }}</style></head>
<body><h1>{chapter} <small>0 of {total:g} points</small></h1>
<p>This notebook could not be graded.</p><p class="reason">{reason}</p>
<p>Your file is kept. Mend this and hand it in again, or ask your instructor to look at it.</p></body></html>
"""


class SpareHidden(NbGraderPreprocessor):
    """Keeps of a hidden check's outputs only its report, which names the kind of mistake.

    A traceback quotes the source of the check, and a `print` in the learner's function shows its inputs.
    """

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Replace the outputs of a graded cell that has a hidden region."""
        if cell.cell_type == "code" and graded(cell) and "BEGIN HIDDEN TESTS" in cell.source:
            cell.outputs = [_spared(output) for output in cell.outputs if _counts(output)]
        return cell, resources


class WriteMathML(NbGraderPreprocessor):
    """Turns the formulas of the prose into MathML, which browsers show without a script or another host."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Replace `$...$` and `$$...$$` in a text cell, but not in code."""
        if cell.cell_type == "markdown":
            cell.source = _FORMULA.sub(_mathml, cell.source)
        return cell, resources


def _mathml(match: re.Match[str]) -> str:
    if match["code"]:
        return match[0]
    try:
        from docutils.utils.math.latex2mathml import tex2mathml

        formula = tex2mathml(match["block"] or match["line"], as_block=bool(match["block"]))
    except Exception:  # docutils is not there, or does not know a command: TeX can be read too
        return match[0]
    return _ACCENTED.sub(r"<msub><mover>\1\3</mover>\2</msub>", re.sub(r"\n\s*", "", formula))


def _counts(output: Any) -> bool:
    return output.output_type == "error" or MIME in output.get("data", {})


def _spared(output: Any) -> Any:
    if output.output_type != "error":
        return output
    text = f"A hidden check could not run: {output.ename}. Does your notebook run from top to bottom?"
    return new_output("display_data", data={"text/html": f"<p>{escape(text)}</p>", "text/plain": text})


def write_reason(page: Path, *, chapter: str, total: float, reason: str) -> None:
    """Write the page of a notebook that could not be graded.

    Args:
        page: The HTML file.
        chapter: The notebook's name.
        total: Points possible.
        reason: Why it could not be graded.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        _PAGE.format(chapter=escape(chapter), total=total, reason=escape(reason)), encoding="utf-8"
    )
