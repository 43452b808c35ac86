"""One small example from each field that the book's opening page names.

They are to be looked at, not to train on: a crop of a microscope picture, one slice of a brain,
six drawings, one synthesised word, sensor readings, a road, and four sentences in two languages.
Chapter: the opening page of the introduction. Sources and licences in ``NOTICE.md``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, UInt8

from dlcourse.data import animals as drawings
from dlcourse.data import microscopy as nuclei
from dlcourse.data import shuttle as sensors
from dlcourse.data import spoken_digits
from dlcourse.data.animals import Animals
from dlcourse.data.microscopy import Microscopy
from dlcourse.data.shuttle import Shuttle
from dlcourse.data.split import frozen

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Brain:
    """One slice of a brain that is the average of many people's, and its kinds of tissue.

    Attributes:
        image: T1-weighted magnetic resonance signal, 0 outside, ``(96, 112)``.
        tissue: 1 grey matter, 2 white matter, 0 neither, ``(96, 112)``.
    """

    image: UInt8[np.ndarray, "96 112"]
    tissue: UInt8[np.ndarray, "96 112"]


def microscopy() -> Microscopy:
    """Load a crop of a fluorescence microscope picture with the outlines people drew.

    Returns:
        160 × 160 pixels with 17 nuclei.
    """
    return nuclei.load().crop(top=200, left=180, size=160)


def brain() -> Brain:
    """Load a slice of the averaged brain ICBM 152 with its kinds of tissue."""
    return Brain(**_arrays("brain.npz"))


def animals() -> Animals:
    """Load three cats and three dogs of three designers, cat and dog in turn."""
    everything = drawings.load()
    chosen = [("noto", "-face"), ("twemoji", ""), ("fluent-emoji", "-face")]
    rows = [
        int(np.flatnonzero((everything.set_name == set_name) & (everything.name == animal + end))[0])
        for set_name, end in chosen
        for animal in ("cat", "dog")
    ]
    return everything.take(np.array(rows))


def shuttle() -> Shuttle:
    """Load 3,000 readings of the space shuttle's sensors, in no order of time."""
    whole = sensors.load()
    return Shuttle(whole.readings[:3000], whole.anomaly[:3000])


def spoken_digit() -> Int8[np.ndarray, " 8000"]:
    """Load one second of sound, 8,000 samples: the word "seven", synthesised, not spoken."""
    sounds, labels, voices = spoken_digits.load()
    sound: Int8[np.ndarray, " 8000"] = sounds[(voices == "f2") & (labels == 7)][0]
    return frozen(sound)


def driving() -> UInt8[np.ndarray, "138 240 3"]:
    """Load a picture of a car on a road, from a simulator: red, green and blue."""
    image: UInt8[np.ndarray, "138 240 3"] = _arrays("driving.npz")["image"]
    return image


def sentence_pairs() -> list[tuple[str, str]]:
    """Load four short texts in German, each with its English translation by people.

    Returns:
        Pairs ``(german, english)``.

    Example:
        >>> sentence_pairs()[0]
        ('Warten auf Wind', 'Waiting for wind')
    """
    lines = (_FOLDER / "sentences.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(german, english) for german, english in (line.split("\t") for line in lines)]


def _arrays(name: str) -> dict[str, Any]:
    """Read every array of a shipped file."""
    with np.load(_FOLDER / name) as file:
        return {key: frozen(file[key]) for key in file.files}
