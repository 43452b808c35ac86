"""Classic mistakes of the exercise ``frameworks/tensorflow``, each with what its author must be told."""

from dlcourse.checks import Mistake

GRADIENTS = {"loss_gradients_check": 1, "loss_gradients_hidden": 2}
MODEL = {"as_model_check": 2, "as_model_hidden": 2}
STEP = {"momentum_step_check": 1, "momentum_step_hidden": 1}
LOSSES = {"losses_of_check": 2, "losses_of_hidden": 2}
EACH = "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)"


def _gradients(
    name: str,
    told: str,
    *,
    made: str = "tf.Variable",
    logits: str = "tf.matmul(x, W) + b",
    loss: str = f"tf.reduce_mean({EACH})",
    of: str = "(W, b)",
) -> Mistake:
    code = (
        "def loss_gradients(W, b, x, labels):\n"
        f"    W, b = {made}(W), {made}(b)\n"
        "    with tf.GradientTape() as tape:\n"
        f"        logits = {logits}\n"
        f"        loss = {loss}\n"
        f"    return tape.gradient(loss, {of})\n"
    )
    return Mistake("loss_gradients", name, code, GRADIENTS, told)


def _model(
    name: str,
    told: str,
    *,
    hidden: str = "'relu'",
    last: str = "None",
    weights: str = "list(arrays)",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "def as_model(*arrays):\n"
        "    layers = [keras.Input((len(arrays[0]),))]\n"
        "    for b in arrays[1:-2:2]:\n"
        f"        layers.append(keras.layers.Dense(len(b), activation={hidden}))\n"
        f"    layers.append(keras.layers.Dense(len(arrays[-1]), activation={last}))\n"
        "    model = keras.Sequential(layers)\n"
        f"    model.set_weights({weights})\n"
        "    return model\n"
    )
    return Mistake("as_model", name, code, MODEL if loses is None else loses, told)


def _step(
    name: str,
    told: str,
    *,
    velocity: str = "momentum * v + g",
    change: str = "p - rate * new",
    answer: str = "ps, vs",
) -> Mistake:
    code = (
        "def momentum_step(parameters, velocities, gradients, rate, momentum):\n"
        "    ps, vs = [], []\n"
        "    for p, v, g in zip(parameters, velocities, gradients):\n"
        "        p, v, g = tf.Variable(p), tf.constant(v), tf.constant(g)\n"
        f"        new = {velocity}\n"
        f"        p.assign({change})\n"
        "        ps.append(p)\n"
        "        vs.append(new)\n"
        f"    return {answer}\n"
    )
    return Mistake("momentum_step", name, code, STEP, told)


def _losses(
    name: str,
    told: str,
    *,
    loss: str = f"tf.reduce_mean({EACH})",
    change: str = "W.assign_sub(rate * d_W), b.assign_sub(rate * d_b)",
    kept: str = "loss",
    answer: str = "losses",
    repeated: str = "range(steps)",
) -> Mistake:
    code = (
        "def losses_of(W, b, x, labels, rate, steps):\n"
        "    W, b = tf.Variable(W), tf.Variable(b)\n"
        "    def loss_now():\n"
        "        logits = tf.matmul(x, W) + b\n"
        f"        return {loss}\n"
        "    losses = []\n"
        f"    for _ in {repeated}:\n"
        "        with tf.GradientTape() as tape:\n"
        "            loss = loss_now()\n"
        "        d_W, d_b = tape.gradient(loss, (W, b))\n"
        f"        {change}\n"
        f"        losses.append(float({kept}))\n"
        f"    return {answer}\n"
    )
    return Mistake("losses_of", name, code, LOSSES, told)


MISTAKES = [
    _gradients("nothing is watched", "You got None", made="tf.constant"),
    _gradients(
        "softmax twice",
        "You took softmax before the cross-entropy",
        logits="tf.nn.softmax(tf.matmul(x, W) + b)",
    ),
    _gradients("sum over the batch", "You summed the losses of the batch", loss=f"tf.reduce_sum({EACH})"),
    _gradients("no mean", "You summed the losses of the batch", loss=EACH),
    _gradients("exchanged", "You exchanged the two gradients", of="(b, W)"),
    _gradients("W alone", "with respect to W only", of="W"),
    _gradients("wrong sign", "Your gradients have the wrong sign", loss=f"-tf.reduce_mean({EACH})"),
    _model("no activation", "Your hidden layers have no activation", hidden="None"),
    _model("relu at the end", "You put relu behind the last layer too", last="'relu'"),
    _model("softmax at the end", "You put softmax behind the last layer", last="'softmax'"),
    _model(
        "no biases",
        "Your biases are 0",
        weights="[a if a.ndim == 2 else 0 * a for a in arrays]",
    ),
    _step("uphill", "You went along the gradient", change="p + rate * new"),
    _step("no momentum", "You left out the momentum", velocity="v + g"),
    _step("no old velocity", "You forgot the old velocity", velocity="g"),
    _step("old velocity", "You took the step with the old velocity", change="p - rate * v"),
    _step("no rate", "You left out the rate", change="p - new"),
    _step(
        "weighed gradient",
        "You weighed the gradient with 1 - momentum",
        velocity="momentum * v + (1 - momentum) * g",
    ),
    _step("exchanged", "You exchanged the two results", answer="vs, ps"),
    _losses("after the step", "Your losses are those after the steps", kept="loss_now()"),
    _losses("no change", "Your weights do not change", change="pass"),
    _losses("uphill", "Your loss grows", change="W.assign_add(rate * d_W), b.assign_add(rate * d_b)"),
    _losses("last loss", "You returned the last loss only", answer="losses[-1]"),
    _losses("one step less", "You went one step less", repeated="range(steps - 1)"),
    _losses("no rate", "You left out the rate", change="W.assign_sub(d_W), b.assign_sub(d_b)"),
    _losses("sum over the batch", "You summed the losses of the batch", loss=f"tf.reduce_sum({EACH})"),
]
