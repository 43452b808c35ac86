"""How good a trained network is, and where it is wrong: what one number such as the accuracy does not say.

For classes: which one is taken for which, how well a rare class is found, which answers are the worst, and whether the
network is right as often as it claims. For time series: samples without a look into the future, sets that share no hour,
and the comparison with the forecast that nothing changes. Chapter: book/training/evaluation.md. Sources: van Rijsbergen
(1979); Guo et al. (2017); Murphy (1988).
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Integer

from dlcourse.learning.loss import surprise
from dlcourse.neurons._expect import expect_floating
from dlcourse.training._forecasts import Windows, apart, lagged_windows, skill_score

__all__ = [
    "ClassScores",
    "Reliability",
    "Windows",
    "apart",
    "balanced_accuracy",
    "calibration_error",
    "class_scores",
    "confusion_matrix",
    "lagged_windows",
    "reliability",
    "skill_score",
    "worst_mistakes",
]

Labels: TypeAlias = Integer[np.ndarray, " batch"]
Logits: TypeAlias = Float[np.ndarray, "batch classes"]
Counts: TypeAlias = Integer[np.ndarray, "classes classes"]


def confusion_matrix(predicted: Labels, labels: Labels, classes: int) -> Int[np.ndarray, "classes classes"]:
    r"""Count how often each class was taken for each other one.

    .. math:: C_{kj} = \#\{i : y_i = k, \hat y_i = j\}

    Rows are what was right, columns what was answered. All is counted in one pass: the pair (k, j) has the number
    ``k * classes + j``.

    Args:
        predicted: class indices from 0, ``(batch,)``.
        labels: right class indices, ``(batch,)``.
        classes: how many classes there are, whether they occur or not.

    Returns:
        Counts, ``(classes, classes)``.

    Raises:
        TypeError: if an array does not hold whole numbers.
        ValueError: if there is not one prediction for each label, or one is no class.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), classes=3)
        array([[1, 1, 0],
               [0, 1, 0],
               [0, 0, 1]])
    """
    _expect_classes(predicted, labels, classes)
    pairs = labels.astype(np.int64) * classes + predicted.astype(np.int64)  # (batch,)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


class ClassScores(NamedTuple):
    """How well each class is found.

    Attributes:
        precision: share of the predictions of a class that are right, ``(classes,)``.
        recall: share of the samples of a class that are found, ``(classes,)``.
        f1: harmonic mean of the two, ``(classes,)``.
    """

    precision: Float[np.ndarray, " classes"]
    recall: Float[np.ndarray, " classes"]
    f1: Float[np.ndarray, " classes"]


def class_scores(matrix: Counts) -> ClassScores:
    r"""Compute precision, recall and F1 of each class.

    .. math::
        P_k = \frac{C_{kk}}{\sum_j C_{jk}}, \qquad
        R_k = \frac{C_{kk}}{\sum_j C_{kj}}, \qquad
        F_k = \frac{2 P_k R_k}{P_k + R_k} = \frac{2 C_{kk}}{\sum_j C_{jk} + \sum_j C_{kj}}

    A class that is never predicted has no precision, and one that never occurs no recall. Both count as 0.

    Source: van Rijsbergen (1979), chapter 7.

    Args:
        matrix: from :func:`confusion_matrix`, ``(classes, classes)``.

    Returns:
        Three scores a class, from 0 to 1.

    Raises:
        TypeError: if the matrix does not hold whole numbers.
        ValueError: if it is not square, or a count is below 0.

    Example:
        >>> scores = class_scores(np.array([[8, 2], [0, 4]]))
        >>> scores.precision.round(2), scores.recall.round(2), scores.f1.round(2)
        (array([1.  , 0.67]), array([0.8, 1. ]), array([0.89, 0.8 ]))
    """
    _expect_matrix(matrix)
    right = np.diagonal(matrix)  # (classes,)
    answered, given = matrix.sum(axis=0), matrix.sum(axis=1)  # columns: predictions; rows: labels
    return ClassScores(
        precision=_ratio(right, answered), recall=_ratio(right, given), f1=_ratio(2 * right, answered + given)
    )


def balanced_accuracy(matrix: Counts) -> float:
    """Return the mean recall of the classes that occur: each class counts the same, however rare it is.

    Whoever always answers the same has a balanced accuracy of one over the number of classes.

    Args:
        matrix: from :func:`confusion_matrix`, ``(classes, classes)``.

    Raises:
        ValueError: if no class occurs.

    Example:
        >>> nothing_found = np.array([[990, 0], [10, 0]])
        >>> float(np.trace(nothing_found) / nothing_found.sum()), balanced_accuracy(nothing_found)
        (0.99, 0.5)
    """
    recall = class_scores(matrix).recall
    occurs = matrix.sum(axis=1) > 0
    if not occurs.any():
        raise ValueError("balanced_accuracy expects at least one sample, got zeros only: count some first")
    return float(recall[occurs].mean())


def worst_mistakes(logits: Logits, labels: Labels, count: int) -> Int[np.ndarray, " found"]:
    r"""Find the wrong answers with the largest loss: the network was sure, and wrong.

    .. math:: \ell_i = -\log \mathrm{softmax}(z_i)_{y_i}

    Args:
        logits: scores before softmax [nats], ``(batch, classes)``.
        labels: right class indices, ``(batch,)``.
        count: how many are wanted, 0 or more.

    Returns:
        Numbers of samples, the worst first; fewer than ``count`` if fewer answers are wrong.

    Raises:
        TypeError: if ``logits`` does not hold floating-point numbers, or ``labels`` no whole ones.
        ValueError: if the shapes do not fit, a label is no class, or ``count`` is below 0.

    Example:
        >>> logits = np.array([[0.0, 1.0], [5.0, 0.0], [0.0, 9.0], [0.0, 2.0]])
        >>> worst_mistakes(logits, np.array([0, 0, 0, 1]), count=5)
        array([2, 0])
    """
    _expect_count(count)
    losses = surprise(logits, labels)  # (batch,)
    wrong = np.flatnonzero(logits.argmax(axis=-1) != labels)
    return wrong[np.argsort(-losses[wrong], kind="stable")[:count]]


class Reliability(NamedTuple):
    """What a network claims, and what is true, for answers of similar confidence.

    Attributes:
        answers: how many fall into each bin, ``(bins,)``.
        confidence: their mean probability, 0 where there are none, ``(bins,)``.
        accuracy: share of them that is right, 0 where there are none, ``(bins,)``.
    """

    answers: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]


def reliability(probabilities: Logits, labels: Labels, bins: int = 10) -> Reliability:
    """Sort answers by their confidence, the largest probability, and compare it with the share that is right.

    Bin b holds the confidences above ``b / bins``, up to and with ``(b + 1) / bins``.

    Source: Guo et al. (2017), section 2.

    Args:
        probabilities: from softmax, ``(batch, classes)``.
        labels: right class indices, ``(batch,)``.
        bins: number of equally wide bins from 0 to 1.

    Raises:
        TypeError: if ``probabilities`` does not hold floating-point numbers, or ``labels`` no whole ones.
        ValueError: if the rows are no probabilities, the shapes do not fit, or there is no bin.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
        >>> found = reliability(p, np.array([0, 1, 1, 1]), bins=2)
        >>> found.answers, found.confidence.round(4), found.accuracy
        (array([0, 4]), array([0.    , 0.7375]), array([0.  , 0.75]))
    """
    _expect_probabilities(probabilities, labels, bins)
    confidence = probabilities.max(axis=-1)  # (batch,)
    right = probabilities.argmax(axis=-1) == labels
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)  # (batch,)
    answers = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=of, minlength=bins) for of in (confidence, right))
    return Reliability(answers, *(_ratio(total, answers) for total in sums))


def calibration_error(probabilities: Logits, labels: Labels, bins: int = 10) -> float:
    r"""Return how far confidence and truth are apart, as a mean over all answers.

    .. math:: E = \sum_b \frac{n_b}{n} \, \bigl|\text{accuracy}_b - \text{confidence}_b\bigr|

    Source: Guo et al. (2017), equation 3, the expected calibration error.

    Args:
        probabilities: from softmax, ``(batch, classes)``.
        labels: right class indices, ``(batch,)``.
        bins: number of equally wide bins.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
        >>> round(calibration_error(p, np.array([0, 1, 1, 1]), bins=2), 4)
        0.0125
    """
    answers, confidence, accuracy = reliability(probabilities, labels, bins)
    return float(np.sum(answers * np.abs(accuracy - confidence)) / answers.sum())


def _ratio(part: Any, whole: Any) -> Float[np.ndarray, " n"]:
    """Divide, and give 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _expect_whole(function: str, **arrays: Any) -> None:
    """Refuse what counts nothing and numbers no class."""
    for name, array in arrays.items():
        if array.dtype.kind not in "iu":
            raise TypeError(
                f"{function} expects {name} as whole numbers, got {array.dtype}: classes are numbered from 0, and "
                "argmax(axis=-1) takes them from probabilities"
            )


