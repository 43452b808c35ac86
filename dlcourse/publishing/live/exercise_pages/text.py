"""What stands on the pages of the exercises, as MyST-NB reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nbformat

from dlcourse.publishing.live.exercise_pages.notebooks import Exercise, role_of

INDEX = "exercises/index"

OVERVIEW = """\
# Exercises

Each chapter has an exercise. You write the chapter's ideas yourself, in small steps, and each step is checked: you are
told what is wrong, with an input that shows it. On the pages below, Python runs in your browser, and your answers stay
in it. At the end you download the notebook with your answers, ready to hand in.

Some exercises need more than a browser has. Download their notebook, and open it in JupyterLab.
"""

OF_CHECKS = """\
{{.dl-points}}
{points}
"""


def page(exercise: Exercise, caption: str, part: Iterable[Exercise]) -> str:
    """Write the page of an exercise that is solved in the browser.

    Args:
        exercise: the exercise.
        caption: what its part is called.
        part: the exercises of its part.

    Returns:
        A notebook as text. Checks are folded, and a sentence stands in the place of the hidden ones.
    """
    cells: list[Any] = []
    points: dict[str, float] = {}
    for cell in exercise.notebook.cells:
        role = role_of(cell)
        if points and role not in ("check", "hidden"):
            cells.append(markdown(worth(points)))
            points = {}
        if role == "text":
            cells.append(markdown(cell.source))
            if len(cells) == 1:
                cells.append(markdown(links(exercise, caption, part)))
            continue
        if role in ("check", "hidden"):
            points[role] = points.get(role, 0) + cell.metadata["nbgrader"]["points"]
        if role != "hidden":
            shown = nbformat.v4.new_code_cell(cell.source, id=cell.id)
            if role == "check":
                prompts = {"code_prompt_show": "Show the check", "code_prompt_hide": "Hide the check"}
                shown.metadata = {"tags": ["hide-input"], "mystnb": prompts}
            cells.append(shown)
    if points:
        cells.append(markdown(worth(points)))
    about = {
        key: exercise.notebook.metadata[key]
        for key in ("kernelspec", "language_info")
        if key in exercise.notebook.metadata
    }
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=about | {"mystnb": {"execution_mode": "off"}})
    return str(nbformat.writes(notebook))


def markdown(text: str) -> Any:
    """Make a cell of text."""
    return nbformat.v4.new_markdown_cell(text)


def links(exercise: Exercise, caption: str, part: Iterable[Exercise]) -> str:
    """Lead from an exercise to its chapter, to all exercises, and to its notebook; say what was earned."""
    up = "../" * exercise.page.count("/")
    return (
        "{.dl-exercise-links}\n"
        f"Chapter: {{doc}}`/{exercise.read_in}`. This exercise: {progress([exercise])}. "
        f"{{doc}}`All exercises </{INDEX}>` of the part *{caption}*: {progress(part)}. "
        f'<a class="dl-notebook" href="{up}{exercise.download}" download="{exercise.chapter}.ipynb">'
        "Download the notebook</a>"
    )


def worth(points: Mapping[str, float]) -> str:
    """Say how many points a task's checks are worth, and that some are made only when it is handed in."""
    seen, hidden = points.get("check", 0), points.get("hidden", 0)
    sentence = f"This check is worth {counted(seen, 'point')}."
    if hidden:
        sentence += (
            " When you hand in, the same task is checked again on other inputs, "
            f"for another {counted(hidden, 'point')}."
        )
    return OF_CHECKS.format(points=sentence)


def counted(number: float, thing: str) -> str:
    """Write a number of things."""
    return f"{number:g} {thing}" if number == 1 else f"{number:g} {thing}s"


def overview(parts: Mapping[str, Iterable[Exercise]]) -> str:
    """Write the page that lists all exercises, with a place for what the reader has done.

    Args:
        parts: the exercises of each part, in the book's order, by the part's caption.
    """
    lines = [OVERVIEW]
    for caption, exercises in parts.items():
        listed = list(exercises)
        lines.append(f"## {caption}\n")
        if not all(each.why for each in listed):
            lines.append(f"{{.dl-part}}\n{progress(listed)}\n")
        lines.append("{.dl-exercise-list}")
        lines += [item(each) for each in listed]
        lines.append("")
    return "\n".join(lines)


def item(exercise: Exercise) -> str:
    """List one exercise: with its progress, or with the notebook to download where it does not run here."""
    tasks = f"[{counted(exercise.tasks, 'task')}]{{.dl-tasks}}"
    if not exercise.why:
        return f"- {{doc}}`/{exercise.page}` {tasks} {progress([exercise])}"
    up = "../" * INDEX.count("/")
    return (
        f"- (exercise-{exercise.part}-{exercise.chapter})=\n"
        f"  {exercise.title} {tasks} [{exercise.why}]{{.dl-why}} "
        f'<a href="{up}{exercise.download}" download="{exercise.chapter}.ipynb">Download the notebook</a>'
    )


def progress(exercises: Iterable[Exercise]) -> str:
    """Make a place that says how many checks pass; without JavaScript, how many there are."""
    here = [each for each in exercises if not each.why]
    total = sum(each.checks for each in here)
    return (
        f'<span class="dl-earned" data-exercises="{" ".join(each.name for each in here)}" data-total="{total}">'
        f"{counted(total, 'check')}</span>"
    )
