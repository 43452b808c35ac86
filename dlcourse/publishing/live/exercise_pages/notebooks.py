"""The notebooks that learners get, as they lie in ``build/book/exercises`` for the next build of the book."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from dlcourse.checks.run import declared
from dlcourse.publishing.live.packages import ROOMS

MODULE = re.compile(r"^[ \t]*(?:from|import)[ \t]+([\w.]+)|[\"'](dlcourse(?:\.\w+)+)[\"']", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise, as learners get it.

    Attributes:
        name: its part and chapter, with a slash between.
        file: the released notebook.
    """

    name: str
    file: Path

    @property
    def part(self) -> str:
        """The part of the book it belongs to."""
        return self.name.split("/")[0]

    @property
    def chapter(self) -> str:
        """Its chapter's name in the part."""
        return self.name.split("/")[1]

    @property
    def page(self) -> str:
        """Its page of the book."""
        return f"exercises/{self.name}"

    @property
    def read_in(self) -> str:
        """The page of its chapter."""
        return f"book/{self.name}"

    @property
    def download(self) -> str:
        """Where the site has the notebook."""
        return f"_static/live/exercises/{self.name}.ipynb"

    @cached_property
    def notebook(self) -> Any:
        """The released notebook."""
        return nbformat.read(self.file, as_version=4)

    @property
    def title(self) -> str:
        """Its first heading."""
        text = "\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        found = re.search(r"^# +(.+)$", text, re.MULTILINE)
        return found[1].strip() if found else self.chapter

    @property
    def tasks(self) -> int:
        """How many answers are asked for."""
        return sum(role_of(cell) == "answer" for cell in self.notebook.cells)

    @cached_property
    def checks(self) -> int:
        """How many checks a learner can run."""
        cells = [cell.source for cell in self.notebook.cells if role_of(cell) == "check"]
        return sum(len(call.checks) for cell in declared(cells) for call in cell)

    @cached_property
    def why(self) -> str:
        """Why it cannot be solved in the browser, one sentence; empty where it can."""
        code = "\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "code")
        needed = {name for found in MODULE.findall(code) for name in found if name}
        for library, called in LIBRARIES.items():
            if any(name.split(".")[0] == library for name in needed):
                return f"It needs {called}, which does not run in a browser: solve it in JupyterLab."
        rooms = {name.split(".")[1] for name in needed if name.startswith("dlcourse.")}
        if rooms - set(ROOMS):
            return "Its checks need PyTorch, which does not run in a browser: solve it in JupyterLab."
        return ""


LIBRARIES = {"tensorflow": "TensorFlow", "jax": "JAX", "triton": "Triton", "torch": "PyTorch"}
"""What an exercise may need and a browser does not have; the first that is found is named."""


def role_of(cell: Any) -> str:
    """Say what a cell is for.

    Args:
        cell: a cell of a released notebook.

    Returns:
        ``text``; ``answer``, ``check``, ``hidden`` (a check of which only a sentence is released), or ``code``.
    """
    if cell.cell_type != "code":
        return "text"
    about = cell.metadata.get("nbgrader", {})
    if about.get("solution"):
        return "answer"
    if not about.get("grade"):
        return "code"
    return "hidden" if str(about["grade_id"]).endswith("_hidden") else "check"


def folder(root: Path) -> Path:
    """Name the folder of the notebooks."""
    return root / "build" / "book" / "exercises"


def keep(root: Path, released: Mapping[str, str]) -> None:
    """Put the notebooks of the exercises where the next build finds them, in the place of those of the last one.

    Args:
        root: the folder with ``_toc.yml``.
        released: the text of each notebook, by its part and chapter with a slash between.
    """
    shutil.rmtree(folder(root), ignore_errors=True)
    for name, text in released.items():
        path = folder(root) / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def find(root: Path) -> dict[str, Exercise]:
    """List the exercises that were handed over, by name."""
    found = sorted(folder(root).glob("*/*.ipynb"))
    names = [path.relative_to(folder(root)).with_suffix("").as_posix() for path in found]
    return {name: Exercise(name, path) for name, path in zip(names, found, strict=True)}
