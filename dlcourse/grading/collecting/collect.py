"""Submissions come into the class: from a folder or a zip, looked at from outside, and copied, never opened."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from dlcourse.grading.books.grades import Learner
from dlcourse.grading.collecting.archive import Budget, Item, LeftOutError, opened
from dlcourse.grading.collecting.chosen import choose, with_zips_opened
from dlcourse.grading.collecting.names import Match, Register, folded, why_no_learner
from dlcourse.grading.collecting.platforms import Sender, place, unwrapped
from dlcourse.grading.collecting.shelf import TIMESTAMP, Shelf, time_in
from dlcourse.grading.errors import GradingError
from dlcourse.grading.intake.flags import shown


@dataclass(frozen=True)
class Collected:
    """What was taken in.

    Args:
        notebooks: how many notebooks were copied.
        learners: how many learners they are from.
        left_out: what was not taken in, each with its reason.
        notes: what was taken in otherwise than it came, a sentence each.
        enrolled: who handed in by a platform, with all that is known about them.
    """

    notebooks: int
    learners: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()
    enrolled: tuple[Learner, ...] = ()


@dataclass
class _Work:
    """What one learner handed in."""

    sender: Sender
    items: list[Item] = field(default_factory=list)
    late: bool = False


def collect(
    source: Path,
    part: str,
    chapters: Sequence[str],
    submitted: Path,
    register: Callable[[], Register] = lambda: Register([]),
) -> Collected:
    """Copy submissions into the class, one folder a learner.

    In `source`, a folder or a zip, each learner has a folder with the notebooks in it, or in a folder named after the
    part; or it is what Moodle or Canvas hand out. A submission that replaces an earlier, different one moves that one to
    `earlier/` beside `submitted/`: nothing is lost. What was left out is kept with its reasons in `collected/`, beside
    `submitted/` too.

    Args:
        source: The folder or the zip.
        part: The assignment.
        chapters: Its notebooks.
        submitted: nbgrader's folder of submissions.
        register: Gives everybody who is known; asked only if a platform's names are to be understood.

    Returns:
        What was taken in and what was not.

    Raises:
        GradingError: There is nothing to take in.
    """
    if not source.exists():
        raise GradingError(
            f"There is no folder {source}, and no zip of this name; give the one in which each learner has a folder, "
            "or what Moodle or Canvas let you download."
        )
    inbox = _Inbox(part, chapters, submitted)
    try:
        with opened(source) as items:
            inbox.sort(items, in_zip=source.is_file(), folders=_folders(source))
            if not inbox.works:
                raise GradingError(f"{source} has no folders; it must hold one for each learner.")
            inbox.take(register)
    except LeftOutError as error:
        raise GradingError(f"{source} cannot be taken in: {error}.") from error
    result = inbox.result()
    record = {
        "from": str(source),
        "notebooks": result.notebooks,
        "learners": result.learners,
        "left_out": result.left_out,
        "notes": result.notes,
    }
    records = submitted.parent / "collected"
    records.mkdir(parents=True, exist_ok=True)
    (records / f"{part}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return result


def read_timestamp(path: Path) -> str:
    """Return the time in a `timestamp.txt`, or an empty string where there is none that nbgrader understands.

    Args:
        path: The file; it may be missing, a link, or hold anything.

    Returns:
        What is in it.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 100:
        return ""
    return time_in(path.read_bytes())


