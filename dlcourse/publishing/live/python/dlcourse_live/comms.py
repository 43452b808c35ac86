"""What ipywidgets needs of a kernel: comms over the worker's messages, and Output areas that capture."""

from __future__ import annotations

import math
import numbers
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from dlcourse_live import boot, display
from dlcourse_live.imports import after_import

OUTPUTS = ("stream", "display", "clear", "error")
SYNC_SECONDS = 0.1
# What a line showed before a carriage return, other than that of a line's end, is overwritten.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n\r])")

_answered: object = None
"""The number of the page's message that is being handled: its echoes carry it."""


def install() -> None:
    """Make `comm.create_comm` use these; called by `boot.start`, before ipywidgets is imported."""
    after_import("comm", _connect)
    after_import("ipywidgets.widgets.widget_output", _capture)
    after_import("ipywidgets.widgets.interaction", _show_figures)


def handle(message: dict[str, Any]) -> None:
    """Take a message of the page: see CommMessage in source/protocol.ts; buffers are memoryviews."""
    global _answered
    import comm

    manager = comm.get_comm_manager()
    content = {"comm_id": message["comm_id"], "data": message["data"], "target_name": message.get("target")}
    metadata = message.get("metadata") or {}
    whole = {"content": content, "metadata": metadata, "buffers": message.get("buffers") or []}
    _answered = metadata.get("number")
    try:
        if message["kind"] == "open":
            manager.comm_open(None, "", whole)
        elif message["kind"] == "close":
            manager.comm_close(None, "", whole)
        elif found := manager.comms.get(message["comm_id"]):
            found.handle_msg(whole)
        display.flush_figures()
    except Exception:
        display.show_error()
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
    raise TypeError(f"A widget cannot hold {type(value).__name__}: expected numbers, text, lists and dictionaries.")


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
                "parent": boot.current(),
            }
            if "target_name" in keys:
                message["target"] = keys["target_name"]
            boot.send(message)

        def handle_msg(self, msg: dict[str, Any]) -> None:
            if self._msg_callback:
                self._msg_callback(msg)

    comm.create_comm = PageComm  # type: ignore[attr-defined]


def _show_figures(interaction: ModuleType) -> None:
    """Let `interact` show the figures that a function leaves open, where it knows the kernel's own way only."""
    interaction.show_inline_matplotlib_plots = display.flush_figures  # type: ignore[attr-defined]


class _Record:
    """What an Output area captured since its state was last sent: to send it anew costs all that it holds."""

    def __init__(self, area: Any) -> None:
        self.area = area
        self.new: list[dict[str, Any]] = []
        self.clear_first = False
        self.sent = 0.0

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "clear" and message["wait"]:
            self.clear_first = True
            return
        if self.clear_first:
            self.new.append({"type": "clear"})
            self.clear_first = False
        self.new.append(message)
        if time.monotonic() - self.sent > SYNC_SECONDS:
            self.send()

    def send(self) -> None:
        if not self.new:
            return
        outputs = list(self.area.outputs)
        for message in self.new:
            _add(outputs, message)
        self.new.clear()
        self.area.outputs = tuple(outputs)
        self.sent = time.monotonic()


def _add(outputs: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Do to outputs, in the notebook's format, what a message says."""
    kind = message["type"]
    if kind == "clear":
        outputs.clear()
    elif kind == "error":
        outputs.append({"output_type": "error", **{key: message[key] for key in ("ename", "evalue", "traceback")}})
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


def _replace(area: Any, message: dict[str, Any]) -> bool:
    """Replace what an area displays under the message's `display_id`, and tell whether there was any."""
    outputs = [dict(each) for each in area.outputs]
    same = [
        each for each in outputs if each.get("transient", {}).get("display_id") == message["display_id"]
    ]
    for output in same:
        output.update(data=message["data"], metadata=message["metadata"])
    if same:
        area.outputs = tuple(outputs)
    return bool(same)


def _capture(widget_output: ModuleType) -> None:
    """Let Output areas take what is printed and shown inside them, before it leaves for the page."""
    Output = widget_output.Output
    records: list[_Record] = []

    def enter(area: Any) -> Any:
        _flush()
        records.append(area.__dict__.setdefault("_record", _Record(area)))
        return area

    def leave(
        area: Any, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if isinstance(error, Exception):
            display.show_error(error)
        _flush()
        records.pop().send()
        return True if isinstance(error, Exception) else None

    def append_display_data(area: Any, shown: Any) -> None:
        data, metadata = display.mime_bundle(shown)
        area.outputs += ({"output_type": "display_data", "data": data, "metadata": metadata},)

    def divert(message: dict[str, Any]) -> bool:
        if message["type"] not in OUTPUTS:
            return False
        if message["type"] == "display" and message.get("update"):
            for record in records:
                record.send()
            areas = [each for each in instances.values() if isinstance(each, Output)]
            return any([_replace(area, message) for area in areas])
        if not records:
            return False
        records[-1].take(message)
        return True

    from ipywidgets.widgets.widget import _instances as instances

    Output.__enter__, Output.__exit__ = enter, leave
    Output.append_display_data = append_display_data
    _divert(divert)


def _divert(takes: Callable[[dict[str, Any]], bool]) -> None:
    """Offer every message to `takes` before it is sent."""
    to_page = boot._send
    boot._send = lambda message: None if takes(message) else to_page(message)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
