"""What is executed and what comes of it, as plain data: the same on this machine and on another one.

A job holds all that decides an outcome, and nothing that says whose work it is. Both are written as JSON with sorted
keys, so equal jobs are equal bytes and can be found again by their digest.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from dlcourse.grading.book import with_imports
from dlcourse.grading.notebooks import Notebook, grade_id, graded

CODE, CHECKS, ASSERTS = "code", "checks", "asserts"
"""What a cell is: the learner's own or a released one without points, checks that are declared, or any other test."""

AUTO, CPU = "auto", "cpu"
DEVICES = (AUTO, CPU)
"""Where tensors among the inputs are made: on the CPU, and then on a GPU too where there is one; or on the CPU alone."""

NOT_EXECUTED = "not executed"
"""What stands in place of the isolation where a notebook could not be executed at all."""


@dataclass(frozen=True)
class Limits:
    """What one notebook may use.

    Args:
        cell_seconds: how long a cell may run.
        check_seconds: how long a check may take.
        notebook_seconds: how long all cells and checks may take together.
        output: characters of text kept of each cell's output.
        memory: bytes that a process may allocate.
    """

    cell_seconds: float = 30.0
    check_seconds: float = 10.0
    notebook_seconds: float = 300.0
    output: int = 50_000
    memory: int = 3 * 2**30


@dataclass(frozen=True)
class JobCell:
    """A code cell.

    Args:
        index: its place in the notebook.
        name: its grade_id, or an empty string.
        role: `code`, `checks` or `asserts`.
        source: what runs in the sandbox; of a cell of checks what learners see of it, since it defines names.
        tests: of a cell of checks the instructor's text, hidden checks included; it is read outside of the sandbox.
        points: what it is worth.
    """

    index: int
    name: str
    role: str
    source: str
    tests: str = ""
    points: float = 0.0


@dataclass(frozen=True)
class Job:
    """One notebook, ready to be executed and judged.

    Args:
        chapter: `part/chapter`.
        cells: its code cells in order.
        seed: the seed of hidden inputs.
        modules: the parts of `dlcourse` that can be imported in the sandbox, besides those that it needs itself.
        warm: modules that are imported before the learner's code, because the exercise imports them.
        files: what lies beside the notebook, by name.
        limits: what it may use.
        device: one of `DEVICES`.
    """

    chapter: str
    cells: tuple[JobCell, ...]
    seed: int = 0
    modules: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()
    device: str = AUTO

    def to_bytes(self) -> bytes:
        """Write the job as JSON."""
        data = asdict(self)
        data["files"] = {name: base64.b64encode(raw).decode() for name, raw in self.files.items()}
        return _written(data)

    @staticmethod
    def from_bytes(raw: bytes) -> Job:
        """Read a job from what `to_bytes` wrote."""
        data = json.loads(raw)
        return Job(
            data["chapter"],
            tuple(JobCell(**cell) for cell in data["cells"]),
            data["seed"],
            tuple(data["modules"]),
            tuple(data["warm"]),
            {name: base64.b64decode(text) for name, text in data["files"].items()},
            Limits(**data["limits"]),
            data["device"],
        )


