"""Classic mistakes of the exercise ``neurons/network``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

LINEAR = {"linear_check": 1, "linear_hidden": 1}
XOR = {"xor_check": 2}
COUNT = {"count_parameters_check": 1, "count_parameters_hidden": 1}
DENSE = {"dense_check": 1, "dense_hidden": 2}


def _linear(name: str, formula: str, told: str) -> Mistake:
    code = f"def linear(x, W, b):\n    return {formula}\n"
    return Mistake("linear", name, code, LINEAR, told)


def _xor(name: str, answer: str, told: str) -> Mistake:
    return Mistake("xor", name, f"xor = {answer}\n", XOR, told)


def _count(name: str, formula: str, told: str) -> Mistake:
    code = f"def count_parameters(sizes):\n    return {formula}\n"
    return Mistake("count_parameters", name, code, COUNT, told)


def _dense(
    name: str,
    told: str,
    *,
    z: str = "x @ W + b",
    relu: str = "np.maximum(z, 0)",
    softmax: str = "e / e.sum(axis=-1, keepdims=True)",
    linear: str = "z",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "def dense(x, W, b, activation):\n"
        f"    z = {z}\n"
        "    if activation == 'relu':\n"
        f"        return {relu}\n"
        "    if activation == 'softmax':\n"
        "        e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
        f"        return {softmax}\n"
        f"    return {linear}\n"
    )
    return Mistake("dense", name, code, DENSE if loses is None else loses, told)


def _mlp(
    name: str,
    told: str,
    loses: dict[str, float],
    *,
    hidden: str = "np.maximum(x @ W + b, 0)",
    value: str = "z",
    softmax: str = "e / e.sum(axis=-1, keepdims=True)",
    predict: str = "self.forward(x).argmax(axis=-1)",
) -> Mistake:
    code = (
        "class MLP:\n"
        "    def __init__(self, output, *parameters):\n"
        "        self.output = output\n"
        "        self.layers = list(zip(parameters[0::2], parameters[1::2]))\n"
        "\n"
        "    def forward(self, x):\n"
        "        for W, b in self.layers[:-1]:\n"
        f"            x = {hidden}\n"
        "        W, b = self.layers[-1]\n"
        "        z = x @ W + b\n"
        "        if self.output == 'value':\n"
        f"            return {value}\n"
        "        e = np.exp(z - z.max(axis=-1, keepdims=True))\n"
        f"        return {softmax}\n"
        "\n"
        "    def predict(self, x):\n"
        f"        return {predict}\n"
    )
    return Mistake("MLP", name, code, loses, told)


VALUE = {"MLP_check": 1, "MLP_hidden": 1}
CLASS = {"MLP_check": 2, "MLP_hidden": 2}
BOTH = {"MLP_check": 3, "MLP_hidden": 3}

MISTAKES = [
    _linear("no bias", "x @ W", "You left out the bias b"),
    _linear("W transposed", "x @ W.T + b", "You transposed W"),
    _linear("bias along the batch", "x @ W + b[:, None]", "You added the bias along the batch"),
    _linear("summed over the samples", "(x @ W + b).sum(axis=0)", "You summed over the samples too"),
    _linear(
        "loop over the samples",
        "np.array([row @ W + b for row in x])",
        "linear loops in Python: write it with whole arrays",
    ),
    _linear(
        "activation already", "np.maximum(x @ W + b, 0)", "linear returns the sums, which may be negative"
    ),
    _xor(
        "one hidden neuron twice",
        "([[1.0, 1.0], [1.0, 1.0]], [-0.5, -0.5], [1.0, -1.0], -0.5)",
        "gives the same answer (1, 1) to the inputs (1, 1) and (0, 1): so no output neuron can tell them apart",
    ),
    _xor(
        "output turned round",
        "([[1.0, 1.0], [1.0, 1.0]], [-0.5, -1.5], [-1.0, 1.0], 0.5)",
        "This network is the opposite of XOR",
    ),
    _xor(
        "one hidden neuron a row",
        "([[1.0, -1.0], [-1.0, 1.0]], [-0.5, -0.5], [1.0, 1.0], -1.5)",
        "the output neuron stays silent: it should fire",
    ),
    _xor(
        "output weights of OR",
        "([[1.0, 1.0], [1.0, 1.0]], [-0.5, -1.5], [1.0, 1.0], -0.5)",
        "For the input (1, 1) your hidden layer answers (1, 1), and the output neuron fires: it should stay silent",
    ),
    _count(
        "no biases",
        "sum(n_in * n_out for n_in, n_out in zip(sizes[:-1], sizes[1:]))",
        "You counted without the biases",
    ),
    _count(
        "biases for the inputs",
        "sum(n_in * n_out for n_in, n_out in zip(sizes[:-1], sizes[1:])) + sum(sizes)",
        "You gave the input layer biases too",
    ),
    _count(
        "one bias a layer",
        "sum(n_in * n_out + 1 for n_in, n_out in zip(sizes[:-1], sizes[1:]))",
        "You counted one bias a layer",
    ),
    _count(
        "one hidden layer only",
        "sum((n_in + 1) * n_out for n_in, n_out in zip(sizes[:2], sizes[1:3]))",
        "You counted two layers: there may be any number",
    ),
    _count("units instead of parameters", "sum(sizes)", "You counted the units"),
    _dense("no activation", "You forgot the activation", relu="z", softmax="z"),
    _dense(
        "relu on linear",
        "linear leaves the sums as they are",
        linear="np.maximum(z, 0)",
        loses={"dense_check": 1, "dense_hidden": 1},
    ),
    _dense(
        "softmax over the samples",
        "Your softmax divides by the sum over the samples",
        softmax="e / e.sum(axis=0)",
    ),
    _dense(
        "softmax over the batch",
        "Your softmax divides by the sum over the whole batch",
        softmax="e / e.sum()",
    ),
    _dense(
        "softmax without keepdims",
        "Your softmax lines up the sums of the rows with the columns",
        softmax="e / e.sum(axis=-1)",
    ),
    _dense("softmax does not divide", "the probabilities of a row must sum to 1", softmax="np.exp(z)"),
    _dense(
        "softmax minus the largest of the batch",
        "You subtracted the largest sum of the whole batch",
        softmax="np.exp(z - z.max()) / np.exp(z - z.max()).sum(axis=-1, keepdims=True)",
        loses={"dense_hidden": 1},
    ),
    Mistake(
        "dense",
        "softmax overflows",
        "def dense(x, W, b, activation):\n"
        "    z = x @ W + b\n"
        "    if activation == 'softmax':\n"
        "        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)\n"
        "    return np.maximum(z, 0) if activation == 'relu' else z\n",
        {"dense_hidden": 1},
        "Your softmax overflows: subtract the largest sum of each row",
    ),
    _mlp("no activation in hidden layers", "Your hidden layers have no activation", BOTH, hidden="x @ W + b"),
    _mlp(
        "relu on the continuous value",
        "You applied relu to the output too",
        VALUE,
        value="np.maximum(z, 0)",
    ),
    _mlp(
        "softmax on the continuous value",
        "You applied softmax to a continuous value",
        VALUE,
        value="np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)",
    ),
    _mlp("no softmax for the class", "You left out softmax", CLASS, softmax="z"),
    _mlp(
        "predict over the samples",
        "predict compares the samples with each other",
        CLASS,
        predict="self.forward(x).argmax(axis=0)",
    ),
    _mlp(
        "predict gives the probability",
        "predict returned the largest probability",
        CLASS,
        predict="self.forward(x).max(axis=-1)",
    ),
]
