"""Submissions come in from the exchange, the folder by which nbgrader hands work around on a JupyterHub.

nbgrader's own `collect` decides whose work it is and which of several submissions counts. Only the copying is ours:
learners can write links and settings into the exchange, and nbgrader would follow them with the instructor's rights.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dlcourse.grading.books.records import open_api
from dlcourse.grading.collecting.archive import Budget, LeftOutError, opened
from dlcourse.grading.collecting.collect import Collected
from dlcourse.grading.collecting.shelf import TIMESTAMP
from dlcourse.grading.errors import GradingError
from dlcourse.grading.intake.flags import shown

_KEPT = (TIMESTAMP, "submission_secret.txt")
"""What nbgrader itself lays beside the notebooks. A learner's nbgrader_config.py would be run by formgrader."""


def collect(root: Path, folder: Path, part: str) -> Collected:
    """Take in what learners submitted on a JupyterHub.

    Args:
        root: The repository, whose `nbgrader_config.py` counts, as well as those of the machine.
        folder: The class's folder.
        part: The assignment.

    Returns:
        What was taken in and what was not.

    Raises:
        GradingError: There is no exchange, or nbgrader cannot collect from it.
    """
    if sys.platform == "win32":
        raise GradingError("nbgrader has no exchange on Windows; name the folder or zip of submissions.")
    folder.mkdir(parents=True, exist_ok=True)
    api = open_api(folder, root)
    if api.exchange_missing:
        raise GradingError(
            f"There is no exchange folder {api.exchange_root} that you may write to; make it (mode 777), name "
            "another one as Exchange.root in nbgrader_config.py, or name the folder or zip of submissions."
        )
    left_out: list[str] = []
    _copy_plain_files(api, left_out)
    submitted = folder / "submitted"
    before = _times(submitted, part)
    result = api.collect(part)
    if not result["success"]:
        words = (result.get("log") or result.get("error", "")).strip().splitlines()
        reason = words[-1].rpartition("] ")[2] if words else "it does not say why"
        raise GradingError(
            f"nbgrader could not collect {part} ({reason}); has it been released with "
            f"`nbgrader release_assignment {part}`?"
        )
    new = [path for path, time in _times(submitted, part).items() if before.get(path) != time]
    warnings = [line for line in result.get("log", "").splitlines() if "cheating attempt" in line]
    count = sum(len(list(path.glob("*.ipynb"))) for path in new)
    return Collected(count, len(new), tuple(left_out), tuple(line.rpartition("] ")[2] for line in warnings))


def _copy_plain_files(api: Any, left_out: list[str]) -> None:
    """Let nbgrader's own exchange copy plain files only; other exchanges do not copy from a shared folder."""
    from nbgrader.exchange.default import ExchangeCollect

    class PlainCollect(ExchangeCollect):
        def do_copy(self, src: str, dest: str, log: Any = None) -> None:
            source, budget = Path(src), Budget()
            try:
                if source.is_symlink():
                    raise LeftOutError("a link to another place")
                with opened(source) as items:
                    for item in items:
                        if item.path.suffix != ".ipynb" and str(item.path) not in _KEPT:
                            left_out.append(
                                f"{shown(source.name)}, {shown(str(item.path))}: only notebooks are taken"
                            )
                            continue
                        target = Path(dest, item.path)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        try:
                            with target.open("wb") as file:
                                item.copy(file, budget)
                        except LeftOutError as error:
                            target.unlink()
                            left_out.append(f"{shown(source.name)}, {shown(str(item.path))}: {error}")
            except LeftOutError as error:
                left_out.append(f"{shown(source.name)}: {error}")

    if api.exchange.collect is ExchangeCollect:
        api.exchange.collect = PlainCollect


def _times(submitted: Path, part: str) -> dict[Path, str]:
    """Return when each learner submitted, as nbgrader wrote it down."""
    stamps = ((path, path / TIMESTAMP) for path in submitted.glob(f"*/{part}"))
    return {path: stamp.read_text(errors="replace") if stamp.is_file() else "" for path, stamp in stamps}
