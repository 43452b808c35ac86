"""The warm process of a sandbox: it imports what is slow, and forks a supervisor for each submission.

Run it with the modules to import as arguments, and the dialog on standard input and output. It never runs
a learner's code.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from dlcourse.grading.execution.channel import ENDED, STATE, Channel, ChannelError
from dlcourse.grading.execution.codec import decode, encode
from dlcourse.grading.execution.inside.shell import Shell, make_shell
from dlcourse.grading.execution.inside.supervisor import supervise
from dlcourse.grading.sandbox import confine


def main(modules: list[str]) -> None:
    """Serve submissions until the grader closes the dialog.

    Args:
        modules: What to import besides what every submission needs.
    """
    dialog = Channel(os.dup(0), os.dup(1))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115  (open as long as the process)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONBREAKPOINT"] = "0"  # nobody is there to look around
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    shell = make_shell()
    for module in modules:
        with suppress(ImportError):  # the learner's own import says it in better words
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is here stays in the memory that all forks share
    confine.hide_memory(True)
    # In a world of its own a process has another number in /proc than it knows, and CUDA could not name its threads.
    nests = not confine.has_gpu() and _forked(_nest) == 0
    dialog.send(STATE, encode({"nests": nests}))
    while True:
        try:
            _, payload = dialog.receive()
        except ChannelError:
            return
        setting = decode(payload, inputs=_nothing)
        status = _forked(partial(_submission, dialog, setting, shell, nests))
        dialog.send(ENDED, encode({"status": status}))


def _nest() -> None:
    confine.hide_memory(False)
    confine.nest()


def _submission(dialog: Channel, setting: dict[str, Any], shell: Shell, nests: bool) -> None:
    if not nests:
        supervise(dialog, setting, shell, first=False)
        return
    _nest()
    confine.hide_memory(True)
    # The next child is the first process there; when it ends, all others end with it.
    os._exit(_forked(lambda: supervise(dialog, setting, shell, first=True)))


def _forked(action: Callable[[], None]) -> int:
    """Do something in a fork, and return its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


def _nothing(number: int) -> Any:
    raise ValueError("nothing stands for a number here")


if __name__ == "__main__":
    main(sys.argv[1:])
