"""Classic mistakes of the exercise ``training/regularization``, each with what its author must be told.

Each costs the points of its own task only: no task calls an earlier one.
"""

from dlcourse.checks import Mistake

PENALTY = {"l2_penalty_op_check": 1, "l2_penalty_op_hidden": 1}
DROPOUT = {"dropout_op_check": 2, "dropout_op_hidden": 2}
EVALUATION = {"dropout_op_check": 1, "dropout_op_hidden": 1}
REFUSAL = {"dropout_op_check": 1}
LAYER = {"regularized_layer_op_check": 2, "regularized_layer_op_hidden": 2}
STOP = {"stop_early_check": 2, "stop_early_hidden": 2}
SHIFT = {"shift_all_check": 1, "shift_all_hidden": 2}


def _penalty(
    name: str,
    told: str,
    *,
    value: str = "decay / 2 * sum(np.sum(W**2) for W in weights)",
    gradient: str = "d_value * decay * W",
) -> Mistake:
    code = (
        "def l2_penalty_op(weights, decay):\n"
        f"    return {value}, lambda d_value: tuple({gradient} for W in weights)\n"
    )
    return Mistake("l2_penalty_op", name, code, PENALTY, told)


def _dropout(
    name: str,
    told: str,
    *,
    keep: str = "rng.random(x.shape) >= rate",
    factor: str = "keep / (1 - rate)",
    evaluates: str = "np.ones(x.shape)",
    back: str = "d_y * factor",
    refuses: str = "not 0 <= rate < 1",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "def dropout_op(x, rate, training, *, rng):\n"
        f"    if {refuses}:\n"
        "        raise ValueError('no share')\n"
        f"    keep = {keep}\n"
        f"    factor = {factor} if training else {evaluates}\n"
        f"    return x * factor, lambda d_y: {back}\n"
    )
    return Mistake("dropout_op", name, code, DROPOUT if loses is None else loses, told)


def _layer(
    name: str,
    told: str,
    *,
    z: str = "dropped @ W + b",
    d_h: str = "(d_z @ W.T) * factor",
    d_W: str = "dropped.T @ d_z + decay * W",
    d_b: str = "d_z.sum(axis=0)",
) -> Mistake:
    code = (
        "def regularized_layer_op(h, factor, W, b, decay):\n"
        "    dropped = h * factor\n"
        f"    return {z}, lambda d_z: ({d_h}, {d_W}, {d_b})\n"
    )
    return Mistake("regularized_layer_op", name, code, LAYER, told)


def _stop(
    name: str,
    told: str,
    *,
    better: str = "loss < losses[best - 1]",
    ends: str = "epoch - best >= patience",
    answer: str = "best, epoch",
) -> Mistake:
    code = (
        "def stop_early(losses, patience):\n"
        "    best = 1\n"
        "    for epoch, loss in enumerate(losses, start=1):\n"
        f"        if {better}:\n"
        "            best = epoch\n"
        f"        if {ends}:\n"
        "            break\n"
        f"    return {answer}\n"
    )
    return Mistake("stop_early", name, code, STOP, told)


def _shift(name: str, told: str, answer: str, *, mode: str = "'constant'") -> Mistake:
    code = (
        "def shift_all(images, down, right):\n"
        "    h, w = images.shape[1:]\n"
        f"    wide = np.pad(images, ((0, 0), (h, h), (w, w)), mode={mode})\n"
        f"    return {answer}\n"
    )
    return Mistake("shift_all", name, code, SHIFT, told)


