"""The first process of a submission: it passes messages on, and holds the learner's code to its time.

It runs none of that code. When the runner ends or hangs, it ends everything that the learner's code left behind, starts
another runner, repeats the cells that worked, and goes on with the next wish.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from dlcourse.grading.execution.channel import ASK, CALL, LAST, REPLY, STATE, Channel, ChannelError
from dlcourse.grading.execution.codec import CodecError, decode, encode
from dlcourse.grading.execution.inside.runner import run
from dlcourse.grading.execution.inside.shell import Shell
from dlcourse.grading.sandbox import confine

GRACE = 1.0
"""Seconds that interrupted code is given to end by itself."""
_MOST_PROCESS_IDS = 20_000
MOST_RESTARTS = 12
"""How often a submission may end its runner."""


class Gone(Exception):  # noqa: N818  (news, not a mistake)
    """The runner ended or was ended.

    Args:
        state: `slow`, `died` or `flood`.
    """

    def __init__(self, state: str) -> None:
        self.state = state


class _Wish(NamedTuple):
    """What the grader wishes, and what of it concerns the supervisor."""

    payload: bytes
    do: str
    turn: int
    seconds: float

    @classmethod
    def read(cls, payload: bytes) -> _Wish:
        terms = decode(payload, inputs=_number)
        return cls(payload, terms["do"], terms.get("turn", 0), terms.get("seconds", 0.0))

    @property
    def is_cell(self) -> bool:
        return self.do == "cell"


class Supervisor:
    """Serves one submission.

    Args:
        dialog: To the grader.
        setting: The limits and files of the submission.
        shell: Where cells run, as it was when the sandbox started.
        first: Whether this is the first process of its namespaces, so that it may end all others.
    """

    def __init__(self, dialog: Channel, setting: Mapping[str, Any], shell: Shell, *, first: bool) -> None:
        self.dialog, self.setting, self.shell, self.first = dialog, setting, shell, first
        self.worked: list[_Wish] = []
        self.restarts = 0
        self.start()

    def start(self) -> None:
        """Start a runner and repeat the cells that worked."""
        self.spent = False
        mine, theirs = socket.socketpair()
        self.runner = os.fork()
        if self.runner == 0:
            try:
                mine.close()
                self.dialog.close()
                if self.first or confine.has_gpu():  # CUDA names its threads by files of its own in /proc
                    confine.hide_memory(False)
                run(Channel(theirs.fileno(), theirs.fileno()), self.setting, self.shell)
            finally:
                os._exit(1)
        theirs.close()
        self.socket = mine
        self.channel = Channel(mine.fileno(), mine.fileno())
        for wish in list(self.worked):
            try:
                self.passed_on(wish)
            except Gone:  # it worked before: it depends on something that changes
                self.worked.remove(wish)
                self.restart()
                return

    def restart(self) -> None:
        """End what is left of the runner and start another one."""
        self.restarts += 1
        if self.restarts > MOST_RESTARTS:
            raise ChannelError("the submission ended its process too often")
        self.end()
        self.start()

    def end(self) -> None:
        """End the runner and everything that it started."""
        self.socket.close()
        try:
            if self.first:
                os.kill(-1, signal.SIGKILL)
            else:
                os.killpg(self.runner, signal.SIGKILL)
        except ProcessLookupError:
            pass
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def clear(self) -> None:
        """End everything that learners' code started, but not the runner."""
        if not self.first:
            self.restart()
            return
        for _ in range(3):  # who forks while this goes on has a child in the next round
            for process in range(2, _MOST_PROCESS_IDS):
                if process != self.runner:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
            time.sleep(0.02)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def serve(self) -> None:
        """Do what the grader wishes until it says that this was all."""
        while True:
            _, payload = self.dialog.receive()
            wish = _Wish.read(payload)
            if wish.do == "end":
                return
            if wish.do == "renew":
                self.restart()
                self.dialog.send(STATE, encode({"turn": wish.turn}))
            else:
                self.dialog.send(*self.granted(wish))

    def granted(self, wish: _Wish) -> tuple[bytes, bytes]:
        """Have a wish done by the runner, whatever happens to it.

        Args:
            wish: What the grader sent.

        Returns:
            The answer to the grader.
        """
        for again in (not wish.is_cell, False):
            try:
                if self.spent:
                    self.end()
                    self.start()
                kind, reply = self.passed_on(wish)
            except Gone as gone:
                self.restart()
                if gone.state == "died" and again:  # by what an earlier check left behind, perhaps
                    continue
                return STATE, encode({"turn": wish.turn, "state": gone.state})
            if kind != STATE or decode(reply) != {"turn": wish.turn, "state": "full"}:
                break
            self.clear()  # processes that were left behind take all the places
        if kind == LAST:
            self.spent, kind = True, REPLY
        if wish.is_cell:
            self.worked.append(wish)
        return kind, reply

    def passed_on(self, wish: _Wish) -> tuple[bytes, bytes]:
        """Pass a wish on to the runner, and calls of it to the grader.

        Args:
            wish: What the grader sent.

        Returns:
            What the runner answers.

        Raises:
            Gone: It does not answer in time, or not at all.
        """
        until = time.monotonic() + wish.seconds
        try:
            self.channel.send(ASK, wish.payload, until=until)
            while True:
                # The runner itself holds a check to its time; here is who holds the runner.
                kind, reply = self.receive(until if wish.is_cell else until + GRACE, interrupt=wish.is_cell)
                if kind == CALL and not wish.is_cell:
                    self.dialog.send(CALL, reply)
                    self.channel.send(*self.dialog.receive(), until=until)
                    continue
                turn = _turn(reply)
                if turn == wish.turn:
                    return kind if kind in (REPLY, LAST) else STATE, reply
                if turn is None or (turn > wish.turn and not wish.is_cell):
                    return STATE, encode({"turn": wish.turn, "state": "unreadable"})
                # All else comes late, or from a cell, which was not asked anything.
        except TimeoutError as error:
            raise Gone("slow") from error
        except ChannelError as error:
            raise Gone("died") from error

    def receive(self, until: float, *, interrupt: bool) -> tuple[bytes, bytes]:
        """Wait for the runner; a cell is asked to end before it is ended, so that what it defined is kept."""
        try:
            return self.channel.receive(until=until)
        except TimeoutError:
            if not interrupt:
                raise
        os.kill(self.runner, signal.SIGINT)
        kind, reply = self.channel.receive(until=time.monotonic() + GRACE)
        return kind, reply


def _number(number: int) -> int:
    return number


def _turn(reply: bytes) -> int | None:
    """Return the number of the wish that a reply belongs to, or None if it cannot be read."""
    try:
        turn = decode(reply)["turn"]
    except (CodecError, KeyError, TypeError):
        return None
    return turn if type(turn) is int else None


def supervise(dialog: Channel, setting: Mapping[str, Any], shell: Shell, *, first: bool) -> None:
    """Serve one submission.

    Args:
        dialog: To the grader.
        setting: The limits and files of the submission.
        shell: Where cells run.
        first: Whether this is the first process of its namespaces.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = Supervisor(dialog, setting, shell, first=first)
    try:
        supervisor.serve()
    finally:
        supervisor.end()
