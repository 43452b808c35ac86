"""The milestone of the part "training": the same digits, read better, with the learner's start, optimizer and layers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dlcourse.learning import loss
from dlcourse.learning.backpropagation import forward_op, linear_op
from dlcourse.learning.gradient_descent import minibatches
from dlcourse.milestones.digits import digits_truth, held_out, images, layers_of
from dlcourse.milestones.pieces import (
    Milestone,
    Moment,
    Piece,
    Result,
    Stage,
    Use,
    same,
)
from dlcourse.milestones.training_probes import (
    probe_adamw,
    probe_noise,
    probe_norm,
    probe_rates,
    probe_start,
    probe_steps,
)
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.activation import relu_op
from dlcourse.training import _asked, initialization, normalization, optimizers, regularization

BATCH, EPOCHS, PATIENCE = 32, 10, 3
_STEPS = EPOCHS * 4000 // BATCH
_HIDDEN = 64
_SIZES = 784, _HIDDEN, 10
_ADAM = (0.9, 0.999), 1e-8


def draw_parameters_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``draw_parameters`` from the ``he`` in use."""

    def draw_parameters(sizes: Sequence[int], *, rng: np.random.Generator) -> list[Array]:
        parameters = []
        for number, shape in enumerate(pairwise(sizes), start=1):
            W = use.he(shape, rng=rng)
            parameters += [W if number < len(sizes) - 1 else W / np.sqrt(2), np.zeros(shape[1])]
        return parameters

    return draw_parameters


def adamw_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``AdamW`` from the ``adam_step`` in use."""

    class AdamW:
        """Adam with the decay beside it, in place."""

        def __init__(
            self,
            parameters: Sequence[Array],
            rate: float,
            betas: tuple[float, float],
            eps: float,
            weight_decay: float,
        ) -> None:
            self.parameters, self.settings, self.shrink = (
                parameters,
                (rate, betas, eps),
                1 - rate * weight_decay,
            )
            self.moments = [(np.zeros_like(x), np.zeros_like(x)) for x in parameters]
            self.t = 0

        def step(self, gradients: Sequence[Array]) -> None:
            self.t += 1
            for i, (x, g) in enumerate(zip(self.parameters, gradients, strict=True)):
                x *= self.shrink
                x[...], *moments = use.adam_step(x, g, *self.moments[i], self.t, *self.settings)
                self.moments[i] = moments[0], moments[1]

    return AdamW


def batch_norm_op_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``batch_norm_op`` from the ``standardize_op`` in use."""

    def batch_norm_op(
        x: Array, gamma: Array, beta: Array, eps: float = 1e-5
    ) -> tuple[Array, Callable[[Array], Any]]:
        y, back = use.standardize_op(x, 0, eps)
        return gamma * y + beta, lambda d_v: (back(d_v * gamma), (d_v * y).sum(axis=0), d_v.sum(axis=0))

    return batch_norm_op


def batch_norm_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``BatchNorm`` from the ``standardize`` in use."""

    class BatchNorm:
        """Batch norm that can answer a sample alone after training."""

        def __init__(self, n_in: int) -> None:
            self.memory = normalization.BatchNorm(n_in)

        def forward(self, x: Array, training: bool) -> Any:
            answer = self.memory.forward(x, training)
            return use.standardize(x, 0) if training else answer

    return BatchNorm


def with_momentum(use: Use) -> Generator[Moment, None, Result]:
    """Read digits with a plain network: He's start, clipped gradients, momentum, a rate that falls."""
    x, y, x_test, y_test = images()
    rng = np.random.default_rng(0)
    parameters = list(use.draw_parameters(_SIZES, rng=rng))
    velocities = [np.zeros_like(p) for p in parameters]
    rate, t = use.cosine(0.05, _STEPS, 0.0005), 0
    for _ in range(EPOCHS):
        for rows in minibatches(len(x), BATCH, rng=rng):
            answers, pull_network = forward_op(x[rows], layers_of(parameters, "relu"))
            seen, pull_loss = loss.cross_entropy_op(answers, y[rows])
            yield Moment(float(seen), parameters)
            _, pairs = pull_network(pull_loss(1.0))
            gradients = [gradient for pair in pairs for gradient in pair]
            use.clip_by_norm(gradients, 3.0)
            for i, (p, g, v) in enumerate(zip(parameters, gradients, velocities, strict=True)):
                parameters[i], velocities[i] = use.sgd_step(p, g, v, rate(t), 0.9)
            t += 1
    answers, _ = forward_op(x_test, layers_of(parameters, "relu"))
    return held_out(answers.argmax(axis=1) == y_test)


