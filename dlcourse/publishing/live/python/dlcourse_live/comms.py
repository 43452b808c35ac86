"""What ipywidgets needs of a kernel: comms over the worker's messages, and Output areas that capture."""

from __future__ import annotations

import math
import numbers
import re
import sys
import time
from contextlib import AbstractContextManager
from types import ModuleType, TracebackType
from typing import Any

from . import channel, display, streams
from .imports import after_import

FIRST_SECONDS, NEXT_SECONDS = 0.5, 0.1
"""When an Output area that is being filled sends what it holds, all of it each time. What is done sooner replaces what
was there at once: text would otherwise take the place of a figure, and be joined by the new figure a little later."""

# What a line showed before a carriage return is overwritten by what follows.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n\r])")

_answered: object = None
"""The number of the page's message that is being handled: what is sent meanwhile answers it."""


def install() -> None:
    """Make ``comm.create_comm`` use these; called by ``boot.start``, before ipywidgets is imported."""
    after_import("comm", _connect)
    after_import("ipywidgets.widgets.widget_output", _capture)
    after_import("ipywidgets.widgets.interaction", _show_figures)


def handle(message: channel.Message) -> None:
    """Take a message of the page: see CommMessage in source/protocol.ts; buffers are memoryviews."""
    global _answered
    import comm

    manager = comm.get_comm_manager()
    content = {"comm_id": message["comm_id"], "data": message["data"], "target_name": message.get("target")}
    metadata = message.get("metadata") or {}
    whole = {"content": content, "metadata": metadata, "buffers": message.get("buffers") or []}
    # Sockets are for kernels elsewhere.
    socket: Any = None
    _answered = metadata.get("number")
    try:
        if message["kind"] == "open":
            manager.comm_open(socket, "", whole)
        elif message["kind"] == "close":
            manager.comm_close(socket, "", whole)
        elif found := manager.comms.get(message["comm_id"]):
            found.handle_msg(whole)
    finally:
        _answered = None


def plain(value: Any) -> Any:
    """Make of a widget's state what JSON can say: NumPy's numbers become Python's, NaN and infinity nothing."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(
        f"A widget cannot hold {type(value).__name__}: expected numbers, text, lists and dictionaries."
    )


def _connect(comm: ModuleType) -> None:
    """Let new comms talk to the page."""
    from comm.base_comm import BaseComm

    class PageComm(BaseComm):
        def publish_msg(
            self,
            msg_type: str,
            data: dict[str, Any] | None = None,
            metadata: dict[str, Any] | None = None,
            buffers: list[Any] | None = None,
            **keys: Any,
        ) -> None:
            message = {
                "type": "comm",
                "comm_id": self.comm_id,
                "kind": msg_type.removeprefix("comm_"),
                "data": plain(data or {}),
                "metadata": {**(metadata or {}), "answers": _answered},
                "buffers": [memoryview(each).cast("B") for each in buffers or []],
                "parent": channel.current(),
            }
            if "target_name" in keys:
                message["target"] = keys["target_name"]
            channel.send(message)

        def handle_msg(self, msg: dict[str, Any]) -> None:
            if self._msg_callback:
                self._msg_callback(msg)

    comm.create_comm = PageComm  # type: ignore[attr-defined]


def _show_figures(interaction: ModuleType) -> None:
    """Let ``interact`` show the figures that a function leaves open: it knows only the backend of notebooks."""

    def show() -> None:
        if backend := sys.modules.get("dlcourse_live.inline"):
            backend.flush_figures()

    interaction.show_inline_matplotlib_plots = show  # type: ignore[attr-defined]


class _Record:
    """What an Output area captured since its state was last sent: to send it anew costs all that it holds."""

    def __init__(self, area: Any) -> None:
        self.area = area
        self.new: list[dict[str, Any]] = []
        self.clear_first = False
        self.due = 0.0

    def take(self, message: channel.Message) -> None:
        if message["type"] == "clear" and message["wait"]:
            self.clear_first = True
            return
        if self.clear_first:
            self.new.append({"type": "clear"})
            self.clear_first = False
        self.new.append(message)
        if time.monotonic() > self.due:
            self.send()

    def send(self) -> None:
        if not self.new:
            return
        outputs = list(self.area.outputs)
        for message in self.new:
            _add(outputs, message)
        self.new.clear()
        self.area.outputs = tuple(outputs)
        self.due = time.monotonic() + NEXT_SECONDS


def _add(outputs: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Do to outputs, in the notebook's format, what a message says."""
    kind = message["type"]
    if kind == "clear":
        outputs.clear()
    elif kind == "error":
        outputs.append(
            {"output_type": "error", **{key: message[key] for key in ("ename", "evalue", "traceback")}}
        )
    elif kind == "stream":
        text = message["text"]
        if outputs and outputs[-1]["output_type"] == "stream" and outputs[-1]["name"] == message["name"]:
            text = outputs.pop()["text"] + text
        text = _OVERWRITTEN.sub("", text)
        outputs.append({"output_type": "stream", "name": message["name"], "text": text})
    else:
        shown = {"output_type": "display_data", "data": message["data"], "metadata": message["metadata"]}
        if identity := message.get("display_id"):
            shown["transient"] = {"display_id": identity}
        outputs.append(shown)


def _replace(area: Any, message: channel.Message) -> None:
    """Replace what an area displays under the message's ``display_id``."""
    outputs = [dict(each) for each in area.outputs]
    same = [each for each in outputs if each.get("transient", {}).get("display_id") == message["display_id"]]
    for output in same:
        output.update(data=message["data"], metadata=message["metadata"])
    if same:
        area.outputs = tuple(outputs)


def _capture(widget_output: ModuleType) -> None:
    """Let Output areas take what is printed and shown inside them, before it leaves for the page."""
    from ipywidgets.widgets.widget import _instances as instances

    Output = widget_output.Output
    opened: list[tuple[_Record, AbstractContextManager[None]]] = []

    def enter(area: Any) -> Any:
        streams.flush()
        record = area.__dict__.setdefault("_record", _Record(area))
        record.due = time.monotonic() + FIRST_SECONDS
        diverted = channel.diverted(lambda message: take(record, message))
        diverted.__enter__()
        opened.append((record, diverted))
        return area

    def leave(
        area: Any, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        shown = isinstance(error, Exception)
        if shown:
            display.shell.showtraceback((kind, error, trace))
        streams.flush()
        record, diverted = opened.pop()
        diverted.__exit__(None, None, None)
        record.send()
        return shown

    def take(record: _Record, message: channel.Message) -> None:
        if message.get("update"):
            channel.send(message)
        else:
            record.take(message)

    def send(message: channel.Message) -> None:
        if message.get("update"):
            for record, _ in opened:
                record.send()
            for area in [each for each in instances.values() if isinstance(each, Output)]:
                _replace(area, message)
        to_page(message)

    Output.__enter__, Output.__exit__ = enter, leave
    to_page = channel._ways[0]
    channel.connect(send)
