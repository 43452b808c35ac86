"""Jobs executed on this machine: one worker process a core, a few jobs at hand for each, outcomes as they arrive.

Each worker is a process pool of one. A worker that dies takes only its own jobs along, the one that it was at is
known, and the other workers keep their warm sandboxes.
"""

from __future__ import annotations

import gc
import json
import math
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import Any

from dlcourse.grading import sandbox
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.attempt import attempt, given_up

OnDone = Callable[[str, bytes], None]
"""Called with a job's name and its outcome, in the thread that called `run`; Ctrl-C does not cut it short."""

ATTEMPTS = 3
"""How often a job is begun that takes its worker along each time."""
AHEAD = 2
"""Jobs that a worker has at hand: the one that it executes, and the next, so that it never waits for the gradebook."""
WORTH = 4
"""Jobs for which one more worker pays: to start it takes as long as a few ordinary ones."""
KILLED = f"{ATTEMPTS} times the grader's process ended while it was at it, as happens where memory is short"
"""Why it is given up then."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Crew:
    """The worker processes of one grading; they end with the block.

    Args:
        most: How many at most; no more are started than the jobs are worth.
        unsafe: Whether learners' code may run without a sandbox.
    """

    def __init__(self, most: int, *, unsafe: bool) -> None:
        self.most, self.unsafe = most, unsafe
        self.arrived: SimpleQueue[Future[bytes]] = SimpleQueue()
        self.workers: list[_Worker] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *problem: object) -> None:
        for worker in self.workers:
            worker.close()

    def start(self, jobs: int) -> None:
        """Start the workers that so many jobs are worth, if they are not there.

        To begin while the jobs are still being made saves the time that a process takes to start.

        Args:
            jobs: How many there are, or are expected.
        """
        wanted = min(self.most, math.ceil(jobs / WORTH))
        if wanted > 1:
            for _ in range(wanted - len(self.workers)):
                self.workers.append(_Worker(self.unsafe, self.arrived))

    def stop(self) -> None:
        """End all processes, whatever they are at."""
        for worker in self.workers:
            worker.stop()


def run(jobs: Mapping[str, bytes], on_done: OnDone, *, crew: Crew) -> None:
    """Execute jobs, those of one chapter after each other, and hand over each outcome once.

    Without workers this process itself executes, which is faster for few jobs than to start another. However many jobs
    there are, few are in memory at a time if `jobs` reads them when they are asked for.

    Args:
        jobs: What to execute, by name.
        on_done: Told of each outcome.
        crew: The processes that do it.

    Raises:
        GradingError: There is no sandbox, or no worker process can be started.
        KeyboardInterrupt: Ctrl-C was pressed. What was ready has been handed over; what had begun is lost.
    """
    crew.start(len(jobs))
    if crew.workers:
        _run_many(jobs, crew, on_done)
        return
    for name in by_chapter(jobs):
        outcome = attempt(jobs[name], crew.unsafe)
        with uninterrupted():
            on_done(name, outcome)


def by_chapter(jobs: Mapping[str, bytes]) -> list[str]:
    """Return the names of jobs, those of one chapter together: each worker keeps a warm sandbox for it."""
    return sorted(jobs, key=lambda name: str(json.loads(jobs[name])["chapter"]))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done; pressed twice, it does not wait."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


def _run_many(jobs: Mapping[str, bytes], crew: Crew, on_done: OnDone) -> None:
    waiting = deque(by_chapter(jobs))
    deaths: Counter[str] = Counter()
    try:
        while waiting or any(worker.jobs for worker in crew.workers):
            for depth in range(AHEAD):
                for worker in crew.workers:
                    if waiting and len(worker.jobs) <= depth and worker.give(waiting[0], jobs[waiting[0]]):
                        waiting.popleft()
            future = crew.arrived.get()
            owners = [worker for worker in crew.workers if future in worker.jobs]
            if not owners:  # it ended with its worker, and waits again already
                continue
            worker = owners[0]
            if not isinstance(future.exception(), BrokenProcessPool):
                outcome = future.result()
                with uninterrupted():
                    on_done(worker.jobs.pop(future), outcome)
                continue
            killer, *others = worker.replace()
            deaths[killer] += 1
            waiting.extendleft(reversed(others))
            if deaths[killer] < ATTEMPTS:
                waiting.appendleft(killer)
            else:
                outcome = given_up(jobs[killer], KILLED)
                with uninterrupted():
                    on_done(killer, outcome)
    except BaseException as problem:
        crew.stop()
        if isinstance(problem, KeyboardInterrupt):
            for name, outcome in [done for worker in crew.workers for done in worker.ready()]:
                with uninterrupted():
                    on_done(name, outcome)
        raise


class _Worker:
    """One process, and the jobs that it has in the order in which it does them.

    Args:
        unsafe: Whether learners' code may run without a sandbox.
        arrived: Where futures are put when they are done.
    """

    def __init__(self, unsafe: bool, arrived: SimpleQueue[Future[bytes]]) -> None:
        self.unsafe, self.arrived = unsafe, arrived
        self.jobs: dict[Future[bytes], str] = {}
        self._pool: ProcessPoolExecutor | None = self._start()

    def give(self, name: str, job: bytes) -> bool:
        """Put a job behind those that it has; False if the process has just ended with the others."""
        try:
            future = (self._pool or self._start()).submit(attempt, job, self.unsafe)
        except BrokenProcessPool:
            if self.jobs:
                return False
            self.replace()
            return self.give(name, job)
        self.jobs[future] = name
        future.add_done_callback(self.arrived.put)
        return True

    def replace(self) -> list[str]:
        """Clear away a process that ended.

        Returns:
            The names of its jobs; the first is the one that it was at.

        Raises:
            GradingError: It never began.
        """
        if self._ready.exception():
            raise GradingError(
                "The grader's worker processes end before they begin. Is memory short? Try --workers 1; if a program of "
                'yours calls the grader, it must do so below `if __name__ == "__main__":`.'
            )
        names = list(self.jobs.values())
        self.jobs.clear()
        self.close()
        return names

    def ready(self) -> list[tuple[str, bytes]]:
        """Return the names and the outcomes of the jobs that are done."""
        done = [(name, future) for future, name in self.jobs.items() if future.done()]
        return [(name, future.result()) for name, future in done if not future.exception()]

    def stop(self) -> None:
        """End the process, whatever it is at."""
        if self._pool:
            self._leash.close()

    def close(self) -> None:
        """Wait until the process has ended: by itself, unless nobody needed it."""
        if self._pool:
            if not self._ready.done():
                self.stop()
            self._pool.shutdown(cancel_futures=True)
            self._leash.close()
            self._pool = None

    def _start(self) -> ProcessPoolExecutor:
        context = get_context("spawn")  # what this process has open and has begun stays here
        held, self._leash = context.Pipe(duplex=False)
        self._pool = pool = ProcessPoolExecutor(1, context, _begin, (held,))
        with _shielded_start():
            self._ready = pool.submit(_prepare)
        held.close()
        return pool


def _begin(held: Connection) -> None:
    """Prepare a worker: it hears no Ctrl-C, and ends when the process that started it ends or lets go of the leash."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    if sys.platform != "win32":
        os.setsid()  # the terminal's Ctrl-C does not reach the sandboxes either
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def watch() -> None:
        try:
            held.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _prepare() -> None:
    """Look for the sandbox before the first job comes."""
    sandbox.isolation()


@contextmanager
def _shielded_start() -> Iterator[None]:
    """While a process starts, keep Ctrl-C from it, and let it compute in one thread: there is a worker for each core."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    mask: Any = None
    if sys.platform != "win32":
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
