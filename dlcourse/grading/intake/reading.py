"""What a learner hands in, before anything of it runs: any bytes become a notebook that can be graded.

`intake` is a pure function. It never raises: a file that cannot be used gets a reason, and one that was tampered with or
damaged gets flags, each a sentence for the instructor. The notebook it returns has the released cells, in their order
and with their metadata; of the learner's file it holds the text of the answers and of cells they added.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import GradingError, did_you_mean
from dlcourse.grading.intake.flags import Flags, shown
from dlcourse.grading.intake.rebuild import rebuild
from dlcourse.grading.notebooks import Notebook

LIMIT = 20 * 1024 * 1024
"""Bytes above which a submitted notebook is not read."""

MAX_CELLS = 5000
"""Cells above which a file is not taken for a notebook."""

_CURRENT = 4


@dataclass(frozen=True)
class Intake:
    """One submitted notebook, ready to be graded.

    Args:
        notebook: the released notebook with the learner's answers; as it was released if the file cannot be used.
        sha256: the digest of the file as it was handed in; empty if it could not be read at all.
        flags: what an instructor should look at, a sentence each.
        reason: why the file cannot be used, or an empty string.
    """

    notebook: Notebook
    sha256: str
    flags: tuple[str, ...] = ()
    reason: str = ""


def intake(raw: bytes, released: Notebook) -> Intake:
    """Turn what a learner handed in into a notebook that can be graded.

    Args:
        raw: The file, whatever is in it.
        released: The notebook that was handed out.

    Returns:
        The notebook, what is odd about the file, and why it cannot be used if it cannot.
    """
    digest = hashlib.sha256(raw).hexdigest()
    if len(raw) > LIMIT:
        return _unusable(released, digest, _too_large(len(raw)))
    flags = Flags()
    try:
        cells = _cells(raw, flags)
    except GradingError as error:
        return _unusable(released, digest, str(error))
    except RecursionError:
        return _unusable(released, digest, _no_notebook("it is nested too deeply"))
    except Exception as error:  # whatever the parsers of JSON and of old notebook formats raise
        return _unusable(released, digest, _no_notebook(_first_line(error)))
    notebook = rebuild(cells, released, flags)
    return Intake(notebook, digest, flags.sentences())


def intake_file(path: Path, released: Notebook) -> Intake:
    """Take in a file from a class's `submitted` folder; it is read, never changed.

    Args:
        path: `submitted/<learner>/<part>/<chapter>.ipynb`.
        released: The notebook that was handed out.

    Returns:
        What `intake` makes of it; a link, a folder or a device is not read and gets a reason.
    """
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        return _unusable(released, "", "it is a link to another place; hand in the file itself")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return _unusable(released, "", "it is no plain file; hand in the notebook itself")
        # The file may have been replaced by a link or a pipe since.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
            if os.fstat(file.fileno()).st_size > LIMIT:
                size = os.fstat(file.fileno()).st_size
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                return _unusable(released, digest, _too_large(size))
            raw = file.read(LIMIT + 1)
    except OSError as error:
        return _unusable(released, "", f"the file cannot be read ({error.strerror})")
    return intake(raw, released)


def written(notebook: Notebook) -> str:
    """Return a notebook as the text of a file.

    Args:
        notebook: A valid notebook.

    Returns:
        JSON.
    """
    import nbformat

    return str(nbformat.writes(notebook))


def read_notebook(path: Path) -> Notebook:
    """Read a notebook of one's own: an instructor's, or a learner's on their own computer.

    Args:
        path: An `.ipynb` file.

    Returns:
        The notebook, in the current format.

    Raises:
        GradingError: It is missing, too large, or no notebook.
    """
    import nbformat

    if not path.exists():
        siblings = [p.name for p in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings) or " Check the name and the folder."
        raise GradingError(f"There is no file {path}.{hint}")
    if not path.is_file() or path.is_symlink():
        raise GradingError(f"{path.name} is not a plain file; hand in the notebook itself.")
    if path.stat().st_size > LIMIT:
        raise GradingError(f"{path.name}: {_too_large(path.stat().st_size)}.")
    try:
        data = json.loads(path.read_bytes().decode("utf-8"))
        if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
            raise ValueError("it has no list of cells")
        notebook = nbformat.reads(json.dumps(data), as_version=_CURRENT)
        nbformat.validate(notebook)
    except RecursionError as error:
        raise GradingError(f"{path.name}: {_no_notebook('it is nested too deeply')}.") from error
    except Exception as error:  # nbformat raises what its parsers and validators raise
        raise GradingError(f"{path.name}: {_no_notebook(_first_line(error))}.") from error
    return notebook


def _cells(raw: bytes, flags: Flags) -> list[Any]:
    """Return the cells of a notebook file as they stand in it, converted if its format is an old one."""
    if not raw.strip():
        raise GradingError(_no_notebook("it is empty"))
    data = json.loads(raw)
    if not isinstance(data, dict):
        raise GradingError(_no_notebook(f"it holds a {type(data).__name__} instead of an object"))
    version = data.get("nbformat")
    if "worksheets" in data and not isinstance(data.get("cells"), list):
        data = _converted(data)
        flags.add(f"The file is in the old notebook format {shown(str(version))} and was converted.")
    elif version != _CURRENT:
        flags.add(f"The file gives {shown(str(version))} as its notebook format; it was read as {_CURRENT}.")
    cells = data.get("cells")
    if not isinstance(cells, list):
        raise GradingError(_no_notebook("it has no list of cells"))
    if len(cells) > MAX_CELLS:
        raise GradingError(
            f"the file has {len(cells)} cells, more than {MAX_CELLS}; hand in the exercise only"
        )
    return cells


def _converted(data: dict[str, Any]) -> dict[str, Any]:
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = nbformat.convert(nbformat.from_dict(data), _CURRENT)
    except Exception as error:
        raise GradingError(_no_notebook("its old format cannot be converted")) from error
    return dict(converted)


def _unusable(released: Notebook, digest: str, reason: str) -> Intake:
    return Intake(copy.deepcopy(released), digest, (), reason)


def _too_large(size: int) -> str:
    return f"the file has {size / 2**20:.0f} MB, more than {LIMIT // 2**20}; clear its outputs and save it"


def _no_notebook(reason: str) -> str:
    return f"the file is not a notebook ({reason}); save it again in JupyterLab as .ipynb"


def _first_line(error: Exception) -> str:
    words = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words[:100])
