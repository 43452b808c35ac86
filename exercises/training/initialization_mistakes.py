"""Classic mistakes of the exercise ``training/initialization``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

SCALE = {"xavier_scale_check": 1, "xavier_scale_hidden": 1}
HE = {"he_check": 1, "he_hidden": 2}
UNIFORM = {"uniform_check": 1, "uniform_hidden": 1}
NETWORK = {"draw_parameters_check": 1, "draw_parameters_hidden": 2}
SIGNALS = {"signal_sizes_check": 1, "signal_sizes_hidden": 3}


def _scale(name: str, formula: str, told: str) -> Mistake:
    code = f"def xavier_scale(n_in, n_out):\n    return {formula}\n"
    return Mistake("xavier_scale", name, code, SCALE, told)


def _he(name: str, formula: str, told: str) -> Mistake:
    code = f"def he(shape, *, rng):\n    n_in, n_out = shape\n    return {formula}\n"
    return Mistake("he", name, code, HE, told)


def _uniform(name: str, bound: str, told: str, draw: str = "rng.uniform(-a, a, shape)") -> Mistake:
    code = f"def uniform(shape, scale, *, rng):\n    a = {bound}\n    return {draw}\n"
    return Mistake("uniform", name, code, UNIFORM, told)


def _network(
    name: str,
    told: str,
    *,
    scale: str = "np.sqrt((1 if last else 2) / n_in)",
    W: str = "rng.standard_normal((n_in, n_out))",
    b: str = "np.zeros(n_out)",
    add: str = "[W, b]",
    result: str = "parameters",
) -> Mistake:
    code = (
        "def draw_parameters(sizes, *, rng):\n"
        "    parameters = []\n"
        "    for k in range(len(sizes) - 1):\n"
        "        n_in, n_out = sizes[k], sizes[k + 1]\n"
        "        last = k == len(sizes) - 2\n"
        f"        W = {scale} * {W}\n"
        f"        b = {b}\n"
        f"        parameters += {add}\n"
        f"    return {result}\n"
    )
    return Mistake("draw_parameters", name, code, NETWORK, told)


def _signals(
    name: str,
    told: str,
    *,
    forward: str = "np.maximum(answers[-1] @ W, 0)",
    back: str = "(gradients[-1] * (answers[k] > 0)) @ weights[k - 1].T",
    size: str = "np.sqrt(np.mean(a**2))",
    result: str = "[size(a) for a in answers], [size(a) for a in gradients[::-1]]",
) -> Mistake:
    code = (
        "def signal_sizes(x, weights, d_h):\n"
        "    answers, gradients = [x], [d_h]\n"
        "    for W in weights:\n"
        f"        answers.append({forward})\n"
        "    for k in range(len(weights), 0, -1):\n"
        f"        gradients.append({back})\n"
        "\n"
        "    def size(a):\n"
        f"        return {size}\n"
        "\n"
        f"    return {result}\n"
    )
    return Mistake("signal_sizes", name, code, SIGNALS, told)


MISTAKES = [
    _scale("variance", "2 / (n_in + n_out)", "You returned the variance: take its square root"),
    _scale("sum in place of mean", "np.sqrt(1 / (n_in + n_out))", "divide by their mean"),
    _scale("2 outside the root", "2 / np.sqrt(n_in + n_out)", "The 2 belongs under the root too"),
    _scale("inputs only", "1 / np.sqrt(n_in)", "You looked at the inputs only"),
    _scale("He in place of Xavier", "np.sqrt(2 / n_in)", "This is He's spread"),
    _scale("upside down", "np.sqrt((n_in + n_out) / 2)", "The fraction is upside down"),
    _scale(
        "bound of the uniform numbers", "np.sqrt(6 / (n_in + n_out))", "This is the bound for uniform numbers"
    ),
    _he("no root", "2 / n_in * rng.standard_normal(shape)", "You multiplied by the variance"),
    _he(
        "no 2", "rng.standard_normal(shape) / np.sqrt(n_in)", "The 2 is missing: ReLU blocks half of the sums"
    ),
    _he(
        "outputs in place of inputs",
        "np.sqrt(2 / n_out) * rng.standard_normal(shape)",
        "You took n_out in place of n_in",
    ),
    _he(
        "Xavier in place of He",
        "np.sqrt(2 / (n_in + n_out)) * rng.standard_normal(shape)",
        "This is Xavier's spread",
    ),
    _he("not scaled", "rng.standard_normal(shape)", "Your weights are not scaled"),
    _he("numbers from 0 to 1", "np.sqrt(2 / n_in) * rng.random(shape)", "You drew numbers from 0 to 1"),
    _he("zeros", "np.zeros(shape)", "All weights are 0: then all units stay equal for ever"),
    _he(
        "transposed",
        "np.sqrt(2 / n_in) * rng.standard_normal((n_out, n_in))",
        "You drew the weights of the transposed layer",
    ),
    _uniform("bound is the standard deviation", "scale", "You took the standard deviation for the bound"),
    _uniform("3 in place of its root", "3 * scale", "You multiplied by 3"),
    _uniform("divided by the root of 3", "scale / np.sqrt(3)", "You divided by the root of 3"),
    _uniform("root of both", "np.sqrt(3 * scale)", "You took the root of the standard deviation too"),
    _uniform("from 0", "np.sqrt(3) * scale", "You drew between 0 and the bound", "rng.uniform(0, a, shape)"),
    _uniform("normal", "scale", "You drew normal numbers", "a * rng.standard_normal(shape)"),
    _network("2 in the output layer too", "The output layer has no ReLU", scale="np.sqrt(2 / n_in)"),
    _network("no 2", "The 2 is missing in the hidden layers", scale="np.sqrt(1 / n_in)"),
    _network(
        "outputs in place of inputs",
        "You took n_out in place of n_in",
        scale="np.sqrt((1 if last else 2) / n_out)",
    ),
    _network("biases drawn", "You drew the biases too", b="rng.standard_normal(n_out)"),
    _network("biases of 1", "Your biases are 1: they start at 0", b="np.ones(n_out)"),
    _network("biases of the inputs", "Your biases have one entry for each input", b="np.zeros(n_in)"),
    _network("no biases", "The biases are missing", add="[W]"),
    _network(
        "biases last",
        "First all weights and then all biases came back",
        result="parameters[::2] + parameters[1::2]",
    ),
    _signals(
        "gradient through blocked units",
        "The way back leaves out ReLU",
        back="gradients[-1] @ weights[k - 1].T",
    ),
    _signals(
        "mask of the layer before",
        "The way back asks the layer before",
        back="(gradients[-1] @ weights[k - 1].T) * (answers[k - 1] > 0)",
    ),
    _signals(
        "times the activation",
        "You multiplied the gradient by h itself",
        back="(gradients[-1] * answers[k]) @ weights[k - 1].T",
    ),
    _signals("no activation", "The activation is missing on the way forward", forward="answers[-1] @ W"),
    _signals(
        "standard deviation", "This is the standard deviation, which takes the mean away", size="np.std(a)"
    ),
    _signals(
        "gradients not turned round",
        "listed from the last layer to the first",
        result="[size(a) for a in answers], [size(a) for a in gradients]",
    ),
]
