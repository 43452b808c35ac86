"""The grader's side of the dialog with a sandbox. It believes nothing that comes out of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.checks.inputs import Case
from dlcourse.checks.observe import Observation
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.channel import ASK, CALL, ENDED, REPLY, Channel, ChannelError
from dlcourse.grading.execution.codec import CodecError, decode, encode
from dlcourse.grading.execution.stand import Stand, numbering
from dlcourse.grading.sandbox import Backend

START_SECONDS = 120.0
"""How long a sandbox may take to start and to import what is slow."""
GOODBYE_SECONDS = 0.5
"""How long a sandbox may take to end by itself."""
SLACK = 15.0
"""Seconds beyond the time of a wish after which the sandbox itself is given up: it may have to repeat cells."""
MOST_MESSAGES = 10_000
"""How many messages may come before an answer: calls of functions that stay outside, and answers that come late."""
_ALWAYS = ("dlcourse.checks", "dlcourse.data", "dlcourse.grading.execution", "dlcourse.grading.sandbox")


class LostError(Exception):
    """The sandbox ended, or does not keep to the form: the submission must start in another one, or is over."""


class Sandboxed:
    """A warm sandbox that takes one submission after the other.

    Args:
        backend: How to start it.
        modules: The parts of `dlcourse` that learners' code may import, besides those that are always there.
        warm: What to import once.
    """

    def __init__(self, backend: Backend, modules: Sequence[str], warm: Sequence[str]) -> None:
        argv = ["-m", "dlcourse.grading.execution.inside.zygote", *warm]
        self.process = backend.start(argv, modules=[*_ALWAYS, *modules])
        assert self.process.stdin
        assert self.process.stdout
        self.dialog = Channel(self.process.stdout.fileno(), self.process.stdin.fileno())
        try:
            _, hello = self.dialog.receive(until=time.monotonic() + START_SECONDS)
            self.nests = bool(decode(hello)["nests"])
        except (ChannelError, CodecError, TimeoutError, TypeError, KeyError) as error:
            self.close()
            raise GradingError(
                f"The sandbox ({backend.words}) started but does not answer; run `dlcourse doctor`."
            ) from error

    def close(self) -> None:
        """End it, with everything in it: by closing its input, and by force if a submission is still there."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


