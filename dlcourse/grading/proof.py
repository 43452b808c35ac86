"""Run a notebook and read what its checks say, without a Jupyter server and without touching the file.

A `Prover` keeps a warm process from which every notebook gets a fork of its own (where the system can fork), so that
proving an exercise against all its mistakes takes seconds. A learner's `dlcourse check` uses the same code for one
notebook. The points of a cell follow nbgrader's rule, so that both say the same.

This runs the notebook's code with the rights of whoever calls it: it is for one's own notebooks.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dlcourse.checks import MIME
from dlcourse.grading.errors import GradingError
from dlcourse.grading.notebooks import Notebook, grade_id, graded

GRACE = 5.0
"""Seconds that a cell which ignored its interruption is given before its process is ended."""


@dataclass(frozen=True)
class CellResult:
    """What one cell did.

    Args:
        name: its grade_id, or an empty string.
        graded: whether it is worth points.
        points: what nbgrader would give it.
        total: what it is worth.
        report: the check's report as plain data, or None where the cell made none.
        error: the exception that ended it, in one line, or an empty string.
    """

    name: str
    graded: bool
    points: float
    total: float
    report: dict[str, Any] | None = None
    error: str = ""

    @property
    def messages(self) -> list[str]:
        """The sentences of all checks that failed, and the error where there was one."""
        failed = [v for v in (self.report or {}).get("verdicts", ()) if not v["passed"]]
        return [v["message"] for v in failed if v["message"]] + ([self.error] if self.error else [])


@dataclass(frozen=True)
class Proof:
    """What all cells of a notebook did, in order."""

    cells: tuple[CellResult, ...] = field(default=())

    @property
    def checks(self) -> dict[str, CellResult]:
        """The graded cells by name."""
        return {cell.name: cell for cell in self.cells if cell.graded}

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(cell.points for cell in self.checks.values())

    @property
    def total(self) -> float:
        """Points possible."""
        return sum(cell.total for cell in self.checks.values())


def visible_checks(notebook: Notebook) -> list[str]:
    """Return the names of the graded cells that have code in them: hidden checks are empty in a learner's notebook."""
    return [
        grade_id(cell)
        for cell in notebook.cells
        if graded(cell)
        and cell.cell_type == "code"
        and any(line.strip() and not line.strip().startswith("#") for line in cell.source.split("\n"))
    ]


def require_checks(notebook: Notebook, *, name: str) -> None:
    """Make sure that a notebook is an exercise that this can run.

    Args:
        notebook: What somebody wants checked.
        name: How error messages call it.

    Raises:
        GradingError: It has no checks, or is not written in Python.
    """
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise GradingError(f"{name} is written in {language}; the exercises are in Python.")
    if not visible_checks(notebook):
        raise GradingError(
            f"{name} has no checks; take the notebook that your instructor released and put your answers there."
        )


class Prover:
    """Runs notebooks one after the other, each in a process of its own.

    Args:
        timeout: seconds that one cell may take.
        warm: modules to import once, before any fork, besides those that every notebook needs; of the provers in one
            process, that of the first which runs counts.
    """

    def __init__(self, *, timeout: float = 30.0, warm: Sequence[str] = ()) -> None:
        self.timeout = timeout
        self.warm = ("IPython.core.interactiveshell", "dlcourse.checks", __name__, *warm)
        can_fork = "forkserver" in multiprocessing.get_all_start_methods()
        self._processes: Any = multiprocessing.get_context("forkserver" if can_fork else "spawn")

    def run(
        self,
        notebook: Notebook,
        *,
        folder: Path | None = None,
        on_cell: Callable[[int, int], None] | None = None,
    ) -> Proof:
        """Run a notebook from top to bottom.

        A cell that raises or takes too long costs only itself; a cell that ends the process costs itself and all
        cells below it.

        Args:
            notebook: What to run; it is not changed.
            folder: Where it runs; the current folder by default.
            on_cell: Called after each code cell with how many are done and how many there are.

        Returns:
            What every code cell did.
        """
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if self._processes.get_start_method() == "forkserver":
            self._processes.set_forkserver_preload(list(self.warm))
        ours, theirs = self._processes.Pipe()
        process = self._processes.Process(
            target=_work,
            args=(theirs, [cell.source for cell in cells], self.timeout, str(folder or Path.cwd())),
            daemon=True,
        )
        process.start()
        theirs.close()
        outcomes: list[dict[str, Any]] = []
        patience = self.timeout + GRACE
        end = "The cell ended the Python process (os._exit, or a crash); nothing below it could run"
        try:
            ours.recv_bytes()  # it is ready: starting is not the first cell's fault
            while len(outcomes) < len(cells):
                if not ours.poll(patience):
                    end = f"The cell did not stop after {self.timeout:g} s; nothing below it could run"
                    break
                outcomes.append(json.loads(ours.recv_bytes()))
                if on_cell:
                    on_cell(len(outcomes), len(cells))
        except EOFError:
            pass
        finally:
            process.kill()
            process.join()
            ours.close()
        dead = len(cells) - len(outcomes)
        outcomes += [{"error": end if i == 0 else "Not run: see the cell that ended the process"}
                     for i in range(dead)]  # fmt: skip
        return Proof(tuple(map(_result, cells, outcomes)))


def _result(cell: Any, outcome: dict[str, Any]) -> CellResult:
    total = float(cell.metadata["nbgrader"]["points"]) if graded(cell) else 0.0
    points = _points(outcome, total)
    return CellResult(
        grade_id(cell), graded(cell), points, total, outcome.get("report"), outcome.get("error", "")
    )


def _points(outcome: dict[str, Any], total: float) -> float:
    """Apply nbgrader's rule: an error or stderr is 0, a bare number is partial credit, all else is full."""
    if outcome.get("error") or outcome.get("stderr"):
        return 0.0
    with suppress(TypeError, ValueError):
        return min(max(float(outcome.get("text") or "full"), 0.0), total)
    return total


def _work(connection: Connection, sources: list[str], timeout: float, folder: str) -> None:
    """Run the cells; the body of the process that runs somebody's code."""
    os.environ["MPLBACKEND"] = "Agg"
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115  (open as long as the process)
    os.chdir(folder)
    sys.path.insert(0, "")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    connection.send_bytes(b"ready")
    for source in sources:
        connection.send_bytes(json.dumps(_run_cell(shell, source, timeout)).encode())


def _run_cell(shell: Any, source: str, timeout: float) -> dict[str, Any]:
    import _thread

    out, err = io.StringIO(), io.StringIO()
    outcome: dict[str, Any] = {}
    started = time.monotonic()
    timer = threading.Timer(timeout, _thread.interrupt_main)
    timer.daemon = True
    try:
        timer.start()
        with redirect_stdout(out), redirect_stderr(err):
            result = shell.run_cell(source, store_history=True)
            if result.error_in_exec is None and result.error_before_exec is None:
                bundle, _ = shell.display_formatter.format(result.result)
                if result.result is not None:
                    outcome = {"text": bundle.get("text/plain"), "report": bundle.get(MIME)}
        error = result.error_before_exec or result.error_in_exec
    except KeyboardInterrupt as interrupt:
        error = interrupt
    finally:
        timer.cancel()
    if isinstance(error, KeyboardInterrupt) and time.monotonic() - started >= timeout:
        outcome["error"] = f"The cell ran longer than {timeout:g} s and was stopped"
    elif error is not None:
        first = (str(error).strip().splitlines() or [""])[0]
        outcome["error"] = f"{type(error).__name__}: {first}".rstrip(": ")
    outcome["stderr"] = bool(err.getvalue())
    return outcome
