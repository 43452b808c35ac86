"""Run the cells of the book before Sphinx reads it: two notebooks at a time, each cell only once.

Sphinx runs notebooks one after the other. Running them beforehand, two at a time, takes about 0.6 of
the time (benchmarks/book.txt); Sphinx then finds every output in the cache.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from dlcourse.publishing import cache, pages
from dlcourse.publishing.errors import PublishingError

Progress = Callable[[int, int, str], None]
"""Called with how many steps are done, how many there are, and the last one's name."""

AT_ONCE = 2
ONE_THREAD = dict.fromkeys(
    ("MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)


def quiet(done: int, total: int, what: str) -> None:
    """Report nothing."""


@dataclass
class Executed:
    """What running the book did.

    Attributes:
        ran: the notebooks whose cells ran, with the seconds they took.
        reused: the notebooks whose outputs were in the cache.
    """

    ran: dict[Path, float] = field(default_factory=dict)
    reused: list[Path] = field(default_factory=list)


def execute(root: Path, *, at_once: int = AT_ONCE, on_progress: Progress = quiet) -> Executed:
    """Run every notebook of the book whose outputs are not in the cache.

    Args:
        root: the folder with ``_toc.yml``.
        at_once: how many notebooks run side by side.
        on_progress: called after each notebook.

    Returns:
        Which notebooks ran, and which did not need to.

    Raises:
        PublishingError: if a cell fails; the message names its page, line and error. The other
            notebooks have run then, and are in the cache.
    """
    settings = pages.config(root)
    timeout = settings.get("execute", {}).get("timeout", 30)
    folder = cache.cache_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)  # used last: `prune` keeps it
    store = get_cache(folder)
    result, waiting = Executed(), []
    for path in pages.notebooks(root):
        notebook = _read(path, settings)
        if _is_cached(store, notebook):
            result.reused.append(path)
        else:
            waiting.append(_Run(path, notebook, timeout))
    cache.prune(root)
    failures = _run_all(waiting, at_once, store, result, on_progress)
    if failures:
        raise PublishingError("\n".join(run.failure(root) for run in failures))
    return result


def _run_all(
    waiting: list[_Run],
    at_once: int,
    store: JupyterCacheAbstract,
    result: Executed,
    on_progress: Progress,
) -> list[_Run]:
    """Run notebooks a few at a time, keep the outputs of those that succeed, return the others."""
    total, failures = len(waiting), []
    with ThreadPoolExecutor(at_once) as pool:
        futures: dict[Future[None], _Run] = {pool.submit(run): run for run in waiting}
        try:
            while futures:
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    run = futures.pop(future)
                    future.result()
                    if run.error is None:
                        bundle = CacheBundleIn(
                            run.notebook, str(run.path), data={"execution_seconds": run.seconds}
                        )
                        store.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                        result.ran[run.path] = run.seconds
                    else:
                        failures.append(run)
                    on_progress(total - len(futures), total, run.path.stem)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for run in futures.values():
                run.stop()
            raise
    return failures


class _Run:
    """One notebook in its kernel."""

    def __init__(self, path: Path, notebook: NotebookNode, timeout: float) -> None:
        self.path = path
        self.notebook = notebook
        self.seconds = 0.0
        self.error: CellExecutionError | CellTimeoutError | DeadKernelError | None = None
        self.timeout = timeout
        self._cell = 0
        # Times would go into the cells' metadata, and a notebook is known by its cells and their
        # metadata. A kernel reports its start as a warning; only errors matter here.
        self._client = NotebookClient(
            notebook,
            timeout=timeout,
            record_timing=False,
            on_cell_start=self._begin,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--log-level=ERROR"],
        )

    def __call__(self) -> None:
        """Run all cells."""
        started = time.perf_counter()
        try:
            # In a loop of its own, which `execute` would leave open in this thread.
            asyncio.run(self._client.async_execute(env=os.environ | ONE_THREAD))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            self.error = error
        self.seconds = time.perf_counter() - started

    def stop(self) -> None:
        """End the kernel at once, if it runs; its notebook then fails and its thread ends."""
        manager: Any = self._client.km
        if manager is not None and manager.has_kernel:
            os.kill(manager.provisioner.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _begin(self, cell: NotebookNode, cell_index: int) -> None:
        """Remember the cell that runs."""
        self._cell = cell_index

    def failure(self, root: Path) -> str:
        """Say which cell failed, and how."""
        source = self.notebook.cells[self._cell].source
        line = self.notebook.metadata["source_map"][self._cell]
        first = next((text for text in source.splitlines() if text.strip()), "")
        where = f"{self.path.relative_to(root).as_posix()}, line {line}: the cell `{first}`"
        if isinstance(self.error, CellExecutionError):
            return f"{where} failed with {self.error.ename}: {self.error.evalue}"
        if isinstance(self.error, CellTimeoutError):
            return f"{where} took longer than {self.timeout:g} s: make it smaller."
        return f"{where} ended its kernel; it may have needed too much memory."


def _read(path: Path, settings: dict[str, Any]) -> NotebookNode:
    """Read a page as Sphinx will, so that both know it by the same cells."""
    extensions = settings.get("parse", {}).get("myst_enable_extensions", ())
    return read_myst_markdown_notebook(
        path.read_text(encoding="utf-8"),
        config=MdParserConfig(enable_extensions=set(extensions)),
        add_source_map=True,
        path=path,
    )


def _is_cached(store: JupyterCacheAbstract, notebook: NotebookNode) -> bool:
    """Look whether the outputs of these cells are known."""
    try:
        store.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True
