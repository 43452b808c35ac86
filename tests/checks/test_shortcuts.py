"""An answer that is not the learner's own is refused; an honest one is not."""

import inspect
import linecache
import re
import textwrap

import numpy as np
import pytest

import dlcourse
from dlcourse.checks import Check, given, run_checks
from dlcourse.checks.shortcuts import refusal
from dlcourse.neurons.neuron import perceptron_update, weighted_sum

AGAINST = "dlcourse.neurons.neuron.weighted_sum"


def answer(source, name="weighted_sum"):
    """Define an answer as a notebook does: its source can be read, its module is the notebook."""
    source = textwrap.dedent(source)
    filename = f"<cell {hash(source)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    space = {"np": np, "dlcourse": dlcourse, "__name__": "__main__"}
    exec(compile(source, filename, "exec"), space)
    return space[name]


REFUSED = {
    "import under the name": "from dlcourse.neurons.neuron import weighted_sum",
    "alias": "import dlcourse.neurons.neuron as n\nweighted_sum = n.weighted_sum",
    "call of a module": """
        import dlcourse.neurons.neuron as n
        def weighted_sum(x, w, b):
            return n.weighted_sum(x, w, b)
    """,
    "call of an import": """
        from dlcourse.neurons.neuron import weighted_sum as ready
        def weighted_sum(x, w, b):
            return ready(x, w, b)
    """,
    "import inside": """
        def weighted_sum(x, w, b):
            from dlcourse.neurons import neuron
            return neuron.weighted_sum(x, w, b)
    """,
    "plain import inside": """
        def weighted_sum(x, w, b):
            import dlcourse.neurons.neuron
            return dlcourse.neurons.neuron.weighted_sum(x, w, b)
    """,
    "getattr": """
        def weighted_sum(x, w, b):
            return getattr(dlcourse.neurons.neuron, "weighted" + "_sum")(x, w, b)
    """,
    "importlib": """
        import importlib
        def weighted_sum(x, w, b):
            return importlib.import_module("dlc" + "ourse.neurons.neuron").weighted_sum(x, w, b)
    """,
    "__import__": """
        def weighted_sum(x, w, b):
            return __import__("dlc" + "ourse").neurons.neuron.weighted_sum(x, w, b)
    """,
    "sys.modules": """
        import sys
        def weighted_sum(x, w, b):
            return sys.modules["dlcourse.neurons.neuron"].weighted_sum(x, w, b)
    """,
    "exec": """
        def weighted_sum(x, w, b):
            space = {}
            exec("from dlc" + "ourse.neurons.neuron import weighted_sum", space)
            return space["weighted_sum"](x, w, b)
    """,
    "through a helper": """
        from dlcourse.neurons.neuron import weighted_sum as ready
        def helper(x, w, b):
            return ready(x, w, b)
        def weighted_sum(x, w, b):
            return helper(x, w, b)
    """,
    "pasted": inspect.getsource(weighted_sum).replace("Float[np.ndarray, ", "(").split("def ")[0]
    + "def weighted_sum(x, w, b):\n"
    + inspect.getsource(weighted_sum).split("]:\n", 1)[1],
}


@pytest.mark.parametrize("way", REFUSED)
def test_a_shortcut_is_refused_with_a_sentence(way):
    sentence = refusal("weighted_sum", answer(REFUSED[way]), against=AGAINST)
    assert sentence.startswith("weighted_sum ")
    assert "write it" in sentence


def test_the_pasted_body_without_its_docstring_is_refused():
    lines = inspect.getsource(perceptron_update).split('"""')[2]
    source = "def perceptron_update(x, y, w, b, learning_rate):" + lines
    assert "pasted" in refusal(
        "perceptron_update",
        answer(source, "perceptron_update"),
        against="dlcourse.neurons.neuron.perceptron_update",
    )


HONEST = {
    "one line": "def weighted_sum(x, w, b): return x @ w + b",
    "lambda": "weighted_sum = lambda x, w, b: x @ w + b",
    "einsum": "def weighted_sum(x, w, b): return np.einsum('ij,j->i', x, w) + b",
    "helper": "def dot(x, w): return x @ w\ndef weighted_sum(x, w, b): return dot(x, w) + b",
    "method names that sound like tricks": """
        class Model:
            def eval(self): return self
            def compile(self): return lambda x, w, b: x @ w + b
        def weighted_sum(x, w, b): return Model().eval().compile()(x, w, b)
    """,
    "the course's data": """
        from dlcourse.data import digits
        def weighted_sum(x, w, b):
            digits.load
            return x @ w + b
    """,
}


@pytest.mark.parametrize("way", HONEST)
def test_an_honest_answer_is_not_refused(way):
    assert refusal("weighted_sum", answer(HONEST[way]), against=AGAINST) == ""


@pytest.mark.parametrize(
    "source",
    [
        "total = np.sum",
        "def total(x): return np.sum(x)",
        "from numpy import sum as plus\ndef total(x): return plus(x)",
        "def total(x):\n    import numpy\n    return numpy.sum(x)",
        "from torch import sum as plus\ndef total(x): return plus(x)",
    ],
)
def test_a_forbidden_function_is_named(source):
    sentence = refusal(
        "total", answer(source, "total"), forbid=["numpy.sum", "torch.sum", "package_that_is_missing.sum"]
    )
    assert re.search(r"(numpy|torch)\.sum", sentence)


def test_loops_are_refused_where_the_task_forbids_them():
    looped = answer("def total(x):\n    s = 0\n    for v in x: s += v\n    return s", "total")
    assert refusal("total", looped) == ""
    assert "loops in Python" in refusal("total", looped, loops=False)


def test_a_refused_answer_earns_nothing():
    check = Check("weighted_sum", "adds", on=[given([[1.0]], [1.0], 0.0)], against=AGAINST)
    report = run_checks(check, names={"weighted_sum": weighted_sum})
    assert report.points == 0
    assert "the package's own dlcourse.neurons.neuron under another name" in str(report)
