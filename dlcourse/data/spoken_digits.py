"""The ten English digits, each said by 36 voices of a program; nobody speaks.

What is learnt from them holds for this program: people differ more than its voices do. Source: eSpeak NG 1.51; licence
and changes in ``NOTICE.md`` beside this file.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Int64, Num, Shaped

from dlcourse.data.split import Split, frozen

SAMPLES_PER_SECOND = 8000

_SHIPPED = Path(__file__).with_name("spoken_digits.npz")
_WINDOW = 256  # samples that one spectrum is made from, 32 ms
_QUIET = 3  # of 127; what is no louder is the silence before and after the word
_HELD_OUT = 9


class SpokenDigits(NamedTuple):
    """Sounds, the digit that each one means, and who says it; voice after voice, in drawn order.

    Attributes:
        sounds: one second each, 8,000 samples a second, ``(n, 8000)``.
        labels: the digit, 0 to 9, ``(n,)``.
        voices: name of the voice, ``(n,)`` strings.
    """

    sounds: Int8[np.ndarray, "n 8000"]
    labels: Int64[np.ndarray, " n"]
    voices: Shaped[np.ndarray, " n"]


def load() -> SpokenDigits:
    """Load the 360 sounds.

    Returns:
        The sounds; the arrays are read-only.

    Example:
        >>> sounds, labels, voices = load()
        >>> sounds.shape, labels[:12], len(set(voices))
        ((360, 8000), array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]), 36)
    """
    with np.load(_SHIPPED) as file:
        sound, voice = file["sound"], file["voice"]  # (voices, 10, 8000), (voices,)
    sounds = sound.reshape(-1, sound.shape[-1])  # (voices, 10, 8000) -> (n, 8000)
    return SpokenDigits(frozen(sounds), frozen(np.tile(np.arange(10), len(voice))), frozen(voice.repeat(10)))


def bands(
    sounds: Num[np.ndarray, "batch samples"], *, times: int = 20, count: int = 20
) -> Float[np.ndarray, "batch times bands"]:
    """Measure how loud each sound is at each time in each band of pitch.

    A word is cut into spectra from its first sound to its last one, so a slow voice and a quick one give as many. The
    bands become wider towards high pitch, as in the ear.

    Args:
        sounds: 8,000 samples a second, whole numbers from −128 to 127, ``(batch, samples)``.
        times: how many spectra are made of each word.
        count: how many bands a spectrum is summed up in, at most 60.

    Returns:
        Logarithms of the mean power, float32, ``(batch, times, bands)``.

    Raises:
        ValueError: if a sound is silent or shorter than a spectrum needs.

    Example:
        >>> bands(load().sounds[:3]).shape
        (3, 20, 20)
    """
    if sounds.shape[1] < _WINDOW:
        raise ValueError(f"bands expects sounds of at least {_WINDOW} samples, got {sounds.shape[1]}")
    loud = np.abs(sounds.astype(np.int16)) > _QUIET
    if not loud.any(axis=1).all():
        raise ValueError("bands expects a word in each sound, got one that is silent: leave it out")
    first = loud.argmax(axis=1)
    last = sounds.shape[1] - 1 - loud[:, ::-1].argmax(axis=1)
    middle = np.linspace(first, last, times, axis=1).astype(int)  # (batch, times)
    padded = np.pad(sounds / np.float32(128), ((0, 0), (_WINDOW // 2, _WINDOW // 2)))
    window = middle[:, :, None] + np.arange(_WINDOW)  # (batch, times, samples of a window)
    pieces = np.take_along_axis(padded[:, None, :], window, axis=2) * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(pieces, axis=2)) ** 2  # (batch, times, frequencies)
    # Below the 3rd frequency, 94 Hz, there is no voice. Low bands are one frequency wide, or they would coincide.
    edges = np.geomspace(3, power.shape[2], count + 1).round().astype(int)
    edges = np.maximum(edges, 3 + np.arange(count + 1))
    mean = np.add.reduceat(power, edges[:-1], axis=2) / np.diff(edges)  # (batch, times, bands)
    return np.log(mean + 1e-3).astype(np.float32)


def split() -> Split:
    """Divide the sounds by voice: those of nine voices are held out, and nothing was learnt from them.

    Returns:
        Loudness in 20 bands at 20 times, one row a sound, ``(batch, 400)`` float32, and the digit ``(batch,)``, twice.

    Example:
        >>> [part.shape for part in split()]
        [(270, 400), (270,), (90, 400), (90,)]
    """
    sounds, labels, _ = load()
    x = bands(sounds)
    x = x.reshape(len(x), -1)  # (batch, times, bands) -> (batch, n_in)
    held_out = _HELD_OUT * 10
    return Split(x[:-held_out], labels[:-held_out], x[-held_out:], labels[-held_out:])
