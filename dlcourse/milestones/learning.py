"""The milestone of the part "learning": backpropagation solves XOR, and then reads digits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np

from dlcourse.learning import backpropagation, gradient_descent, loss
from dlcourse.milestones.digits import beside_nudged, digits_truth, held_out, images, layers_of, mean_scales
from dlcourse.milestones.pieces import (
    Found,
    Milestone,
    Moment,
    Piece,
    Quantity,
    Result,
    Stage,
    Use,
    same,
)
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.activation import ACTIVATION_OPS
from dlcourse.neurons.network import MLP, forward
from dlcourse.neurons.neuron import GATE_INPUTS, GATES

BATCH, EPOCHS, RATE = 32, 15, 0.1
_LABELS = GATES["XOR"].astype(int)
_TARGETS = GATES["XOR"][:, None]


def dense_op_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``dense_op`` from the ``linear_op`` in use."""

    def dense_op(x: Array, W: Array, b: Array, activation: str) -> tuple[Array, Callable[[Array], Any]]:
        z, pull_sums = use.linear_op(x, W, b)
        if activation == "linear":
            return z, pull_sums
        h, pull_activation = ACTIVATION_OPS[activation](z)
        return h, lambda d_h: pull_sums(pull_activation(d_h))

    return dense_op


def forward_op_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``forward_op`` from the ``dense_op`` in use."""

    def forward_op(x: Array, layers: Sequence[Any]) -> tuple[Array, Callable[[Array], Any]]:
        pullbacks = []
        for W, b, activation in layers:
            x, pull_layer = use.dense_op(x, W, b, activation)
            pullbacks.append(pull_layer)

        def pullback(d: Array) -> tuple[Array, list[tuple[Array, Array]]]:
            pairs = []
            for pull_layer in reversed(pullbacks):
                d, d_W, d_b = pull_layer(d)
                pairs.append((d_W, d_b))
            return d, pairs[::-1]

        return x, pullback

    return forward_op


def cross_entropy_of(use: Use) -> Callable[..., Any]:
    """Make the package's ``cross_entropy`` from the ``log_sum_exp`` in use."""
    return lambda logits, labels: np.mean(use.log_sum_exp(logits) - logits[np.arange(len(labels)), labels])


def loss_op_of(name: str) -> Callable[[Use], Callable[..., Any]]:
    """Make a loss of the package with its gradient; the value comes from the loss in use."""

    def made(use: Use) -> Callable[..., Any]:
        def loss_op(answers: Array, right: Array) -> tuple[Any, Callable[[float], Array]]:
            _, pullback = getattr(loss, f"{name}_op")(answers, right)
            return getattr(use, name)(answers, right), pullback

        return loss_op

    return made


def gradients_through(
    use: Use, x: Array, y: Array, parameters: Sequence[Array], *, hidden: str, loss_op: Callable[..., Any]
) -> tuple[float, list[Array]]:
    """Send a batch through the network and its error back, all with the pieces in use."""
    answers, pull_network = use.forward_op(x, layers_of(parameters, hidden))
    value, pull_loss = loss_op(answers, y)
    _, pairs = pull_network(pull_loss(1.0))
    return float(value), [gradient for pair in pairs for gradient in pair]


def _corrected(use: Use, parameters: Sequence[Array], gradients: Sequence[Array], rate: float) -> list[Array]:
    return [use.one_step(p, g, rate) for p, g in zip(parameters, gradients, strict=True)]


def _draw(sizes: Sequence[int], seed: int) -> list[Array]:
    return list(MLP.draw(sizes, output="value", rng=np.random.default_rng(seed)).parameters)


def xor_by_lines(use: Use) -> Generator[Moment, None, Result]:
    """Learn XOR as a class, with the derivation of two layers line by line."""
    parameters = _draw([2, 8, 2], 3)
    for _ in range(XOR_BY_LINES.steps):
        seen, gradients = use.two_layer_gradients(GATE_INPUTS.copy(), _LABELS.copy(), *parameters)
        yield Moment(float(seen), parameters)
        parameters = _corrected(use, parameters, gradients, 0.5)
    answers = forward(GATE_INPUTS, layers_of(parameters, "relu")).argmax(axis=1)
    return _gates_right(answers == _LABELS)


