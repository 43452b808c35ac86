"""Classic mistakes of the exercise ``learning/backpropagation``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

CHAIN = {"chain_check": 2}
LINEAR = {"linear_op_check": 2, "linear_op_hidden": 2}
DENSE = {"dense_op_check": 2, "dense_op_hidden": 2}
TWO_LAYERS = {"two_layer_gradients_check": 3, "two_layer_gradients_hidden": 3}
FORWARD = {"forward_op_check": 3, "forward_op_hidden": 3}


def _chain(name: str, answer: str, told: str) -> Mistake:
    return Mistake("chain", name, f"chain = {answer}\n", CHAIN, told)


def _linear(
    name: str,
    told: str,
    *,
    d_x: str = "d_z @ W.T",
    d_W: str = "x.T @ d_z",
    d_b: str = "d_z.sum(axis=0)",
    gradients: str = "d_x, d_W, d_b",
    z: str = "x @ W + b",
) -> Mistake:
    code = (
        "def linear_op(x, W, b):\n"
        "    def pullback(d_z):\n"
        f"        d_x = {d_x}\n"
        f"        d_W = {d_W}\n"
        f"        d_b = {d_b}\n"
        f"        return {gradients}\n"
        "\n"
        f"    return {z}, pullback\n"
    )
    return Mistake("linear_op", name, code, LINEAR, told)


def _dense(
    name: str,
    told: str,
    *,
    relu: str = "z > 0",
    tanh: str = "1 - h**2",
    value: str = "h",
    d_z: str = "d_h * slope",
) -> Mistake:
    code = (
        "def dense_op(x, W, b, activation):\n"
        "    z, pull_sums = linear_op(x, W, b)\n"
        "\n"
        "    def pullback(d_h):\n"
        "        slope = 1.0\n"
        "        if activation == 'relu':\n"
        f"            slope = {relu}\n"
        "        if activation == 'tanh':\n"
        f"            slope = {tanh}\n"
        f"        return pull_sums({d_z})\n"
        "\n"
        "    h = z\n"
        "    if activation == 'relu':\n"
        "        h = np.maximum(z, 0)\n"
        "    if activation == 'tanh':\n"
        "        h = np.tanh(z)\n"
        f"    return {value}, pullback\n"
    )
    return Mistake("dense_op", name, code, DENSE, told)


def _two(
    name: str,
    told: str,
    *,
    H: str = "np.maximum(Z1, 0)",
    d_Z2: str = "(P - Y) / len(x)",
    d_H: str = "d_Z2 @ W2.T",
    d_Z1: str = "d_H * (Z1 > 0)",
    loss: str = "-np.log(P[rows, labels]).mean()",
    weights: str = "x.T @ d_Z1, {b1}, H.T @ d_Z2, {b2}",
    b1: str = "d_Z1.sum(axis=0)",
    b2: str = "d_Z2.sum(axis=0)",
) -> Mistake:
    code = (
        "def two_layer_gradients(x, labels, W1, b1, W2, b2):\n"
        "    rows = np.arange(len(x))\n"
        "    Z1 = x @ W1 + b1\n"
        f"    H = {H}\n"
        "    P = softmax(H @ W2 + b2)\n"
        "    Y = np.eye(len(b2))[labels]\n"
        f"    d_Z2 = {d_Z2}\n"
        f"    d_H = {d_H}\n"
        f"    d_Z1 = {d_Z1}\n"
        f"    loss = {loss}\n"
        f"    return loss, ({weights.format(b1=b1, b2=b2)})\n"
    )
    return Mistake("two_layer_gradients", name, code, TWO_LAYERS, told)


def _forward(
    name: str,
    told: str,
    *,
    layer: str = "dense_op(h, W, b, activation)",
    taken: str = "d",
    result: str = "d, pairs[::-1]",
    order: str = "reversed(pullbacks)",
) -> Mistake:
    code = (
        "def forward_op(x, layers):\n"
        "    h, pullbacks = x, []\n"
        "    for W, b, activation in layers:\n"
        f"        h, pull_layer = {layer}\n"
        "        pullbacks.append(pull_layer)\n"
        "\n"
        "    def pullback(d_answers):\n"
        "        d, pairs = d_answers, []\n"
        f"        for pull_layer in {order}:\n"
        f"            d, d_W, d_b = pull_layer({taken})\n"
        "            pairs.append((d_W, d_b))\n"
        f"        return {result}\n"
        "\n"
        "    return h, pullback\n"
    )
    return Mistake("forward_op", name, code, FORWARD, told)


MISTAKES = [
    _chain("signs turned round", "(6, 12, 18, 18, 36, 18)", "the error is y - t, not t - y"),
    _chain(
        "square without its 2", "(-3, -6, -9, -9, -18, -9)", "the derivative of a square is twice the number"
    ),
    _chain("slopes alone", "(-6, 2, 3, 1, 2, 1)", "These are the slopes of the single steps"),
    _chain("h and v exchanged", "(-6, -18, -12, -12, -24, -12)", "d_v is d_y times h"),
    _chain("z in place of the slope", "(-6, -12, -18, -36, -72, -36)", "max(z, 0) has the slope 1 at z = 2"),
    _chain("bias times the input", "(-6, -12, -18, -18, -36, -36)", "z grows as much as b does"),
    _linear("forgot to transpose W", "You did not transpose W in d_x", d_x="d_z @ W"),
    _linear("forgot to transpose x", "You did not transpose x in d_W", d_W="x @ d_z"),
    _linear("d_W transposed", "You transposed d_W", d_W="d_z.T @ x"),
    _linear("bias not summed", "You did not sum d_b over the samples", d_b="d_z"),
    _linear("bias averaged", "You averaged d_b over the samples", d_b="d_z.mean(axis=0)"),
    _linear("bias over the units", "You summed d_b over the units", d_b="d_z.sum(axis=1)"),
    _linear(
        "divided by the batch again",
        "You divided d_W and d_b by the batch",
        d_W="x.T @ d_z / len(x)",
        d_b="d_z.mean(axis=0)",
    ),
    _linear("no way further back", "You left out d_x", gradients="d_W, d_b"),
    _linear("other order", "Your gradients come in another order", gradients="d_W, d_b, d_x"),
    Mistake(
        "linear_op",
        "gradients in place of a pullback",
        "def linear_op(x, W, b):\n    z = x @ W + b\n    return z, (z @ W.T, x.T @ z, z.sum(axis=0))\n",
        LINEAR,
        "linear_op should return two things, the value and its pullback, which is a function",
    ),
    _dense("no derivative of the activation", "You forgot the derivative of the activation", d_z="d_h"),
    _dense("no derivative of relu", "You forgot the derivative of relu", relu="1.0"),
    _dense("slope of tanh at h", "You took the slope of tanh at h", tanh="1 - np.tanh(h) ** 2"),
    _dense("square left out", "you left out the square", tanh="1 - h"),
    _dense(
        "relu looks at the gradient", "Your relu lets a gradient through where d_h is above 0", relu="d_h > 0"
    ),
    _dense("sums as the value", "You returned the sums as the value", value="z"),
    Mistake(
        "dense_op",
        "relu lets through at 0",
        "def dense_op(x, W, b, activation):\n"
        "    z, pull_sums = linear_op(x, W, b)\n"
        "    if activation == 'relu':\n"
        "        return np.maximum(z, 0), lambda d_h: pull_sums(d_h * (z >= 0))\n"
        "    if activation == 'tanh':\n"
        "        return np.tanh(z), lambda d_h: pull_sums(d_h * (1 - np.tanh(z) ** 2))\n"
        "    return z, pull_sums\n",
        DENSE,
        "Your relu lets the gradient through at exactly 0",
    ),
    _two("summed, not averaged", "divide P - Y by their number", d_Z2="P - Y"),
    _two(
        "loss and gradients summed",
        "the loss and its gradients are means over the samples",
        d_Z2="P - Y",
        loss="-np.log(P[rows, labels]).sum()",
    ),
    _two("no derivative of relu", "You forgot the derivative of relu", d_Z1="d_H"),
    _two("no relu", "You forgot relu on the way there", H="Z1"),
    _two("wrong sign", "Your gradients point the other way", d_Z2="(Y - P) / len(x)"),
    _two("labels not subtracted", "You forgot to subtract Y", d_Z2="P / len(x)"),
    _two(
        "divided by the batch twice",
        "so the biases take the sum",
        b1="d_Z1.mean(axis=0)",
        b2="d_Z2.mean(axis=0)",
    ),
    _two("sign of the loss", "Your loss has the wrong sign", loss="np.log(P[rows, labels]).mean()"),
    _two("W2 not transposed", "You did not transpose W2 on the way back", d_H="d_Z2 @ W2"),
    _forward("pairs last layer first", "Your pairs come last layer first", result="d, pairs"),
    _forward("no d_x", "You returned the pairs alone", result="pairs[::-1]"),
    _forward(
        "one flat list",
        "Your gradients come in one flat list",
        result="d, [g for pair in pairs[::-1] for g in pair]",
    ),
    _forward("error not handed on", "hand on what the layer behind it returned", taken="d_answers"),
    _forward("relu everywhere", "You gave each layer relu", layer="dense_op(h, W, b, 'relu')"),
]