def _expect_count(count: int) -> None:
    if count < 0:
        raise ValueError(f"worst_mistakes expects a count of at least 0, got {count}")


def _expect_classes(predicted: Any, labels: Any, classes: int) -> None:
    """Refuse what are no class indices."""
    if predicted.shape != labels.shape or labels.ndim != 1:
        raise ValueError(
            f"confusion_matrix expects one prediction for each label, (batch,) twice, got {predicted.shape} and "
            f"{labels.shape}: take the class from probabilities with argmax(axis=-1)"
        )
    _expect_whole("confusion_matrix", predicted=predicted, labels=labels)
    found = np.unique(np.concatenate([predicted, labels]))
    if classes < 1 or (len(found) and not 0 <= found[0] <= found[-1] < classes):
        raise ValueError(
            f"confusion_matrix expects class indices from 0 to {classes - 1}, got {found[:20].tolist()}: "
            "give the number of all classes, counted from 0"
        )


def _expect_matrix(matrix: Any) -> None:
    """Refuse what is no confusion matrix."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or (matrix < 0).any():
        raise ValueError(
            f"class_scores expects counts of at least 0, of shape (classes, classes), got shape {matrix.shape}: "
            "pass what confusion_matrix returns"
        )
    _expect_whole("class_scores", matrix=matrix)


def _expect_probabilities(probabilities: Any, labels: Any, bins: int) -> None:
    """Refuse logits, which look like probabilities to NumPy."""
    expect_floating("reliability", probabilities=probabilities)
    _expect_whole("reliability", labels=labels)
    if probabilities.ndim != 2 or probabilities.size == 0 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"reliability expects probabilities of shape (batch, classes) and labels of shape (batch,), got "
            f"{probabilities.shape} and {labels.shape}: one row and one label a sample"
        )
    if not (probabilities.min() >= 0 and np.allclose(probabilities.sum(axis=-1), 1, atol=1e-3)):
        raise ValueError(
            "reliability expects rows of probabilities, 0 or more with the sum 1, got other numbers: "
            "pass softmax(logits), not the logits"
        )
    if bins < 1:
        raise ValueError(f"reliability expects at least 1 bin, got {bins}")
