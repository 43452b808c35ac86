"""Classic mistakes of the exercise ``training/evaluation``, each with what its author must be told.

Each costs the points of its own task only: ``forecast_skill`` is checked with a right ``past_and_future`` where the
learner's own is wrong.
"""

from dlcourse.checks import Mistake

MATRIX = {"confusion_matrix_check": 1, "confusion_matrix_hidden": 1}
SCORES = {"class_scores_check": 2, "class_scores_hidden": 2}
WORST = {"worst_mistakes_check": 2, "worst_mistakes_hidden": 2}
ERROR = {"calibration_error_check": 2, "calibration_error_hidden": 2}
SAMPLES = {"past_and_future_check": 2, "past_and_future_hidden": 2}
SKILL = {"forecast_skill_check": 2, "forecast_skill_hidden": 2}


def _matrix(name: str, told: str, answer: str) -> Mistake:
    code = (
        "def confusion_matrix(predicted, labels, classes):\n"
        "    pairs = labels * classes + predicted\n"
        "    matrix = np.zeros((classes, classes), int)\n"
        "    np.add.at(matrix, (labels, predicted), 1)\n"
        f"    return {answer}\n"
    )
    return Mistake("confusion_matrix", name, code, MATRIX, told)


def _scores(
    name: str,
    told: str,
    *,
    precision: str = "found / np.maximum(answered, 1)",
    recall: str = "found / np.maximum(given, 1)",
    f1: str = "2 * found / np.maximum(answered + given, 1)",
    ends: str = "return precision, recall, f1",
) -> Mistake:
    code = (
        "def class_scores(matrix):\n"
        "    found = np.diag(matrix)\n"
        "    answered, given = matrix.sum(axis=0), matrix.sum(axis=1)\n"
        f"    precision = {precision}\n"
        f"    recall = {recall}\n"
        f"    f1 = {f1}\n"
        f"    {ends}\n"
    )
    return Mistake("class_scores", name, code, SCORES, told)


def _worst(
    name: str, told: str, *, by: str = "-losses", among: str = "!=", answer: str = "chosen[order][:count]"
) -> Mistake:
    code = (
        "def worst_mistakes(logits, labels, count):\n"
        "    of_label = logits[np.arange(len(labels)), labels]\n"
        "    total = np.exp(logits).sum(axis=1)\n"
        "    losses = np.log(total) - of_label\n"
        "    confidence = np.exp(logits.max(axis=1)) / total\n"
        f"    chosen = np.flatnonzero(logits.argmax(axis=1) {among} labels)\n"
        f"    order = np.argsort(({by})[chosen], kind='stable')\n"
        f"    return {answer}\n"
    )
    return Mistake("worst_mistakes", name, code, WORST, told)


def _error(
    name: str,
    told: str,
    *,
    confidence: str = "probabilities.max(axis=1)",
    skips: str = "not inside.any()",
    adds: str = "inside.sum() * abs(gap)",
    answer: str = "sum(parts) / len(labels)",
) -> Mistake:
    code = (
        "def calibration_error(probabilities, labels, bins):\n"
        f"    confidence = {confidence}\n"
        "    right = probabilities.argmax(axis=1) == labels\n"
        "    place = np.ceil(confidence * bins).astype(int) - 1\n"
        "    parts = []\n"
        "    for b in range(bins):\n"
        "        inside = place == b\n"
        f"        if {skips}:\n"
        "            continue\n"
        "        gap = right[inside].mean() - confidence[inside].mean()\n"
        f"        parts.append({adds})\n"
        f"    return {answer}\n"
    )
    return Mistake("calibration_error", name, code, ERROR, told)


def _samples(name: str, told: str, *, x: str, y: str) -> Mistake:
    code = (
        "def past_and_future(series, past, ahead):\n"
        "    windows = np.lib.stride_tricks.sliding_window_view(series, past)\n"
        f"    return np.array({x}), np.array({y})\n"
    )
    return Mistake("past_and_future", name, code, SAMPLES, told)


