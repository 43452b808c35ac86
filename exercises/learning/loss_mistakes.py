"""Classic mistakes of the exercise ``learning/loss``, each with what its author must be told.

Each costs the points of its own task only: where a later task calls an earlier one, the reference stands in for it.
"""

from dlcourse.checks import Mistake

MSE = {"mean_squared_error_check": 1, "mean_squared_error_hidden": 1}
MSE_OP = {"mean_squared_error_op_check": 1, "mean_squared_error_op_hidden": 2}
SUM = {"log_sum_exp_check": 2, "log_sum_exp_hidden": 2}
SUM_FAR = {"log_sum_exp_check": 1, "log_sum_exp_hidden": 1}
ENTROPY = {"cross_entropy_check": 2, "cross_entropy_hidden": 2}
ENTROPY_FAR = {"cross_entropy_check": 1, "cross_entropy_hidden": 1}
ENTROPY_OP = {"cross_entropy_op_check": 2, "cross_entropy_op_hidden": 2}
ENTROPY_OP_FAR = {"cross_entropy_op_check": 1, "cross_entropy_op_hidden": 1}


def _mse(name: str, formula: str, told: str) -> Mistake:
    code = f"def mean_squared_error(predicted, target):\n    return {formula}\n"
    return Mistake("mean_squared_error", name, code, MSE, told)


def _mse_op(name: str, gradient: str, told: str) -> Mistake:
    code = (
        "def mean_squared_error_op(predicted, target):\n"
        "    error = predicted - target\n"
        "\n"
        "    def pullback(d_loss):\n"
        f"        return {gradient}\n"
        "\n"
        "    return np.mean(error**2), pullback\n"
    )
    return Mistake("mean_squared_error_op", name, code, MSE_OP, told)


def _sum(name: str, formula: str, told: str, loses: dict[str, float] | None = None) -> Mistake:
    code = f"def log_sum_exp(z):\n    m = z.max(axis=1, keepdims=True)\n    return {formula}\n"
    return Mistake("log_sum_exp", name, code, SUM if loses is None else loses, told)


def _entropy(
    name: str,
    told: str,
    loses: dict[str, float] | None = None,
    *,
    log_p: str = "logits - log_sum_exp(logits)[:, None]",
    result: str = "-np.mean(log_p[np.arange(len(labels)), labels])",
) -> Mistake:
    code = f"def cross_entropy(logits, labels):\n    log_p = {log_p}\n    return {result}\n"
    return Mistake("cross_entropy", name, code, ENTROPY if loses is None else loses, told)


def _entropy_op(
    name: str,
    told: str,
    loses: dict[str, float] | None = None,
    *,
    p: str = "np.exp(logits - log_sum_exp(logits)[:, None])",
    subtract: str = "p[np.arange(len(labels)), labels] -= 1",
    gradient: str = "d_loss * p / len(labels)",
) -> Mistake:
    code = (
        "def cross_entropy_op(logits, labels):\n"
        "    def pullback(d_loss):\n"
        f"        p = {p}\n"
        f"        {subtract}\n"
        f"        return {gradient}\n"
        "\n"
        "    return cross_entropy(logits, labels), pullback\n"
    )
    return Mistake("cross_entropy_op", name, code, ENTROPY_OP if loses is None else loses, told)


