"""A learner's notebooks become pieces: right, wrong, or not solved yet.

All cells run as they would in JupyterLab, but for the checks: what these declare is asked of the learner's names. A
cell that raises or never ends costs its own piece only. This runs the learner's code with the rights of whoever calls it.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.checks import Check, declared, run_checks
from dlcourse.grading.errors import GradingError
from dlcourse.grading.intake.reading import read_notebook
from dlcourse.grading.notebooks import Notebook, grade_id, graded, tasks
from dlcourse.milestones.clock import OvertimeError, Watch, quiet
from dlcourse.milestones.pieces import Milestone, MilestoneError, Piece

RIGHT, WRONG, OPEN, ABSENT = "right", "wrong", "not solved", "no notebook"


@dataclass(frozen=True)
class Work:
    """What a learner has of one piece.

    Args:
        piece: which.
        state: :data:`RIGHT`, :data:`WRONG`, :data:`OPEN` or :data:`ABSENT`.
        told: what its check says where it is wrong.
        value: the learner's function or class; None if it cannot be called.
        scope: the names of the notebook it is in.
    """

    piece: Piece
    state: str
    told: str = ""
    value: Any = None
    scope: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Handed:
    """What a learner's notebooks hold.

    Args:
        works: one a piece, in order.
        files: the notebooks that were read.
        notes: what is missing or could not be used, a sentence each.
        unread: whether a file could not be read.
    """

    works: tuple[Work, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    unread: bool = False

    def of(self, *states: str) -> list[Work]:
        """Return the pieces in these states."""
        return [work for work in self.works if work.state in states]


def find(milestone: Milestone, paths: Sequence[Path], folders: Sequence[Path]) -> list[Path]:
    """Find a learner's notebooks.

    Args:
        milestone: what they are for.
        paths: notebooks, or folders that hold them; what the learner typed.
        folders: where to look if nothing was typed; the first folder with one of the notebooks counts.

    Returns:
        The notebooks.

    Raises:
        MilestoneError: There is none.
    """
    names = [f"{chapter}.ipynb" for chapter in milestone.chapters]
    found = [path for path in paths if not path.is_dir()]
    for folder in paths or folders:
        here = [folder / name for name in names if (folder / name).is_file()]
        found += here
        if here and not paths:
            break
    if not found:
        looked = ", ".join(str(folder) for folder in paths or folders)
        raise MilestoneError(
            f"There is none of the notebooks {', '.join(names)} in {looked}; "
            "name your notebooks, or the folder that they are in."
        )
    return found


def read(milestone: Milestone, files: Sequence[Path], watch: Watch) -> Handed:
    """Read a learner's notebooks and check their pieces.

    Args:
        milestone: what is wanted.
        files: the notebooks, in any order and under any names.
        watch: ends what takes too long.

    Returns:
        What is in them. A file that cannot be read is a note.
    """
    works: dict[str, Work] = {}
    notes, used, taken, unread = [], [], dict[str, Path](), False
    for path in files:
        try:
            notebook = read_notebook(path)
        except GradingError as error:
            notes.append(str(error))
            unread = True
            continue
        chapter = _chapter(milestone, notebook)
        if not chapter:
            notes.append(f"{path.name} holds none of the pieces of this milestone; it was left out.")
        elif chapter in taken:
            notes.append(
                f"{path.name} and {taken[chapter].name} are the same exercise; the first one counts."
            )
        else:
            taken[chapter] = path
            used.append(path)
            try:
                works |= judge(milestone, notebook, watch, chapter=chapter)
            except GradingError as error:
                notes.append(f"{path.name}: {error}")
                unread = True
    for chapter in milestone.chapters:
        if chapter not in taken:
            notes.append(f"There is no notebook of the chapter {chapter}: its pieces are the package's.")
    return Handed(
        tuple(works.get(piece.name, Work(piece, ABSENT)) for piece in milestone.pieces),
        tuple(used),
        tuple(notes),
        unread,
    )


def judge(milestone: Milestone, notebook: Notebook, watch: Watch, *, chapter: str) -> dict[str, Work]:
    """Run a notebook and check its pieces.

    Args:
        milestone: what is wanted.
        notebook: a learner's.
        watch: ends what takes too long.
        chapter: which of the chapters it is.

    Returns:
        What it holds of each piece of the chapter.

    Raises:
        GradingError: Its checks were changed.
    """
    checks = _checks(notebook)
    scope: dict[str, Any] = {"__name__": "__main__"}
    raised, sources = {}, {}
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in notebook.cells:
            if cell.cell_type == "code" and not graded(cell):
                name = grade_id(cell)
                sources[name] = cell.source
                raised[name] = _execute(
                    cell.source, f"your cell {name!r}" if name else "a cell of yours", scope, watch
                )
        return {
            piece.name: _work(piece, checks.get(piece.name, ()), sources, raised, scope, watch)
            for piece in milestone.pieces
            if piece.chapter == chapter
        }


def _work(
    piece: Piece,
    checks: Sequence[Check],
    sources: dict[str, str],
    raised: dict[str, str],
    scope: dict[str, Any],
    watch: Watch,
) -> Work:
    name = piece.name
    if name not in sources:
        return Work(
            piece, WRONG, f"the cell {name!r} is gone from your notebook: take a fresh copy", scope=scope
        )
    endless = False
    try:
        told = _told(checks, name, scope, watch) if name in scope else "is not defined"
    except OvertimeError as error:
        told, endless = str(error), True
    if not told and name in scope and not raised[name]:
        return Work(piece, RIGHT, value=scope[name], scope=scope)
    if re.search(r"^\s*raise NotImplementedError", sources[name], re.M):
        return Work(piece, OPEN, scope=scope)
    if raised[name]:
        return Work(piece, WRONG, f"its cell stops with {raised[name]}", scope=scope)
    return Work(piece, WRONG, told, None if endless else scope.get(name), scope)


def _told(checks: Sequence[Check], name: str, scope: dict[str, Any], watch: Watch) -> str:
    """Return the first sentence of the checks that fail, or an empty string."""
    report = watch.call(f"your {name}", lambda: run_checks(*checks, names=scope))
    return next((verdict.message or verdict.what for verdict in report.verdicts if not verdict.passed), "")


def _checks(notebook: Notebook) -> dict[str, list[Check]]:
    """Read what the checks that a learner sees declare, by the name of the task."""
    sources = {grade_id(cell): cell.source for cell in notebook.cells if graded(cell)}
    belongs = {task.name: task.visible for task in tasks(notebook)}
    try:
        calls = dict(zip(sources, declared(list(sources.values())), strict=True))
    except Exception as error:  # the cells are the learner's file
        raise GradingError(
            f"its checks were changed ({type(error).__name__}); take a fresh copy and put your answers there."
        ) from error
    return {
        task: [check for name in visible for call in calls[name] for check in call.checks]
        for task, visible in belongs.items()
    }


def _execute(source: str, what: str, scope: dict[str, Any], watch: Watch) -> str:
    """Run a cell; return what it raised in one line, or an empty string."""
    lines = [line if not line.lstrip().startswith(("%", "!", "?")) else "" for line in source.split("\n")]
    text = "\n".join(lines)
    # The checks look at the source, by the file's name: a loop where none is wanted, for one.
    file = f"<cell {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    try:
        watch.call(what, lambda: exec(compile(text, file, "exec"), scope))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in a cell included
        said = f"{error.msg} in line {error.lineno}" if isinstance(error, SyntaxError) else str(error)
        first = (said.strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}".rstrip(": ")
    return ""


def _chapter(milestone: Milestone, notebook: Notebook) -> str:
    """Tell which chapter a notebook is by its answer cells: the file may have any name."""
    names = {grade_id(cell) for cell in notebook.cells}
    counts = {
        chapter: sum(piece.name in names for piece in milestone.pieces if piece.chapter == chapter)
        for chapter in milestone.chapters
    }
    best = max(counts, key=lambda chapter: counts[chapter])
    return best if counts[best] else ""
