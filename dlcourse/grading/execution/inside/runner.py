"""The process in which a learner's cells run; for each check it forks.

From the first cell on nothing of this process can be believed: it does what it is told as long as the learner's code
lets it. The supervisor holds the time, and whoever reads what comes out of here decodes it strictly.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcourse.checks.inputs import Case, Step, tensor
from dlcourse.checks.observe import Observation, observe
from dlcourse.checks.plain import plain, ready
from dlcourse.checks.run import recording
from dlcourse.grading.execution.channel import (
    ASK,
    CALL,
    LAST,
    NO_DEVICE,
    REPLY,
    STATE,
    Channel,
    ChannelError,
)
from dlcourse.grading.execution.codec import CodecError, decode, encode
from dlcourse.grading.execution.inside.shell import Shell
from dlcourse.grading.sandbox import confine
from dlcourse.grading.sandbox.limits import LIMITS

TRY_SECONDS = 0.3
"""How long a fork is tried that lacks threads of the learner's."""
OURS = 16
"""Places for open files that are held back for the dialog."""
_exit = os._exit  # learners' code may bind another one to the name


def run(channel: Channel, setting: Mapping[str, Any], shell: Shell) -> None:
    """Do what comes over the channel until it closes.

    Args:
        channel: To the supervisor.
        setting: The limits, and the files that lie beside the notebook.
        shell: Where cells run.
    """
    home = os.environ["HOME"]
    os.chdir(home)
    for name, content in setting["files"].items():
        path = Path(home, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes())
    sys.path.append(home)
    os.setsid()  # a signal to the whole group stays in here
    signal.signal(signal.SIGINT, signal.default_int_handler)
    confine.lock_down(replace(LIMITS, memory=setting["memory"]))
    _hold_files(OURS)
    with recording():  # checks that the learner runs find no reference here
        while True:
            try:
                kind, payload = channel.receive()
            except ChannelError:
                return
            if kind != ASK:  # the answer to a call of a process that is gone
                continue
            wish = decode(payload, inputs=_Outside)
            if wish["do"] == "cell":
                outputs, error = shell.run(wish["source"], setting["output"], quiet=wish["quiet"])
                for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                    signal.setitimer(timer, 0)
                channel.send(REPLY, encode({"turn": wish["turn"], "outputs": outputs, "error": error}))
            else:
                _ask(channel, payload, wish, shell)


def _ask(channel: Channel, payload: bytes, wish: Mapping[str, Any], shell: Shell) -> None:
    """Have a fork answer; where it cannot, since threads are missing there, answer here and end."""
    until = time.monotonic() + wish["seconds"]
    threads = _threads()
    # A fork has none of the threads. Python knows that; OpenMP would wait for ever, and a pool of workers may too.
    # CUDA, once started, does not work in a fork at all.
    if threads <= threading.active_count() and not _has_cuda():
        tried_until = min(until, time.monotonic() + TRY_SECONDS) if threads > 1 else until
        kind, reply = _asked(channel, payload, wish["turn"], shell, tried_until)
        if tried_until == until or not _is_slow(reply):
            channel.send(kind, reply)
            return
    channel.send(LAST, _answer(channel, payload, shell))
    _exit(0)


def _has_cuda() -> bool:
    """Return whether the learner's cells have started CUDA in this process."""
    torch: Any = sys.modules.get("torch")
    try:
        return torch is not None and bool(torch.cuda.is_initialized())
    except Exception:  # whatever the learner has put there
        return False


def _is_slow(reply: bytes) -> bool:
    try:
        return bool(decode(reply).get("state") == "slow")
    except (CodecError, AttributeError):
        return False


