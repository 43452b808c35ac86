"""Runs the cells of a page. The worker calls ``start`` once, then ``run_cell`` for each cell."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType
from typing import Any, NoReturn

from . import channel, comms, display, errors, overflow, packages, stepper, streams
from .channel import Message, Send, current, send

__all__ = ["Send", "captured", "current", "handle", "run_cell", "send", "start"]

_FUTURES = 0
"""What cells imported from ``__future__`` so far, as flags of ``compile``."""
_EVERY_FUTURE = 0


def start(to_page: Send, names: Iterable[str] = (), unpack: packages.Unpack = lambda name: "") -> None:
    """Prepare this Python to run cells.

    Args:
        to_page: takes messages of source/protocol.ts as plain data; bytes and memoryviews are buffers.
        names: the modules that need wheels which are not there yet.
        unpack: puts the wheels that one of them needs in place.
    """
    global _EVERY_FUTURE
    import __future__

    _EVERY_FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})
    channel.connect(to_page)
    streams.install()
    errors.install()
    display.install()
    packages.install(names, unpack)
    comms.install()
    stepper.install()
    overflow.install()
    builtins.input = _refuse
    # The names of the reader, as in a notebook: `if __name__ == "__main__"` holds.
    _namespace().setdefault("__builtins__", builtins)


async def run_cell(id: int, code: str, name: str) -> str:
    """Run a cell.

    Args:
        id: the number under which its outputs are sent.
        code: its source, in which ``await`` may stand anywhere.
        name: what tracebacks call it, such as "cell 3".

    Returns:
        "ok" or "error"; the page has been told the error.
    """
    with channel.running(id):
        display.forget(id)
        try:
            for part in _compiled(code, errors.register(code, name)):
                result = eval(part, _namespace())
                if inspect.iscoroutine(result):
                    await result
            _show_figures()
        except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
            with suppress(Exception):
                _show_figures()
            streams.flush()
            channel.emit(_told(error))
            return "error"
        finally:
            streams.flush()
        return "ok"


def handle(message: Message) -> None:
    """Take a widget's message; what its callbacks print and show belongs to the cell that the message names."""
    with channel.running(message.get("parent") or 0):
        try:
            comms.handle(message)
            _show_figures()
        except Exception as error:
            streams.flush()
            channel.emit(_told(error))
        finally:
            streams.flush()


@contextmanager
def captured(sink: Send) -> Iterator[None]:
    """Give the outputs meanwhile to ``sink``, as messages of source/protocol.ts, instead of the page."""
    streams.flush()
    with channel.diverted(sink):
        try:
            yield
        finally:
            streams.flush()


def _namespace() -> dict[str, Any]:
    """Return the names that cells share."""
    return vars(sys.modules["__main__"])


def _compiled(code: str, file: str) -> list[CodeType]:
    """Compile a cell: all but its last expression, then that, so that its value is shown."""
    global _FUTURES
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | _FUTURES

    def compiled(tree: ast.AST, mode: str) -> CodeType:
        return compile(tree, file, mode, flags, dont_inherit=True)  # type: ignore[call-overload]

    tree = compile(code, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    parts = [compiled(tree, "exec")]
    _FUTURES |= parts[0].co_flags & _EVERY_FUTURE
    if isinstance(last, ast.Expr):
        if _is_silenced(code):
            parts.append(compiled(ast.Module([last], []), "exec"))
        else:
            sys.displayhook = _show_result
            parts.append(compiled(ast.Interactive([last]), "single"))
    return parts


def _is_silenced(code: str) -> bool:
    """Tell whether a cell ends with a semicolon, which keeps its value from being shown."""
    ending = {tokenize.COMMENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.NEWLINE, tokenize.NL}
    with suppress(tokenize.TokenError, SyntaxError):
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in ending]
        return bool(tokens) and tokens[-1].string == ";"
    return False


def _show_result(value: object) -> None:
    """Show the value of a cell's last expression, and keep it as ``_``."""
    if value is not None:
        display.display(value)
        _namespace()["_"] = value


def _show_figures() -> None:
    """Show the figures that a cell left open."""
    backend = sys.modules.get("dlcourse_live.inline")
    if backend is not None:
        backend.flush_figures()


def _told(error: BaseException) -> Message:
    """Describe an error; what Python says too briefly for this place is said in a sentence."""
    message = errors.message(error)
    if isinstance(error, SystemExit):
        message["traceback"][-1] += "\nThe cell has ended here; Python goes on, and keeps its definitions."
    return message


def _refuse(prompt: object = "", /) -> NoReturn:
    """Stand in for ``input``: a worker cannot wait for a reader."""
    raise RuntimeError("input() cannot ask on this page: write the value into the cell instead.")
