"""The user's own examples: an .npz file with x and y, or one sentence that says what is wrong with it.

Integers in y are classes, other numbers values. The parts are drawn, the same ones for every seed of the training, with
the same share of each class in each.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.task import Task, of_classes, of_values
from dlcourse.neurons._arrays import Array
from dlcourse.training.generalization import split

_SAVE = "np.savez('FILE.npz', x=x, y=y)"
_FEWEST = 20  # examples; of fewer nothing is left to be judged by
_OF_EACH = 5  # examples a class, so that each of the three parts has one
_LARGEST = 1e30  # of the numbers in a file; squares of larger ones are not finite in float32
_CLASSES = 1000
_FEW = 2000  # examples to learn from


def load(path: Path) -> Task:
    """Make a task of a file.

    Args:
        path: an ``.npz`` file with ``x``, ``(n, ...)``, and ``y``, ``(n,)`` or ``(n, n_out)``.

    Returns:
        The task.

    Raises:
        ExperimentError: if no network can be trained on it, with the reason and the remedy.
    """
    x, y = _read(path)
    x = _checked_inputs(x, path.name)
    if len(y) != len(x):
        raise ExperimentError(
            f"{path.name} has {len(x)} examples in x and {len(y)} answers in y; save one answer for each example."
        )
    if len(x) < _FEWEST:
        raise ExperimentError(
            f"{path.name} has {len(x)} examples; {_FEWEST} are the least that can be divided into three parts."
        )
    notes = [
        "Divided at random: if neighbouring rows are alike (days, copies, one patient), the test is too easy."
    ]
    rng = np.random.default_rng(0)
    if y.dtype.kind in "iub":
        y = _checked_classes(y, path.name)
        parts = split(y, rng=rng)
        names = [str(k) for k in range(int(y.max()) + 1)]
        return of_classes(x, y, parts, classes=names, notes=notes)
    y = _checked_values(y, path.name)
    if len(np.unique(y)) <= 20 and (y == np.rint(y)).all():
        notes.append("y holds floating-point numbers, so they are values; for classes save y.astype(int).")
    return of_values(x, y, split(np.zeros(len(y), int), rng=rng), notes=notes)


def suited(task: Task) -> dict[str, Any]:
    """Choose settings for a task of which only the size is known: few examples give few steps an epoch."""
    return {"epochs": 100, "batch": 16 if len(task.training.x) < _FEW else 64}


def _read(path: Path) -> tuple[Array, Array]:
    """Read the two arrays of a file."""
    if not path.exists():
        raise ExperimentError(f"There is no file {path}; check the name and the folder.")
    if not path.is_file():
        raise ExperimentError(f"{path} is not a file; name an .npz file inside it.")
    try:
        # Opened here and not by np.load, which leaves a damaged file open.
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                raise ExperimentError(f"{path.name} is not an .npz file; make one with {_SAVE}.")
            file.seek(0)
            with np.load(file, allow_pickle=False) as npz:
                missing = [name for name in ("x", "y") if name not in npz.files]
                if missing:
                    found = ", ".join(npz.files) or "nothing"
                    raise ExperimentError(
                        f"{path.name} holds {found}, and not {' and '.join(missing)}; make it with {_SAVE}."
                    )
                x, y = npz["x"], npz["y"]
                if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
                    raise ValueError("a member of the archive is no array")
                return x, y
    except ValueError as error:
        raise ExperimentError(
            f"{path.name} holds Python objects, or is damaged; save x and y as arrays of numbers with {_SAVE}."
        ) from error
    except (EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ExperimentError(f"{path.name} is damaged; save it again with {_SAVE}.") from error


def _checked_inputs(x: Array, name: str) -> Array:
    """Return rows of finite numbers."""
    if x.dtype.kind not in "fiub":
        raise ExperimentError(
            f"x in {name} is of type {x.dtype}; a network needs numbers: turn each into some."
        )
    if x.ndim < 2 or x[:1].size == 0:
        raise ExperimentError(
            f"x in {name} has the shape {x.shape}; save one example a row, such as x.reshape(-1, 1)."
        )
    x = x.reshape(len(x), -1)  # (n, ...) -> (n, n_in)
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise ExperimentError(
            f"{len(bad)} of {len(x)} examples in {name} hold NaN or inf, the first is example {bad[0]}; leave these "
            "rows out of x and y, or fill in what is missing."
        )
    if max(float(x.max()), -float(x.min())) > _LARGEST:
        raise ExperimentError(f"x in {name} holds numbers beyond {_LARGEST:g}; use a larger unit.")
    return x


def _checked_classes(y: Array, name: str) -> Array:
    """Return class indices from 0, each of which occurs often enough."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]  # (n, 1) -> (n,)
    if y.ndim != 1:
        raise ExperimentError(
            f"y in {name} has the shape {y.shape}; save one class for each example, from one-hot rows with "
            "y.argmax(axis=1)."
        )
    y = y.astype(np.int64)
    found, counts = np.unique(y, return_counts=True)
    if len(found) == 1:
        raise ExperimentError(
            f"All examples in {name} are of class {found[0]}; there is nothing to tell apart: add others."
        )
    if len(found) > _CLASSES or found[0] < 0 or found[-1] != len(found) - 1:
        raise ExperimentError(
            f"The classes in {name} go from {found[0]} to {found[-1]}, and {len(found)} occur; number them from 0 "
            "without gaps, with np.unique(y, return_inverse=True)[1], or save y.astype(float) if it holds values."
        )
    if counts.min() < _OF_EACH:
        rare = found[counts.argmin()]
        raise ExperimentError(
            f"Class {rare} occurs {counts.min()} times in {name}; each needs {_OF_EACH} examples at least: add some, or "
            "leave the class out."
        )
    return y


def _checked_values(y: Array, name: str) -> Array:
    """Return finite values, a row for each example."""
    if y.dtype.kind != "f":
        raise ExperimentError(
            f"y in {name} is of type {y.dtype}; save numbers: of names with np.unique(y, return_inverse=True)[1]."
        )
    if y.ndim == 1:
        y = y[:, None]  # (n,) -> (n, 1)
    if y.ndim != 2 or y.shape[1] == 0:
        raise ExperimentError(f"y in {name} has the shape {y.shape}; save one row of values an example.")
    bad = np.flatnonzero(~np.isfinite(y).all(axis=1))
    if len(bad):
        raise ExperimentError(
            f"{len(bad)} of {len(y)} answers in {name} are NaN or inf, first that of example {bad[0]}; leave these "
            "examples out of x and y."
        )
    if np.abs(y.astype(np.float64)).max() > _LARGEST:
        raise ExperimentError(f"y in {name} holds numbers beyond {_LARGEST:g}; use a larger unit.")
    if (y == y[0]).all():
        raise ExperimentError(f"All answers in {name} are the same; there is nothing to learn: add others.")
    return y.astype(np.float64)
