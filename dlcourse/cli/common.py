"""What all commands share: where they write, a progress bar, the repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

out = Console()
err = Console(stderr=True)


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar on a terminal, nothing elsewhere."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}  [dim]{{task.fields[now]}}[/dim]"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=None, now="")

        def step(done: int, total: int, now: str = "") -> None:
            progress.update(task, completed=done, total=total, now=now)

        yield step


def repository() -> Path:
    """Return the repository around the current folder."""
    from dlcourse.cli.root import find_root

    return find_root(Path.cwd())


def short(path: Path) -> str:
    """Return a path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
