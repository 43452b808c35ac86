"""Whose file is it? The names that learning platforms give to what learners handed in.

Moodle ("Download all submissions") makes a folder a learner, or, without folders, begins each file's name alike:
`Ada Lovelace_1234567_assignsubmission_file/neuron.ipynb`, `Ada Lovelace_1234567_assignsubmission_file_neuron.ipynb`. The
number belongs to the learner in this one assignment. Canvas ("Download Submissions") writes
`lovelaceada_LATE_12345_67890_neuron.ipynb`: the name without spaces, the learner's number, the file's number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_MOODLE = re.compile(
    r"(?P<name>[^_/]+)(?:_(?P<number>\d+))?_assignsubmission_(?P<kind>[a-z0-9]+)(?:_(?P<file>.*))?", re.S
)
_CANVAS = re.compile(
    r"(?P<name>(?!LATE_)[^/]+?_(?=LATE_|\d))?(?P<late>LATE_)?(?P<number>(?(name)\d+|anon_[A-Za-z0-9]+))_"
    r"(?:\d+_(?P<file>.+)|(?P<typed>text|link)\.html)",
    re.S,
)
_TWICE = re.compile(r"(?:LATE_)?\d+_\d+_")


@dataclass(frozen=True)
class Sender:
    """What a platform calls somebody who handed in.

    Args:
        platform: `Moodle`, `Canvas`, or an empty string for a folder with the learner's own name.
        name: their name as the platform writes it; Canvas writes last name and first name as one word.
        number: the platform's number for them, or an empty string.
    """

    platform: str
    name: str
    number: str = ""

    def __str__(self) -> str:
        """The name and the number."""
        return f"{self.name} ({self.number})" if self.number else self.name


@dataclass(frozen=True)
class Place:
    """Where a file belongs.

    Args:
        sender: whose it is.
        path: where it lay among their files.
        late: whether the platform marks it late.
        trouble: why it cannot be taken, or an empty string.
    """

    sender: Sender
    path: PurePosixPath
    late: bool = False
    trouble: str = ""


def place(path: PurePosixPath) -> Place | None:
    """Say whose a file is.

    Args:
        path: Where it lies, below the folder or in the zip.

    Returns:
        Whose it is, or None if it lies in no folder and its name tells nobody.
    """
    first, rest = path.parts[0], path.parts[1:]
    if found := _MOODLE.fullmatch(first):
        return _from_moodle(found, rest)
    if rest:
        return Place(Sender("", first), PurePosixPath(*rest))
    if found := _CANVAS.fullmatch(first):
        return _from_canvas(found)
    return None


def unwrapped(paths: Sequence[PurePosixPath], part: str) -> str:
    """Find the folder that somebody packed together with the learners' folders in it.

    Args:
        paths: Everything in a zip.
        part: The assignment, whose folder may lie in a learner's.

    Returns:
        The folder's name, or an empty string if the learners' folders lie at the top.
    """
    tops = {path.parts[0] for path in paths}
    if len(tops) != 1 or any(len(path.parts) < 2 for path in paths):
        return ""
    (top,) = tops
    inner = [PurePosixPath(*path.parts[1:]) for path in paths]
    if _MOODLE.fullmatch(top) or any(path.parts[0] == part for path in inner):
        return ""
    # A learner's notebooks lie in the learner's folder; one more folder in between belongs to somebody else.
    return top if all(len(path.parts) > 1 or _named(path.parts[0]) for path in inner) else ""


def _named(first: str) -> bool:
    return bool(_MOODLE.fullmatch(first) or _CANVAS.fullmatch(first))


def _from_moodle(found: re.Match[str], rest: tuple[str, ...]) -> Place:
    sender = Sender("Moodle", " ".join(found["name"].split()), found["number"] or "")
    path = PurePosixPath(*rest) if rest else PurePosixPath(found["file"] or found["kind"])
    typed = found["kind"] != "file"
    return Place(sender, path, trouble="typed in on Moodle; ask for the notebook" if typed else "")


def _from_canvas(found: re.Match[str]) -> Place:
    name = found["file"] or f"{found['typed']}.html"
    if _TWICE.match(name):
        # Whoever calls themselves bob_12_34 would otherwise hand in for number 12.
        trouble = "its name can be read in two ways; find out whose it is"
        return Place(Sender("Canvas", found.string), PurePosixPath(name), trouble=trouble)
    sender = Sender("Canvas", (found["name"] or "").removesuffix("_"), found["number"])
    trouble = "typed in on Canvas; ask for the notebook" if found["typed"] else ""
    return Place(sender, PurePosixPath(name), bool(found["late"]), trouble)
