"""What an instructor should look at, in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Flags:
    """What an instructor should look at; findings of one kind become one sentence."""

    _found: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, sentence: str, name: str = "") -> None:
        """Add a finding.

        Args:
            sentence: What is odd; `{}` stands for the names of the cells.
            name: The cell's name, if the sentence names cells.
        """
        names = self._found.setdefault(sentence, {})
        if name:
            names[name] = None

    def sentences(self) -> tuple[str, ...]:
        """Return all findings, in the order in which they came up."""
        return tuple(sentence.replace("{}", _listed(list(names))) for sentence, names in self._found.items())


def shown(name: str) -> str:
    """Return a name that somebody else chose as it can stand in a message: short, quoted and printable."""
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:60])
    return f"'{text}'"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
