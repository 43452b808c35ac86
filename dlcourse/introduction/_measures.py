"""Two measurements of a picture that take more than a line: how many holes it has, and which way its edges run.

Chapter: book/introduction/features.md. Source of the second: Dalal and Triggs (2005).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from dlcourse.training._pictures import expect_pictures

Pictures: TypeAlias = Float[np.ndarray, "batch h w"]


def expect_grey(function: str, images: Any) -> None:
    """Refuse what is no batch of grey pictures.

    Args:
        function: name for the message.
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Raises:
        TypeError: if they are no floating-point numbers.
        ValueError: if the shape or the range is another one.
    """
    expect_pictures(function, images)
    if images.size == 0:
        raise ValueError(f"{function} expects at least one picture with pixels, got shape {images.shape}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{function} expects grey values from 0 (paper) to 1 (ink), got {low:g} to {high:g}: "
            "divide values from 0 to 255 by 255, and fill what is NaN"
        )


def holes(images: Pictures) -> Float[np.ndarray, " batch"]:
    """Count the holes of each picture: paper that ink encloses all around.

    Water is poured in from the edge. What stays dry is a hole. Then water is poured into one hole after the other, and
    counted how often this is possible. A pixel above one half is ink. Water does not pass between two pixels of ink that
    touch at a corner.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Returns:
        How many holes each one has, ``(batch,)``, in the dtype of ``images``.

    Raises:
        TypeError: if ``images`` does not hold floating-point numbers.
        ValueError: if it is no batch of grey pictures.

    Example:
        >>> holes(np.array([[[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]))
        array([1.])
    """
    expect_grey("holes", images)
    paper = np.pad(images <= 0.5, ((0, 0), (1, 1), (1, 1)), constant_values=True)  # (batch, h + 2, w + 2)
    dry = paper & ~_flood(_first(paper), paper)
    count = np.zeros(len(images), images.dtype)
    while dry.any():
        count += dry.any(axis=(1, 2))
        dry &= ~_flood(_first(dry), dry)
    return count


def _first(places: Bool[np.ndarray, "batch h w"]) -> Bool[np.ndarray, "batch h w"]:
    """Mark the first place of each picture, if there is one."""
    rows = places.reshape(len(places), -1)
    found = np.zeros_like(rows)
    found[np.arange(len(rows)), rows.argmax(axis=1)] = True
    return found.reshape(places.shape) & places


def _flood(
    water: Bool[np.ndarray, "batch h w"], open_places: Bool[np.ndarray, "batch h w"]
) -> Bool[np.ndarray, "batch h w"]:
    """Let water flow up, down, left and right through open places, until it reaches no new one."""
    while True:
        wet = np.pad(water, ((0, 0), (1, 1), (1, 1)))
        spread = water | wet[:, :-2, 1:-1] | wet[:, 2:, 1:-1] | wet[:, 1:-1, :-2] | wet[:, 1:-1, 2:]
        spread &= open_places
        if (spread == water).all():
            return water
        water = spread


def edge_directions(
    images: Pictures, *, cells: int = 4, directions: int = 8
) -> Float[np.ndarray, "batch numbers"]:
    """Say for each region of a picture how much of its edges runs which way: a histogram of oriented gradients.

    The picture is divided into ``cells`` times ``cells`` regions. Where the grey value changes, there is an edge, and the
    faster it changes, the stronger the edge is. Each edge adds its strength to the two directions nearest to its own.

    Source: Dalal and Triggs (2005), section 6, without the comparison of neighbouring regions.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``, at least 2 pixels high and wide.
        cells: how many regions there are down and across; a divisor of both sides.
        directions: how many directions are told apart in half a turn.

    Returns:
        ``cells * cells * directions`` numbers a picture, in the dtype of ``images``.

    Raises:
        TypeError: if ``images`` does not hold floating-point numbers.
        ValueError: if it is no batch of grey pictures, or the regions do not fit.

    Example:
        >>> upright = np.tile([0.0, 0.0, 1.0, 1.0], (1, 4, 1))  # paper on the left, ink on the right
        >>> edge_directions(upright, cells=1, directions=4)
        array([[4., 0., 0., 0.]])
    """
    expect_grey("edge_directions", images)
    batch, h, w = images.shape
    if min(cells, directions) < 1 or min(h, w) < 2 or h % cells or w % cells:
        raise ValueError(
            f"edge_directions expects cells that divide both sides of the picture, and at least one direction, got "
            f"{cells} cells and {directions} directions for pictures of {h} x {w}"
        )
    down, right = np.gradient(images, axis=(1, 2))  # (batch, h, w) each
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) / np.pi * directions % directions  # half a turn is all of them
    lower = np.floor(turn)
    beyond = (turn - lower).astype(images.dtype)
    found = np.empty((batch, cells, cells, directions), images.dtype)
    for k in range(directions):
        share = (lower % directions == k) * (1 - beyond) + ((lower + 1) % directions == k) * beyond
        regions = (strength * share).reshape(batch, cells, h // cells, cells, w // cells)
        found[..., k] = regions.sum(axis=(2, 4))
    return found.reshape(batch, -1)  # (batch, cells * cells * directions)
