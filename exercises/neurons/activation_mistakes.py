"""Classic mistakes of the exercise ``neurons/activation``, each with what its author must be told."""

from dlcourse.checks import Mistake

RELU = {"relu_check": 1, "relu_hidden": 1}
SIGMOID = {"sigmoid_check": 2, "sigmoid_hidden": 2}
SIGMOID_FAR = {"sigmoid_check": 1, "sigmoid_hidden": 1}
TANH_OP = {"tanh_op_check": 1, "tanh_op_hidden": 2}
GELU = {"gelu_check": 1, "gelu_hidden": 1}
SOFTMAX = {"softmax_check": 2, "softmax_hidden": 2}
SOFTMAX_NEAR = SOFTMAX_FAR = {"softmax_check": 1, "softmax_hidden": 1}
SOFTMAX_OP = {"softmax_op_check": 1, "softmax_op_hidden": 2}


def _formula(task: str, name: str, formula: str, loses: dict[str, float], told: str) -> Mistake:
    return Mistake(task, name, f"def {task}(z):\n    return {formula}\n", loses, told)


def _pullback(task: str, name: str, value: str, gradient: str, loses: dict[str, float], told: str) -> Mistake:
    code = (
        f"def {task}(z):\n"
        f"    y = {value}\n"
        "\n"
        "    def pullback(d_y):\n"
        f"        return {gradient}\n"
        "\n"
        "    return y, pullback\n"
    )
    return Mistake(task, name, code, loses, told)


MISTAKES = [
    _formula("relu", "absolute value", "np.abs(z)", RELU, "You dropped the sign"),
    _formula("relu", "a step", "(z > 0).astype(float)", RELU, "like a step"),
    _formula("relu", "the negative half", "np.minimum(z, 0)", RELU, "You kept what is negative"),
    _formula("relu", "np.max", "np.max(z, 0)", RELU, "np.maximum compares number by number"),
    _formula("relu", "Python's max", "max(z, 0)", RELU, "one question about the whole array"),
    Mistake(
        "relu",
        "changes its argument",
        "def relu(z):\n    z[z < 0] = 0\n    return z\n",
        RELU,
        "changed its argument z in place",
    ),
    Mistake(
        "relu",
        "a loop",
        "def relu(z):\n    return np.array([v if v > 0 else 0.0 for v in z.ravel()]).reshape(z.shape)\n",
        RELU,
        "loops in Python",
    ),
    _formula(
        "sigmoid",
        "sign of the exponent",
        "1 / (1 + np.exp(z))",
        SIGMOID,
        "Your curve falls where it should rise",
    ),
    _formula(
        "sigmoid",
        "one form with the absolute value",
        "1 / (1 + np.exp(-np.abs(z)))",
        SIGMOID,
        "Your curve is never below 0.5",
    ),
    _formula("sigmoid", "no parentheses", "1 / 1 + np.exp(-z)", SIGMOID, "put parentheses around"),
    _formula("sigmoid", "tanh not halved", "(1 + np.tanh(z)) / 2", SIGMOID, "is too steep"),
    _formula(
        "sigmoid", "overflows on the left", "1 / (1 + np.exp(-z))", SIGMOID_FAR, "NumPy warned: overflow"
    ),
    _formula(
        "sigmoid",
        "NaN on the right",
        "np.exp(z) / (1 + np.exp(z))",
        SIGMOID_FAR,
        "inf / inf on the far right",
    ),
    _formula(
        "sigmoid",
        "where, but both forms computed",
        "np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))",
        SIGMOID_FAR,
        "NumPy warned: overflow",
    ),
    _pullback("tanh_op", "slope alone", "np.tanh(z)", "1 - y**2", TANH_OP, "multiply it by the gradient d_y"),
    _pullback("tanh_op", "no square", "np.tanh(z)", "d_y * (1 - y)", TANH_OP, "you left out the square"),
    _pullback(
        "tanh_op", "slope of the sigmoid", "np.tanh(z)", "d_y * y * (1 - y)", TANH_OP, "slope of the sigmoid"
    ),
    _pullback(
        "tanh_op", "tanh twice", "np.tanh(z)", "d_y * (1 - np.tanh(y) ** 2)", TANH_OP, "y is tanh(z) already"
    ),
    Mistake(
        "tanh_op",
        "no function returned",
        "def tanh_op(z):\n    y = np.tanh(z)\n    return y, 1 - y**2\n",
        TANH_OP,
        "should return two things, the value and its pullback",
    ),
    _formula("gelu", "no square root", "z * (1 + erf(z)) / 2", GELU, "division by the square root of 2"),
    _formula("gelu", "no half", "z * (1 + erf(z / np.sqrt(2)))", GELU, "You left out the half"),
    _formula("gelu", "share only", "(1 + erf(z / np.sqrt(2))) / 2", GELU, "multiply it by z"),
    _formula(
        "gelu",
        "the approximation",
        "z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))",
        GELU,
        "the approximation with tanh",
    ),
    _formula(
        "softmax",
        "one sum for all",
        "np.exp(z - z.max()) / np.exp(z - z.max()).sum()",
        SOFTMAX,
        "You summed over all samples together",
    ),
    Mistake(
        "softmax",
        "sum over the samples",
        "def softmax(z):\n    e = np.exp(z - z.max(axis=0))\n    return e / e.sum(axis=0)\n",
        SOFTMAX,
        "You summed over the samples",
    ),
    Mistake(
        "softmax",
        "axis 1",
        "def softmax(z):\n"
        "    e = np.exp(z - z.max(axis=1, keepdims=True))\n"
        "    return e / e.sum(axis=1, keepdims=True)\n",
        SOFTMAX_NEAR,
        "axis=-1 fits any number of axes",
    ),
    Mistake(
        "softmax",
        "axis not kept",
        "def softmax(z):\n    e = np.exp(z - z.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1)\n",
        SOFTMAX,
        "keepdims=True",
    ),
    _formula(
        "softmax",
        "overflows",
        "np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)",
        SOFTMAX_FAR,
        "subtract the largest score of the sample first",
    ),
    Mistake(
        "softmax",
        "one maximum for all",
        "def softmax(z):\n    e = np.exp(z - z.max())\n    return e / e.sum(axis=-1, keepdims=True)\n",
        SOFTMAX_FAR,
        "one maximum for all samples",
    ),
    _pullback(
        "softmax_op",
        "only the diagonal",
        "softmax(z)",
        "d_y * y * (1 - y)",
        SOFTMAX_OP,
        "the other scores move it too",
    ),
    _pullback("softmax_op", "no sum", "softmax(z)", "d_y * y", SOFTMAX_OP, "You left out the sum"),
    _pullback(
        "softmax_op",
        "sum without weights",
        "softmax(z)",
        "y * (d_y - d_y.sum(axis=-1, keepdims=True))",
        SOFTMAX_OP,
        "without weighing it by the shares",
    ),
    _pullback(
        "softmax_op",
        "one sum for all",
        "softmax(z)",
        "y * (d_y - (d_y * y).sum())",
        SOFTMAX_OP,
        "You summed over all samples together",
    ),
    _pullback(
        "softmax_op",
        "axis not kept",
        "softmax(z)",
        "y * (d_y - (d_y * y).sum(axis=-1))",
        SOFTMAX_OP,
        "This fits one sample, not several",
    ),
]
