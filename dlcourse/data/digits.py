"""MNIST: small grey pictures of handwritten digits, each with the digit that was meant.

5,000 of the 70,000 pictures are shipped and need no network. `load(full=True)` fetches all of
them once. Chapters: neurons/network and most after it.
Source: LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
recognition"; licence and changes in ``NOTICE.md`` beside this file.
"""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt8

from dlcourse.data import idx
from dlcourse.data.fetch import FetchError, Progress, fetch
from dlcourse.data.split import Split, frozen

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
"""Folders that hold the four files: the mirrors which TensorFlow Datasets and PyTorch use."""

FILES = {
    "train-images-idx3-ubyte.gz": (
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "train-labels-idx1-ubyte.gz": (
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "t10k-images-idx3-ubyte.gz": (
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}
"""Size in bytes and SHA-256 of each file, as TensorFlow Datasets lists them (mnist.txt)."""

_SHIPPED = Path(__file__).with_name("digits.npz")
_FULL_TEST = 10_000


class Digits(NamedTuple):
    """Pictures of digits and what they show; unpacks as ``images, labels``.

    Attributes:
        images: grey values, 0 is paper and 255 is ink, ``(n, 28, 28)``.
        labels: the digit meant, 0 to 9, ``(n,)``.
    """

    images: UInt8[np.ndarray, "n 28 28"]
    labels: Int64[np.ndarray, " n"]


def load(*, full: bool = False, progress: Progress | None = None) -> Digits:
    """Load the 5,000 shipped digits, or all 70,000.

    The shipped ones are 500 a class, in drawn order; each ten in a row hold every digit once, so
    the first ``10 k`` are always balanced. The full set is MNIST's own: 60,000 to train on, then
    10,000 to test on. The shipped digits are among those 70,000: never train on one set and test
    on the other.

    Args:
        full: whether to load all 70,000, fetching them (11.6 MB) if they are not there yet.
        progress: called as ``progress(bytes_done, bytes_total)`` while fetching.

    Returns:
        The digits; the arrays are read-only.

    Raises:
        FetchError: if ``full`` and the files are neither in the cache nor to be had.

    Example:
        >>> images, labels = load()
        >>> images.shape, labels[:10]
        ((5000, 28, 28), array([5, 0, 7, 1, 3, 4, 2, 8, 9, 6]))
    """
    if not full:
        with np.load(_SHIPPED) as file:
            return Digits(frozen(file["images"]), frozen(file["labels"].astype(np.int64)))
    arrays = _fetch_all(progress)
    images = np.concatenate([arrays["train-images"], arrays["t10k-images"]])
    labels = np.concatenate([arrays["train-labels"], arrays["t10k-labels"]])
    return Digits(frozen(images), frozen(labels.astype(np.int64)))


def split(
    digits: Digits | None = None,
    *,
    held_out: int | None = None,
    rng: np.random.Generator | None = None,
) -> Split:
    """Divide digits into training and held-out ones, scaled to [0, 1] and one row a picture.

    Without ``rng`` the division is fixed: the last ones are held out, which for the 70,000 is
    MNIST's own test set and for the 5,000 is balanced. With ``rng`` they are drawn, still as
    many of each class as there are to give.

    Args:
        digits: what to divide; the 5,000 shipped ones if left out.
        held_out: how many to hold out; a fifth, or MNIST's 10,000 of 70,000, if left out.
        rng: draws which ones are held out, and the order of the rest.

    Returns:
        Inputs ``(batch, 784)`` float32 in [0, 1] and labels ``(batch,)`` int64, twice.

    Raises:
        ValueError: if ``held_out`` leaves nothing to train or nothing to test on.

    Example:
        >>> x_train, y_train, x_test, y_test = split()
        >>> x_train.shape, x_test.shape, np.bincount(y_test).tolist()
        ((4000, 784), (1000, 784), [100, 100, 100, 100, 100, 100, 100, 100, 100, 100])
    """
    images, labels = load() if digits is None else digits
    total = len(labels)
    if held_out is None:
        held_out = _FULL_TEST if total == 7 * _FULL_TEST else total // 5
    if not 0 < held_out < total:
        raise ValueError(
            f"held_out must leave digits on both sides: expected 1 to {total - 1}, got {held_out}."
        )
    order = np.arange(total) if rng is None else _balanced_order(labels, rng)
    train, test = order[:-held_out], order[-held_out:]
    x = as_inputs(images)
    return Split(x[train], labels[train], x[test], labels[test])


def as_inputs(images: UInt8[np.ndarray, "batch h w"]) -> Float[np.ndarray, "batch n_in"]:
    """Turn pictures into rows of numbers that a network can take in.

    Args:
        images: grey values 0 to 255, ``(batch, height, width)``.

    Returns:
        float32 in [0, 1], ``(batch, height * width)``, row after row of each picture.
    """
    return images.reshape(len(images), -1).astype(np.float32) / 255  # (batch, h w)


def _balanced_order(labels: Int64[np.ndarray, " n"], rng: np.random.Generator) -> np.ndarray:
    """Draw an order in which every stretch holds the classes in their proportion."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def _fetch_all(progress: Progress | None) -> dict[str, UInt8[np.ndarray, "..."]]:
    """Fetch and read the four files; the keys are their names up to the second dash."""
    total = sum(size for size, _ in FILES.values())
    arrays, before = {}, 0
    for name, (size, sha256) in FILES.items():

        def report(done: int, _size: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        try:
            path = fetch(name, mirrors=MIRRORS, sha256=sha256, size=size, progress=report)
        except FetchError as error:
            raise FetchError(
                f"The full MNIST needs the network once: {error}; "
                "digits.load() without full=True gives 5,000 digits and needs no network."
            ) from error
        arrays["-".join(name.split("-")[:2])] = idx.parse(gzip.decompress(path.read_bytes()), name)
        before += size
        report(0, size, before)
    return arrays
