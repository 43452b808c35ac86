"""What a wrong piece of the part "training" breaks, measured piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcourse.learning.backpropagation import nudged_gradients
from dlcourse.milestones.pieces import Found, Quantity, Use
from dlcourse.training import _asked, initialization, normalization, optimizers

_BETAS = 0.9, 0.99


def probe_start(use: Use) -> Iterator[Found]:
    """Compare drawn weights with the package's, from the same generator."""
    meant = {0.5**0.5: "the factor 2 for ReLU is missing", 2**0.5: "there is a factor 2 too many"}
    got, right = (draw((30, 20), rng=np.random.default_rng(0)) for draw in (use.he, initialization.he))
    yield Quantity("he", "", got, right, meant)
    drawn = [
        draw([9, 7, 3], rng=np.random.default_rng(0))
        for draw in (use.draw_parameters, _asked.draw_parameters)
    ]
    if len(drawn[0]) != len(drawn[1]):
        yield f"your draw_parameters gives {len(drawn[0])} arrays in place of {len(drawn[1])}"
        return
    for name, got, right in zip(("W1", "b1", "W2", "b2"), *drawn, strict=True):
        yield Quantity("initial value", name, got, right, meant)


def probe_steps(use: Use) -> Iterator[Found]:
    """Compare single steps of the optimizers, and what they remember."""
    rng = np.random.default_rng(1)
    x, g, v = rng.standard_normal((3, 4, 5))
    rates = {20.0: "you forgot the rate", 1 / 20: "you multiplied by the rate twice"}
    got, right = use.sgd_step(x.copy(), g, v, 0.05, 0.9), optimizers.sgd_step(x, g, v, 0.05, 0.9)
    yield Quantity("step", "momentum", np.asarray(got[0]) - x, right[0] - x, rates)
    yield Quantity("velocity", "", got[1], right[1])
    square = v**2
    x_got, *means_got = use.adam_step(x.copy(), g, 0.1 * v, square, 3, 0.05, _BETAS, 1e-8)
    x_right, *means_right = optimizers.adam_step(x, g, 0.1 * v, square, 3, 0.05, _BETAS, 1e-8)
    yield Quantity("step", "Adam", np.asarray(x_got) - x, x_right - x, rates)
    for name, mean_got, mean_right in zip(("gradients", "squares"), means_got, means_right, strict=True):
        yield Quantity("mean", f"the {name}", mean_got, mean_right)


def probe_adamw(use: Use) -> Iterator[Found]:
    """Compare three steps of AdamW on two arrays, and one that only decays."""
    for gradient, name in ((1.0, "AdamW"), (0.0, "AdamW without a gradient")):
        rng = np.random.default_rng(2)
        start = rng.standard_normal((3, 4)), rng.standard_normal(4)
        moved = []
        for make in (use.AdamW, optimizers.AdamW):
            arrays = tuple(a.copy() for a in start)
            optimizer = make(arrays, 0.1, _BETAS, 1e-8, 0.5)
            for k in range(3):
                optimizer.step(tuple(gradient * np.cos(k + a) for a in start))
            moved.append(np.concatenate([(a - b).ravel() for a, b in zip(arrays, start, strict=True)]))
        yield Quantity("step", name, moved[0], moved[1])


def probe_rates(use: Use) -> Iterator[Found]:
    """Compare the first, middle and last rate, and clipped gradients."""
    got, right = use.cosine(0.1, 10, 0.02), optimizers.cosine(0.1, 10, 0.02)
    for t in (0, 5, 10, 12):
        yield Quantity("rate", f"step {t}", got(t), right(t))
    for length in (10.0, 1.0):
        clipped = []
        for clip in (use.clip_by_norm, optimizers.clip_by_norm):
            gradients = [np.array([0.6 * length]), np.array([[0.0, 0.8 * length]])]
            clip(gradients, 5.0)
            clipped.append(np.concatenate([g.ravel() for g in gradients]))
        yield Quantity("clipped gradient", f"length {length:g}", clipped[0], clipped[1])


def probe_norm(use: Use) -> Iterator[Found]:
    """Compare batch norm and its gradients with nudged ones, and its answer in evaluation mode."""
    rng = np.random.default_rng(3)
    x, gamma, beta, d = (rng.standard_normal(shape) for shape in [(7, 4), (4,), (4,), (7, 4)])
    value, pullback = use.batch_norm_op(x.copy(), gamma, beta)
    yield Quantity("answer", "batch norm", value, normalization.batch_norm(x, gamma, beta))
    nudged = nudged_gradients(
        lambda: float((d * normalization.batch_norm(x, gamma, beta)).sum()), [x, gamma, beta]
    )
    meant = {7.0: "you forgot 1/batch", 1 / 7: "you divided by the batch: these are sums"}
    for name, got, right in zip(("x", "gamma", "beta"), pullback(d), nudged, strict=True):
        yield Quantity("gradient", name, got, right, meant)
    answers = []
    for make in (use.BatchNorm, normalization.BatchNorm):
        layer = make(4)
        seen = layer.forward(3 * x + 1, True)
        answers.append((seen, layer.forward(x, False)))
    for name, got, right in zip(("training mode", "evaluation mode"), *answers, strict=True):
        yield Quantity("answer", f"BatchNorm in {name}", got, right)


def probe_noise(use: Use) -> Iterator[Found]:
    """Look at dropout and at moved pictures."""
    x = np.ones((40, 50))
    y, pullback = use.dropout_op(x.copy(), 0.25, True, rng=np.random.default_rng(4))
    y = np.asarray(y)
    silent, mean = float(np.mean(y == 0)), float(np.mean(y))
    if abs(silent - 0.25) > 0.05:
        yield f"your dropout of 0.25 silences {silent:.0%} of the units"
    if abs(mean - 1) > 0.05:
        yield f"your dropout changes the mean answer of a unit from 1 to {mean:.2f}"
    yield Quantity("gradient", "dropout", pullback(x), y)
    evaluated, _ = use.dropout_op(x, 0.25, False, rng=np.random.default_rng(4))
    yield Quantity("answer", "dropout in evaluation mode", evaluated, x)
    image = np.random.default_rng(5).random((2, 6, 7))
    if not np.array_equal(use.shift_all(image.copy(), 1, -2), _asked.shift_all(image, 1, -2)):
        yield "your shift_all does not show the picture where it should be"
    best, last = use.stop_early([3.0, 2.0, 1.0, 2.0, 3.0, 0.5], 2)
    if (int(best), int(last)) != (3, 5):
        yield (
            f"your stop_early keeps epoch {best} and ends after epoch {last}, where 3 is the best and 5 the end"
        )