def xor_by_layers(use: Use) -> Generator[Moment, None, Result]:
    """Learn XOR as a value, layer by layer, with mean squared error."""
    parameters = _draw([2, 8, 1], 5)
    for _ in range(XOR_BY_LAYERS.steps):
        seen, gradients = gradients_through(
            use,
            GATE_INPUTS.copy(),
            _TARGETS.copy(),
            parameters,
            hidden="tanh",
            loss_op=use.mean_squared_error_op,
        )
        yield Moment(seen, parameters)
        parameters = _corrected(use, parameters, gradients, 0.2)
    answers, _ = use.forward_op(GATE_INPUTS.copy(), layers_of(parameters, "tanh"))
    return _gates_right((answers > 0.5) == (_TARGETS > 0.5))


def _gates_right(right: Array) -> Result:
    count = int(np.sum(right))
    return Result(f"{count} of 4 rows of the table right", count == 4, count / 4)


def read_digits(use: Use) -> Generator[Moment, None, Result]:
    """Learn to read digits: mini-batches, forward, loss, back, step."""
    x, y, x_test, y_test = images()
    rng = np.random.default_rng(0)
    parameters = _draw([784, 32, 10], 0)
    for _ in range(EPOCHS):
        for rows in use.minibatches(len(x), BATCH, rng=rng):
            seen, gradients = gradients_through(
                use, x[rows], y[rows], parameters, hidden="relu", loss_op=use.cross_entropy_op
            )
            yield Moment(seen, parameters)
            parameters = _corrected(use, parameters, gradients, RATE)
    answers, _ = use.forward_op(x_test.copy(), layers_of(parameters, "relu"))
    return held_out(answers.argmax(axis=1) == y_test)


def _classes_loss(x: Array, labels: Array, parameters: Sequence[Array]) -> float:
    return float(loss.cross_entropy(forward(x, layers_of(parameters, "relu")), labels))


def _values_loss(x: Array, targets: Array, parameters: Sequence[Array]) -> float:
    return float(loss.mean_squared_error(forward(x, layers_of(parameters, "tanh")), targets))


XOR_BY_LINES = Stage(
    "XOR (line by line)",
    "loss",
    400,
    xor_by_lines,
    lambda p: _classes_loss(GATE_INPUTS, _LABELS, p),
    60,
)
XOR_BY_LAYERS = Stage(
    "XOR (layer by layer)",
    "loss",
    600,
    xor_by_layers,
    lambda p: _values_loss(GATE_INPUTS, _TARGETS, p),
    80,
)
DIGITS = Stage(
    "the digits",
    "loss",
    EPOCHS * 4000 // BATCH,
    read_digits,
    lambda p: digits_truth(lambda x: forward(x, layers_of(p, "relu"))),
    30,
)


