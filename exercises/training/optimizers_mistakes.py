"""Classic mistakes of the exercise ``training/optimizers``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

SGD = {"sgd_step_check": 1, "sgd_step_hidden": 1}
LENGTH = {"clip_by_norm_check": 1, "clip_by_norm_hidden": 1}
COSINE = {"cosine_check": 1, "cosine_hidden": 1}
ADAM = {"adam_step_check": 1, "adam_step_hidden": 2}
ADAMW = {"AdamW_check": 1, "AdamW_hidden": 2}


def _sgd(name: str, told: str, *, v: str = "momentum * velocity + g", x: str = "x - rate * v") -> Mistake:
    code = f"def sgd_step(x, g, velocity, rate, momentum):\n    v = {v}\n    return {x}, v\n"
    return Mistake("sgd_step", name, code, SGD, told)


def _clip(
    name: str,
    told: str,
    *,
    length: str = "np.sqrt(sum(np.sum(g**2) for g in gradients))",
    body: str = "if length > limit:\n        for g in gradients:\n            g *= limit / length",
    result: str = "length",
    loses: dict[str, float] = LENGTH,
) -> Mistake:
    code = f"def clip_by_norm(gradients, limit):\n    length = {length}\n    {body}\n    return {result}\n"
    return Mistake("clip_by_norm", name, code, loses, told)


def _cosine(name: str, formula: str, told: str) -> Mistake:
    code = (
        "def cosine(rate, steps, lowest):\n"
        "    def schedule(t):\n"
        "        s = min(t, steps) / steps\n"
        f"        return {formula}\n"
        "\n"
        "    return schedule\n"
    )
    return Mistake("cosine", name, code, COSINE, told)


def _adam(
    name: str,
    told: str,
    *,
    m: str = "b1 * mean + (1 - b1) * g",
    v: str = "b2 * square + (1 - b2) * g**2",
    m_hat: str = "m / (1 - b1**step)",
    v_hat: str = "v / (1 - b2**step)",
    x: str = "x - rate * m_hat / (np.sqrt(v_hat) + eps)",
    result: str = "m, v",
    loses: dict[str, float] = ADAM,
) -> Mistake:
    code = (
        "def adam_step(x, g, mean, square, step, rate, betas, eps):\n"
        "    b1, b2 = betas\n"
        f"    m = {m}\n"
        f"    v = {v}\n"
        f"    m_hat = {m_hat}\n"
        f"    v_hat = {v_hat}\n"
        f"    return {x}, {result}\n"
    )
    return Mistake("adam_step", name, code, loses, told)


def _adamw(
    name: str,
    told: str,
    *,
    count: str = "self.t += 1",
    start: str = "pass",
    before: str = "x *= 1 - self.rate * self.decay",
    gradient: str = "g",
    after: str = "x[...] = new",
    loses: dict[str, float] = ADAMW,
) -> Mistake:
    code = (
        "class AdamW:\n"
        "    def __init__(self, parameters, rate, betas, eps, weight_decay):\n"
        "        self.parameters = parameters\n"
        "        self.rate, self.betas, self.eps, self.decay = rate, betas, eps, weight_decay\n"
        "        self.m = [np.zeros_like(x) for x in parameters]\n"
        "        self.v = [np.zeros_like(x) for x in parameters]\n"
        "        self.t = 0\n"
        "\n"
        "    def step(self, gradients):\n"
        f"        {count}\n"
        "        for i, (x, g) in enumerate(zip(self.parameters, gradients)):\n"
        f"            {start}\n"
        f"            {before}\n"
        "            new, self.m[i], self.v[i] = adam_step(\n"
        f"                x, {gradient}, self.m[i], self.v[i], self.t, self.rate, self.betas, self.eps\n"
        "            )\n"
        f"            {after}\n"
    )
    return Mistake("AdamW", name, code, loses, told)


MISTAKES = [
    _sgd("old velocity", "You moved along the old velocity", x="x - rate * velocity"),
    _sgd("gradient alone", "You moved along the gradient alone", x="x - rate * g"),
    _sgd("no momentum", "You forgot the momentum", v="velocity + g"),
    _sgd(
        "weighed gradient",
        "You weighed the gradient with 1 - momentum",
        v="momentum * velocity + (1 - momentum) * g",
    ),
    _sgd("uphill", "You walked uphill", x="x + rate * v"),
    _sgd(
        "rate in the velocity",
        "Your velocity already holds the rate",
        v="momentum * velocity + rate * g",
        x="x - v",
    ),
    _sgd("nesterov", "This is Nesterov's momentum", x="x - rate * (g + momentum * v)"),
    Mistake(
        "sgd_step",
        "changes the velocity in place",
        "def sgd_step(x, g, velocity, rate, momentum):\n"
        "    velocity *= momentum\n"
        "    velocity += g\n"
        "    return x - rate * velocity, velocity\n",
        SGD,
        "changed its argument velocity in place",
    ),
    _clip(
        "no root",
        "You forgot the root",
        length="sum(np.sum(g**2) for g in gradients)",
        loses=dict.fromkeys(LENGTH, 2),
    ),
    _clip("length after", "You returned the length after clipping", result="min(length, limit)"),
    _clip(
        "new arrays",
        "The caller's arrays did not change",
        body="if length > limit:\n        for g in gradients:\n            g = g * limit / length",
    ),
    _clip(
        "always",
        "You made short gradients longer",
        body="for g in gradients:\n        g *= limit / length",
    ),
    _clip(
        "each array by itself",
        "You scaled each array by its own length",
        body="for g in gradients:\n        g *= min(1, limit / np.sqrt(np.sum(g**2)))",
    ),
    _clip(
        "each number by itself",
        "You cut off each number at the limit",
        body="for g in gradients:\n        np.clip(g, -limit, limit, out=g)",
    ),
    _cosine(
        "rises again",
        "lowest + (rate - lowest) * (1 + np.cos(np.pi * t / steps)) / 2",
        "Your rate rises again after the last step",
    ),
    _cosine(
        "rises", "lowest + (rate - lowest) * (1 - np.cos(np.pi * s)) / 2", "Your rate rises from the lowest"
    ),
    _cosine("no half", "lowest + (rate - lowest) * (1 + np.cos(np.pi * s))", "You forgot the half"),
    _cosine(
        "whole wave", "lowest + (rate - lowest) * (1 + np.cos(2 * np.pi * s)) / 2", "You took a whole wave"
    ),
    _cosine("line", "rate + (lowest - rate) * s", "Your rate falls in a straight line"),
    _cosine("starts too high", "lowest + rate * (1 + np.cos(np.pi * s)) / 2", "Your rate starts too high"),
    _adam("no correction", "You forgot both corrections", m_hat="m", v_hat="v"),
    _adam("squares not corrected", "You forgot the correction of the mean of the squares", v_hat="v"),
    _adam(
        "corrections late",
        "Your corrections are one step late",
        m_hat="m / (1 - b1 ** (step + 1))",
        v_hat="v / (1 - b2 ** (step + 1))",
    ),
    _adam("no root", "You forgot the root", x="x - rate * m_hat / (v_hat + eps)"),
    _adam(
        "eps under the root", "Your eps stands under the root", x="x - rate * m_hat / np.sqrt(v_hat + eps)"
    ),
    _adam(
        "betas exchanged",
        "You exchanged the two betas",
        m="b2 * mean + (1 - b2) * g",
        v="b1 * square + (1 - b1) * g**2",
        m_hat="m / (1 - b2**step)",
        v_hat="v / (1 - b1**step)",
    ),
    _adam("squares whole", "You added the squares whole", v="b2 * square + g**2"),
    _adam(
        "gradient in place of its mean",
        "You divided the gradient itself",
        x="x - rate * g / (np.sqrt(v_hat) + eps)",
    ),
    _adam("corrected means returned", "You returned the corrected means", result="m_hat, v_hat"),
    _adamw(
        "decay in the gradient",
        "You added the decay to the gradient",
        before="pass",
        gradient="g + self.decay * x",
    ),
    _adamw("no decay", "You forgot the weight decay", before="pass"),
    _adamw(
        "decay after the step",
        "You shrank the parameters after the step",
        before="pass",
        after="x[...] = new * (1 - self.rate * self.decay)",
    ),
    _adamw("decay without the rate", "Your decay forgot the rate", before="x *= 1 - self.decay"),
    _adamw(
        "not in place",
        "The caller's parameters did not change",
        before="x = x * (1 - self.rate * self.decay)",
        after="x = new",
    ),
    _adamw("step number stays 1", "Your step number stays 1", count="self.t = 1"),
    _adamw(
        "counts each parameter", "You counted up once for each parameter", count="pass", start="self.t += 1"
    ),
    _adamw("means forgotten", "Your means are 0 in each call", start="self.m[i], self.v[i] = 0 * g, 0 * g"),
]
