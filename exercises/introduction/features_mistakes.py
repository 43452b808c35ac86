"""Classic mistakes of the exercise ``introduction/features``, each with what its author must be told.

Each costs the points of its own task only: no task calls an earlier one.
"""

from dlcourse.checks import Mistake

LOSES = {
    "ink": {"ink_check": 1, "ink_hidden": 1},
    "symmetry": {"symmetry_check": 1, "symmetry_hidden": 2},
    "standardize_by": {"standardize_by_check": 1, "standardize_by_hidden": 2},
    "class_means": {"class_means_check": 1, "class_means_hidden": 1},
    "nearest_mean": {"nearest_mean_check": 1, "nearest_mean_hidden": 2},
    "balanced_accuracy": {"balanced_accuracy_check": 1, "balanced_accuracy_hidden": 1},
}
ARGUMENTS = {
    "ink": "images",
    "symmetry": "images",
    "standardize_by": "x_train, x",
    "class_means": "x, labels",
    "nearest_mean": "x, means",
    "balanced_accuracy": "predicted, labels",
}


def _wrong(task: str, name: str, told: str, answer: str) -> Mistake:
    code = f"def {task}({ARGUMENTS[task]}):\n    return {answer}\n"
    return Mistake(task, name, code, LOSES[task], told)


def _symmetry(
    name: str,
    told: str,
    *,
    mirrored: str = "images[:, :, ::-1]",
    different: str = "np.abs(images - m)",
    axes: str = "axis=(1, 2)",
    both: str = "(images + m)",
    answer: str = "1 - different / both",
) -> Mistake:
    code = (
        "def symmetry(images):\n"
        f"    m = {mirrored}\n"
        f"    different = {different}.sum({axes})\n"
        f"    both = {both}.sum({axes})\n"
        f"    return {answer}\n"
    )
    return Mistake("symmetry", name, code, LOSES["symmetry"], told)


def _nearest(name: str, told: str, *, distance: str = "(row - means) ** 2", found: str) -> Mistake:
    code = (
        f"def nearest_mean(x, means):\n    return np.array([({distance}).sum(axis=1).{found} for row in x])\n"
    )
    return Mistake("nearest_mean", name, code, LOSES["nearest_mean"], told)


CLASSES = "for k in range(labels.max() + 1)"

MISTAKES = [
    _wrong("ink", "summed", "You added up", "images.sum(axis=(1, 2))"),
    _wrong("ink", "all together", "You averaged all pictures together", "images.mean()"),
    _wrong("ink", "one axis only", "You averaged the rows only", "images.mean(axis=1)"),
    _wrong("ink", "over the pictures", "You averaged over the pictures", "images.mean(axis=0)"),
    _wrong("ink", "counted pixels", "You counted pixels with any ink", "(images > 0).mean(axis=(1, 2))"),
    _wrong("ink", "paper", "You measured the paper", "1 - images.mean(axis=(1, 2))"),
    _symmetry("top and bottom", "You changed top and bottom", mirrored="images[:, ::-1, :]"),
    _symmetry("order of pictures", "You turned the order of the pictures round", mirrored="images[::-1]"),
    _symmetry("half a turn", "You turned the picture by half a turn", mirrored="images[:, ::-1, ::-1]"),
    _symmetry("difference", "This is how different the halves are", answer="different / both"),
    _symmetry("no absolute value", "You forgot the absolute value", different="(images - m)"),
    _symmetry("ink of one", "You divided by the ink of the picture alone", both="images"),
    _symmetry("squared", "You squared the differences", different="((images - m) ** 2)"),
    _symmetry("pictures together", "You added up over all pictures together", axes=""),
    _wrong(
        "standardize_by",
        "statistics of x",
        "You took mean and standard deviation of x",
        "(x - x.mean(axis=0)) / x.std(axis=0)",
    ),
    _wrong(
        "standardize_by",
        "one mean for all columns",
        "You took one mean and one standard deviation for all columns",
        "(x - x_train.mean()) / x_train.std()",
    ),
    _wrong(
        "standardize_by",
        "no mean",
        "You did not subtract the mean",
        "x / x_train.std(axis=0)",
    ),
    _wrong(
        "standardize_by",
        "not divided",
        "You did not divide by the standard deviation",
        "x - x_train.mean(axis=0)",
    ),
    _wrong(
        "standardize_by",
        "no brackets",
        "You forgot brackets",
        "x - x_train.mean(axis=0) / x_train.std(axis=0)",
    ),
    _wrong(
        "standardize_by",
        "variance",
        "You divided by the variance",
        "(x - x_train.mean(axis=0)) / x_train.var(axis=0)",
    ),
    _wrong(
        "standardize_by",
        "n - 1",
        "You divided by n - 1",
        "(x - x_train.mean(axis=0)) / x_train.std(axis=0, ddof=1)",
    ),
    _wrong("class_means", "sums", "You added up", f"np.stack([x[labels == k].sum(axis=0) {CLASSES}])"),
    _wrong(
        "class_means",
        "divided by all",
        "You divided by the number of all samples",
        f"np.stack([x[labels == k].sum(axis=0) / len(x) {CLASSES}])",
    ),
    _wrong("class_means", "all together", "You averaged all samples together", "x.mean(axis=0)"),
    _wrong(
        "class_means",
        "last class left out",
        "You left out the last class",
        "np.stack([x[labels == k].mean(axis=0) for k in range(labels.max())])",
    ),
    _wrong(
        "class_means",
        "turned",
        "your table is turned on its side",
        f"np.stack([x[labels == k].mean(axis=0) {CLASSES}], axis=1)",
    ),
    _nearest("farthest", "You took the farthest mean", found="argmax()"),
    _nearest("distance returned", "You returned the smallest distance", found="min()"),
    _nearest("not squared", "You did not square", distance="row - means", found="argmin()"),
    _nearest("absolute values", "You took absolute values", distance="np.abs(row - means)", found="argmin()"),
    _nearest("counted from 1", "Classes count from 0, not from 1", found="argmin() + 1"),
    _wrong("nearest_mean", "multiplied", "a distance needs differences", "(x @ means.T).argmax(axis=1)"),
    _wrong("balanced_accuracy", "plain accuracy", "This is plain accuracy", "np.mean(predicted == labels)"),
    _wrong(
        "balanced_accuracy",
        "share of predictions",
        "You took the share among those predicted as a class",
        "np.mean([(labels[predicted == k] == k).mean() for k in np.unique(predicted)])",
    ),
    _wrong(
        "balanced_accuracy",
        "one share a class",
        "You returned one share for each class",
        f"np.array([(predicted[labels == k] == k).mean() {CLASSES}])",
    ),
    _wrong(
        "balanced_accuracy",
        "sum",
        "You added up the shares",
        f"sum((predicted[labels == k] == k).mean() {CLASSES})",
    ),
]
