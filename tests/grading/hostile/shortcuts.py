"""Answers that are somebody else's: the package's, or a library's that the exercise forbids."""

from dataclasses import replace

from .recipe import QUICK, Recipe

_NEURON = "neurons/neuron"


def _package(name, code, told="", **more):
    """Write a recipe that answers the first task of the chapter on the neuron with the package's own function."""
    return Recipe(
        name,
        exercise=_NEURON,
        answers={"weighted_sum": code},
        costs=["weighted_sum"],
        told={"weighted_sum_check": told, "weighted_sum_hidden": told},
        **more,
    )


def _softmax(name, code, told, **more):
    return Recipe(name, answers={"squash": code}, costs=["squash"], told={"squash_check": told}, **more)


_READ = """
import glob, os, re, sys
text = ""
folders = [*sys.path, os.path.dirname(os.path.dirname(np.__file__)), "/home/*", "/*/*", "/usr/lib/python3*"]
for path in [path for folder in folders for path in glob.glob(folder + "/dlcourse/neurons/neuron.py")]:
    text = open(path).read()
    print("FOUND", path)
exec(re.search(r"def weighted_sum.*?(?=\\n\\n\\ndef )", text, re.S).group())
"""
_OWN = r"package|not defined|write it|dlcourse"

RECIPES = [
    Recipe("is right about the neuron", exercise=_NEURON, note=""),
    Recipe(
        "leaves the neuron blank",
        exercise=_NEURON,
        blank=True,
        costs=["weighted_sum", "neuron", "nand", "perceptron_update", "train_perceptron"],
    ),
    _package("imports the package's answer", "from dlcourse.neurons.neuron import weighted_sum", _OWN),
    _package(
        "imports it under another name",
        "import dlcourse.neurons.neuron as n\nweighted_sum = n.weighted_sum",
        _OWN,
    ),
    _package(
        "calls the package's answer",
        (
            "def weighted_sum(x, w, b):\n"
            "    from dlcourse.neurons import neuron\n"
            "    return neuron.weighted_sum(x, w, b)"
        ),
        _OWN,
    ),
    _package(
        "imports by importlib",
        (
            "import importlib\n"
            "weighted_sum = getattr(importlib.import_module('dlcourse.neurons.neuron'), 'weighted_sum')"
        ),
        _OWN,
    ),
    _package(
        "imports by importlib and a riddle",
        (
            "import importlib\n"
            "weighted_sum = getattr(importlib.import_module('dl' + 'course.neu' + 'rons.neuron'), 'weighted' + '_sum')"
        ),
    ),
    _package(
        "imports by __import__",
        (
            "def weighted_sum(x, w, b):\n"
            "    return __import__('dlcourse.neurons.neuron').neurons.neuron.weighted_sum(x, w, b)"
        ),
        _OWN,
    ),
    _package(
        "imports by exec",
        (
            "def weighted_sum(x, w, b):\n"
            "    names = {}\n"
            "    exec('from dlcourse.neurons.neuron import *', names)\n"
            "    return names['weighted_sum'](x, w, b)"
        ),
        r"exec|package|write it",
    ),
    _package(
        "imports by eval, far from its answer",
        (
            "make = eval\n"
            "found = make('__im' + 'port__')('dlcourse.neurons' + '.neuron')\n"
            "def weighted_sum(x, w, b):\n"
            "    return found.neurons.neuron.weighted_sum(x, w, b)"
        ),
    ),
    _package(
        "asks inspect for the source",
        "import inspect, dlcourse.neurons.neuron as n\nexec(inspect.getsource(n.weighted_sum))",
    ),
    _package(
        "reads the installed file", _READ, unsaid=["FOUND"], limits=replace(QUICK, cell_seconds=10), slow=True
    ),
    _package(
        "asks pkgutil for the file",
        "import pkgutil\nexec(pkgutil.get_data('dlcourse.neurons', 'neuron.py'))",
    ),
    _package(
        "lets another process import it",
        (
            "import subprocess, sys\n"
            "def weighted_sum(x, w, b):\n"
            "    code = 'from dlcourse.neurons.neuron import weighted_sum; import numpy as np\\n'\n"
            "    code += f'print(weighted_sum(np.array({x.tolist()}), np.array({w.tolist()}), {b}).tolist())'\n"
            "    return eval(subprocess.check_output([sys.executable, '-c', code]))"
        ),
        slow=True,
    ),
    _package(
        "uses the figures, which use the package",
        "import dlcourse.figures.plots as plots\nweighted_sum = plots.neuron.weighted_sum",
    ),
    _package(
        "loops where arrays are asked",
        "def weighted_sum(x, w, b):\n    return np.array([sum(row * w) + b for row in x])",
        "loops in Python",
    ),
    _package(
        "hides its loop in a helper",
        (
            "def helper(x, w, b):\n"
            "    out = []\n"
            "    for row in x:\n"
            "        out.append((row * w).sum() + b)\n"
            "    return np.array(out)\n"
            "def weighted_sum(x, w, b):\n"
            "    return helper(x, w, b)"
        ),
        "loops in Python",
    ),
    Recipe(
        "pastes the chapter's text",
        exercise=_NEURON,
        answers={"train_perceptron": "@PASTED@"},
        costs=["train_perceptron"],
        told={"train_perceptron_check": "pasted|package"},
    ),
    Recipe(
        "answers with an alias of an answer of its own",
        exercise=_NEURON,
        first="import numpy as np\ndef weigh(x, w, b):\n    return x @ w + b",
        answers={"weighted_sum": "weighted_sum = weigh"},
    ),
    _softmax(
        "calls SciPy's softmax",
        "import scipy.special\ndef squash(x):\n    return scipy.special.softmax(x)",
        r"scipy\.special\.softmax",
    ),
    _softmax(
        "imports SciPy's softmax", "from scipy.special import softmax as squash", r"scipy\.special\.softmax"
    ),
    _softmax(
        "calls it under another name",
        "from scipy import special as s\ndef squash(x):\n    return s.softmax(x)",
        r"scipy\.special\.softmax",
    ),
    _softmax(
        "calls it through a helper",
        (
            "from scipy.special import softmax\n"
            "def helper(x):\n"
            "    return softmax(x)\n"
            "def squash(x):\n"
            "    return helper(x)"
        ),
        r"scipy\.special\.softmax",
    ),
    _softmax(
        "calls it by getattr",
        "import scipy.special\nf = getattr(scipy.special, 'softmax')\ndef squash(x):\n    return f(x)",
        r"softmax",
    ),
    _softmax(
        "calls it through log_softmax's neighbour",
        "import scipy.special as s\ndef squash(x):\n    return s.__dict__['softmax'](x)",
        r"softmax|__dict__",
    ),
    _softmax(
        "calls PyTorch's softmax",
        "import torch\ndef squash(x):\n    return torch.softmax(torch.tensor(x), 0).numpy()",
        r"torch\.softmax",
        limits=replace(QUICK, cell_seconds=30),
        slow=True,
    ),
    _softmax(
        "loops over numbers",
        "def squash(x):\n    e = [np.exp(v - max(x)) for v in x]\n    return np.array(e) / sum(e)",
        "loops in Python",
    ),
]
