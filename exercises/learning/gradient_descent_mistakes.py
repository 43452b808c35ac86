"""Classic mistakes of the exercise ``learning/gradient_descent``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

STEP = {"one_step_check": 1, "one_step_hidden": 1}
REGRESSION = {"linear_regression_check": 2, "linear_regression_hidden": 2}
LIMIT = {"largest_stable_rate_check": 1, "largest_stable_rate_hidden": 1}
BATCHES = {"minibatches_check": 2, "minibatches_hidden": 1}
LEARN = {"learn_check": 2, "learn_hidden": 3}


def _step(name: str, formula: str, told: str) -> Mistake:
    code = f"def one_step(p, gradient, rate):\n    return {formula}\n"
    return Mistake("one_step", name, code, STEP, told)


def _regression(
    name: str,
    told: str,
    *,
    r: str = "x @ w + b - y",
    loss: str = "np.mean(r**2)",
    d_w: str = "2 * x.T @ r / len(y)",
    d_b: str = "2 * np.mean(r)",
) -> Mistake:
    code = f"def linear_regression(x, y, w, b):\n    r = {r}\n    return {loss}, ({d_w}, {d_b})\n"
    return Mistake("linear_regression", name, code, REGRESSION, told)


def _limit(name: str, formula: str, told: str) -> Mistake:
    code = f"def largest_stable_rate(hessian):\n    return {formula}\n"
    return Mistake("largest_stable_rate", name, code, LIMIT, told)


def _batches(
    name: str,
    told: str,
    *,
    order: str = "rng.permutation(n)",
    batches: str = "[order[i : i + size] for i in range(0, n, size)]",
) -> Mistake:
    code = f"def minibatches(n, size, *, rng):\n    order = {order}\n    return {batches}\n"
    return Mistake("minibatches", name, code, BATCHES, told)


def _learn(
    name: str,
    told: str,
    *,
    once: str = "None",
    batches: str = "minibatches(len(x), size, rng=rng)",
    gradient: str = "linear_regression(x[batch], y[batch], w, b)",
    step: str = "w, b = one_step(w, d_w, rate), one_step(b, d_b, rate)",
    note: str = "losses.append(loss)",
    late: str = "None",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "def learn(x, y, w, b, rate, epochs, size, *, rng):\n"
        "    losses = []\n"
        f"    once = {once}\n"
        "    for _ in range(epochs):\n"
        f"        for batch in {batches}:\n"
        f"            loss, (d_w, d_b) = {gradient}\n"
        f"            {note}\n"
        f"            {step}\n"
        f"        {late}\n"
        "    return w, b, losses\n"
    )
    return Mistake("learn", name, code, LEARN if loses is None else loses, told)


MISTAKES = [
    _step("uphill", "p + rate * gradient", "You went uphill"),
    _step("no rate", "p - gradient", "You left out the learning rate"),
    _step("divided by the rate", "p - gradient / rate", "You divided by the learning rate"),
    _step("step alone", "-rate * gradient", "You returned the step alone: add it"),
    _step("point shrinks too", "rate * (p - gradient)", "You multiplied the point by the rate too"),
    Mistake(
        "one_step",
        "in place",
        "def one_step(p, gradient, rate):\n    p -= rate * gradient\n    return p\n",
        STEP,
        "one_step changed its argument p in place: work on a copy",
    ),
    _regression(
        "no mean in the gradient",
        "You left out 1/batch in the gradient",
        d_w="2 * x.T @ r",
        d_b="2 * np.sum(r)",
    ),
    _regression("no mean in d_w", "d_w lacks 1/batch", d_w="2 * x.T @ r"),
    _regression("no mean in d_b", "d_b lacks 1/batch", d_b="2 * np.sum(r)"),
    _regression("no 2", "You left out the 2", d_w="x.T @ r / len(y)", d_b="np.mean(r)"),
    _regression("wrong sign", "Your gradient has the wrong sign", r="y - x @ w - b"),
    _regression("divided by the inputs", "You divided d_w by the number of inputs", d_w="2 * x.T @ r / len(w)"),
    _regression("loss is a sum", "Your loss is a sum", loss="np.sum(r**2)"),
    _regression("root of the loss", "You took the root of the loss", loss="np.sqrt(np.mean(r**2))"),
    _regression("no bias", "You left out the bias b", r="x @ w - y"),
    _regression("d_b for each sample", "d_b is not summed up", d_b="2 * r / len(y)"),
    _regression(
        "d_w for each sample", "d_w is not summed over the samples", d_w="2 * x * r[:, None] / len(y)"
    ),
    _regression("product of means", "You multiplied the means", d_w="2 * x.mean(axis=0) * r.mean()"),
    _regression("d_b first", "You exchanged d_w and d_b", d_w="2 * np.mean(r)", d_b="2 * x.T @ r / len(y)"),
    Mistake(
        "linear_regression",
        "loop over the samples",
        "def linear_regression(x, y, w, b):\n"
        "    r = x @ w + b - y\n"
        "    d_w = np.zeros(len(w))\n"
        "    for row, error in zip(x, r):\n"
        "        d_w += 2 * error * row / len(y)\n"
        "    return np.mean(r**2), (d_w, 2 * np.mean(r))\n",
        REGRESSION,
        "linear_regression loops in Python: write it with whole arrays",
    ),
    _limit("smallest eigenvalue", "2 / np.linalg.eigvalsh(hessian)[0]", "You took the smallest eigenvalue"),
    _limit("limit of 1", "1 / np.linalg.eigvalsh(hessian)[-1]", "You set the limit at 1"),
    _limit("eigenvalue itself", "np.linalg.eigvalsh(hessian)[-1]", "You returned the eigenvalue itself"),
    _limit("diagonal", "2 / np.diag(hessian).max()", "You read the diagonal"),
    _limit("all limits", "2 / np.linalg.eigvalsh(hessian)", "You gave one limit for each eigenvalue"),
    _batches("not shuffled", "You did not shuffle", order="np.arange(n)"),
    _batches(
        "rest left out",
        "You left out the last, smaller batch",
        batches="[order[i : i + size] for i in range(0, n - size + 1, size)]",
    ),
    _batches(
        "size taken as number",
        "size is the length of a batch, not the number of batches",
        batches="np.array_split(order, size)",
    ),
    _batches("own generator", "You drew from a generator of your own", order="np.random.default_rng(0).permutation(n)"),
    _batches(
        "drawn with repetition",
        "You drew with repetition",
        order="None",
        batches="[rng.integers(n, size=min(size, n - i)) for i in range(0, n, size)]",
    ),
    _batches("in one piece", "You returned the order in one piece", batches="order"),
    _batches("in one batch", "All examples are in one batch", batches="[order]"),
    _batches("counts from 1", "You count from 1", order="rng.permutation(n) + 1"),
    _learn("one epoch only", "You went through the examples once", late="break"),
    _learn(
        "generator used up",
        "You went through the examples once",
        once="iter(minibatches(len(x), size, rng=rng))",
        batches="once",
    ),
    _learn(
        "same batches in each epoch",
        "Your epochs all have the same batches",
        once="list(minibatches(len(x), size, rng=rng))",
        batches="once",
    ),
    _learn(
        "all examples in each step",
        "Each of your steps uses all examples",
        gradient="linear_regression(x, y, w, b)",
    ),
    _learn(
        "uphill", "Your steps go uphill", step="w, b = one_step(w, -d_w, rate), one_step(b, -d_b, rate)"
    ),
    _learn("bias forgotten", "b stays as it was", step="w = one_step(w, d_w, rate)"),
    _learn("nothing kept", "w and b are as they were", step="one_step(w, d_w, rate)"),
    _learn("one loss an epoch", "You noted one loss for each epoch", note="None", late="losses.append(loss)"),
    _learn("loss after the step", "You noted the loss after the step", note="None",
           step="w, b = one_step(w, d_w, rate), one_step(b, d_b, rate)\n"
                "            losses.append(linear_regression(x[batch], y[batch], w, b)[0])"),
    _learn(
        "divided by the batch again",
        "You divided by the size of the batch once more",
        step="w, b = one_step(w, d_w / size, rate), one_step(b, d_b / size, rate)",
    ),
]  # fmt: skip