def with_batch_norm(use: Use) -> Generator[Moment, None, Result]:
    """Read moved digits: batch norm and dropout in the network, AdamW, and early stopping chooses the epoch."""
    x, y, x_test, y_test = images()
    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = use.draw_parameters(_SIZES, rng=rng)
    parameters = (W1, np.ones(_HIDDEN), b1, W2, b2)
    optimizer, memory = use.AdamW(parameters, 0.003, *_ADAM, 0.01), use.BatchNorm(_HIDDEN)
    held_back, kept, losses = slice(3500, None), [], []
    for _ in range(EPOCHS):
        for rows in minibatches(3500, BATCH, rng=rng):
            down, right = (int(n) for n in rng.integers(-1, 2, 2))
            moved = np.asarray(use.shift_all(x[rows].reshape(-1, 28, 28), down, right)).reshape(len(rows), -1)
            seen, gradients, sums = _moved_gradients(use, moved, y[rows], parameters, rng)
            yield Moment(seen, parameters)
            if len(rows) > 1:
                memory.forward(sums, True)
            optimizer.step(gradients)
        answers = _evaluated(parameters, memory, x[held_back])
        losses.append(float(loss.cross_entropy(answers, y[held_back])))
        kept.append(_evaluated(parameters, memory, x_test).argmax(axis=1))
    best, _ = use.stop_early(losses, PATIENCE)
    return held_out(kept[int(best) - 1] == y_test)


def _moved_gradients(
    use: Use, x: Array, y: Array, parameters: Sequence[Array], rng: np.random.Generator
) -> tuple[float, tuple[Array, ...], Array]:
    """Return the loss, one gradient a parameter, and the sums that batch norm saw."""
    W1, gamma, beta, W2, b2 = parameters
    z, pull_first = linear_op(x, W1, np.zeros(len(beta)))
    n, pull_norm = use.batch_norm_op(z, gamma, beta)
    h, pull_relu = relu_op(n)
    dropped, pull_dropout = use.dropout_op(h, 0.1, True, rng=rng)
    answers, pull_second = linear_op(dropped, W2, b2)
    seen, pull_loss = loss.cross_entropy_op(answers, y)
    d_dropped, d_W2, d_b2 = pull_second(pull_loss(1.0))
    d_z, d_gamma, d_beta = pull_norm(pull_relu(pull_dropout(d_dropped)))
    _, d_W1, _ = pull_first(d_z)
    return float(seen), (d_W1, d_gamma, d_beta, d_W2, d_b2), z


def _evaluated(parameters: Sequence[Array], memory: Any, x: Array) -> Array:
    W1, gamma, beta, W2, b2 = parameters
    normal = memory.forward(x @ W1, False)
    return np.maximum(gamma * normal + beta, 0) @ W2 + b2


def _normal_truth(parameters: Sequence[Array]) -> float:
    """Return the loss of the network with batch norm; the batch is all the digits that are looked at."""
    W1, gamma, beta, W2, b2 = parameters
    return digits_truth(lambda x: np.maximum(normalization.batch_norm(x @ W1, gamma, beta), 0) @ W2 + b2)


MOMENTUM = Stage(
    "the digits (momentum)",
    "loss",
    _STEPS,
    with_momentum,
    lambda p: digits_truth(lambda x: forward_op(x, layers_of(p, "relu"))[0]),
    60,
)
NORMAL = Stage("the digits (batch norm)", "loss", EPOCHS * 110, with_batch_norm, _normal_truth, 60)
MILESTONE = Milestone(
    "training",
    "The same digits, read better",
    (
        Piece("he", "initialization", "weights before the first step", same(initialization.he)),
        Piece("draw_parameters", "initialization", "a network before its first step", draw_parameters_of),
        Piece("sgd_step", "optimizers", "a step with momentum", same(optimizers.sgd_step)),
        Piece("clip_by_norm", "optimizers", "no step too long", same(optimizers.clip_by_norm)),
        Piece("cosine", "optimizers", "a rate that falls", same(optimizers.cosine)),
        Piece("adam_step", "optimizers", "a step of Adam", same(optimizers.adam_step)),
        Piece("AdamW", "optimizers", "Adam with weight decay", adamw_of),
        Piece("dropout_op", "regularization", "silent units, and back", same(regularization.dropout_op)),
        Piece("stop_early", "regularization", "the epoch to keep", same(regularization.stop_early)),
        Piece("shift_all", "regularization", "moved pictures", same(_asked.shift_all)),
        Piece("standardize", "normalization", "mean 0, spread 1", same(normalization.standardize)),
        Piece("standardize_op", "normalization", "the same, and back", same(normalization.standardize_op)),
        Piece("batch_norm_op", "normalization", "a layer of it, and back", batch_norm_op_of),
        Piece("BatchNorm", "normalization", "the same after training", batch_norm_of),
    ),
    (MOMENTUM, NORMAL),
    (probe_start, probe_steps, probe_adamw, probe_rates, probe_norm, probe_noise),
)
