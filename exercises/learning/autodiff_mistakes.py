"""Classic mistakes of the exercise ``learning/autodiff``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

MULTIPLY = {"multiply_check": 1, "multiply_hidden": 1}
UNBROADCAST = {"unbroadcast_check": 1, "unbroadcast_hidden": 2}
ADD = {"add_check": 1, "add_hidden": 1}
GRADIENTS = {"gradients_check": 2, "gradients_hidden": 3}


def _multiply(name: str, pulled: str, told: str) -> Mistake:
    code = f"def multiply(a, b):\n    return a * b, lambda d_y: ({pulled})\n"
    return Mistake("multiply", name, code, MULTIPLY, told)


def _unbroadcast(name: str, body: str, told: str, loses: dict[str, float] | None = None) -> Mistake:
    code = f"def unbroadcast(d_y, shape):\n{body}"
    return Mistake("unbroadcast", name, code, UNBROADCAST if loses is None else loses, told)


def _add(name: str, pulled: str, told: str) -> Mistake:
    code = f"def add(a, b):\n    return a + b, lambda d_y: ({pulled})\n"
    return Mistake("add", name, code, ADD, told)


def _gradients(
    name: str,
    told: str,
    *,
    start: str = "1.0",
    order: str = "reversed(range(len(parents)))",
    step: str = "grads[parent] += slope * grads[k]",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "def gradients(parents, slopes):\n"
        "    grads = [0.0] * len(parents)\n"
        f"    grads[-1] = {start}\n"
        f"    for k in {order}:\n"
        "        for parent, slope in zip(parents[k], slopes[k]):\n"
        f"            {step}\n"
        "    return grads\n"
    )
    return Mistake("gradients", name, code, GRADIENTS if loses is None else loses, told)


MISTAKES = [
    _multiply("factors exchanged", "d_y * a, d_y * b", "You exchanged the two gradients"),
    _multiply("no d_y", "b, a", "You left out d_y"),
    _multiply("passed on", "d_y, d_y", "You passed d_y on as it is"),
    _multiply("times the value", "d_y * a * b, d_y * a * b", "You multiplied by the value"),
    _multiply("slope added", "d_y + b, d_y + a", "You added the slope to d_y"),
    _unbroadcast(
        "mean",
        "    while d_y.ndim > len(shape):\n        d_y = d_y.mean(axis=0)\n"
        "    for i, n in enumerate(shape):\n        if n == 1:\n            d_y = d_y.mean(axis=i, keepdims=True)\n"
        "    return d_y\n",
        "You took the mean",
    ),
    _unbroadcast(
        "one of them",
        "    while d_y.ndim > len(shape):\n        d_y = d_y[0]\n"
        "    for i, n in enumerate(shape):\n        if n == 1:\n            d_y = np.take(d_y, [0], axis=i)\n"
        "    return d_y\n",
        "You took one of the gradients",
    ),
    _unbroadcast(
        "new axes only",
        "    while d_y.ndim > len(shape):\n        d_y = d_y.sum(axis=0)\n    return d_y\n",
        "You summed over the new axes only",
    ),
    _unbroadcast("nothing", "    return d_y\n", "You returned d_y as it is"),
    _unbroadcast("everything", "    return np.full(shape, d_y.sum())\n", "You summed over everything"),
    _unbroadcast(
        "axes lost",
        "    while d_y.ndim > len(shape):\n        d_y = d_y.sum(axis=0)\n"
        "    return d_y.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1))\n",
        "Your axes of length 1 are gone",
    ),
    _add("not undone", "d_y, d_y", "You returned d_y for both"),
    _add(
        "of a product",
        "unbroadcast(d_y * b, a.shape), unbroadcast(d_y * a, b.shape)",
        "that is the pullback of a product",
    ),
    _add(
        "exchanged", "unbroadcast(d_y, b.shape), unbroadcast(d_y, a.shape)", "You exchanged the two gradients"
    ),
    _add(
        "of a difference", "unbroadcast(d_y, a.shape), -unbroadcast(d_y, b.shape)", "You gave b the negative"
    ),
    _add(
        "no d_y",
        "unbroadcast(0 * d_y + 1, a.shape), unbroadcast(0 * d_y + 1, b.shape)",
        "You left out d_y",
    ),
    _gradients("forwards", "You went from the first number to the last", order="range(len(parents))"),
    _gradients(
        "overwritten",
        "You overwrote a gradient",
        step="grads[parent] = slope * grads[k]",
        loses={"gradients_check": 2, "gradients_hidden": 2},
    ),
    _gradients("begins with 0", "You began with 0", start="0.0"),
    _gradients(
        "no slopes",
        "You left out the slopes",
        step="grads[parent] += grads[k]",
        loses={"gradients_check": 2, "gradients_hidden": 2},
    ),
    _gradients(
        "no gradient",
        "You left out the gradient that arrived",
        step="grads[parent] += slope",
        loses={"gradients_check": 2, "gradients_hidden": 2},
    ),
    Mistake(
        "gradients",
        "recursion",
        "def gradients(parents, slopes):\n"
        "    grads = [0.0] * len(parents)\n"
        "    def walk(k, grad):\n"
        "        grads[k] += grad\n"
        "        for parent, slope in zip(parents[k], slopes[k]):\n"
        "            walk(parent, slope * grad)\n"
        "    walk(len(parents) - 1, 1.0)\n"
        "    return grads\n",
        {"gradients_hidden": 1},
        "RecursionError",
    ),
]