def _skill(
    name: str,
    told: str,
    *,
    baseline: str = "x[:, -1]",
    forecast: str = "x @ w + b",
    size: str = "np.abs(error).sum()",
    answer: str = "1 - mine / simple",
) -> Mistake:
    code = (
        "def forecast_skill(series, past, ahead, w, b):\n"
        "    x, y = past_and_future(series, past, ahead)\n"
        "    def size(error):\n"
        f"        return {size}\n"
        f"    mine, simple = size({forecast} - y), size({baseline} - y)\n"
        f"    return {answer}\n"
    )
    return Mistake("forecast_skill", name, code, SKILL, told)


MISTAKES = [
    _matrix("rows and columns exchanged", "You exchanged rows and columns", "matrix.T"),
    _matrix("each pair once", "+= with repeated indices adds only once", "(matrix > 0).astype(int)"),
    _matrix(
        "no minlength",
        "bincount ends with the largest number that occurs",
        "np.bincount(pairs).reshape(classes, classes)",
    ),
    _matrix("shares", "You returned shares", "matrix / len(labels)"),
    _matrix("diagonal only", "You only counted the right answers", "np.diag(np.diag(matrix))"),
    _scores(
        "precision and recall exchanged",
        "You exchanged precision and recall",
        ends="return recall, precision, f1",
    ),
    _scores("recall twice", "Both of your scores are the recall", precision="found / np.maximum(given, 1)"),
    _scores(
        "divided by zero",
        "You divided by 0",
        precision="found / answered",
        recall="found / given",
        f1="2 * precision * recall / (precision + recall)",
    ),
    _scores(
        "never answered is 1",
        "got the score 1",
        ends="return np.where(answered, precision, 1.0), np.where(given, recall, 1.0), f1",
    ),
    _scores("ordinary mean", "F1 is the harmonic mean, 2 P R / (P + R)", f1="(precision + recall) / 2"),
    _scores("no 2 in F1", "You left out the 2 in F1", f1="found / np.maximum(answered + given, 1)"),
    _worst(
        "least confident of all",
        "You took the answers that the network was least sure of",
        by="confidence",
        among=">= 0 *",
    ),
    _worst("right answers, too", "You took right answers, too", among=">= 0 *"),
    _worst("upside down", "Your order is upside down", by="losses"),
    _worst("places, not numbers", "You returned places among the mistakes", answer="order[:count]"),
    _worst("sure of the wrong class", "You sorted by how sure the wrong answer was", by="-confidence"),
    _worst("not cut off", "You returned all mistakes", answer="chosen[order]"),
    _error("bins alike", "you gave all bins the same weight", adds="abs(gap)", answer="np.mean(parts)"),
    _error(
        "absolute value of the sum",
        "Take absolute values bin by bin",
        adds="inside.sum() * gap",
        answer="abs(sum(parts)) / len(labels)",
    ),
    _error(
        "probability of the label",
        "you took that of the true class",
        confidence="probabilities[np.arange(len(labels)), labels]",
    ),
    _error("empty bins", "You took a mean over nothing", skips="False"),
    _error("largest gap", "You took the largest difference", adds="abs(gap)", answer="max(parts)"),
    _samples(
        "answer among the inputs",
        "Your inputs contain the answer",
        x="windows[ahead:]",
        y="series[past - 1 + ahead:]",
    ),
    _samples(
        "one step too near",
        "The target lies one step too near",
        x="windows[:len(windows) - ahead + 1]",
        y="series[past - 2 + ahead:]",
    ),
    _samples(
        "newest first",
        "The newest step comes first",
        x="windows[:-ahead, ::-1]",
        y="series[past - 1 + ahead:]",
    ),
    _samples(
        "wrapped round",
        "got their target from the beginning",
        x="windows",
        y="np.roll(series, -ahead)[past - 1:]",
    ),
    _samples(
        "last one missing",
        "The last sample is missing",
        x="windows[:-ahead - 1]",
        y="series[past - 1 + ahead:-1]",
    ),
    _skill("persistence off by one", "Persistence is off by one", baseline="x[:, -2]"),
    _skill(
        "persistence that knows the future",
        "Your persistence knows the future",
        baseline="np.concatenate([x[:1, -1], y[:-1]])",
    ),
    _skill("mean in place of persistence", "You compared with the mean:", baseline="y.mean()"),
    _skill("no 1", "You left out the 1", answer="mine / simple"),
    _skill("upside down", "Your ratio is upside down", answer="1 - simple / mine"),
    _skill("squares", "You squared the errors", size="(error**2).sum()"),
]
