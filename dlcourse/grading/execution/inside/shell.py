"""IPython without a kernel: it runs cells and keeps what they show, up to a limit."""

from __future__ import annotations

import base64
import io
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

_PICTURES = ("image/png", "image/jpeg")
_PICTURE_LIMIT = 4 * 2**20


class Kept:
    """What a cell shows, in the form in which a notebook keeps it.

    Args:
        limit: characters of text; what comes after is dropped, and said.
    """

    def __init__(self, limit: int) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.left, self.pictures_left, self.said = limit, _PICTURE_LIMIT, False

    def write(self, name: str, text: str) -> None:
        """Keep a piece of a stream."""
        text = self.cut(text)
        last = self.outputs[-1] if self.outputs else {}
        if not text:
            return
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def show(self, kind: str, data: dict[str, Any]) -> None:
        """Keep a result or a picture: texts and pixels, nothing that a browser would run."""
        bundle = (
            {"text/plain": self.cut(data["text/plain"])} if isinstance(data.get("text/plain"), str) else {}
        )
        for mime in _PICTURES:
            picture = data.get(mime)
            if isinstance(picture, bytes):
                picture = base64.b64encode(picture).decode()
            if isinstance(picture, str) and len(picture) <= self.pictures_left:
                self.pictures_left -= len(picture)
                bundle[mime] = picture
        if bundle:
            self.outputs.append({"output_type": kind, "data": bundle})

    def fail(self, name: str, message: str, trace: list[str]) -> None:
        """Keep an error."""
        self.outputs.append(
            {
                "output_type": "error",
                "ename": name[:200],
                "evalue": self.cut(message),
                "traceback": [self.cut(line) for line in trace],
            }
        )

    def cut(self, text: str) -> str:
        """Return as much of a text as may still be kept."""
        if len(text) <= self.left:
            self.left -= len(text)
            return text
        kept, self.left = text[: self.left], 0
        said, self.said = self.said, True
        return kept if said else f"{kept}\n[more was written and is not kept]"

    def taken(self) -> list[dict[str, Any]]:
        """Return the outputs with their texts in one piece."""
        return [
            output | {"text": "".join(output["text"])} if output["output_type"] == "stream" else output
            for output in self.outputs
        ]


class _Stream(io.TextIOBase):
    def __init__(self, kept: Kept, name: str) -> None:
        self.kept, self.stream = kept, name

    def write(self, text: str) -> int:
        self.kept.write(self.stream, text)
        return len(text)

    def writable(self) -> bool:
        return True


class _Hook(DisplayHook):
    def __call__(self, result: Any = None) -> None:
        if result is None or self.quiet():
            return
        data, _ = self.shell.display_formatter.format(result)
        self.update_user_ns(result)
        self.shell.kept.show("execute_result", data)


class _Publisher(DisplayPublisher):
    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        self.shell.kept.show("display_data", data)


class Shell(InteractiveShell):
    """An IPython that keeps what cells show."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    kept = Kept(0)

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: there is no window for `%matplotlib`."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        name = getattr(etype, "__name__", str(etype))
        try:
            message = str(evalue)
        except Exception:  # an error of the learner's own that cannot be shown
            message = ""
        self.kept.fail(name, message, [str(line) for line in stb])

    def run(self, source: str, limit: int, *, quiet: bool = False) -> tuple[list[dict[str, Any]], str]:
        """Run a cell.

        Args:
            source: Its text.
            limit: Characters of text to keep.
            quiet: Whether it is plain Python that runs for the names that it defines, and shows nothing.

        Returns:
            What it shows, and the name of the exception that ended it, or an empty string.
        """
        self.kept = kept = Kept(0 if quiet else limit)
        with redirect_stdout(_Stream(kept, "stdout")), redirect_stderr(_Stream(kept, "stderr")):
            if quiet:
                return [], _error(source, self.user_ns)
            result = self.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        return kept.taken(), type(error).__name__ if error is not None else ""


def _error(source: str, names: dict[str, Any]) -> str:
    try:
        exec(compile(source, "<checks>", "exec"), names)
    except Exception as error:
        return type(error).__name__
    return ""


def make_shell() -> Shell:
    """Make the shell in which all submissions start: each one gets a copy by being a fork."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    shell: Shell = Shell.instance(config=config)
    # What a first cell and a first error make IPython import is then there for all submissions.
    for source in ("pass", "1", "raise NotImplementedError"):
        shell.run(source, 0)
    shell.reset()
    return shell
