"""Classic mistakes of the exercise ``training/normalization``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

STANDARDIZE = {"standardize_check": 1, "standardize_hidden": 1}
LAYER_NORM = {"layer_norm_check": 1, "layer_norm_hidden": 1}
STANDARDIZE_OP = {"standardize_op_check": 2, "standardize_op_hidden": 2}
BATCH_NORM_OP = {"batch_norm_op_check": 2, "batch_norm_op_hidden": 2}
MEMORY = {"BatchNorm_check": 2, "BatchNorm_hidden": 3}
REFUSAL = {"BatchNorm_check": 1}
BOTH = {"BatchNorm_check": 3, "BatchNorm_hidden": 3}


def _standardize(name: str, formula: str, told: str) -> Mistake:
    code = (
        "def standardize(x, axis, eps=1e-5):\n"
        "    mean = x.mean(axis, keepdims=True)\n"
        "    var = x.var(axis, keepdims=True)\n"
        f"    return {formula}\n"
    )
    return Mistake("standardize", name, code, STANDARDIZE, told)


def _layer_norm(name: str, formula: str, told: str, *, standard: str = "standardize(x, -1, eps)") -> Mistake:
    code = f"def layer_norm(x, gamma, beta, eps=1e-5):\n    y = {standard}\n    return {formula}\n"
    return Mistake("layer_norm", name, code, LAYER_NORM, told)


def _standardize_op(name: str, gradient: str, told: str) -> Mistake:
    code = (
        "def standardize_op(x, axis, eps=1e-5):\n"
        "    s = np.sqrt(x.var(axis, keepdims=True) + eps)\n"
        "    y = (x - x.mean(axis, keepdims=True)) / s\n"
        "\n"
        "    def pullback(d_y):\n"
        "        m1 = d_y.mean(axis, keepdims=True)\n"
        "        m2 = (d_y * y).mean(axis, keepdims=True)\n"
        f"        return {gradient}\n"
        "\n"
        "    return y, pullback\n"
    )
    return Mistake("standardize_op", name, code, STANDARDIZE_OP, told)


def _batch_norm_op(
    name: str,
    told: str,
    *,
    axis: int = 0,
    d_x: str = "back(d_v * gamma)",
    d_gamma: str = "(d_v * y).sum(axis=0)",
    d_beta: str = "d_v.sum(axis=0)",
) -> Mistake:
    code = (
        "def batch_norm_op(x, gamma, beta, eps=1e-5):\n"
        f"    y, back = standardize_op(x, {axis}, eps)\n"
        "\n"
        "    def pullback(d_v):\n"
        f"        return {d_x}, {d_gamma}, {d_beta}\n"
        "\n"
        "    return gamma * y + beta, pullback\n"
    )
    return Mistake("batch_norm_op", name, code, BATCH_NORM_OP, told)


def _memory(
    name: str,
    told: str,
    *,
    first: str = "np.ones(n_in)",
    mean: str = "0.9 * self.running_mean + 0.1 * x.mean(axis=0)",
    var: str = "0.9 * self.running_var + 0.1 * x.var(axis=0, ddof=1)",
    remembers: str = "training",
    trains: str = "(x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)",
    evaluates: str = "(x - self.running_mean) / np.sqrt(self.running_var + 1e-5)",
    refuses: str = "training and len(x) < 2",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "class BatchNorm:\n"
        "    def __init__(self, n_in):\n"
        "        self.running_mean = np.zeros(n_in)\n"
        f"        self.running_var = {first}\n"
        "\n"
        "    def forward(self, x, training):\n"
        f"        if {refuses}:\n"
        "            raise ValueError('one sample')\n"
        f"        if {remembers}:\n"
        f"            self.running_mean = {mean}\n"
        f"            self.running_var = {var}\n"
        "        if training:\n"
        f"            return {trains}\n"
        f"        return {evaluates}\n"
    )
    return Mistake("BatchNorm", name, code, MEMORY if loses is None else loses, told)


MISTAKES = [
    _standardize("no eps", "(x - mean) / np.sqrt(var)", "You left out eps"),
    _standardize(
        "eps outside of the root", "(x - mean) / (np.sqrt(var) + eps)", "eps belongs under the root"
    ),
    _standardize("no division", "x - mean", "You did not divide: the spread must become 1"),
    _standardize("divided by the variance", "(x - mean) / (var + eps)", "You divided by the variance"),
    _standardize("mean not subtracted", "x / np.sqrt(var + eps)", "You did not subtract the mean"),
    _standardize(
        "unbiased variance",
        "(x - mean) / np.sqrt(x.var(axis, keepdims=True, ddof=1) + eps)",
        "You divided by n - 1 in the variance",
    ),
    _standardize(
        "all numbers together",
        "(x - x.mean()) / np.sqrt(x.var() + eps)",
        "mean and the spread of all numbers together",
    ),
    _standardize(
        "no keepdims", "(x - x.mean(axis)) / np.sqrt(x.var(axis) + eps)", "You lost the axis of the means"
    ),
    _layer_norm(
        "batch norm instead",
        "gamma * y + beta",
        "You compared the samples with each other",
        standard="standardize(x, 0, eps)",
    ),
    _layer_norm("axis 1", "gamma * y + beta", "You took axis 1", standard="standardize(x, 1, eps)"),
    _layer_norm("no gamma and beta", "y", "You left out gamma and beta"),
    _layer_norm("no beta", "gamma * y", "You left out beta"),
    _layer_norm("beta scaled, too", "gamma * (y + beta)", "You added beta before you multiplied by gamma"),
    _layer_norm("gamma and beta exchanged", "beta * y + gamma", "You exchanged gamma and beta"),
    _layer_norm(
        "scaled first", "y", "gamma and beta come last", standard="standardize(gamma * x + beta, -1, eps)"
    ),
    _standardize_op("mean and spread fixed", "d_y / s", "You forgot both the mean and the spread"),
    _standardize_op("no way through the mean", "(d_y - y * m2) / s", "You forgot the way through the mean"),
    _standardize_op("no way through the spread", "(d_y - m1) / s", "You forgot the way through the spread"),
    _standardize_op(
        "sums instead of means",
        "(d_y - x.shape[axis] * m1 - y * x.shape[axis] * m2) / s",
        "You left out 1/n: both sums are means",
    ),
    _standardize_op("signs", "(d_y + m1 + y * m2) / s", "they are subtracted"),
    _standardize_op("not divided by the spread", "d_y - m1 - y * m2", "You did not divide by the spread"),
    _standardize_op(
        "x instead of y",
        "(d_y - m1 - x * (d_y * x).mean(axis, keepdims=True)) / s",
        "You used x in the way through the spread",
    ),
    _standardize_op(
        "factor y left out", "(d_y - m1 - m2) / s", "You left out the factor y in front of the second mean"
    ),
    _standardize_op(
        "means lose their axis",
        "(d_y - d_y.mean(axis) - y * (d_y * y).mean(axis)) / s",
        "You lost the axis of the means",
    ),
    Mistake(
        "standardize_op",
        "no function returned",
        "def standardize_op(x, axis, eps=1e-5):\n    return standardize(x, axis, eps), standardize(x, axis, eps)\n",
        STANDARDIZE_OP,
        "should return two things, the value and its pullback",
    ),
    _batch_norm_op("gamma left out on the way back", "you left out gamma", d_x="back(d_v)"),
    _batch_norm_op(
        "stopped at the standardized numbers", "standardizing has a pullback, too", d_x="d_v * gamma"
    ),
    _batch_norm_op("x for gamma", "its gradient needs y, not x", d_gamma="(d_v * x).sum(axis=0)"),
    _batch_norm_op(
        "means over the batch",
        "You took means over the batch for gamma and beta",
        d_gamma="(d_v * y).mean(axis=0)",
        d_beta="d_v.mean(axis=0)",
    ),
    _batch_norm_op(
        "no sum over the batch", "You did not sum over the batch", d_gamma="d_v * y", d_beta="d_v"
    ),
    _batch_norm_op(
        "gradients exchanged",
        "You exchanged the gradients of gamma and beta",
        d_gamma="d_v.sum(axis=0)",
        d_beta="(d_v * y).sum(axis=0)",
    ),
    _batch_norm_op("layer norm instead", "that is layer norm", axis=1),
    _memory(
        "biased running variance",
        "The running variance takes the unbiased variance",
        var="0.9 * self.running_var + 0.1 * x.var(axis=0)",
    ),
    _memory(
        "0.9 and 0.1 exchanged",
        "You exchanged 0.9 and 0.1",
        mean="0.1 * self.running_mean + 0.9 * x.mean(axis=0)",
        var="0.1 * self.running_var + 0.9 * x.var(axis=0, ddof=1)",
    ),
    _memory(
        "evaluates with the batch",
        "Evaluation mode must use the running statistics",
        evaluates="(x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)",
        loses=BOTH,
    ),
    _memory(
        "trains with the memory",
        "Training mode must use the statistics of the batch",
        trains="(x - self.running_mean) / np.sqrt(self.running_var + 1e-5)",
    ),
    _memory(
        "remembers in evaluation mode",
        "You remember in evaluation mode",
        remembers="not training",
        refuses="training and len(x) < 2",
        loses=BOTH,
    ),
    _memory(
        "variance starts with 0", "The running variance starts with 1", first="np.zeros(n_in)", loses=BOTH
    ),
    _memory(
        "one sample not refused",
        "Bad input should raise ValueError, but an answer came back",
        refuses="False",
        loses=REFUSAL,
    ),
]
