"""Classic mistakes of the exercise ``neurons/neuron``, each with what its author must be told."""

from dlcourse.checks import Mistake

SUM = {"weighted_sum_check": 1, "weighted_sum_hidden": 1}
NEURON = {"neuron_check": 1, "neuron_hidden": 1}
NAND = {"nand_check": 2}
UPDATE = {"perceptron_update_check": 1, "perceptron_update_hidden": 2}
TRAINING = {"train_perceptron_check": 1, "train_perceptron_hidden": 2}


def _weighted_sum(name: str, formula: str, told: str) -> Mistake:
    code = f"def weighted_sum(x, w, b):\n    return {formula}\n"
    return Mistake("weighted_sum", name, code, SUM, told)


def _neuron(name: str, formula: str, told: str) -> Mistake:
    code = f"def neuron(x, w, b):\n    z = weighted_sum(x, w, b)\n    return {formula}\n"
    return Mistake("neuron", name, code, NEURON, told)


def _nand(name: str, w: str, b: str, told: str) -> Mistake:
    return Mistake("nand", name, f"nand = ({w}, {b})\n", NAND, told)


def _update(name: str, w: str, b: str, told: str) -> Mistake:
    code = (
        "def perceptron_update(x, y, w, b, learning_rate):\n"
        "    mistake = y - neuron(x, w, b)\n"
        f"    return {w}, {b}\n"
    )
    return Mistake("perceptron_update", name, code, UPDATE, told)


def _training(name: str, loop: str, told: str) -> Mistake:
    code = (
        "def train_perceptron(x, y, passes):\n"
        "    w, b = np.zeros(x.shape[1]), 0.0\n"
        "    wrong = [int(np.sum(neuron(x, w, b) != y))]\n"
        f"{loop}"
        "    return w, b, wrong\n"
    )
    return Mistake("train_perceptron", name, code, TRAINING, told)


MISTAKES = [
    _weighted_sum("no bias", "x @ w", "You left out the bias b"),
    _weighted_sum("bias subtracted", "x @ w - b", "You subtracted the bias b"),
    _weighted_sum("bias once an input", "(x * w + b).sum(axis=1)", "You added the bias to each input"),
    _weighted_sum("no sum", "x * w + b", "You multiplied, but did not sum over the inputs"),
    _weighted_sum("one sum for all samples", "np.sum(x * w) + b", "You summed over all samples together"),
    _weighted_sum(
        "a loop over samples", "np.array([row @ w + b for row in x])", "weighted_sum loops in Python"
    ),
    _neuron("strict comparison", "(z > 0) * 1.0", "A sum of exactly 0 fires: compare with >="),
    _neuron("the wrong way round", "(z < 0) * 1.0", "fires below the threshold"),
    _neuron("no threshold", "z", "You returned the weighted sum"),
    _neuron("silent is -1", "np.where(z >= 0, 1.0, -1.0)", "Silent is 0 here, not -1"),
    _neuron(
        "changes its input", "np.copyto(x, 0) or (z >= 0) * 1.0", "neuron changed its argument x in place"
    ),
    _nand("AND", "[1.0, 1.0]", "-1.5", "This neuron is AND"),
    _nand("always fires", "[0.5, 0.5]", "1.0", "This neuron always fires"),
    _nand("never fires", "[-1.0, -1.0]", "-1.0", "This neuron never fires"),
    _nand("NOR", "[-1.0, -1.0]", "0.5", "For the input (0, 1) this neuron answers the wrong way round"),
    _nand("no bias", "[-1.0, -1.0]", "None", "nand has not the form that the task asks for"),
    _update(
        "wrong direction",
        "w - learning_rate * mistake @ x",
        "b - learning_rate * mistake.sum()",
        "You corrected in the wrong direction",
    ),
    _update("no learning rate", "w + mistake @ x", "b + mistake.sum()", "You left out the learning rate"),
    _update("bias not corrected", "w + learning_rate * mistake @ x", "b", "You did not correct the bias b"),
    _update(
        "mean instead of sum",
        "w + learning_rate * mistake @ x / len(x)",
        "b + learning_rate * mistake.mean()",
        "You divided by the number of samples",
    ),
    _update(
        "answer not subtracted",
        "w + learning_rate * y @ x",
        "b + learning_rate * y.sum()",
        "You added y without subtracting the answer",
    ),
    _training(
        "one correction only",
        "    if wrong[-1]:\n"
        "        w, b = perceptron_update(x, y, w, b, 1.0)\n"
        "        wrong.append(int(np.sum(neuron(x, w, b) != y)))\n",
        "You stopped after one correction",
    ),
    _training(
        "first count missing",
        "    while wrong[-1] and len(wrong) <= passes:\n"
        "        w, b = perceptron_update(x, y, w, b, 1.0)\n"
        "        wrong.append(int(np.sum(neuron(x, w, b) != y)))\n"
        "    wrong = wrong[1:]\n",
        "Count the wrong answers before the first correction too",
    ),
    _training(
        "last count missing",
        "    for _ in range(passes):\n"
        "        if wrong[-1] == 0:\n"
        "            break\n"
        "        w, b = perceptron_update(x, y, w, b, 1.0)\n"
        "        wrong.append(int(np.sum(neuron(x, w, b) != y)))\n"
        "    wrong = wrong[:-1]\n",
        "Count the wrong answers after the last correction too",
    ),
    _training(
        "never stops early",
        "    for _ in range(passes):\n"
        "        w, b = perceptron_update(x, y, w, b, 1.0)\n"
        "        wrong.append(int(np.sum(neuron(x, w, b) != y)))\n",
        "You went on although nothing was wrong any more",
    ),
]
