"""Classic mistakes of the exercise ``training/generalization``, each with what its author must be told.

Each costs the points of its own task only: no task calls an earlier one.
"""

from dlcourse.checks import Mistake

GROUPS = {"hold_out_groups_check": 1, "hold_out_groups_hidden": 1}
SPLIT = {"split_once_check": 2, "split_once_hidden": 2}
FOLDS = {"list_folds_check": 2, "list_folds_hidden": 2}
INTERVAL = {"accuracy_interval_check": 1, "accuracy_interval_hidden": 1}
CURVE = {"growing_sets_check": 2, "growing_sets_hidden": 2}


def _groups(
    name: str,
    told: str,
    *,
    unseen: str = "np.isin(groups, names)",
    answer: str = "rows[~unseen], rows[unseen]",
) -> Mistake:
    code = (
        "def hold_out_groups(groups, names):\n"
        f"    rows, unseen = np.arange(len(groups)), {unseen}\n"
        f"    return {answer}\n"
    )
    return Mistake("hold_out_groups", name, code, GROUPS, told)


def _split(
    name: str,
    told: str,
    *,
    rows: str = "rng.permutation(np.flatnonzero(labels == label))",
    classes: str = "np.unique(labels)",
    answer: str = "np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out))",
    held_out: str = "rows[cut:]",
    train: str = "rows[:cut]",
) -> Mistake:
    code = (
        "def split_once(labels, share, *, rng):\n"
        "    train, held_out = [], []\n"
        f"    for label in {classes}:\n"
        f"        rows = {rows}\n"
        "        cut = len(rows) - round(share * len(rows))\n"
        f"        train.append({train})\n"
        f"        held_out.append({held_out})\n"
        f"    return {answer}\n"
    )
    return Mistake("split_once", name, code, SPLIT, told)


def _folds(
    name: str,
    told: str,
    *,
    order: str = "rng.permutation(n)",
    parts: str = "np.array_split(order, k)",
    count: str = "len(parts)",
    pair: str = "(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i])",
) -> Mistake:
    code = (
        "def list_folds(n, k, *, rng):\n"
        f"    order = {order}\n"
        f"    parts = {parts}\n"
        f"    return [{pair} for i in range({count})]\n"
    )
    return Mistake("list_folds", name, code, FOLDS, told)


def _interval(
    name: str,
    told: str,
    *,
    middle: str = "p + z**2 / (2 * n)",
    half: str = "z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))",
    share: str = "1 + z**2 / n",
    answer: str = "(middle - half) / share, (middle + half) / share",
) -> Mistake:
    code = (
        "def accuracy_interval(right, n, z):\n"
        "    p = right / n\n"
        f"    middle, half, share = {middle}, {half}, {share}\n"
        f"    return {answer}\n"
    )
    return Mistake("accuracy_interval", name, code, INTERVAL, told)


def _curve(
    name: str,
    told: str,
    *,
    learned: str = "x[:n], y[:n]",
    train: str = "x[:n], y[:n]",
    valid: str = "x_valid, y_valid",
    answer: str = "np.array(errors)",
) -> Mistake:
    code = (
        "def growing_sets(x, y, x_valid, y_valid, sizes):\n"
        "    errors = []\n"
        "    for n in sizes:\n"
        f"        sets = [({train}), ({valid})]\n"
        f"        errors.append([np.mean(class_means({learned}, new) != truth) for new, truth in sets])\n"
        f"    return {answer}\n"
    )
    return Mistake("growing_sets", name, code, CURVE, told)


MISTAKES = [
    _groups("exchanged", "You exchanged the parts", answer="rows[unseen], rows[~unseen]"),
    _groups("trained on all", "The held-out rows are trained on, too", answer="rows, rows[unseen]"),
    _groups("first group only", "You held out the first group of names only", unseen="groups == names[0]"),
    _groups(
        "groups divided",
        "You divided groups",
        unseen="np.isin(np.arange(len(groups)), [np.flatnonzero(groups == name)[0] for name in names if name in groups])",
    ),
    _groups(
        "names as rows", "names are groups, not row numbers", unseen="np.isin(np.arange(len(groups)), names)"
    ),
    _groups("true and false", "You returned true and false for each row", answer="~unseen, unseen"),
    _split(
        "classes not looked at",
        "You did not look at the classes",
        classes="[None]",
        rows="rng.permutation(len(labels))",
    ),
    _split("not drawn", "You did not draw", rows="np.flatnonzero(labels == label)"),
    _split(
        "first ones held out",
        "You held out the first rows of each order",
        train="rows[len(rows) - cut :]",
        held_out="rows[: len(rows) - cut]",
    ),
    _split(
        "exchanged",
        "You exchanged the parts",
        answer="np.sort(np.concatenate(held_out)), np.sort(np.concatenate(train))",
    ),
    _split("trained on all", "The held-out rows are trained on, too", train="rows"),
    _split(
        "places within a class",
        "You returned places within a class",
        rows="rng.permutation(np.sum(labels == label))",
    ),
    _split(
        "labels returned",
        "You returned labels",
        answer="labels[np.sort(np.concatenate(train))], labels[np.sort(np.concatenate(held_out))]",
    ),
    _split(
        "own generator",
        "You drew from a generator of your own",
        classes="(rng := np.random.default_rng(0)) and np.unique(labels)",
    ),
    _folds("not shuffled", "You did not shuffle", order="np.arange(n)"),
    _folds(
        "last ones dropped",
        "You dropped what is left over",
        parts="[order[i * (n // k) : (i + 1) * (n // k)] for i in range(k)]",
    ),
    _folds(
        "drawn anew",
        "You drew a new order for each fold",
        order="None",
        parts="[np.array_split(rng.permutation(n), k) for _ in range(k)]",
        pair="(np.concatenate(parts[i][:i] + parts[i][i + 1 :]), parts[i][i])",
    ),
    _folds("trained on all", "The held-out rows are trained on, too", pair="(order, parts[i])"),
    _folds(
        "exchanged",
        "You exchanged the two",
        pair="(parts[i], np.concatenate(parts[:i] + parts[i + 1 :]))",
    ),
    _folds("last fold left out", "You left the last fold out", count="len(parts) - 1"),
    _folds("size k", "Your folds have k rows", parts="[order[i : i + k] for i in range(0, n, k)]"),
    _folds("dealt out", "You dealt the rows out like cards", parts="[order[i::k] for i in range(k)]"),
    _interval(
        "simple interval",
        "You took the simple interval",
        middle="p",
        half="z * np.sqrt(p * (1 - p) / n)",
        share="1",
    ),
    _interval("no division", "You did not divide by 1 + z²", share="1"),
    _interval("no root", "You forgot the root", half="z * (p * (1 - p) / n + z**2 / (4 * n**2))"),
    _interval("per cent", "not per cent", share="(1 + z**2 / n) / 100"),
    _curve("learned from all", "You learned from all of x", learned="x, y"),
    _curve("training error on all", "You measured the training error on all of x", train="x, y"),
    _curve("right answers", "You returned the share of right answers", answer="1 - np.array(errors)"),
    _curve(
        "validation set learned from",
        "The validation set was learned from, too",
        learned="np.concatenate([x[:n], x_valid]), np.concatenate([y[:n], y_valid])",
    ),
    _curve("transposed", "Each size has a row, not a column", answer="np.array(errors).T"),
    _curve("columns exchanged", "The training error comes first", answer="np.array(errors)[:, ::-1]"),
]
