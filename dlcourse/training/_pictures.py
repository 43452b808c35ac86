"""Pictures that are moved and turned by chance: more samples out of those that there are.

Also what the world does to pictures: noise, and no frame that somebody laid around the ink beforehand. Chapters:
book/training/regularization.md, book/training/generalization.md. Sources: Simard et al. (2003), section 2; LeCun et al.
(1998), section III.A.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._expect import expect_floating

Pictures: TypeAlias = Float[np.ndarray, "batch h w"]
Array: TypeAlias = Float[np.ndarray, "*shape"]


def shift(
    images: Pictures, down: Float[np.ndarray, " batch"], right: Float[np.ndarray, " batch"]
) -> Pictures:
    """Move each picture; what comes in from outside is paper, 0.

    Args:
        images: grey values, ``(batch, h, w)``.
        down: how far each one is moved down [pixels], ``(batch,)``; below 0 up. A half mixes two pixels.
        right: how far each one is moved to the right [pixels], ``(batch,)``.

    Returns:
        Pictures of the same shape and dtype.

    Example:
        >>> shift(np.array([[[1.0, 2.0], [3.0, 4.0]]]), down=np.array([1.0]), right=np.array([0.0]))
        array([[[0., 0.],
                [1., 2.]]])
    """
    return _move("shift", images, np.zeros(len(images)), down, right)


def rotate(images: Pictures, degrees: Float[np.ndarray, " batch"]) -> Pictures:
    """Turn each picture about its middle, counter-clockwise; what comes in from outside is paper, 0.

    Args:
        images: grey values, ``(batch, h, w)``.
        degrees: the angle of each one, ``(batch,)``; below 0 clockwise.

    Returns:
        Pictures of the same shape and dtype.

    Example:
        >>> rotate(np.array([[[1.0, 2.0], [3.0, 4.0]]]), degrees=np.array([90.0])).round(6)
        array([[[2., 4.],
                [1., 3.]]])
    """
    nothing = np.zeros(len(images))
    return _move("rotate", images, degrees, nothing, nothing)


def augment(
    x: Float[np.ndarray, "batch n_in"],
    *,
    rng: np.random.Generator,
    pixels: float = 2.0,
    degrees: float = 10.0,
    size: tuple[int, int] = (28, 28),
) -> Float[np.ndarray, "batch n_in"]:
    """Turn and move each picture by chance, anew at each call; the labels stay.

    Source: Simard et al. (2003), section 2.

    Args:
        x: one picture a row, ``(batch, h * w)``.
        rng: draws one angle and one shift a picture, all of them uniform.
        pixels: the largest shift, down or up and right or left.
        degrees: the largest angle, in either direction.
        size: height and width of a picture, ``(h, w)``.

    Returns:
        As many rows of the same dtype, ``(batch, h * w)``.

    Raises:
        TypeError: if ``x`` does not hold floating-point numbers.
        ValueError: if a row is no picture of this size, or a largest shift or angle is below 0.

    Example:
        >>> x = np.zeros((1, 784), np.float32)
        >>> x[0, 300:500] = 1
        >>> moved = augment(x, rng=np.random.default_rng(0))
        >>> moved.shape, moved.dtype, bool((moved != x).any())
        ((1, 784), dtype('float32'), True)
    """
    h, w = size
    if x.ndim != 2 or x.shape[1] != h * w:
        raise ValueError(
            f"augment expects one picture of {h} x {w} = {h * w} pixels a row, got x of shape {x.shape}: "
            "pass rows, and size=(h, w)"
        )
    for name, largest in (("pixels", pixels), ("degrees", degrees)):
        if not (isfinite(largest) and largest >= 0):
            raise ValueError(
                f"augment expects {name} of at least 0, the largest change either way, got {largest}"
            )
    angle, down, right = np.array([[degrees], [pixels], [pixels]]) * rng.uniform(-1, 1, (3, len(x)))
    return _move("augment", x.reshape(-1, h, w), angle, down, right).reshape(x.shape)  # (batch, h, w) -> rows


def noisy(images: Array, level: float, *, rng: np.random.Generator) -> Array:
    """Add noise to each pixel, as a bad camera does in the dark; grey values stay from 0 to 1.

    Args:
        images: grey values from 0 to 1, any shape.
        level: standard deviation of the noise, 0 or more.
        rng: draws one normal number a pixel.

    Returns:
        Pictures of the same shape and dtype.

    Raises:
        TypeError: if ``images`` does not hold floating-point numbers.
        ValueError: if ``level`` is below 0.

    Example:
        >>> noisy(np.array([0.0, 0.5, 1.0]), 0.1, rng=np.random.default_rng(0)).round(2)
        array([0.01, 0.49, 1.  ])
    """
    expect_floating("noisy", images=images)
    if not (isfinite(level) and level >= 0):
        raise ValueError(f"noisy expects a level of at least 0, a standard deviation, got {level}")
    drawn = rng.standard_normal(images.shape).astype(images.dtype)
    return np.clip(images + images.dtype.type(level) * drawn, 0, 1)


def centred(images: Pictures) -> Pictures:
    """Move each picture by whole pixels, so that the centre of mass of its ink is in the middle.

    So were the digits of MNIST prepared; their middle is pixel (14, 14), counted from 0. An empty picture stays.

    Source: LeCun et al. (1998), section III.A.

    Args:
        images: grey values, 0 is paper, ``(batch, h, w)``.

    Returns:
        Pictures of the same shape and dtype.

    Example:
        >>> centred(np.array([[[5.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]))[0].round(9)
        array([[0., 0., 0.],
               [0., 5., 0.],
               [0., 0., 0.]])
    """
    expect_pictures("centred", images)
    _, h, w = images.shape
    ink = np.maximum(images.sum(axis=(1, 2), dtype=float), 1e-12)  # (batch,)
    row = images.sum(axis=2, dtype=float) @ np.arange(h) / ink  # (batch,)
    column = images.sum(axis=1, dtype=float) @ np.arange(w) / ink
    empty = images.any(axis=(1, 2)) == 0
    down = np.where(empty, 0, np.rint(h // 2 - row))
    return shift(images, down, np.where(empty, 0, np.rint(w // 2 - column)))


def _move(function: str, images: Any, degrees: Any, down: Any, right: Any) -> Any:
    """Ask for each new pixel where it was in the old picture, and mix the four pixels around that place."""
    expect_pictures(function, images, degrees=degrees, down=down, right=right)
    _, h, w = images.shape
    turn = np.deg2rad(degrees)[:, None, None]  # (batch, 1, 1)
    i = np.arange(h)[:, None] - (h - 1) / 2 - down[:, None, None]  # (batch, h, 1), from the middle
    j = np.arange(w) - (w - 1) / 2 - right[:, None, None]  # (batch, 1, w)
    row = np.cos(turn) * i + np.sin(turn) * j + (h - 1) / 2  # (batch, h, w)
    column = np.cos(turn) * j - np.sin(turn) * i + (w - 1) / 2
    return _mixed(images, row, column)


def _mixed(images: Any, row: Any, column: Any) -> Any:
    """Read pictures at places between their pixels; outside is paper."""
    batch, h, w = images.shape
    # A frame of paper around each picture: every place outside falls on it.
    framed = np.zeros((batch, h + 3, w + 3), images.dtype)
    framed[:, 1 : h + 1, 1 : w + 1] = images
    row, column = np.clip(row, -1, h) + 1, np.clip(column, -1, w) + 1
    top, left = row.astype(int), column.astype(int)
    below, beside = (row - top).astype(images.dtype), (column - left).astype(images.dtype)  # from 0 to 1
    flat = framed.reshape(-1)
    place = (np.arange(batch)[:, None, None] * (h + 3) + top) * (w + 3) + left
    upper = flat[place] * (1 - beside) + flat[place + 1] * beside
    lower = flat[place + w + 3] * (1 - beside) + flat[place + w + 4] * beside
    return upper * (1 - below) + lower * below


def expect_pictures(function: str, images: Any, **changes: Any) -> None:
    """Refuse what is no batch of pictures, and changes of which there is not one a picture."""
    expect_floating(function, images=images)
    if images.ndim != 3:
        raise ValueError(
            f"{function} expects images of shape (batch, h, w), got {images.shape}: "
            "turn rows into pictures with x.reshape(-1, 28, 28)"
        )
    for name, change in changes.items():
        if np.shape(change) != images.shape[:1] or not np.isfinite(change).all():
            raise ValueError(
                f"{function} expects one finite number a picture, {name} of shape {images.shape[:1]}, got {change}: "
                f"for one number for all pass np.full(len(images), {name})"
            )
