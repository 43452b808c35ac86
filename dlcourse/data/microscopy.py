"""A fluorescence microscope picture of cell nuclei, and which nucleus each pixel belongs to, drawn by people.

It is one picture: what is learnt on its left part is tried on its right part, and says nothing about other microscopes.
Source: the 2018 Data Science Bowl (Caicedo et al., 2019); licence and changes in ``NOTICE.md`` beside this file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dlcourse.data.split import frozen

_SHIPPED = Path(__file__).with_name("microscopy.npz")


@dataclass(frozen=True)
class Microscopy:
    """Cell nuclei that a dye makes shine, and which of them each pixel belongs to.

    Attributes:
        image: brightness, ``(h, w)``.
        nucleus: 0 for none, 1 and up for a nucleus, drawn by people, ``(h, w)``.
    """

    image: UInt8[np.ndarray, "h w"]
    nucleus: UInt8[np.ndarray, "h w"]

    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Put the tightest box around each nucleus.

        Returns:
            Left, top, width and height [pixels] of each box.

        Example:
            >>> len(load().boxes())
            125
        """
        found = []
        for number in range(1, int(self.nucleus.max()) + 1):
            rows, columns = np.nonzero(self.nucleus == number)
            left, top = int(columns.min()), int(rows.min())
            found.append((left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1))
        return found

    def crop(self, top: int, left: int, size: int) -> "Microscopy":
        """Cut out a square; its nuclei are numbered anew, from 1 in the same order.

        Args:
            top: first row.
            left: first column.
            size: height and width [pixels].

        Returns:
            The square, read-only.

        Example:
            >>> part = load().crop(top=0, left=0, size=64)
            >>> part.image.shape, np.unique(part.nucleus)
            ((64, 64), array([0, 1, 2, 3, 4], dtype=uint8))
        """
        here = np.s_[top : top + size, left : left + size]
        numbers = np.unique(np.append(self.nucleus[here], 0))
        nucleus = np.searchsorted(numbers, self.nucleus[here]).astype(np.uint8)
        return Microscopy(frozen(self.image[here].copy()), frozen(nucleus))


def load() -> Microscopy:
    """Load the whole picture.

    Returns:
        512 × 512 pixels with 125 nuclei, read-only.

    Example:
        >>> picture = load()
        >>> picture.image.shape, int(picture.nucleus.max())
        ((512, 512), 125)
    """
    with np.load(_SHIPPED) as file:
        return Microscopy(frozen(file["image"]), frozen(file["nucleus"]))
