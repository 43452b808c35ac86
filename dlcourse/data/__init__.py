"""Data sets of the course: one loader a file, the small data shipped beside it.

``NOTICE.md`` in this folder states source, licence and changes of every file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dlcourse.data.fetch import FetchError
from dlcourse.data.split import Split

if TYPE_CHECKING:
    from dlcourse.data import animals, digits, fields, microscopy, shuttle, spoken_digits, weather

__all__ = [
    "FetchError",
    "Split",
    "animals",
    "digits",
    "fields",
    "microscopy",
    "shuttle",
    "spoken_digits",
    "weather",
]


def __getattr__(name: str) -> Any:
    """Import a loader when it is first named: in a browser, its data are then downloaded."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the loaders too, whether imported yet or not."""
    return sorted({*globals(), *__all__})