def _asked(channel: Channel, payload: bytes, turn: int, shell: Shell, until: float) -> tuple[bytes, bytes]:
    """Have a fork answer, pass its calls on, and end it with all that it started."""
    _bury()
    _hold_files(0)
    try:
        mine, theirs = socket.socketpair()
        child = os.fork()
    except OSError:
        return STATE, encode({"turn": turn, "state": "full"})
    _hold_files(OURS)
    if child == 0:
        os.setpgid(0, 0)
        channel.close()
        inner = Channel(theirs.fileno(), theirs.fileno())
        inner.send(REPLY, _answer(inner, payload, shell))
        _exit(0)
    theirs.close()
    inner = Channel(mine.fileno(), mine.fileno())
    state, reply = "", b""
    try:
        while not reply:
            kind, said = inner.receive(until=until)
            if kind == CALL:
                channel.send(CALL, said, until=until)
                inner.send(*channel.receive(until=until), until=until)
            else:
                reply = said
    except TimeoutError:
        state = "slow"
    except ChannelError:
        state = "died"
    mine.close()
    status = _ended(child, kill=state != "died")
    return REPLY, reply or encode({"turn": turn, "state": state, "status": status})


def _hold_files(back: int) -> None:
    """Hold some of the places for open files back, which learners' code may use up."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most - back, most))


def _bury() -> None:
    """Take note of children that ended: until then they count as processes."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _ended(child: int, *, kill: bool) -> int:
    """End a process with its group, and return its exit status."""
    if kill:
        with suppress(OSError):  # where it is not allowed, the supervisor does it
            os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    return status


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # a sandbox that shows no processes
        return 1


def _answer(channel: Channel, payload: bytes, shell: Shell) -> bytes:
    """Observe the learner's functions in a process that nobody can trust afterwards."""
    wish = decode(payload, inputs=lambda number: _Outside(number, channel))
    if not _is_there(wish["device"]):
        return encode({"turn": wish["turn"], "state": NO_DEVICE})
    names: dict[str, Any] = shell.user_ns
    answers: list[list[Observation] | None] = []
    for question in wish["questions"]:
        if question["name"] not in names:
            answers.append(None)
            continue
        target = names[question["name"]]
        scope = getattr(target, "__globals__", names)
        for name, instead in wish["instead"].items():
            scope[name] = names[name] = instead
        cases = [_case(case) for case in question["cases"]]
        answers.append(observe(target, cases, device=wish["device"]))
    return _encoded(wish["turn"], answers)


def _is_there(device: str) -> bool:
    """Touch a device, which others may have filled up; where it fails, that is no mistake of the learner's."""
    if device == "cpu":
        return True
    try:
        ready(tensor([0.0]), device)
        return True
    except Exception:
        return False


def _case(sent: Mapping[str, Any]) -> Case:
    steps = tuple(Step(*step) for step in sent["then"])
    return Case(sent["args"], steps, sent["raises"], sent["through"])


def _encoded(turn: int, answers: list[list[Observation] | None]) -> bytes:
    """Write observations, None where there is no such name; where a value is too large, that is said in its place."""
    try:
        return encode({"turn": turn, "answers": [seen and [*map(_data, seen)] for seen in answers]})
    except CodecError as error:
        said = _data(Observation(error="NotDataError", message=f"the result cannot be read: {error}"))
        return encode({"turn": turn, "answers": [seen and [said] * len(seen) for seen in answers]})


def _data(seen: Observation) -> dict[str, Any]:
    return vars(seen) | {"warnings": list(seen.warnings), "changed": list(seen.changed)}


def _argument(value: Any) -> Any:
    """Return plain data in which tuples stay tuples: a shape or axes in a list are not the same."""
    if issubclass(type(value), tuple):
        return tuple([_argument(item) for item in tuple.__iter__(value)])
    return plain(value)


class _Outside:
    """A function that stays with the grader: a call goes out, its result comes in."""

    def __init__(self, number: int, channel: Channel | None = None) -> None:
        self._number, self._channel = number, channel

    def __call__(self, *args: Any) -> Any:
        return self._asked("", args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: self._asked(name, args)

    def __deepcopy__(self, memory: Any) -> _Outside:
        return self

    def _asked(self, method: str, args: tuple[Any, ...]) -> Any:
        assert self._channel
        given = [_argument(value) for value in args]
        self._channel.send(CALL, encode({"call": self._number, "method": method, "args": given}))
        reply = decode(self._channel.receive()[1], inputs=lambda number: _Outside(number, self._channel))
        if "error" in reply:
            raise _ERRORS.get(reply["error"], RuntimeError)(reply["message"])
        return reply["value"]


_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        ArithmeticError,
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        TypeError,
        ValueError,
    )
}
