"""Real processes on this machine that can talk to one another: what ``torchrun`` starts, for a cell of a notebook.

Each process has ``torch.distributed`` initialised, so that :func:`torch.distributed.get_rank` and all other calls work as
they do on many machines. All messages stay on this machine. Chapter: book/distributed/collectives.md.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from operator import index
from types import ModuleType
from typing import Any

from dlcourse.distributed import _pipes, _rank
from dlcourse.distributed._rank import Place
from dlcourse.gpus._device import torch

__all__ = ["ProcessError", "run_processes"]

MOST = 64
"""More processes than this on one machine are a mistake."""

_START = 60.0
"""Seconds for all processes to start and find one another."""
_ANSWER = 2.0
"""Seconds in which a process that waits says where."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ProcessError(RuntimeError):
    """One of the processes stopped, or they waited for one another; the message says which one and where.

    Attributes:
        raised: the name of the exception that one of them raised, or an empty string.
        said: what that exception said.
        late: whether they were not done in time.
    """

    def __init__(self, message: str, *, raised: str = "", said: str = "", late: bool = False) -> None:
        super().__init__(message)
        self.raised, self.said, self.late = raised, said, late


def run_processes(
    work: Callable[..., Any], count: int, *arguments: Any, timeout: int | float = 60.0
) -> list[Any]:
    """Run a function in several processes that can send one another messages.

    In each of them ``torch.distributed`` is initialised with gloo, and PyTorch computes with one thread. (Where a sandbox
    allows no sockets, pipes do the same.) What they print
    is printed here when they are done, in the order of ranks. Where libraries have threads in this process, or
    a GPU is in use, the processes come from a fresh one, since a fork would lack the threads: then the function and its
    arguments are sent there, functions of a notebook's cell too.

    Args:
        work: what each process calls; ``torch.distributed.get_rank()`` tells it which one it is.
        count: how many processes.
        *arguments: what ``work`` is called with in each.
        timeout: seconds after which all are ended, counted from when all have found one another.

    Returns:
        What each one returned, in the order of ranks.

    Raises:
        ProcessError: if one raised an exception or ended, or they were not done in time. None is left behind then.

    Example:
        >>> run_processes(lambda x: x * torch.distributed.get_rank(), 2, 10)
        [0, 10]
    """
    _expect(work, count, timeout)
    with tempfile.TemporaryDirectory(prefix="dlc-", ignore_cleanup_errors=True) as folder:
        group: list[_Process] = []
        try:
            context = _context()
            pipes = _pipes.mesh(count) if _pipes.sockets_refused() else None
            job = (work, arguments) if context.get_start_method() == "fork" else _written(work, arguments)
            with _no_main():
                for rank in range(count):
                    group.append(
                        _Process.start(
                            context, Place(rank, count, folder, _START + timeout, pipes), job, group
                        )
                    )
            if pipes:
                _pipes.close(pipes)
            _gather(group, _rank.READY, time.monotonic() + _START, f"{_START:g} s to find one another")
            answers = _gather(group, _rank.DONE, time.monotonic() + timeout, f"{timeout:g} s")
        finally:
            for process in group:
                process.end()
    for printed, _ in answers:
        if printed:
            print(printed, end="")
    return [pickle.loads(result) for _, result in answers]