def _small() -> tuple[Array, Array, Array, dict[str, Array]]:
    """Draw a network small enough for every number in it to be nudged; its lengths all differ."""
    rng = np.random.default_rng(1)
    x, labels, targets = (
        rng.standard_normal((7, 4)),
        np.array([0, 1, 2, 0, 2, 1, 1]),
        rng.standard_normal((7, 3)),
    )
    shapes = {"W1": (4, 6), "b1": (6,), "W2": (6, 3), "b2": (3,)}
    return x, labels, targets, {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def probe_lines(use: Use) -> Iterator[Found]:
    """Compare the gradients of two layers with nudged ones."""
    x, labels, _, named = _small()
    p = list(named.values())
    value, gradients = use.two_layer_gradients(x, labels, *p)
    yield from beside_nudged(
        value,
        list(gradients),
        lambda: _classes_loss(x, labels, p),
        named,
        mean_scales(7),
    )


def probe_classes(use: Use) -> Iterator[Found]:
    """Compare the gradients of cross-entropy, layer by layer, with nudged ones."""
    x, labels, _, named = _small()
    p = list(named.values())
    value, gradients = gradients_through(use, x, labels, p, hidden="relu", loss_op=use.cross_entropy_op)
    yield from beside_nudged(
        value,
        gradients,
        lambda: _classes_loss(x, labels, p),
        named,
        mean_scales(7),
    )


def probe_values(use: Use) -> Iterator[Found]:
    """Compare the gradients of mean squared error, layer by layer, with nudged ones."""
    x, _, y, named = _small()
    p = list(named.values())
    value, gradients = gradients_through(use, x, y, p, hidden="tanh", loss_op=use.mean_squared_error_op)
    yield from beside_nudged(
        value,
        gradients,
        lambda: _values_loss(x, y, p),
        named,
        mean_scales(7, y.size),
    )


def probe_step(use: Use) -> Iterator[Found]:
    """Compare a step with one against the gradient."""
    p, g = np.array([[1.0, -2.0, 0.5]]), np.array([[3.0, 1.0, -2.0]])
    after = np.asarray(use.one_step(p.copy(), g.copy(), 0.05))
    meant = {20.0: "you forgot the rate", 0.05: "you multiplied by the rate twice"}
    yield Quantity("step", "", after - p if after.shape == p.shape else after, -0.05 * g, meant)


def probe_batches(use: Use) -> Iterator[Found]:
    """Look whether the batches of an epoch show each sample once, in another order each time."""
    rng = np.random.default_rng(0)
    epochs = [[np.asarray(rows) for rows in use.minibatches(30, 8, rng=rng)] for _ in range(2)]
    orders = [np.concatenate([rows.ravel() for rows in batches]).tolist() for batches in epochs]
    seen = [len(set(order) & set(range(30))) for order in orders]
    if min(seen) < 30:
        yield f"your minibatches show only {min(seen)} of 30 samples in an epoch"
    elif len(orders[0]) > 30:
        yield "your minibatches show some samples several times in an epoch"
    elif len(epochs[0]) != 4:
        yield f"30 samples in batches of 8 make {len(epochs[0])} minibatches in place of 4"
    if orders[0] == list(range(30)):
        yield "your minibatches come in the order of the file: shuffle them"
    elif orders[0] == orders[1]:
        yield "your minibatches have the same order in each epoch"


MILESTONE = Milestone(
    "learning",
    "Backpropagation solves XOR, and then reads digits",
    (
        Piece("mean_squared_error", "loss", "loss of a value", same(loss.mean_squared_error)),
        Piece(
            "mean_squared_error_op", "loss", "the same with its gradient", loss_op_of("mean_squared_error")
        ),
        Piece("log_sum_exp", "loss", "denominator of softmax", same(loss.log_sum_exp)),
        Piece("cross_entropy", "loss", "loss of a class", cross_entropy_of),
        Piece("cross_entropy_op", "loss", "the same with its gradient", loss_op_of("cross_entropy")),
        Piece("one_step", "gradient_descent", "optimizer", same(gradient_descent.one_step)),
        Piece("minibatches", "gradient_descent", "batches of an epoch", same(gradient_descent.minibatches)),
        Piece("linear_op", "backpropagation", "sums of a layer, and back", same(backpropagation.linear_op)),
        Piece("dense_op", "backpropagation", "a layer, and back", dense_op_of),
        Piece(
            "two_layer_gradients",
            "backpropagation",
            "two layers at once",
            same(backpropagation.two_layer_gradients),
        ),
        Piece("forward_op", "backpropagation", "all layers, and back", forward_op_of),
    ),
    (XOR_BY_LINES, XOR_BY_LAYERS, DIGITS),
    (probe_lines, probe_classes, probe_values, probe_step, probe_batches),
)
