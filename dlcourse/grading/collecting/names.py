"""Who is it? From what a learning platform calls somebody to the learner's name in the class.

Two sources know: the class's gradebook, and a roster, a CSV file as platforms export it. A name that fits two people is
nobody's: work in the wrong hands is worse than work that waits for a person to look.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from dlcourse.grading.books.grades import Learner
from dlcourse.grading.collecting.platforms import Sender
from dlcourse.grading.collecting.roster import Row

_LEARNER = re.compile(r"\w[\w.@-]{0,99}")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)  # what Windows takes for a device
_PLAIN = str.maketrans(
    {"ß": "ss", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_REMEDY = "; name a list that tells them apart with --roster FILE"


@dataclass(frozen=True)
class Match:
    """Who handed in.

    Args:
        learner: who it is.
        handed_in: when, in UTC, or an empty string if nobody says.
        note: what an instructor should know about the match, or an empty string.
    """

    learner: Learner
    handed_in: str = ""
    note: str = ""


def why_no_learner(name: str) -> str:
    """Say why a name cannot be a learner's folder in the class.

    Args:
        name: What somebody calls a learner: a folder, an entry of an archive, a row of a list.

    Returns:
        The reason, or an empty string.
    """
    if not _LEARNER.fullmatch(name):
        return "a learner's name is letters, digits and . _ @ - only; rename the folder"
    if _DEVICES.fullmatch(name) or name.endswith("."):
        return "some computers cannot have a folder of this name; rename it"
    return ""


def folded(name: str) -> str:
    """Return a name as a file system sees it that does not tell capital letters apart."""
    return unicodedata.normalize("NFC", name).casefold()


class Register:
    """Everybody who is known.

    Args:
        known: The class, as the gradebook has it.
        roster: What a platform says about it.
    """

    def __init__(self, known: Sequence[Learner], roster: Sequence[Row] = ()) -> None:
        self._taken = {folded(learner.name) for learner in known}
        self._rows = [Row(learner) for learner in known]
        namesakes = Counter(_full(row.learner) for row in roster)
        for row in roster:
            self._add(row, alone=namesakes[_full(row.learner)] == 1)

    def match(self, senders: Iterable[Sender]) -> dict[Sender, Match | str]:
        """Say who everybody is.

        Args:
            senders: What the platform calls them.

        Returns:
            For each who it is, somebody known or a new learner with a name made from the platform's; or the reason why
            nobody can tell.
        """
        senders = list(dict.fromkeys(senders))
        spoken = Counter(_words(sender.name) for sender in senders)
        found = {
            sender: self._known(sender) or self._newcomer(sender, alone=spoken[_words(sender.name)] == 1)
            for sender in senders
        }
        claims = Counter(folded(match.learner.name) for match in found.values() if isinstance(match, Match))
        for sender, match in found.items():
            if isinstance(match, Match) and claims[folded(match.learner.name)] > 1:
                found[sender] = f"somebody else fits {match.learner.name!r} too{_REMEDY}"
        return found

    def _known(self, sender: Sender) -> Match | str | None:
        rows = [row for row in self._rows if _same_number(sender, row)]
        rows = rows or [row for row in self._rows if _same_name(sender, row.learner)]
        if not rows:
            return None
        if len(rows) > 1:
            return f"can be {' or '.join(sorted(row.learner.name for row in rows))}{_REMEDY}"
        (row,) = rows
        note = "" if _same_name(sender, row.learner) else f"taken for {row.learner.name!r} by the number"
        learner = row.learner
        if sender.platform == "Canvas" and not learner.platform_id:
            learner = replace(learner, platform_id=sender.number)
        when = _utc(row.handed_in)
        if row.handed_in not in ("", "-") and not when:
            note = f"the time {row.handed_in[:40]!r} cannot be read and was left alone"
        return Match(learner, when, note)

    def _add(self, row: Row, *, alone: bool) -> None:
        """Add somebody from a roster, to what is known about them already if anything is."""
        who = row.learner
        same = [n for n, known in enumerate(self._rows) if _same_person(known.learner, who)]
        if not same and alone:
            same = [n for n, known in enumerate(self._rows) if _full(known.learner) == _full(who) != ()]
            same = [n for n in same if not _contradict(self._rows[n].learner, who)]
        if len(same) == 1:
            self._rows[same[0]] = replace(row, learner=_merged(self._rows[same[0]].learner, who))
            return
        name = "" if why_no_learner(who.name) else who.name
        name = name or _made(f"{who.first_name} {who.last_name}") or _made(f"participant {row.participant}")
        self._rows.append(
            replace(row, learner=replace(who, name=self._free(name, who.platform_id or row.participant)))
        )

    def _newcomer(self, sender: Sender, *, alone: bool) -> Match:
        """Make a learner of somebody whom nobody knows; the number is part of the name where the name is not enough."""
        canvas = sender.platform == "Canvas"
        alone = alone and sender.name.casefold() not in (
            "",
            "participant",
        )  # nobody's names, where work is anonymous
        name = _made(sender.name)
        if not alone or not name:
            name = _made(f"{name or sender.platform} {sender.number}")
        first, _, last = sender.name.rpartition(" ") if alone and not canvas else ("", "", "")
        # Moodle's number is another one in each assignment.
        learner = Learner(
            self._free(name, sender.number), first, last, platform_id=sender.number if canvas else ""
        )
        only = "" if alone or canvas else ", in this assignment only"
        return Match(learner, note=f"nobody in the class has this name; taken in as {learner.name!r}{only}")

    def _free(self, name: str, number: str) -> str:
        """Return a name that nobody has."""
        wanted, count = name, 1
        while folded(wanted) in self._taken:
            wanted = _made(f"{name} {number}" if number and count == 1 else f"{name} {count}")
            count += 1
        self._taken.add(folded(wanted))
        return wanted


def _same_number(sender: Sender, row: Row) -> bool:
    known = row.participant if sender.platform == "Moodle" else row.learner.platform_id
    return bool(sender.number) and sender.number == known


def _same_name(sender: Sender, who: Learner) -> bool:
    first, last = who.first_name, who.last_name
    if not first and not last:
        return False
    if sender.platform == "Canvas":
        other = sender.number and who.platform_id and sender.number != who.platform_id
        return not other and _squeezed(sender.name) in (_squeezed(last + first), _squeezed(first + last))
    return _words(sender.name) in (_full(who), _words(f"{last} {first}"))


def _same_person(one: Learner, other: Learner) -> bool:
    """Tell whether two lists speak of the same person: by what only one person has, never by the name alone."""
    pairs = ((one.name, other.name), (one.email, other.email), (one.platform_id, other.platform_id))
    return any(mine and theirs and folded(mine) == folded(theirs) for mine, theirs in pairs)


def _contradict(one: Learner, other: Learner) -> bool:
    pairs = ((one.email, other.email), (one.platform_id, other.platform_id))
    return any(mine and theirs and folded(mine) != folded(theirs) for mine, theirs in pairs)


def _merged(known: Learner, new: Learner) -> Learner:
    return Learner(
        known.name,
        known.first_name or new.first_name,
        known.last_name or new.last_name,
        known.email or new.email,
        known.platform_id or new.platform_id,
    )


def _full(who: Learner) -> tuple[str, ...]:
    return _words(f"{who.first_name} {who.last_name}")


def _words(name: str) -> tuple[str, ...]:
    return tuple(folded(name).replace("_", " ").split())


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", folded(name))


def _made(name: str) -> str:
    """Make a learner's name: lower-case words with dots, in plain letters where all of it can be written so."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", name).lower())
    plain = [
        unicodedata.normalize("NFKD", word.translate(_PLAIN)).encode("ascii", "ignore").decode()
        for word in words
    ]
    made = ".".join(plain if all(plain) else words)[:80].strip(".")
    return "" if made and why_no_learner(made) else made


def _utc(text: str) -> str:
    """Return a platform's time, which is the local one, in UTC; an empty string if it is none."""
    from dateutil import parser

    try:
        when = parser.parse(text)
        return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if text else ""
    except Exception:  # dateutil raises many things on what is no time
        return ""