@dataclass
class _Process:
    """One of the processes, seen from the one that started it."""

    rank: int
    process: BaseProcess
    connection: Connection

    @classmethod
    def start(cls, context: Any, place: Place, job: Any, before: Sequence[_Process]) -> _Process:
        mine, theirs = context.Pipe()
        # A fork holds copies of the ends of the others, which would never be seen to close.
        copies = [other.connection for other in before] if isinstance(job, tuple) else []
        copies += [mine] if isinstance(job, tuple) else []
        process = context.Process(
            target=_rank.run, args=(theirs, copies, place, job), name=f"rank {place.rank}", daemon=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: see `_context`
            process.start()
        theirs.close()
        return cls(place.rank, process, mine)

    def end(self) -> None:
        self.connection.close()  # a process that may get no signals ends when it sees this
        with suppress(OSError):
            self.process.kill()
        self.process.join()
        self.process.close()


def _gather(group: Sequence[_Process], wanted: str, until: float, allowed: str) -> list[Any]:
    """Wait for one message of each process.

    Args:
        group: The processes.
        wanted: The kind of message.
        until: The monotonic time by which they must have come.
        allowed: How that time is called.
    """
    found: dict[int, Any] = {}
    while len(found) < len(group):
        waiting = [process for process in group if process.rank not in found]
        ready = wait([process.connection for process in waiting], max(0.0, until - time.monotonic()))
        if not ready:
            raise ProcessError(_late(waiting, len(group), allowed), late=True)
        for process in waiting:
            if process.connection in ready:
                kind, *said = _received(process, len(group))
                if kind == _rank.FAILED:
                    raised, message, trace = said
                    _raise_if_gone(group, message)
                    told = f"rank {process.rank} of {len(group)} stopped with {raised}: {message}\n\n{trace}"
                    raise ProcessError(told, raised=raised, said=message)
                assert kind == wanted
                found[process.rank] = said
    return [found[process.rank] for process in group]


def _received(process: _Process, count: int) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = pickle.loads(process.connection.recv_bytes())
    except (EOFError, OSError):
        raise _gone(process, count) from None
    return message


def _gone(process: _Process, count: int) -> ProcessError:
    process.process.join(_ANSWER)
    code = process.process.exitcode
    how = f"exit status {code}" if code is None or code >= 0 else signal.Signals(-code).name
    return ProcessError(f"rank {process.rank} of {count} ended without a result ({how})")


def _raise_if_gone(group: Sequence[_Process], message: str) -> None:
    """Where a connection broke, blame the process that ended, and not the one that talked to it."""
    if "onnection" not in message:
        return
    ended = wait([process.process.sentinel for process in group], _ANSWER)
    for process in group:
        if process.process.sentinel in ended:
            raise _gone(process, len(group))


def _late(waiting: Sequence[_Process], count: int, allowed: str) -> str:
    """Say which processes were not done, and where each of them was."""
    for process in waiting:
        with suppress(OSError):
            process.connection.send_bytes(b"where?")
    until = time.monotonic() + _ANSWER
    places = []
    for process in waiting:
        place = "somewhere"
        with suppress(EOFError, OSError):
            if process.connection.poll(max(0.0, until - time.monotonic())):
                kind, *said = pickle.loads(process.connection.recv_bytes())
                place = said[0] if kind == _rank.WAITS else "at its end"
        places.append(f"rank {process.rank} {place}")
    ranks = ", ".join(str(process.rank) for process in waiting)
    who = f"rank {ranks} of {count} was" if len(waiting) == 1 else f"ranks {ranks} of {count} were"
    return (
        f"{who} not done after {allowed}: {'; '.join(places)}. A rank that receives waits until somebody sends "
        "to it, and one that sends may wait until somebody receives: does each message have both?"
    )


def _expect(work: Any, count: int, timeout: float) -> None:
    if not callable(work):
        raise TypeError(
            f"run_processes expects a function to call in each process, got {type(work).__name__}: pass "
            "its name without parentheses, and its arguments after the number of processes"
        )
    if not 1 <= index(count) <= MOST:
        raise ValueError(f"run_processes expects 1 to {MOST} processes, got {count}")
    if not timeout > 0:
        raise ValueError(f"run_processes expects a timeout above 0 seconds, got {timeout}")


def _context() -> Any:
    """Choose how processes start: by a fork where that is safe, else from a process that never computed anything."""
    # Python knows its own threads, and a fork can do without them; those of OpenMP and of GPUs it would wait for.
    if sys.platform == "linux" and _threads() <= threading.active_count() and not torch.cuda.is_initialized():
        return multiprocessing.get_context("fork")
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    kept = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # or NumPy alone would start threads there
    try:
        forkserver.ensure_running()
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def _threads() -> int:
    """Count the threads of this process, those of libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # a sandbox that shows no processes
        return threading.active_count()


@contextmanager
def _no_main() -> Iterator[None]:
    """Keep new processes from running the script of this one again: what they need of it is sent to them.

    And let them start where this is a helper itself, which Python forbids since such processes are often left behind.
    """
    main = sys.modules["__main__"]
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # Python's own, of each process
    daemon = config.pop("daemon", None)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if daemon is not None:
            config["daemon"] = daemon


def _written(work: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Write a function and its arguments; what a fresh process could not import is written in full."""
    import cloudpickle

    name = getattr(work, "__module__", None) or "__main__"  # which is written in full in any case
    module, package = sys.modules.get(name), name.partition(".")[0]
    known = package == "__main__" or package in sys.stdlib_module_names or PathFinder.find_spec(package)
    in_full = module is not None and not known
    if in_full:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((work, arguments)))
    finally:
        if in_full:
            cloudpickle.unregister_pickle_by_value(module)
