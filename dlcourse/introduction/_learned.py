"""A classifier that is trained, with or without a hidden layer, and the features that its hidden layer has learned.

What happens inside of training is what the parts neurons, learning and training are about. Chapter:
book/introduction/features.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from dlcourse.learning._fused import FusedMLP
from dlcourse.neurons._expect import expect_matching
from dlcourse.neurons.network import MLP, forward_all
from dlcourse.training import fit
from dlcourse.training.initialization import initialize
from dlcourse.training.optimizers import AdamW

Labels: TypeAlias = Int[np.ndarray, " batch"]
Features: TypeAlias = Float[np.ndarray, "batch features"]


def train_classifier(
    x: Features,
    labels: Labels,
    *,
    hidden: Sequence[int] = (),
    epochs: int = 30,
    rate: float = 3e-3,
    decay: float = 0.0,
    rng: np.random.Generator,
) -> MLP:
    """Train a classifier: one weighted sum of the features for each class, and the largest sum wins.

    With hidden layers, these sums weigh what the last hidden layer answers, and all of it is learned at once.

    Args:
        x: one sample a row, ``(batch, features)``.
        labels: classes from 0 on, ``(batch,)``.
        hidden: units of each hidden layer; none by default.
        epochs: how often each sample is looked at.
        rate: how far each step goes.
        decay: how strongly weights shrink for which the samples have no use.
        rng: draws the first weights and the order of the samples.

    Returns:
        A network whose ``predict`` gives the class of each sample.

    Example:
        >>> x, labels = np.array([[-1.0], [-2.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> train_classifier(x, labels, epochs=200, rng=np.random.default_rng(0)).predict(np.array([[-3.0], [3.0]]))
        array([0, 1])
    """
    expect_matching("train_classifier", ("x", x, 0), ("labels", labels, 0), "batch")
    sizes = [x.shape[1], *hidden, int(labels.max()) + 1]
    net = initialize(sizes, "he", output="class", rng=rng, dtype=x.dtype)
    model = FusedMLP(net)
    optimizer = AdamW(model.parameters, rate=rate, weight_decay=decay)
    fit(model, x, labels, optimizer=optimizer, epochs=epochs, batch=min(100, len(x)), rng=rng)
    return net


def hidden_features(net: MLP, x: Features) -> Float[np.ndarray, "batch units"]:
    """Return what the last hidden layer of a network answers: features that it has learned.

    Args:
        net: a network with at least one hidden layer.
        x: one sample a row, ``(batch, n_in)``.

    Returns:
        One feature a unit, ``(batch, units)``.

    Raises:
        ValueError: if the network has no hidden layer.
    """
    if len(net.layers) < 2:
        raise ValueError(f"hidden_features expects a network with a hidden layer, got {net}: give it one")
    return forward_all(x, net.layers)[-2]
