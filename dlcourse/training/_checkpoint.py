"""What a training run writes down after each epoch, so that it can go on later as if nothing had happened.

A checkpoint is an ordinary ``.npz`` file of plain arrays, with the rest as JSON in one of them. Nothing in it is code, so
one from a stranger can be read without danger. Chapter: book/training/evaluation.md.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.neurons._arrays import Array

KIND = "dlcourse checkpoint 1"
_ABOUT = "about"


def save(path: str | os.PathLike[str], arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write a checkpoint in the place of an older one; a crash on the way leaves the older one whole.

    Args:
        path: where to; folders are made.
        arrays: by name.
        about: what JSON can hold; arrays and NumPy's numbers inside are kept too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"kind": KIND} | dict(about), default=_as_json)
    everything: dict[str, Any] = {_ABOUT: np.array(text)} | dict(arrays)
    for name, array in arrays.items():
        if array.dtype.hasobject:  # NumPy would write it as a program, and refuse to read it again
            raise TypeError(f"a checkpoint holds numbers only, got objects in {name!r}")
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, **everything)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: where it is.

    Returns:
        The arrays by name, and what was said about them.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is something else, or damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}: start a new run, without resume=True")
    try:
        # Opened here and not by np.load, which leaves a damaged file open.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as npz:
            arrays = {name: npz[name] for name in npz.files}
        about = json.loads(str(arrays.pop(_ABOUT)), object_hook=_from_json)
        whole = about.pop("kind") == KIND
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no checkpoint, or is damaged ({error}): start a new run") from error
    if not whole:
        raise ValueError(f"{path} is a checkpoint of another version of dlcourse: start a new run")
    return arrays, about


def to_text(value: Mapping[str, Any]) -> str:
    """Write what JSON can hold, and arrays, as one line: the state of a random generator, for instance."""
    return json.dumps(value, default=_as_json)


def from_text(text: str) -> dict[str, Any]:
    """Read what :func:`to_text` wrote."""
    return dict(json.loads(text, object_hook=_from_json))


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # some generators keep an array in their state
        return {"dtype": str(value.dtype), "array": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}: pass arrays and plain numbers")


def _from_json(value: dict[str, Any]) -> Any:
    return np.array(value["array"], value["dtype"]) if set(value) == {"dtype", "array"} else value
