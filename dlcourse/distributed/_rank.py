"""What one of the processes that `run_processes` starts does, and how it tells the one that started it."""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from dlcourse.distributed import _pipes
from dlcourse.gpus._device import torch

READY, DONE, FAILED, WAITS = "ready", "done", "failed", "waits"

_HERE = os.path.normcase(__file__)
_TORCH = os.path.normcase(os.path.dirname(torch.__file__))


@dataclass(frozen=True)
class Place:
    """What a process is told of the others."""

    rank: int
    count: int
    folder: str
    timeout: float  # seconds after which it no longer waits for the others
    pipes: _pipes.Mesh | None


def run(connection: Connection, copies: Sequence[Connection], place: Place, job: Any) -> None:
    """Be one of the processes, to the end of it."""
    for copy in copies:
        copy.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started this
    threading.Thread(target=_watch, args=(connection, threading.main_thread().ident), daemon=True).start()
    printed = io.StringIO()
    try:
        torch.set_num_threads(1)
        _initialize(place)
        _say(connection, READY)
        work, arguments = job if isinstance(job, tuple) else pickle.loads(job)
        with redirect_stdout(printed):
            result = work(*arguments)
        _say(connection, DONE, printed.getvalue(), _result(result))
    except BaseException as error:
        _say(connection, FAILED, type(error).__name__, str(error), _trace(error))
    threading.Event().wait()  # the others may still be talking to this one; `_watch` ends it


def _initialize(place: Place) -> None:
    from torch import distributed

    if place.pipes is not None:
        _pipes.register(place.pipes)
    # Without a name, gloo asks the network for this machine's own address.
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    elif sys.platform == "darwin":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo0"
    os.environ |= {
        "RANK": str(place.rank),
        "LOCAL_RANK": str(place.rank),
        "WORLD_SIZE": str(place.count),
        "LOCAL_WORLD_SIZE": str(place.count),
    }
    store = torch._C._distributed_c10d.FileStore(str(Path(place.folder, "store")), place.count)
    distributed.init_process_group(
        "gloo" if place.pipes is None else _pipes.NAME,
        store=store,
        rank=place.rank,
        world_size=place.count,
        timeout=timedelta(seconds=place.timeout),
    )


def _watch(connection: Connection, main: int) -> None:
    """Answer where this process is, and end it when the one that started it is gone or has enough."""
    with suppress(EOFError, OSError):
        while connection.recv_bytes():
            _say(connection, WAITS, _where(sys._current_frames().get(main)))
    os._exit(0)


def _where(frame: FrameType | None) -> str:
    """Say in which line of whose function a process is: the innermost one that is neither PyTorch's nor ours."""
    while frame is not None:
        file = os.path.normcase(frame.f_code.co_filename)
        if not file.startswith((_TORCH, "<frozen")) and file != _HERE:
            return f"in line {frame.f_lineno} of {frame.f_code.co_name}"
        frame = frame.f_back
    return "at its beginning or end"


def _say(connection: Connection, *message: Any) -> None:
    with suppress(OSError):
        connection.send_bytes(pickle.dumps(message))


def _result(result: Any) -> bytes:
    try:
        return pickle.dumps(result)
    except Exception as error:
        raise TypeError(
            f"the result, a {type(result).__name__}, cannot be sent to the process that asked for it ({error}): "
            "return numbers, tensors, arrays, or lists of them"
        ) from error


def _trace(error: BaseException) -> str:
    """Return the traceback from the first line that is not ours on."""
    steps = error.__traceback__
    while steps is not None and os.path.normcase(steps.tb_frame.f_code.co_filename) == _HERE:
        steps = steps.tb_next
    return "".join(traceback.format_exception(type(error), error, steps)).rstrip()