MISTAKES = [
    _mse("sum", "np.sum((predicted - target) ** 2)", "You summed: a mean divides by the number of entries"),
    _mse("batch only", "np.sum((predicted - target) ** 2) / len(target)", "You divided by the batch only"),
    _mse("no square", "np.mean(predicted - target)", "errors of different sign cancel"),
    _mse("absolute value", "np.mean(abs(predicted - target))", "You took the absolute value"),
    _mse("root", "np.sqrt(np.mean((predicted - target) ** 2))", "You took the square root"),
    _mse("square of the mean", "np.mean(predicted - target) ** 2", "You squared the mean"),
    _mse_op("no 1/N", "2 * error * d_loss", "Your gradient lacks 1/N"),
    _mse_op("no 2", "error * d_loss / error.size", "Your gradient lacks the 2"),
    _mse_op("batch only", "2 * error * d_loss / len(error)", "Your gradient is divided by the batch only"),
    _mse_op("sign", "2 * (target - predicted) * d_loss / error.size", "Your gradient has the wrong sign"),
    _mse_op("no d_loss", "2 * error / error.size", "Your pullback forgets d_loss"),
    Mistake(
        "mean_squared_error_op",
        "gradient in place of a pullback",
        "def mean_squared_error_op(predicted, target):\n"
        "    error = predicted - target\n"
        "    return np.mean(error**2), 2 * error / error.size\n",
        MSE_OP,
        "the value and its pullback, which is a function",
    ),
    _sum("overflows", "np.log(np.exp(z).sum(axis=1))", "The exponentials overflow", SUM_FAR),
    _sum(
        "maximum of the batch",
        "z.max() + np.log(np.exp(z - z.max()).sum(axis=1))",
        "You subtracted the largest score of the whole batch",
        SUM_FAR,
    ),
    _sum("not added again", "np.log(np.exp(z - m).sum(axis=1))", "You did not add the largest score again"),
    _sum(
        "over the samples",
        "z.max(axis=0) + np.log(np.exp(z - z.max(axis=0)).sum(axis=0))",
        "over the samples",
    ),
    _sum("a square", "m + np.log(np.exp(z - m).sum(axis=1))", "which gives a square: take m[:, 0]"),
    _sum(
        "a loop",
        "np.array([k + np.log(np.sum(np.exp(r - k))) for r, k in zip(z, m[:, 0])])",
        "loops in Python",
    ),
    _entropy("sum", "You summed over the samples", result="-np.sum(log_p[np.arange(len(labels)), labels])"),
    _entropy(
        "averaged over the classes",
        "You averaged over the classes too",
        result="-np.mean(np.eye(log_p.shape[1])[labels] * log_p)",
    ),
    _entropy("whole columns", "[:, labels] takes a whole column", result="-np.mean(log_p[:, labels])"),
    _entropy(
        "softmax twice",
        "You used softmax twice",
        log_p="(lambda p: p - log_sum_exp(p)[:, None])(np.exp(logits - log_sum_exp(logits)[:, None]))",
    ),
    _entropy(
        "logarithm of the mean",
        "You took the logarithm of the mean",
        result="-np.log(np.mean(np.exp(log_p[np.arange(len(labels)), labels])))",
    ),
    _entropy(
        "overflows",
        "np.exp overflows",
        ENTROPY_FAR,
        log_p="np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))",
    ),
    _entropy(
        "logarithm of a stable softmax",
        "A probability was rounded to 0",
        ENTROPY_FAR,
        log_p="np.log(np.exp(logits - log_sum_exp(logits)[:, None]))",
    ),
    _entropy(
        "small number in the logarithm",
        "The small number in your logarithm caps the loss",
        ENTROPY_FAR,
        log_p="np.log(np.exp(logits - log_sum_exp(logits)[:, None]) + 1e-12)",
    ),
    _entropy_op("no 1/batch", "You forgot 1/batch", gradient="d_loss * p"),
    _entropy_op("all entries", "You divided by the number of all entries", gradient="d_loss * p / p.size"),
    _entropy_op("no one-hot", "You left out the minus 1", subtract="pass"),
    _entropy_op("sign", "The sign is wrong", gradient="-d_loss * p / len(labels)"),
    _entropy_op("whole columns", "[:, labels] changes whole columns", subtract="p[:, labels] -= 1"),
    _entropy_op("logits", "You used the logits in place of softmax", p="logits.copy()"),
    _entropy_op("no d_loss", "Your pullback forgets d_loss", gradient="p / len(labels)"),
    _entropy_op(
        "overflows",
        "Your softmax overflows in the gradient",
        ENTROPY_OP_FAR,
        p="np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)",
    ),
]
