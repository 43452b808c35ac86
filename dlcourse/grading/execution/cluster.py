"""Jobs executed on the machines of a Dask cluster, by the same function that a worker process on this machine calls.

Bytes go out and bytes come back. A Dask worker is trusted like this process: it reads the hidden checks and judges, while
learners' code runs in sandboxes that it starts. Dask gives jobs of a lost worker to another one. `tls://` addresses take
their certificates from Dask's own configuration, `distributed.comm.tls`.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dlcourse.grading.books.outcomes import environment, versions
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.attempt import attempt, given_up
from dlcourse.grading.execution.pool import AHEAD, KILLED, OnDone, by_chapter, uninterrupted

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10.0
"""How long the scheduler may take to answer."""
LOST_SECONDS = 60.0
"""How long to wait for workers, once all of them are lost."""

_LOOK_SECONDS = 2.0
_TLS = (
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"
)
_one_at_a_time = threading.Lock()


def run(jobs: Mapping[str, bytes], on_done: OnDone, *, address: str, unsafe: bool) -> None:
    """Execute jobs on a cluster, those of one chapter after each other, and hand over each outcome once.

    Args:
        jobs: What to execute, by name.
        on_done: Told of each outcome.
        address: The scheduler's address, as `dask scheduler` prints it.
        unsafe: Whether workers without a sandbox may run learners' code.

    Raises:
        GradingError: Dask is not installed, there is no cluster at the address, or a worker of it cannot be used.
        KeyboardInterrupt: Ctrl-C was pressed. What was ready has been handed over; what had begun is lost.
    """
    with _connected(address) as client:
        _assert_usable(client, address)
        _Grading(client, address, jobs, unsafe, on_done).run()


class _Grading:
    """Jobs on their way through a cluster."""

    def __init__(
        self, client: Client, address: str, jobs: Mapping[str, bytes], unsafe: bool, on_done: OnDone
    ) -> None:
        self.client, self.address = client, address
        self.jobs, self.unsafe, self.on_done = jobs, unsafe, on_done
        self.waiting = deque(by_chapter(jobs))
        self.suspects: list[str] = []
        self.trial = False
        self.sent: dict[Future[bytes], str] = {}
        self.arrived: SimpleQueue[Future[bytes]] = SimpleQueue()
        self.alive = time.monotonic()

    def run(self) -> None:
        """Keep a few jobs at hand for each worker until all are done."""
        try:
            self._until_done()
            # Dask blames all jobs that a worker has when it dies. Each is tried alone, which tells who it was.
            self.trial = True
            for name in self.suspects:
                self.waiting.append(name)
                self._until_done()
        except BaseException as problem:
            if isinstance(problem, KeyboardInterrupt):
                for future in [future for future in self.sent if future.status == "finished"]:
                    outcome = future.result()
                    with uninterrupted():
                        self._hand_over(future, outcome)
            with suppress(OSError, TimeoutError):  # the scheduler may be what is gone
                self.client.cancel(list(self.sent), force=True)
            raise

    def _until_done(self) -> None:
        while self.waiting or self.sent:
            self._send()
            try:
                future = self.arrived.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            outcome = self._outcome(future)
            with uninterrupted():
                self._hand_over(future, outcome)

    def _send(self) -> None:
        workers = len(_asked(self.address, self.client.nthreads))
        if workers:
            self.alive = time.monotonic()
        elif time.monotonic() - self.alive > LOST_SECONDS:
            raise GradingError(
                f"The cluster at {self.address} has lost all its workers. What was graded is kept: start workers "
                "and grade again to go on."
            )
        while self.waiting and len(self.sent) < AHEAD * workers:
            name = self.waiting.popleft()
            job = self.jobs[name]
            # A key of its own: equal work of two learners is executed twice, and never answered from an earlier run.
            key = f"dlcourse-{uuid4().hex}"
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sending large graph")  # a learner's large file
                future = self.client.submit(_on_worker, job, environment(), self.unsafe, key=key, pure=False)
            self.sent[future] = name
            future.add_done_callback(self.arrived.put)

    def _outcome(self, future: Future[bytes]) -> bytes | None:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker:
            return given_up(self.jobs[self.sent[future]], KILLED) if self.trial else None
        except GradingError:
            raise
        except (CancelledError, OSError, TimeoutError) as problem:
            raise _lost(self.address) from problem
        except Exception as problem:  # a worker came later, and what is sent does not fit to it
            raise GradingError(_useless("A worker", problem)) from problem

    def _hand_over(self, future: Future[bytes], outcome: bytes | None) -> None:
        name = self.sent.pop(future)
        future.release()  # the workers forget it now
        if outcome is None:
            self.suspects.append(name)
        else:
            self.on_done(name, outcome)


def _on_worker(job: bytes, judge: str, unsafe: bool) -> bytes:
    """Execute a job in a Dask worker: one at a time, however many threads it has."""
    from distributed import get_worker

    where = f"The worker {get_worker().address}"
    if judge != environment():
        raise GradingError(_differs(where))
    try:
        with _one_at_a_time:
            return attempt(job, unsafe)
    except GradingError as problem:
        raise GradingError(f"{where} says: {problem}") from None


def _described() -> tuple[dict[str, str], str]:
    return versions(), environment()


def _assert_usable(client: Client, address: str) -> None:
    """Refuse a cluster without workers, or with one that would judge by other sources or other libraries."""
    found = _asked(address, client.run, _described, on_error="return")
    if not found:
        raise GradingError(
            f"The cluster at {address} has no workers. Start one on each machine: dask worker {address} --nthreads 1"
        )
    here = versions()
    for address_of, said in sorted(found.items()):
        where = f"The worker {address_of}"
        if isinstance(said, BaseException):
            raise GradingError(_useless(where, said))
        there, judge = said
        for name in ("dlcourse", "python", "numpy", "torch"):
            if there.get(name) != here.get(name):
                raise GradingError(
                    f"{where} has {name} {there.get(name, '(none)')}, here it is {here.get(name, '(none)')}; install the "
                    "same there and start it again."
                )
        if judge != environment():
            raise GradingError(_differs(where))


def _differs(where: str) -> str:
    return (
        f"{where} has other sources of dlcourse than this machine and could judge otherwise; install the same ones "
        "there and start it again."
    )


def _useless(where: str, problem: BaseException) -> str:
    return (
        f'{where} cannot grade ({type(problem).__name__}: {problem}); install "dlcourse[grading,cluster]" there, from '
        "the same sources as here, and start it again."
    )


def _asked(address: str, question: Any, *args: Any, **options: Any) -> Any:
    """Ask the scheduler something; it may have gone."""
    try:
        return question(*args, **options)
    except (OSError, TimeoutError) as problem:
        raise _lost(address) from problem


def _lost(address: str) -> GradingError:
    return GradingError(
        f"The scheduler at {address} is gone. What was graded is kept: start it, and grade again to go on."
    )


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ImportError as missing:
        raise GradingError(
            'Grading on a cluster needs Dask, which is not installed: pip install "dlcourse[cluster]"'
        ) from missing

    class Closed(Client):
        """A client that is closed if it finds no scheduler.

        Left to the garbage collector it would be closed in any thread, such as one that the next client waits for.
        """

        def start(self, **options: Any) -> None:
            try:
                super().start(**options)
            except BaseException:
                self.close()
                raise

    # What Dask logs about lost workers and connections is told in sentences, once and where it matters.
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        try:
            client = Closed(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, TypeError, ValueError) as problem:
            raise GradingError(_unreachable(address, problem)) from problem
        try:
            yield client
        finally:
            client.close()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _unreachable(address: str, problem: BaseException) -> str:
    cause = problem.__cause__ or problem
    tls = ""
    if address.startswith("tls:"):
        tls = f" Its certificates are named by {_TLS}, or in Dask's configuration."
    return (
        f"No Dask scheduler answers at {address} ({type(cause).__name__}: {cause}). Start one with `dask scheduler`, and "
        f"give the address that it prints.{tls}"
    )
