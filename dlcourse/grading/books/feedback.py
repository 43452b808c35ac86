"""What people read of graded notebooks: learners get verdicts and no hidden check, graders words that run nothing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters import clean_html
from nbformat.v4 import new_output
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor

from dlcourse.checks import MIME
from dlcourse.grading.books.grades import GradeTable
from dlcourse.grading.collecting.collect import read_timestamp
from dlcourse.grading.errors import GradingError, reason
from dlcourse.grading.notebooks import graded

SECRET = "submission_secret.txt"
"""Where `nbgrader submit` writes the word by which a learner finds the feedback in the exchange."""

_FORMULA = re.compile(r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<line>[^$\n]+?)\$", re.S)
_SCHEME = re.compile(r"^[^\n]*BEGIN MARK SCHEME.*?(^[^\n]*END MARK SCHEME[^\n]*$|\Z)", re.M | re.S)
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


_TAGS = frozenset(re.findall(r"\w+", """
    a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre q s small span
    strong sub summary sup table tbody td th thead tr u ul"""))  # fmt: skip
_COLOURED = re.compile(r"(highlight|[a-z]{1,2}[0-9]?)( hl-\w+)?")
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,")


@pass_context
def graders_html(context: Any, source: str) -> str:
    """Turn text into HTML; in formgrader into HTML that does nothing.

    Formgrader shows what learners wrote with the grader's rights: a script could give points, a link or a picture's
    address could start something, and the name of a check could take the place of its field for points.

    Args:
        context: jinja's context.
        source: Markdown, as somebody wrote it.

    Returns:
        HTML.
    """
    html = str(_exporter().markdown2html(context, source))
    return _harmless(html) if _in_formgrader(context) else html


@pass_context
def graders_raw_html(context: Any, source: str) -> str:
    """Clean HTML, as `graders_html` does.

    Args:
        context: jinja's context.
        source: HTML, as somebody wrote it.

    Returns:
        HTML.
    """
    return _harmless(source) if _in_formgrader(context) else str(clean_html(source))


class EscapeNames(NbGraderPreprocessor):
    """Escapes a learner's name where formgrader shows a submission: a platform lets people choose theirs."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Replace the names that formgrader hands over."""
        if "submission_id" in resources:
            for key in ("student", "first_name", "last_name"):
                resources[key] = escape(resources.get(key) or "")
        return nb, resources


@cache
def _exporter() -> Any:
    return HTMLExporter()


def _in_formgrader(context: Any) -> bool:
    return "submission_id" in context.get("resources", {})


def _harmless(html: str) -> str:
    styles = CSSSanitizer(allowed_css_properties=["text-align"])
    cleaned = bleach.clean(
        html, _TAGS, _is_harmless, bleach.ALLOWED_PROTOCOLS | {"data"}, css_sanitizer=styles
    )
    return str(cleaned)


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and bool(_PICTURE.match(value))
    if name == "class":
        return bool(_COLOURED.fullmatch(value))
    return name in ("style", "alt", "title", "start", "colspan", "rowspan", "open")


class GetGradesGiven(GetGrades):
    """Reads the grades, and which of them a person has yet to give."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Write the points into the cell, and whether it waits for them."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        about = cell.metadata.get("nbgrader", {})
        if "score" in about:
            grade = self.gradebook.find_grade(
                about["grade_id"], self.notebook_id, self.assignment_id, self.student_id
            )
            about["waits"] = bool(grade.needs_manual_grade) and grade.manual_score is None
        return cell, resources


class SpareHidden(NbGraderPreprocessor):
    """Keeps of a hidden check's outputs only its report, which names the kind of mistake; drops a marking scheme.

    A traceback quotes the source of the check, and a `print` in the learner's function shows its inputs.
    """

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Replace the outputs of a graded cell that has a hidden region, and the text of a task that has one."""
        if cell.cell_type == "code" and graded(cell) and "BEGIN HIDDEN TESTS" in cell.source:
            cell.outputs = [_spared(output) for output in cell.outputs if _counts(output)]
        if cell.metadata.get("nbgrader", {}).get("task"):
            cell.source = _SCHEME.sub("", cell.source)
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


def write_pages(
    api: Any, folder: Path, table: GradeTable, *, on_learner: Callable[[int, int, str], None]
) -> list[Path]:
    """Write each learner's notebooks back as pages with verdicts and comments, without the hidden checks.

    Args:
        api: nbgrader's `NbGraderAPI`.
        folder: The class's folder.
        table: The grades of a part.
        on_learner: Told before each learner how many are done, how many there are, and who is next.

    Returns:
        The pages.
    """
    pages: list[Path] = []
    for done, row in enumerate(table.rows):
        learner = row.learner.name
        on_learner(done, len(table.rows), learner)
        target = folder / "feedback" / learner / table.part
        for stale in target.glob("*.html"):
            stale.unlink()
        if any((folder / "autograded" / learner / table.part).glob("*.ipynb")):
            result = api.generate_feedback(table.part, learner)
            if not result["success"]:
                raise GradingError(f"nbgrader could not write the feedback of {learner}: {reason(result)}.")
        for grade in row.chapters:
            page = target / f"{grade.chapter}.html"
            if not page.exists() and grade.needs_look and grade.remark:
                write_reason(page, chapter=grade.chapter, total=grade.total, reason=grade.remark)
            if page.exists():
                pages.append(page)
        _prepare_return(folder / "submitted" / learner / table.part, target)
    on_learner(len(table.rows), len(table.rows), "")
    return pages


def read_secret(path: Path) -> str:
    """Return what a submission's feedback is found by in the exchange, or an empty string where there is nothing.

    Args:
        path: The file; it may be missing, a link, or hold anything.

    Returns:
        What is in it.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 1000:
        return ""
    word = path.read_text(encoding="utf-8", errors="replace").strip()
    return word if word.isascii() and word.isalnum() else ""


def _prepare_return(submitted: Path, target: Path) -> None:
    """Put beside the pages what `nbgrader release_feedback` asks for: it stops at the first learner without.

    Whoever handed in without the exchange has no secret, and does not look there.
    """
    if target.is_dir():
        for name, text in (
            ("timestamp.txt", read_timestamp(submitted / "timestamp.txt")),
            (SECRET, read_secret(submitted / SECRET) or secrets.token_hex()),
        ):
            (target / name).unlink(missing_ok=True)
            (target / name).write_text(text, encoding="utf-8")
