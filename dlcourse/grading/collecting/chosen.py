"""Which of a learner's files is which notebook: names are forgiven where only one file can be meant."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from dlcourse.grading.collecting.archive import Budget, Item, LeftOutError, opened_zip
from dlcourse.grading.errors import did_you_mean
from dlcourse.grading.intake.flags import shown

_NOTEBOOK = re.compile(r"\.ipynb(\.(txt|json))?$", re.I)  # some browsers add an ending
_ADDED = re.compile(
    r"([\s_.-]*\(\d{1,3}\)|[\s_.-]+(\d{1,3}|v(ersion)?[-_ ]?\d{1,3}|copy\d*|kopie|final|solution|solved|done"
    r"|submission))$"
)
_BEFORE = re.compile(r"^(copy of|kopie von)[\s_-]+")


@dataclass
class Chosen:
    """What of a learner's files is taken.

    Args:
        taken: the file of each notebook.
        notes: names that were forgiven, a sentence each.
        left_out: what is not taken, with its reason.
    """

    taken: dict[str, Item]
    notes: list[str]
    left_out: list[str]


def forgiven(stem: str) -> str:
    """Return a notebook's name without what computers and people add to it.

    Args:
        stem: The file's name without its ending.

    Returns:
        Such as `neuron` for `Neuron (1)`, `neuron-2`, `neuron-Copy1` and `neuron_final`.
    """
    name = unicodedata.normalize("NFKC", stem).casefold().strip()
    name = _BEFORE.sub("", name)
    while (shorter := _ADDED.sub("", name)) not in (name, ""):
        name = shorter
    return name.strip(" _.-")


def choose(items: Sequence[Item], chapters: Sequence[str], part: str) -> Chosen:
    """Find the notebooks of a part among a learner's files.

    Args:
        items: The files, with their paths below what the learner handed in.
        chapters: The part's notebooks.
        part: The part, whose folder comes first.

    Returns:
        What is taken, and what is not and why.
    """
    chosen = Chosen({}, [], [])
    spellings = Counter(map(forgiven, chapters))
    close = {forgiven(chapter): chapter for chapter in chapters if spellings[forgiven(chapter)] == 1}
    wanted: dict[str, list[Item]] = {}
    for item in items:
        if item.trouble:
            chosen.left_out.append(f"{_path(item)}: {item.trouble}")
            continue
        found = _NOTEBOOK.search(item.path.name)
        stem = item.path.name[: found.start()] if found else item.path.stem
        chapter = stem if stem in chapters else close.get(forgiven(stem), "")
        if found and chapter:
            wanted.setdefault(chapter, []).append(item)
        else:
            reason = (
                _no_notebook(stem, chapters, part) if found else f"no notebook; hand in {_files(chapters)}"
            )
            chosen.left_out.append(f"{_path(item)}: {reason}")
    for chapter, found_items in wanted.items():
        best = min(_rank(item, chapter, part) for item in found_items)
        first = [item for item in found_items if _rank(item, chapter, part) == best]
        others = [item for item in found_items if item not in first]
        if len(first) > 1:
            chosen.left_out += [
                f"{_path(item)}: there are {len(first)} files that can be {chapter}.ipynb; ask which one it is"
                for item in first
            ]
        else:
            chosen.taken[chapter] = first[0]
            if first[0].path.name != f"{chapter}.ipynb":
                chosen.notes.append(f"{_path(first[0])} was taken for {chapter}.ipynb")
        chosen.left_out += [
            f"{_path(item)}: {_path(first[0])} is there too and comes first" for item in others
        ]
    return chosen


def with_zips_opened(items: Sequence[Item], budget: Budget, stack: ExitStack) -> list[Item]:
    """Put the files of a learner's own zips in the place of the zips; one level, because nobody packs deeper by mistake.

    Args:
        items: A learner's files.
        budget: What may still be read for this learner.
        stack: Keeps the zips open.

    Returns:
        The files; a zip that cannot be opened stays and has its trouble.
    """
    result: list[Item] = []
    for item in items:
        if item.path.suffix.lower() != ".zip" or item.trouble:
            result.append(item)
            continue
        try:
            file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
            item.copy(file, budget)
            file.flush()
            inner = stack.enter_context(opened_zip(file))
        except LeftOutError as error:
            result.append(replace(item, trouble=str(error)))
            continue
        if not inner:
            result.append(replace(item, trouble="an empty zip"))
        result += [
            replace(
                one,
                path=item.path / one.path,
                trouble=one.trouble or ("a zip in a zip" if one.path.suffix.lower() == ".zip" else ""),
            )
            for one in inner
        ]
    return result


def _rank(item: Item, chapter: str, part: str) -> tuple[bool, bool, int]:
    """Say which of several files comes first: the right name, then the part's folder, then the shortest way."""
    folders = item.path.parts[:-1]
    return item.path.name != f"{chapter}.ipynb", part not in folders, len(folders)


def _no_notebook(stem: str, chapters: Sequence[str], part: str) -> str:
    return f"no notebook of {part} has this name.{did_you_mean(stem, chapters)}"


def _files(chapters: Sequence[str]) -> str:
    return " or ".join(f"{chapter}.ipynb" for chapter in chapters[:3]) + (" ..." if len(chapters) > 3 else "")


def _path(item: Item) -> str:
    return shown(str(item.path))[1:-1]
