"""Classic mistakes of the exercise ``frameworks/jax``, each with what its author must be told."""

from dlcourse.checks import Mistake

LEAKY = {"leaky_check": 1, "leaky_hidden": 1}
GRADIENTS = {"loss_gradients_check": 1, "loss_gradients_hidden": 1}
EACH = {"each_gradient_check": 2, "each_gradient_hidden": 2}
STEP = {"momentum_step_check": 1, "momentum_step_hidden": 1}
LOSSES = {"losses_in_one_check": 2, "losses_in_one_hidden": 2}


def _leaky(name: str, body: str, told: str) -> Mistake:
    return Mistake("leaky", name, f"def leaky(x):\n{body}\n\ncompiled_leaky = compiled(leaky)\n", LEAKY, told)


def _gradients(name: str, answer: str, told: str) -> Mistake:
    code = f"def loss_gradients(W, b, x, labels):\n    return {answer}\n"
    return Mistake("loss_gradients", name, code, GRADIENTS, told)


def _each(name: str, answer: str, told: str) -> Mistake:
    code = f"def each_gradient(W, b, x, labels):\n    return {answer}\n"
    return Mistake("each_gradient", name, code, EACH, told)


def _step(
    name: str,
    told: str,
    *,
    velocity: str = "momentum * v + g",
    change: str = "p - rate * v",
    answer: str = "ps, vs",
) -> Mistake:
    code = (
        "def momentum_step(parameters, velocities, gradients, rate, momentum):\n"
        f"    vs = jax.tree.map(lambda v, g: {velocity}, velocities, gradients)\n"
        f"    ps = jax.tree.map(lambda p, v, old: {change}, parameters, vs, velocities)\n"
        f"    return {answer}\n"
    )
    return Mistake("momentum_step", name, code, STEP, told)


def _losses(
    name: str,
    told: str,
    *,
    state: str = "(W - rate * d_W, b - rate * d_b)",
    kept: str = "loss",
    answer: str = "losses",
    length: str = "steps",
) -> Mistake:
    code = (
        "def losses_in_one(W, b, x, labels, rate, steps):\n"
        "    def body(state, _):\n"
        "        W, b = state\n"
        "        loss, (d_W, d_b) = jax.value_and_grad(cross_entropy, argnums=(0, 1))(W, b, x, labels)\n"
        f"        new = {state}\n"
        f"        return new, {kept}\n"
        f"    last, losses = jax.lax.scan(body, (jnp.asarray(W), jnp.asarray(b)), None, length={length})\n"
        f"    return {answer}\n"
    )
    return Mistake("losses_in_one", name, code, LOSSES, told)


MISTAKES = [
    _leaky("relu", "    return jnp.maximum(x, 0)", "This is relu"),
    _leaky("all divided", "    return 0.1 * x", "You divided all numbers by 10"),
    _leaky("the wrong ones", "    return jnp.where(x > 0, 0.1 * x, x)", "You divided the numbers above 0"),
    _leaky("a hundredth", "    return jnp.where(x > 0, x, 0.01 * x)", "You multiplied by 0.01"),
    _leaky("sign", "    return jnp.where(x > 0, x, -0.1 * x)", "You turned the sign"),
    _leaky(
        "if on a stand-in",
        "    if (x > 0).all():\n        return x\n    return 0.1 * x",
        "TypeError",
    ),
    _leaky("NumPy on a stand-in", "    return np.where(x > 0, x, 0.1 * x)", "TypeError"),
    _gradients("W alone", "jax.grad(cross_entropy)(W, b, x, labels)", "with respect to W only"),
    _gradients("b alone", "jax.grad(cross_entropy, argnums=1)(W, b, x, labels)", "with respect to b only"),
    _gradients(
        "exchanged",
        "jax.grad(cross_entropy, argnums=(1, 0))(W, b, x, labels)",
        "You exchanged the two gradients",
    ),
    _gradients(
        "times the batch",
        "jax.grad(lambda *args: len(x) * cross_entropy(*args), argnums=(0, 1))(W, b, x, labels)",
        "multiplied by the size of the batch",
    ),
    _gradients(
        "wrong sign",
        "jax.grad(lambda *args: -cross_entropy(*args), argnums=(0, 1))(W, b, x, labels)",
        "Your gradients have the wrong sign",
    ),
    _gradients(
        "the function itself", "jax.grad(cross_entropy, argnums=(0, 1))", "gave no numbers to compare"
    ),
    _each(
        "of the batch",
        "jax.grad(cross_entropy, argnums=(0, 1))(W, b, x, labels)",
        "You returned the gradients of the batch",
    ),
    _each(
        "sum over the batch",
        "jax.grad(lambda *args: len(x) * cross_entropy(*args), argnums=(0, 1))(W, b, x, labels)",
        "You returned the sum over the batch",
    ),
    _each(
        "divided by the batch",
        "jax.vmap(jax.grad(lambda *args: cross_entropy(*args) / len(x), argnums=(0, 1)), (None, None, 0, 0))"
        "(W, b, x, labels)",
        "You divided by the size of the batch",
    ),
    _each(
        "batch last",
        "jax.vmap(jax.grad(cross_entropy, argnums=(0, 1)), (None, None, 0, 0), out_axes=-1)(W, b, x, labels)",
        "You put the batch into the last axis",
    ),
    _each(
        "exchanged",
        "jax.vmap(jax.grad(cross_entropy, argnums=(1, 0)), (None, None, 0, 0))(W, b, x, labels)",
        "You exchanged the two gradients",
    ),
    _each(
        "one label for all",
        "jax.vmap(jax.grad(cross_entropy, argnums=(0, 1)), (None, None, 0, None))(W, b, x, labels[0])",
        "You gave all samples the first label",
    ),
    Mistake(
        "each_gradient",
        "loop over the samples",
        "def each_gradient(W, b, x, labels):\n"
        "    f = jax.grad(cross_entropy, argnums=(0, 1))\n"
        "    found = [f(W, b, x[i], labels[i]) for i in range(len(x))]\n"
        "    return jnp.stack([d for d, _ in found]), jnp.stack([d for _, d in found])\n",
        EACH,
        "each_gradient loops in Python",
    ),
    _step("uphill", "You went along the gradient", change="p + rate * v"),
    _step("no momentum", "You left out the momentum", velocity="v + g"),
    _step("no old velocity", "You forgot the old velocity", velocity="g"),
    _step("old velocity", "You took the step with the old velocity", change="p - rate * old"),
    _step("no rate", "You left out the rate", change="p - v"),
    _step(
        "weighed gradient",
        "You weighed the gradient with 1 - momentum",
        velocity="momentum * v + (1 - momentum) * g",
    ),
    _step("exchanged", "You exchanged the two results", answer="vs, ps"),
    _step("old velocities returned", "You returned the old velocities", answer="ps, velocities"),
    _losses("after the step", "Your losses are those after the steps", kept="cross_entropy(*new, x, labels)"),
    _losses("no change", "Your weights do not change", state="(W, b)"),
    _losses("uphill", "Your loss grows", state="(W + rate * d_W, b + rate * d_b)"),
    _losses("last loss", "You returned the last loss only", answer="losses[-1]"),
    _losses("one step less", "You went one step less", length="steps - 1"),
    _losses("no rate", "You left out the rate", state="(W - d_W, b - d_b)"),
]