MISTAKES = [
    _penalty("no half", "You left out the one half", value="decay * sum(np.sum(W**2) for W in weights)"),
    _penalty(
        "absolute values",
        "the penalty adds up squares",
        value="decay / 2 * sum(np.sum(np.abs(W)) for W in weights)",
    ),
    _penalty(
        "first array only", "You only looked at the first array", value="decay / 2 * np.sum(weights[0] ** 2)"
    ),
    _penalty("half a gradient", "squaring brings down a 2", gradient="d_value * decay * W / 2"),
    _penalty("twice the gradient", "cancel each other", gradient="2 * d_value * decay * W"),
    _penalty("d_value not used", "does not use the gradient that it is given", gradient="decay * W"),
    _dropout("not enlarged", "You did not enlarge what is kept", factor="1.0 * keep"),
    _dropout("divided by rate", "You divided by rate", factor="keep / max(rate, 1e-9)"),
    _dropout("mask turned round", "You dropped what should be kept", keep="rng.random(x.shape) < rate"),
    _dropout("multiplied", "You multiplied by 1 - rate", factor="keep * (1 - rate)"),
    _dropout(
        "one draw a column",
        "You drew one number for each column",
        keep="np.broadcast_to(rng.random(x.shape[-1:]) >= rate, x.shape)",
        factor="keep / (1 - rate)",
    ),
    _dropout("gradient passes", "Your pullback lets everything through", back="1.0 * d_y"),
    _dropout(
        "drawn anew",
        "Your pullback draws anew",
        back="d_y * (rng.random(x.shape) >= rate) / (1 - rate) if training else 1.0 * d_y",
    ),
    _dropout(
        "dropped in evaluation mode",
        "You drop in evaluation mode, too",
        evaluates="keep / (1 - rate)",
        loses=EVALUATION,
    ),
    _dropout(
        "smaller in evaluation mode",
        "You make everything smaller in evaluation mode",
        evaluates="(1 - rate)",
        loses=EVALUATION,
    ),
    _dropout(
        "rate of 1 not refused",
        "Bad input should raise ValueError, but an answer came back",
        refuses="not 0 <= rate <= 1",
        factor="keep / max(1 - rate, 1e-9)",
        loses=REFUSAL,
    ),
    _layer("no penalty", "You forgot the penalty", d_W="dropped.T @ d_z"),
    _layer("biases charged", "You charged the biases, too", d_b="d_z.sum(axis=0) + decay * b"),
    _layer("whole h for W", "The gradient of W needs what the layer saw", d_W="h.T @ d_z + decay * W"),
    _layer("stopped at dropped h", "You stopped at the dropped h", d_h="d_z @ W.T"),
    _layer("penalty subtracted", "You subtracted the penalty's gradient", d_W="dropped.T @ d_z - decay * W"),
    _layer("sums of whole h", "You did not drop anything in the sums", z="h @ W + b"),
    _stop("one epoch late", "You stop one epoch too late", ends="epoch - best > patience"),
    _stop("equal is better", "You took an equal loss for a better one", better="loss <= losses[best - 1]"),
    _stop(
        "compared with the epoch before",
        "compare with the best one so far",
        better="epoch > 1 and loss < losses[epoch - 2]",
    ),
    _stop("future seen", "those after the end are never seen", answer="int(np.argmin(losses)) + 1, epoch"),
    _stop("last epoch kept", "the best one is kept", answer="epoch, epoch"),
    _stop("counted from 0", "You count from 0", answer="best - 1, epoch - 1"),
    _stop(
        "never stops",
        "You never stop",
        ends="False",
    ),
    _shift(
        "rolled",
        "What leaves on one side came in on the other",
        "np.roll(images, (down, right), axis=(1, 2))",
    ),
    _shift(
        "wrong way",
        "You moved the wrong way",
        "wide[:, h + down : 2 * h + down, w + right : 2 * w + right]",
    ),
    _shift(
        "exchanged",
        "You exchanged down and right",
        "np.pad(images, ((0, 0), (9, 9), (9, 9)))[:, 9 - right : 9 - right + h, 9 - down : 9 - down + w]",
    ),
    _shift(
        "edge repeated",
        "The edge was repeated",
        "wide[:, h - down : 2 * h - down, w - right : 2 * w - right]",
        mode="'edge'",
    ),
    _shift("one axis", "You forgot to move to the right", "wide[:, h - down : 2 * h - down, w : 2 * w]"),
]
