"""What a learner reads after a check: the same words in a notebook, in a terminal and in nbgrader's feedback."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from dlcourse.checks.judge import Verdict

MIME = "application/vnd.dlcourse.report+json"

_STYLE = (
    "border-left:4px solid {ink};padding:.4em .9em;margin:.3em 0;"
    "background:color-mix(in srgb,{ink} 9%,transparent);border-radius:3px;line-height:1.5"
)
_GOOD, _BAD = "#1a7f37", "#bc4c00"


@dataclass(frozen=True)
class Report:
    """The verdicts of one test cell.

    As the last value of a cell it shows itself: nbgrader reads the bare number of points, people read the box.

    Args:
        verdicts: one a check, in order.
        hidden: whether inputs and values must stay unsaid.
    """

    verdicts: tuple[Verdict, ...]
    hidden: bool = False

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(v.points for v in self.verdicts)

    @property
    def total(self) -> float:
        """Points possible."""
        return sum(v.total for v in self.verdicts)

    def __repr__(self) -> str:
        # nbgrader takes a cell's result as partial credit only if its text is a bare number.
        return f"{self.points:g}"

    def __str__(self) -> str:
        """Write the report as plain text."""
        lines = []
        for v in self.verdicts:
            lines.append(
                f"{'passed' if v.passed else 'FAILED'}  {v.name} {v.what}  ({v.points:g} of {v.total:g})"
            )
            lines += [f"        {line}" for line in (v.message, *v.example.splitlines()) if line]
        return "\n".join([*lines, f"{self.points:g} of {self.total:g} points"])

    def data(self) -> dict[str, Any]:
        """Return the report as plain data, as programs read it."""
        return {
            "points": self.points,
            "total": self.total,
            "hidden": self.hidden,
            "verdicts": [asdict(v) for v in self.verdicts],
        }

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._html(), MIME: self.data()}

    def _html(self) -> str:
        rows = "".join(_row(v) for v in self.verdicts)
        ink = _GOOD if self.points == self.total else _BAD
        return (
            f'<div class="dlcourse-report" role="status" style="{_STYLE.format(ink=ink)}">{rows}'
            f'<div style="opacity:.75">{self.points:g} of {self.total:g} points</div></div>'
        )


def _row(v: Verdict) -> str:
    word, ink = ("Passed", _GOOD) if v.passed else ("Not yet", _BAD)
    head = (
        f'<div><strong style="color:{ink}">{word}:</strong> '
        f"<code>{escape(v.name)}</code> {escape(v.what)}</div>"
    )
    if v.passed:
        return f"{head}<div>{escape(v.message)}</div>" if v.message else head
    example = (
        f'<pre style="margin:.3em 0;white-space:pre-wrap;font-size:.9em">{escape(v.example)}</pre>'
        if v.example
        else ""
    )
    return f"{head}<div>{escape(v.message)}</div>{example}"