@dataclass(frozen=True)
class CellOutcome:
    """What became of one code cell.

    Args:
        index: its place in the notebook.
        outputs: what it shows, as a notebook keeps it; of a graded cell the report, from which nbgrader reads the points.
        points: what it earned, or None if it is not graded.
        report: of a cell of checks the verdicts, as `dlcourse.checks.Report.data` gives them.
    """

    index: int
    outputs: tuple[dict[str, Any], ...] = ()
    points: float | None = None
    report: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a notebook.

    Args:
        cells: one entry a code cell of the job, in order.
        isolation: what kept the learner's code away from everything else; and the GPU, if checks were done on one too.
        low_trust: names of the graded cells whose tests ran beside the learner's code, so that it can have forged them.
        notes: what an instructor should look at, a sentence each.
    """

    cells: tuple[CellOutcome, ...]
    isolation: str
    low_trust: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """Points earned in all graded code cells."""
        return sum(cell.points or 0.0 for cell in self.cells)

    def to_bytes(self) -> bytes:
        """Write the outcome as JSON."""
        return _written(asdict(self))

    @staticmethod
    def from_bytes(raw: bytes) -> Outcome:
        """Read an outcome from what `to_bytes` wrote."""
        data = json.loads(raw)
        cells = tuple(
            CellOutcome(cell["index"], tuple(cell["outputs"]), cell["points"], cell["report"])
            for cell in data["cells"]
        )
        return Outcome(cells, data["isolation"], tuple(data["low_trust"]), tuple(data["notes"]))


def make_job(
    notebook: Notebook,
    source: Notebook,
    *,
    chapter: str,
    seed: int = 0,
    modules: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    device: str = AUTO,
) -> Job:
    """Make a job of a submitted notebook.

    Args:
        notebook: What intake made of the submission: the released cells with the learner's answers.
        source: The instructor's version, with hidden checks.
        chapter: `part/chapter`.
        seed: The seed of hidden inputs.
        modules: The parts of `dlcourse` that the learner's code may import; those through which checks call it are added.
        files: What lies beside the notebook.
        limits: What it may use.
        device: One of `DEVICES`.

    Returns:
        The job.
    """
    tests = {
        grade_id(cell): cell.source for cell in source.cells if cell.cell_type == "code" and _is_test(cell)
    }
    declares = _declaring(tests)
    cells = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        name = grade_id(cell)
        if not _is_test(cell):
            cells.append(JobCell(index, name, CODE, cell.source))
            continue
        points = float(cell.metadata["nbgrader"]["points"])
        text = tests.get(name, cell.source)
        if name in declares:
            cells.append(JobCell(index, name, CHECKS, cell.source, text, points))
        else:
            cells.append(JobCell(index, name, ASSERTS, text, "", points))
    warm = _imported(cell.source for cell in source.cells if cell.cell_type == "code")
    seen = tuple(dict.fromkeys([*modules, *with_imports(_calling(declares, tests))]))
    return Job(chapter, tuple(cells), seed, seen, warm, dict(files or {}), limits or Limits(), device)


def digest(raw: bytes) -> str:
    """Return the SHA-256 of a job or an outcome, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


_WARMED = ("jax", "matplotlib.pyplot", "scipy.special", "tensorflow", "torch", "torch._dynamo")
"""Slow imports that leave no thread behind, so that a fork can inherit them; torch imports the last one at an optimizer's
first step, which would count as time of the check.

An exercise that imports TensorFlow must not import torch, too: torch.compile would end a process in which both are. And
the last one imports Triton, before an exercise on kernels has chosen its interpreter, so there it is left out.
"""


def _is_test(cell: Any) -> bool:
    return graded(cell) and not cell.metadata["nbgrader"]["solution"]


def _declaring(tests: Mapping[str, str]) -> set[str]:
    """Return the names of the test cells that declare checks: they call `run_checks`, and assert nothing themselves."""
    found = set()
    for name, source in tests.items():
        statements = _parsed(source)
        calls = any(
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "run_checks"
            for node in statements
        )
        if calls and not any(isinstance(node, ast.Assert) for node in statements):
            found.add(name)
    return found


def _calling(declares: Iterable[str], tests: Mapping[str, str]) -> list[str]:
    """Return the modules of the functions through which checks call the learner's: they run where that does."""
    calls = [node for name in declares for statement in _parsed(tests[name]) for node in ast.walk(statement)]
    return [
        node.value.value.rpartition(".")[0]
        for node in calls
        if isinstance(node, ast.keyword) and node.arg == "through"
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]


def _imported(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the slow modules that cells import."""
    found = set()
    for source in sources:
        for node in _parsed(source):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return tuple(
        module
        for module in _WARMED
        if any(f"{name}.".startswith(f"{module.split('.')[0]}.") for name in found)
        and not (module == "torch._dynamo" and "triton" in found)
    )


@lru_cache(maxsize=1024)  # a class is graded on the same test cells
def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):  # a magic of IPython; a test cell of somebody else
        return []


def _written(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