class Session:
    """One submission in a sandbox.

    Args:
        sandbox: A warm one.
        files: What lies beside the notebook.
        memory: Bytes that a process may allocate.
        output: Characters of text kept of a cell.
    """

    def __init__(self, sandbox: Sandboxed, files: Mapping[str, bytes], *, memory: int, output: int) -> None:
        self.sandbox, self.dialog, self.turn = sandbox, sandbox.dialog, 0
        contents = {name: np.frombuffer(raw, np.uint8) for name, raw in files.items()}
        self._send({"files": contents, "memory": memory, "output": output})

    def cell(self, source: str, seconds: float, *, quiet: bool = False) -> dict[str, Any]:
        """Run a cell.

        Args:
            source: Its text.
            seconds: How long it may run.
            quiet: Whether it runs for the names that it defines only.

        Returns:
            `outputs` and `error`, or `state`: what went wrong with the process.

        Raises:
            LostError: The sandbox does not answer.
        """
        return self._wish({"do": "cell", "source": source, "seconds": seconds, "quiet": quiet}, {})

    def ask(
        self,
        questions: Sequence[tuple[str, Sequence[Case]]],
        seconds: float,
        instead: Mapping[str, Any] | None = None,
        *,
        device: str = "cpu",
    ) -> list[dict[str, Any]]:
        """Call the learner's functions on inputs, all of them in one process.

        Args:
            questions: A name and its inputs each.
            seconds: How long all calls may take together.
            instead: Functions that stand in for other names of the learner's; they are called here.
            device: Where the tensors among the inputs are made.

        Returns:
            For each question `seen`, a list of observations; or `missing`; or `state`.

        Raises:
            LostError: The sandbox does not answer.
        """
        outside: dict[int, Any] = {}
        sent = [{"name": name, "cases": [_sent(case) for case in cases]} for name, cases in questions]
        wish = {"do": "ask", "questions": sent, "seconds": seconds, "instead": dict(instead or {}),
                "device": device}  # fmt: skip
        reply = self._wish(wish, outside)
        answers = reply.get("answers")
        if not isinstance(answers, list) or len(answers) != len(questions):
            reply = reply if "state" in reply else {"state": "unreadable"}
            return [reply for _ in questions]
        made: list[dict[str, Any]] = []
        for answer, (_, cases) in zip(answers, questions, strict=True):
            seen = _observations(answer)
            if answer is None:
                made.append({"missing": True})
            else:
                made.append({"seen": seen} if len(seen) == len(cases) else {"state": "unreadable"})
        return made

    def end(self) -> None:
        """Say that this was all, and wait until the sandbox is ready for the next submission.

        Raises:
            LostError: It is not.
        """
        self._send({"do": "end"})
        self._answer(0.0, {}, ending=True)

    def _wish(self, wish: dict[str, Any], outside: dict[int, Any]) -> dict[str, Any]:
        """Send a wish and return the answer to it, or what went wrong."""
        for _ in range(2):
            self.turn += 1
            self._send(wish | {"turn": self.turn}, outside)
            answer = self._answer(wish["seconds"], outside)
            if answer.get("turn") == self.turn:
                return answer
            # Something else was said in between: whatever says it must be gone before this is tried again.
            self.turn += 1
            self._send({"do": "renew", "turn": self.turn})
            if self._answer(0.0, {}).get("turn") != self.turn:
                raise LostError("the submission does not keep to the form")
        return {"state": "unreadable"}

    def _send(self, message: Any, outside: dict[int, Any] | None = None) -> None:
        try:
            payload = encode(message, None if outside is None else numbering(outside))
            self.dialog.send(ASK, payload, until=time.monotonic() + SLACK)
        except (ChannelError, TimeoutError) as error:
            raise LostError(str(error)) from error

    def _answer(self, seconds: float, outside: dict[int, Any], *, ending: bool = False) -> dict[str, Any]:
        """Wait for an answer and serve the calls that come before it; an unreadable answer is an empty one."""
        served_until = time.monotonic() + seconds
        until = served_until + SLACK
        answer: Any = None
        with Stand(outside) as stand:
            try:
                for _ in range(MOST_MESSAGES):
                    kind, payload = self.dialog.receive(until=until)
                    if kind == CALL:
                        self.dialog.send(REPLY, stand.called(payload, served_until), until=until)
                        continue
                    if kind == ENDED and ending:
                        return {}
                    if kind == ENDED:
                        raise LostError("the submission ended its supervisor")
                    answer = decode(payload)
                    if not ending and not _is_late(answer, self.turn):
                        break
            except CodecError:
                return {}
            except (ChannelError, TimeoutError) as error:
                raise LostError(str(error)) from error
        return answer if isinstance(answer, dict) else {}


def _sent(case: Case) -> dict[str, Any]:
    steps = [(step.kind, step.name, step.args) for step in case.then]
    return {"args": case.args, "then": steps, "raises": case.raises, "through": case.through}


def _is_late(answer: Any, turn: int) -> bool:
    """Tell whether an answer belongs to an earlier wish, whose time was over when it came."""
    said = answer.get("turn") if isinstance(answer, dict) else None
    return type(said) is int and said < turn


def _observations(seen: Any) -> list[Observation]:
    """Read observations; what has not their form becomes an empty one, which is never right."""
    made = []
    for one in seen if isinstance(seen, list) else ():
        if not isinstance(one, dict):
            one = {}
        made.append(
            Observation(
                one.get("value"),
                _text(one.get("error", "")),
                _text(one.get("message", "")),
                one["line"] if type(one.get("line")) is int and 0 <= one["line"] < 10**6 else 0,
                tuple(map(_text, _list(one.get("warnings"))))[:20],
                tuple(n for n in _list(one.get("changed")) if type(n) is int and 0 <= n < 1000),
            )
        )
    return made


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a short text that can be printed."""
    text = value if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text[:1000])
