"""Drawings of cats and dogs by several designers: few, and each designer draws in a way of their own.

131 emoji of nine sets, which seven designers made. To learn whether a classifier recognises cats and dogs, and not a
designer's pencil, train it on the drawings of some designers and judge it on those of another. Chapter:
introduction/features. Sources and licences in ``NOTICE.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dlcourse.data.split import frozen

DESIGNERS = {
    "noto": "Google",
    "noto-v1": "Google",
    "twemoji": "Twitter",
    "fluent-emoji": "Microsoft",
    "fluent-emoji-flat": "Microsoft",
    "fxemoji": "Mozilla",
    "emojione": "Emoji One",
    "streamline-emojis": "Streamline",
    "openmoji": "OpenMoji",
}
"""Who made each set. The two of Microsoft show the same drawings, once round and once flat."""

_GREY = np.array([0.299, 0.587, 0.114])  # how bright red, green and blue are to the eye (ITU-R BT.601)


@dataclass(frozen=True)
class Animals:
    """Drawings of cats and dogs.

    Attributes:
        images: red, green, blue and opacity, ``(n, 64, 64, 4)``.
        is_dog: whether it is a dog, ``(n,)``.
        head_only: whether only the head is drawn, ``(n,)``; else the whole animal.
        set_name: the set that it is from, a key of :data:`DESIGNERS`, ``(n,)`` strings.
        name: what it is called there, such as ``"crying-cat"``, ``(n,)`` strings.
    """

    images: UInt8[np.ndarray, "n 64 64 4"]
    is_dog: Bool[np.ndarray, " n"]
    head_only: Bool[np.ndarray, " n"]
    set_name: np.ndarray
    name: np.ndarray

    def __len__(self) -> int:
        return len(self.is_dog)

    def take(self, rows: np.ndarray) -> Animals:
        """Choose some of the drawings.

        Args:
            rows: their numbers, or one truth value a drawing.

        Returns:
            These drawings only.
        """
        return Animals(*(frozen(column[rows]) for column in vars(self).values()))

    @property
    def designer(self) -> np.ndarray:
        """Who made each one, ``(n,)`` strings."""
        return np.array([DESIGNERS[name] for name in self.set_name])

    def grey(self, side: int = 32) -> Float[np.ndarray, "n side side"]:
        """Put the drawings on white paper and look at them without colour, as at the digits.

        Args:
            side: how many points the pictures are to be high and wide; a divisor of 64.

        Returns:
            0 is paper and 1 is black, ``(n, side, side)``.

        Raises:
            ValueError: if the 64 points cannot be put together evenly.

        Example:
            >>> load().grey(16).shape
            (131, 16, 16)
        """
        if side < 1 or 64 % side:
            raise ValueError(f"grey expects a side that divides 64, such as 32 or 16, got {side}")
        opacity = self.images[..., 3] / 255
        grey = opacity * (1 - self.images[..., :3] @ _GREY / 255)  # (n, 64, 64)
        step = 64 // side
        return grey.reshape(-1, side, step, side, step).mean(axis=(2, 4))


def load() -> Animals:
    """Load all drawings, set after set: 95 cats and 36 dogs.

    Returns:
        The drawings; the arrays are read-only.

    Example:
        >>> animals = load()
        >>> len(animals), int(animals.is_dog.sum())
        (131, 36)
    """
    with np.load(Path(__file__).with_name("animals.npz")) as file:
        return Animals(**{key: frozen(file[key]) for key in file.files})
