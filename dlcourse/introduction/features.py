"""Features: the numbers by which a classifier tells pictures apart, measured by hand or learned.

A feature is a function from a picture to a number. Those here are thought out by people; :func:`train_classifier` lets a
network find its own, and :func:`hidden_features` takes them out of its hidden layer. Beside them stand the simplest
classifier there is, and the means to judge one fairly. Chapter: book/introduction/features.md. Sources: Duda, Hart and
Stork (2001); LeCun, Bengio and Hinton (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Shaped

from dlcourse.introduction._learned import Features, Labels, hidden_features, train_classifier
from dlcourse.introduction._measures import Pictures, edge_directions, expect_grey, holes
from dlcourse.neurons._expect import expect_floating, expect_matching

__all__ = [
    "MEASURES",
    "balanced_accuracy",
    "class_means",
    "edge_directions",
    "hidden_features",
    "holes",
    "ink",
    "measure",
    "nearest_mean",
    "predict_each_group",
    "profiles",
    "standardize_by",
    "symmetry",
    "train_classifier",
]

Means: TypeAlias = Float[np.ndarray, "classes features"]
Measured: TypeAlias = Float[np.ndarray, " batch"]
Groups: TypeAlias = Shaped[np.ndarray, " batch"]
Classify: TypeAlias = Callable[[Features, Labels, Features], Labels]
"""Learns from samples and their labels, and returns the classes of other samples."""

MEASURES = ("ink", "left like right", "top like bottom", "holes")
"""What the columns of :func:`measure` are."""


def ink(images: Pictures) -> Measured:
    """Return the share of each picture that is covered with ink.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Example:
        >>> ink(np.array([[[0.0, 1.0], [0.0, 0.0]]]))
        array([0.25])
    """
    expect_grey("ink", images)
    return images.mean(axis=(1, 2))  # (batch,)


def symmetry(images: Pictures) -> Measured:
    r"""Say how much the left half of each picture is the mirror image of the right half.

    .. math:: s = 1 - \frac{\sum |x - \text{mirrored } x|}{\sum (x + \text{mirrored } x)}

    For the upper and the lower half, pass ``images.transpose(0, 2, 1)``.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Returns:
        1 where both halves mirror each other, 0 where no ink meets ink, ``(batch,)``. Empty paper is symmetric.

    Example:
        >>> symmetry(np.array([[[1.0, 1.0]], [[1.0, 0.0]]]))
        array([1., 0.])
    """
    expect_grey("symmetry", images)
    mirrored = images[:, :, ::-1]
    different = np.abs(images - mirrored).sum(axis=(1, 2))
    both = (images + mirrored).sum(axis=(1, 2))
    return 1 - different / np.where(both > 0, both, 1)


def profiles(images: Pictures) -> Features:
    """Return how much ink there is in each row, and then in each column.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Returns:
        Means of the rows and of the columns, ``(batch, h + w)``.

    Example:
        >>> profiles(np.array([[[0.0, 1.0], [0.0, 0.0]]]))
        array([[0.5, 0. , 0. , 0.5]])
    """
    expect_grey("profiles", images)
    return np.concatenate([images.mean(axis=2), images.mean(axis=1)], axis=1)


def measure(images: Pictures) -> Features:
    """Measure what :data:`MEASURES` lists: four features made by hand.

    Args:
        images: grey values from 0 to 1, ``(batch, h, w)``.

    Returns:
        One picture a row, ``(batch, 4)``.

    Example:
        >>> measure(np.array([[[1.0, 0.0], [1.0, 0.0]]]))
        array([[0.5, 0. , 1. , 0. ]])
    """
    expect_grey("measure", images)
    upside = images.transpose(0, 2, 1)
    return np.stack([ink(images), symmetry(images), symmetry(upside), holes(images)], axis=1)


def standardize_by(
    x_train: Features, x: Float[np.ndarray, "others features"]
) -> Float[np.ndarray, "others features"]:
    r"""Give all features one scale: mean 0 and spread 1 on the training set.

    .. math:: \frac{x - \text{mean of } x_\text{train}}{\text{standard deviation of } x_\text{train}}

    Args:
        x_train: one sample a row; mean and spread of each column are taken here, and only here.
        x: the samples to convert, with as many columns. It may be ``x_train`` itself.

    Returns:
        ``x`` on the new scale. A feature that is always the same in training becomes 0 there.
    """
    expect_floating("standardize_by", x_train=x_train, x=x)
    expect_matching("standardize_by", ("x_train", x_train, 1), ("x", x, 1), "features")
    spread = x_train.std(axis=0)
    # The mean of equal numbers is rounded, so their spread is not quite 0.
    constant = np.ptp(x_train, axis=0) == 0
    mean = np.where(constant, x_train[0], x_train.mean(axis=0))
    return (x - mean) / np.where(constant, 1, spread)


def class_means(x: Features, labels: Labels) -> Means:
    """Average the samples of each class.

    Args:
        x: one sample a row, ``(batch, features)``.
        labels: classes from 0 on, ``(batch,)``; each must occur.

    Returns:
        One class a row, ``(classes, features)``.

    Raises:
        ValueError: if a class has no sample.

    Example:
        >>> class_means(np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 1]))
        array([[ 2.],
               [10.]])
    """
    expect_matching("class_means", ("x", x, 0), ("labels", labels, 0), "batch")
    counts = np.bincount(labels)
    if not counts.all():
        raise ValueError(
            f"class_means expects samples of each class from 0 to {len(counts) - 1}, got none of class "
            f"{int(np.argmin(counts))}: number the classes without gaps"
        )
    return np.stack([x[labels == k].mean(axis=0) for k in range(len(counts))])


def nearest_mean(x: Features, means: Means) -> Labels:
    """Classify each sample by the mean that is nearest to it.

    Source: Duda, Hart and Stork (2001), section 2.6.1.

    Args:
        x: one sample a row, ``(batch, features)``.
        means: one class a row, from :func:`class_means`.

    Returns:
        A class for each sample, ``(batch,)``.

    Example:
        >>> nearest_mean(np.array([[5.0], [7.0]]), np.array([[2.0], [10.0]]))
        array([0, 1])
    """
    expect_matching("nearest_mean", ("x", x, 1), ("means", means, 1), "features")
    differences = x[:, None, :] - means  # (batch, classes, features)
    return np.square(differences).sum(axis=2).argmin(axis=1)  # (batch,)


def balanced_accuracy(predicted: Labels, labels: Labels) -> float:
    """Return the mean, over the classes, of the share of each class that is predicted rightly.

    Where one class is rare, plain accuracy rewards who never names it. This does not: it gives one half for two classes.

    Args:
        predicted: class indices, ``(batch,)``.
        labels: right class indices, ``(batch,)``.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))  # right in 3 of 4, 0 of 1 in class 1
        0.5
    """
    expect_matching("balanced_accuracy", ("predicted", predicted, 0), ("labels", labels, 0), "batch")
    return float(np.mean([np.mean(predicted[labels == k] == k) for k in np.unique(labels)]))


def predict_each_group(classify: Classify, x: Features, labels: Labels, groups: Groups) -> Labels:
    """Predict each group by a classifier that has never seen it: it learns from all the others.

    Args:
        classify: learns from samples and their labels, and returns the classes of other samples.
        x: one sample a row, ``(batch, features)``.
        labels: class indices, ``(batch,)``.
        groups: which group each sample belongs to, such as its designer, ``(batch,)``.

    Returns:
        A class for each sample, ``(batch,)``.

    Raises:
        ValueError: if there is only one group.
    """
    predicted = np.empty_like(labels)
    for name in _two_or_more(groups):
        unseen = groups == name
        predicted[unseen] = classify(x[~unseen], labels[~unseen], x[unseen])
    return predicted


def _two_or_more(groups: Groups) -> np.ndarray:
    """Name the groups; refuse one alone, from which nothing can be left out."""
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError(
            f"predict_each_group needs two groups to learn from one of them, got {names.tolist()}"
        )
    return names