class _Inbox:
    """One taking in: what is found, by learner, and what became of it."""

    def __init__(self, part: str, chapters: Sequence[str], submitted: Path) -> None:
        self.part, self.chapters, self.submitted = part, chapters, submitted
        self.works: dict[Sender, _Work] = {}
        self.left_out: list[str] = []
        self.notes: list[str] = []
        self.enrolled: list[Learner] = []
        self.notebooks = self.learners = 0

    def result(self) -> Collected:
        """Return what became of everything."""
        return Collected(
            self.notebooks, self.learners, tuple(self.left_out), tuple(self.notes), tuple(self.enrolled)
        )

    def sort(self, items: Sequence[Item], *, in_zip: bool, folders: Sequence[str]) -> None:
        """Sort the files by who handed them in."""
        outer = unwrapped([item.path for item in items], self.part) if in_zip and items else ""
        if outer:
            self.notes.append(
                f"everything lies in {shown(outer)}; the folders in it were taken for the learners'"
            )
            items = [replace(item, path=PurePosixPath(*item.path.parts[1:])) for item in items]
        for name in folders:  # those without a file too
            found = place(PurePosixPath(name, "x"))
            if found and not found.sender.platform:
                self._work(found.sender)
        for item in items:
            found = place(item.path) if item.path.parts else None
            if found is None:
                trouble = item.trouble or "lies in no learner's folder"
                self.left_out.append(f"{shown(str(item.path))}: {trouble}")
                continue
            if not found.sender.platform and ".." in item.path.parts:
                self.left_out.append(f"{shown(str(item.path))}: {item.trouble}")
                continue
            work = self._work(found.sender)
            work.items.append(replace(item, path=found.path, trouble=item.trouble or found.trouble))
            work.late |= found.late

    def _work(self, sender: Sender) -> _Work:
        return self.works.setdefault(sender, _Work(sender))

    def take(self, register: Callable[[], Register]) -> None:
        """Copy what everybody handed in."""
        from_platform = [sender for sender in self.works if sender.platform]
        matches = register().match(from_platform) if from_platform else {}
        matches |= {sender: Match(Learner(sender.name)) for sender in self.works if not sender.platform}
        known = {folded(path.name): path.name for path in self.submitted.glob("*")}
        claims = Counter(folded(match.learner.name) for match in matches.values() if isinstance(match, Match))
        for sender, work in self.works.items():
            match = matches[sender]
            if isinstance(match, Match):
                name = match.learner.name
                trouble = why_no_learner(name)
                if not trouble and claims[folded(name)] > 1:
                    trouble = f"somebody else is called {name!r} too, but for capital letters perhaps; rename one of them"
                elif not trouble and known.get(folded(name), name) != name:
                    trouble = f"the class has {known[folded(name)]!r} already; rename the folder if that is the learner"
                if not trouble:
                    self._take_work(work, match)
                    continue
                match = trouble
            self.left_out.append(f"{shown(str(sender))}: {match}")

    def _take_work(self, work: _Work, match: Match) -> None:
        """Take in what one learner handed in."""
        sender, name = work.sender, match.learner.name
        items, when = work.items, match.handed_in
        if not sender.platform:
            items, when = self._of_the_part(name, items)
        count, replaced = 0, False
        budget, shelf = Budget(), Shelf(self.submitted, name, self.part)
        with ExitStack() as stack:
            chosen = choose(with_zips_opened(items, budget, stack), self.chapters, self.part)
            for chapter, item in chosen.taken.items():
                try:
                    replaced |= shelf.put(item, f"{chapter}.ipynb", budget)
                    count += 1
                except LeftOutError as error:
                    chosen.left_out.append(f"{shown(str(item.path))[1:-1]}: {error}")
                except OSError as error:
                    chosen.left_out.append(
                        f"{shown(str(item.path))[1:-1]}: cannot be copied ({error.strerror})"
                    )
        self.left_out += [f"{name}/{line}" for line in chosen.left_out]
        if not chosen.taken and not chosen.left_out:
            self.left_out.append(f"{name}: no notebook of {self.part}")
        if not count:
            return
        self.notebooks += count
        self.learners += 1
        self.notes += [f"{name}/{line}" for line in chosen.notes]
        shelf.stamp(when, replaced=replaced)
        if sender.platform:
            self.enrolled.append(match.learner)
            if match.note:
                self.notes.append(f"{shown(str(sender))}: {match.note}")
        if work.late and not when:
            self.notes.append(
                f"{name}: {sender.platform} marks it late, and no time is known, so nothing is taken off; write the "
                f"time into submitted/{name}/{self.part}/{TIMESTAMP} if it counts"
            )

    def _of_the_part(self, name: str, items: Sequence[Item]) -> tuple[list[Item], str]:
        """Leave aside the folders of other parts, and read the time beside the notebooks of this one."""
        here = [
            item
            for item in items
            if item.trouble or len(item.path.parts) == 1 or item.path.parts[0] == self.part
        ]
        stamps = [item for item in here if item.path == PurePosixPath(self.part, TIMESTAMP)]
        when = ""
        for stamp in stamps:
            with io.BytesIO() as held:
                try:
                    stamp.copy(held, Budget(100))
                    when = time_in(held.getvalue())
                except LeftOutError:
                    when = ""
            if not when:
                self.left_out.append(f"{name}/{self.part}/{TIMESTAMP}: holds no time; nothing counts as late")
        here = [item for item in here if item not in stamps]
        if not any(item.path.suffix.lower() in (".ipynb", ".zip") for item in here):
            others = sorted({item.path.parts[0] for item in items if item not in (*here, *stamps)})
            self.left_out += [
                f"{name}/{shown(other)[1:-1]}: not the folder of {self.part}; not looked at"
                for other in others
            ]
        return here, when


def _folders(source: Path) -> list[str]:
    """Name the folders in a folder, those without a file too."""
    if not source.is_dir():
        return []
    found = (path for path in source.iterdir() if not path.name.startswith("."))
    return sorted(path.name for path in found if path.is_dir() and not path.is_symlink())
