"""An answer that is not the learner's own is refused; an honest one is not; from living names and from text alone."""

import inspect
import linecache
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dlcourse.checks import Check, declared, given, run_checks
from dlcourse.checks.shortcuts import refusal, refusal_in
from dlcourse.neurons import _softmax
from dlcourse.neurons.neuron import perceptron_update, weighted_sum

AGAINST = "dlcourse.neurons.neuron.weighted_sum"
SETUP = "import numpy as np\nimport dlcourse\nfrom dlcourse.checks import *"


def run(cells):
    """Run cells as a notebook does: their source can be read, their module is the notebook."""
    space = {"__name__": "__main__"}
    for source in cells:
        filename = f"<cell {hash(source)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        exec(compile(source, filename, "exec"), space)
    return space


def both(name, *cells, **options):
    """Return the sentences of both front ends."""
    cells = [SETUP, *map(textwrap.dedent, cells)]
    return refusal(name, run(cells)[name], **options), refusal_in(name, cells, **options)


READY = "from dlcourse.neurons.neuron import weighted_sum as ready"
REFUSED = {
    "import under the name": ["from dlcourse.neurons.neuron import weighted_sum"],
    "star import": ["from dlcourse.neurons.neuron import *"],
    "alias": ["import dlcourse.neurons.neuron as n\nweighted_sum = n.weighted_sum"],
    "chain of aliases": [READY, "g = ready", "weighted_sum, other = g, 3"],
    "call of a module": [
        "import dlcourse.neurons.neuron as n\ndef weighted_sum(x, w, b):\n    return n.weighted_sum(x, w, b)"
    ],
    "call of an import": [READY, "def weighted_sum(x, w, b):\n    return ready(x, w, b)"],
    "lambda": [READY, "weighted_sum = lambda x, w, b: ready(x, w, b)"],
    "import inside": [
        """
        def weighted_sum(x, w, b):
            from dlcourse.neurons import neuron
            return neuron.weighted_sum(x, w, b)
        """
    ],
    "plain import inside": [
        """
        def weighted_sum(x, w, b):
            import dlcourse.neurons.neuron
            return dlcourse.neurons.neuron.weighted_sum(x, w, b)
        """
    ],
    "getattr": [
        """
        def weighted_sum(x, w, b):
            return getattr(dlcourse.neurons.neuron, "weighted" + "_sum")(x, w, b)
        """
    ],
    "getattr with a computed name": [
        """
        def weighted_sum(x, w, b):
            return getattr(np, chr(100) + "ot")(x, w) + b
        """
    ],
    "importlib": [
        """
        import importlib
        def weighted_sum(x, w, b):
            return importlib.import_module("dlc" + "ourse.neurons.neuron").weighted_sum(x, w, b)
        """
    ],
    "importlib through another module": [
        """
        import dlcourse.data as d
        def weighted_sum(x, w, b):
            return d.fetch.importlib.import_module("n").weighted_sum(x, w, b)
        """
    ],
    "__import__": [
        "def weighted_sum(x, w, b): return __import__('dlc' + 'ourse').neurons.neuron.neuron(x, w, b)"
    ],
    "sys.modules": [
        """
        import sys
        def weighted_sum(x, w, b):
            return sys.modules["x"].weighted_sum(x, w, b)
        """
    ],
    "exec": [
        """
        def weighted_sum(x, w, b):
            space = {}
            exec("from dlc" + "ourse.neurons.neuron import weighted_sum", space)
            return space["weighted_sum"](x, w, b)
        """
    ],
    "eval under another name": ["run_it = eval", "def weighted_sum(x, w, b): return run_it('x @ w + b')"],
    "compile": ["def weighted_sum(x, w, b): return compile('x', 'x', 'eval')"],
    "inspect": ["import inspect", "def weighted_sum(x, w, b): return inspect.getsource(np)"],
    "vars of a module": ["def weighted_sum(x, w, b): return vars(np)['d' + 'ot'](x, w) + b"],
    "__dict__ of a module": ["def weighted_sum(x, w, b): return np.__dict__['d' + 'ot'](x, w) + b"],
    "attrgetter": [
        "import operator",
        "def weighted_sum(x, w, b): return operator.attrgetter('.'.join(x.names))(np)(x, w) + b",
    ],
    "__builtins__": ["def weighted_sum(x, w, b): return __builtins__['ev' + 'al']('x @ w + b')"],
    "globals": ["def weighted_sum(x, w, b): return globals()['ready'](x, w, b)"],
    "__globals__": ["def weighted_sum(x, w, b): return run_checks.__globals__['reference']"],
    "__subclasses__": ["def weighted_sum(x, w, b): return object.__subclasses__()"],
    "class of a value": ["def weighted_sum(x, w, b): return type(x).__base__.__subclasses__()"],
    "the installed file": ["def weighted_sum(x, w, b): return open(dlcourse.__file__).read()"],
    "the installed file through numpy": [
        "def weighted_sum(x, w, b): return open(np.__file__[:-17] + 'dlcourse/neurons/neuron.py').read()"
    ],
    "a file of the reference's name": [
        "from pathlib import Path",
        "def weighted_sum(x, w, b): return next(Path('/').rglob('neuron.py')).read_text()",
    ],
    "find_spec": [
        "from importlib.util import find_spec",
        "def weighted_sum(x, w, b): return find_spec('dlcourse').origin",
    ],
    "a name in pieces": ["def weighted_sum(x, w, b): return 'dlc' + 'ourse.' + 'neurons.neuron'"],
    "a name backwards": ["def weighted_sum(x, w, b): return 'noruen.snoruen.esruocld'[::-1]"],
    "a name in an f-string": ["def weighted_sum(x, w, b): return f\"{'dlcourse'}.neurons.neuron\""],
    "a name joined": ["def weighted_sum(x, w, b): return '.'.join(['dlcourse', 'neurons', 'neuron'])"],
    "through a helper": [
        READY,
        "def helper(x, w, b):\n    return ready(x, w, b)",
        "def weighted_sum(x, w, b):\n    return helper(x, w, b)",
    ],
    "partial": ["import functools", READY, "weighted_sum = functools.partial(ready, b=0.0)"],
    "partial of a helper": [
        "from functools import partial",
        READY,
        "def f(k, x, w, b): return ready(x, w, b)\nweighted_sum = partial(f, 3)",
    ],
    "decorator": [
        READY,
        "def use(g):\n    def f(x, w, b): return ready(x, w, b)\n    return f",
        "@use\ndef weighted_sum(x, w, b): pass",
    ],
    "class attribute": [
        READY,
        "class Ready:\n    f = ready\ndef weighted_sum(x, w, b): return Ready.f(x, w, b)",
    ],
    "static method": [READY, "class Ready:\n    f = staticmethod(ready)\nweighted_sum = Ready.f"],
    "a module in a class": [
        "import dlcourse.neurons.neuron as n",
        "class Box:\n    inside = n\n\ndef weighted_sum(x, w, b): return Box.inside.weighted_sum(x, w, b)",
    ],
    "a list": [READY, "ways = [ready]", "def weighted_sum(x, w, b): return ways[0](x, w, b)"],
    "a table": [READY, "ways = {}", "ways['f'] = ready", "def weighted_sum(*a): return ways['f'](*a)"],
    "a default": [READY, "def weighted_sum(x, w, b, f=ready): return f(x, w, b)"],
    "a closure": [READY, "def made(f):\n    return lambda *a: f(*a)\nweighted_sum = made(ready)"],
    "an object that is called": [
        READY,
        "class Sum:\n    def __call__(self, *a): return ready(*a)\nweighted_sum = Sum()",
    ],
    "the checks' own reference": [
        "from dlcourse.checks import judge",
        "def weighted_sum(x, w, b): return judge(x, w, b).example",
    ],
    "bound in a try": [
        "try:\n    from dlcourse.neurons.neuron import weighted_sum\nexcept ImportError:\n    pass"
    ],
    "bound in a loop": [READY, "for weighted_sum in (ready,):\n    pass"],
    "bound by a with": [
        READY,
        "import contextlib",
        "with contextlib.nullcontext(ready) as weighted_sum:\n    pass",
    ],
    "bound by a walrus": [READY, "(weighted_sum := ready)"],
    "bound by global": [READY, "def bind():\n    global weighted_sum\n    weighted_sum = ready", "bind()"],
    "bound by globals()": [READY, "globals()['weighted_sum'] = ready"],
    "bound by exec": ["exec('from dlcourse.neurons.neuron import weighted_sum')"],
    "bound by exec in pieces": [
        "code = 'from dlcourse.neurons.neuron import weighted' + '_sum'",
        "exec(code)",
    ],
    "pasted": [
        "from dlcourse.neurons._expect import *",
        inspect.getsource(weighted_sum).replace("Float[np.ndarray, ", "(").split("def ")[0]
        + "def weighted_sum(x, w, b):\n"
        + inspect.getsource(weighted_sum).split("]:\n", 1)[1],
    ],
}


@pytest.mark.parametrize("way", REFUSED)
def test_a_shortcut_is_refused_with_a_sentence(way):
    for sentence in both("weighted_sum", *REFUSED[way], against=AGAINST):
        assert sentence.startswith("weighted_sum ")
        assert "write" in sentence
        assert sentence.count("\n") == 0


TEXT_ONLY = {
    "replaced later": [READY, "weighted_sum = ready", "def weighted_sum(x, w, b): return x @ w + b"],
    "changed code": [
        READY,
        "def weighted_sum(x, w, b): return 0\n",
        "weighted_sum.__code__ = ready.__code__",
    ],
    "behind a magic": ["%time from dlcourse.neurons.neuron import weighted_sum"],
    "behind a cell magic": ["%%time\nfrom dlcourse.neurons.neuron import weighted_sum"],
    "wrapped by NumPy": [READY, "weighted_sum = np.frompyfunc(ready, 3, 1)"],
}


@pytest.mark.parametrize("way", TEXT_ONLY)
def test_the_text_shows_what_the_living_name_hides(way):
    assert "write it" in refusal_in("weighted_sum", [SETUP, *TEXT_ONLY[way]], against=AGAINST)


def body_of(function):
    return inspect.getsource(function).split('"""')[2]


def test_the_pasted_body_without_its_docstring_is_refused():
    source = "def perceptron_update(x, y, w, b, learning_rate):" + body_of(perceptron_update)
    for sentence in both("perceptron_update", source, against="dlcourse.neurons.neuron.perceptron_update"):
        assert "pasted" in sentence


def test_the_pasted_body_with_other_names_is_refused():
    body = body_of(_softmax._below_top)
    for old, new in (("function", "which"), ("top", "largest"), ("infinite", "bad"), ("z", "scores")):
        body = re.sub(rf"\b{old}\b(?![^\n]*\":)", new, body)
    source = f"def mine(which, scores):{body}"
    assert source != f"def mine(which, scores):{body_of(_softmax._below_top)}"
    for sentence in both("mine", source, against="dlcourse.neurons._softmax._below_top"):
        assert "pasted" in sentence
    other = source.replace("raise ValueError", "raise TypeError", 1)
    assert both("mine", other, against="dlcourse.neurons._softmax._below_top") == ("", "")


def test_an_answer_may_start_processes_and_reach_nothing_else_through_them():
    pytest.importorskip("torch")
    processes = "from dlcourse.distributed import _processes"
    honest = "def weighted_sum(x, w, b): return run_processes(lambda: x @ w + b, 1)[0]"
    assert both("weighted_sum", f"{processes}\nrun_processes = _processes.run_processes", honest) == ("", "")
    assert both("weighted_sum", f"{processes.replace(' import ', '.')} import run_processes", honest) == (
        "",
        "",
    )
    roundabout = "def weighted_sum(x, w, b): return _processes.sys.modules['n'].weighted_sum(x, w, b)"
    for sentence in both("weighted_sum", processes, roundabout):
        assert sentence


HONEST = {
    "one line": ["def weighted_sum(x, w, b): return x @ w + b"],
    "lambda": ["weighted_sum = lambda x, w, b: x @ w + b"],
    "einsum": ["def weighted_sum(x, w, b): return np.einsum('ij,j->i', x, w) + b"],
    "helper": ["def dot(x, w): return x @ w", "def weighted_sum(x, w, b): return dot(x, w) + b"],
    "method names that sound like tricks": [
        """
        class Model:
            def eval(self): return self
            def compile(self): return lambda x, w, b: x @ w + b
        def weighted_sum(x, w, b): return Model().eval().compile()(x, w, b)
        """
    ],
    "the course's data": [
        "from dlcourse.data import digits\ndef weighted_sum(x, w, b):\n    digits.load\n    return x @ w + b"
    ],
    "the course's data, by its full name": [
        "import dlcourse.data",
        "def weighted_sum(x, w, b):\n    dlcourse.data.__name__\n    return x @ w + b",
    ],
    "star": ["def weighted_sum(*args):\n    x, *rest = args\n    w, b = rest\n    return x @ w + b"],
    "recursion": [
        """
        def weighted_sum(x, w, b):
            return weighted_sum(x[:, 1:], w[1:], b + x[:, 0] * w[0]) if len(w) > 1 else x[:, 0] * w[0] + b
        """
    ],
    "class": [
        """
        class Neuron:
            def __init__(self, w, b): self.w, self.b = w, b
            def __call__(self, x): return x @ self.w + self.b
        def weighted_sum(x, w, b): return Neuron(w, b)(x)
        """
    ],
    "closure": ["def add(b):\n    return lambda z: z + b", "def weighted_sum(x, w, b): return add(b)(x @ w)"],
    "getattr of its own": [
        """
        class Box:
            def get(self, name): return getattr(self, name)
        def weighted_sum(x, w, b):
            box = Box(); setattr(box, "w", w)
            return x @ box.get("w") + b
        """
    ],
    "getattr with the name in the text": ["def weighted_sum(x, w, b): return getattr(np, 'dot')(x, w) + b"],
    "vars of an object": [
        "def weighted_sum(x, w, b):\n    class A: pass\n    vars(A())\n    return x @ w + b"
    ],
    "__dict__ of an object": [
        "class A:\n    def set(self, **k): self.__dict__.update(k); return self",
        "def weighted_sum(x, w, b): return x @ A().set(w=w).w + b",
    ],
    "a variable compile_time": [
        "compile_time = 0",
        "def weighted_sum(x, w, b): return x @ w + b + compile_time",
    ],
    "a variable eval": ["def weighted_sum(x, w, b):\n    eval = x @ w\n    return eval + b"],
    "a parameter compile": ["def weighted_sum(compile, exec, eval): return compile @ exec + eval"],
    "re.compile": ["import re", "def weighted_sum(x, w, b):\n    re.compile('x')\n    return x @ w + b"],
    "a docstring": [
        'def weighted_sum(x, w, b):\n    """See dlcourse.neurons.neuron.weighted_sum, in neuron.py."""\n'
        "    return x @ w + b"
    ],
    "the docstring alone": [
        'def weighted_sum(x, w, b):\n    "dlcourse.neurons.neuron"\n    return x @ w + b'
    ],
    "a comment": [
        "# from dlcourse.neurons.neuron import weighted_sum\ndef weighted_sum(x, w, b): return x @ w + b"
    ],
    "an error message": [
        "def weighted_sum(x, w, b):\n    if x.ndim != 2: raise ValueError('compare dlcourse.neurons in the book')\n"
        "    return x @ w + b"
    ],
    "matplotlib": [
        "import matplotlib",
        "def shown(z): return z if matplotlib.__version__ else matplotlib.rc('x')",
        "def weighted_sum(x, w, b): return shown(x @ w + b)",
    ],
    "np.vectorize": [
        "@np.vectorize\ndef plus(z, b): return z + b",
        "def weighted_sum(x, w, b): return plus(x @ w, b)",
    ],
    "functools": [
        "from functools import reduce, partial, lru_cache",
        "@lru_cache\ndef zero(): return 0.0",
        "def weighted_sum(x, w, b): return reduce(lambda z, i: z + x[:, i] * w[i], range(len(w)), zero()) + b",
    ],
    "a decorator": [
        "import functools",
        "def timed(f):\n    @functools.wraps(f)\n    def g(*args): return f(*args)\n    return g",
        "@timed\ndef weighted_sum(x, w, b): return x @ w + b",
    ],
    "types and annotations": [
        "from typing import Any",
        "def weighted_sum(x: 'dlcourse.neurons.neuron', w: np.ndarray, b: float = 0.0) -> Any: return x @ w + b",
    ],
    "a loop": [
        "def weighted_sum(x, w, b): return np.array([sum(r[i] * w[i] for i in range(len(w))) + b for r in x])"
    ],
    "the reference beside it": [
        READY,
        "def weighted_sum(x, w, b): return x @ w + b",
        "print(np.allclose(weighted_sum(np.ones((1, 1)), np.ones(1), 0.0), ready(np.ones((1, 1)), np.ones(1), 0.0)))",
    ],
    "its source looked at": [
        "import inspect",
        "def weighted_sum(x, w, b): return x @ w + b",
        "print(weighted_sum.__doc__, len(globals()), eval('1 + 1'))",
    ],
    "an answer written twice": ["weighted_sum = None", "def weighted_sum(x, w, b): return x @ w + b"],
    "a namesake of a module": ["neuron = 3.0", "def weighted_sum(x, w, b): return x @ w + b + 0 * neuron"],
    "printing": ["def weighted_sum(x, w, b):\n    print(f'{x=}, {w=}')\n    return x @ w + b"],
    "a data file": ["def weighted_sum(x, w, b):\n    'weights.npz'.split('.')\n    return x @ w + b"],
    "attrgetter": [
        "from operator import attrgetter, itemgetter, matmul",
        "def weighted_sum(x, w, b): return matmul(x, attrgetter('T')(w)) + b",
    ],
    "match": [
        "def weighted_sum(x, w, b):\n    match x.ndim:\n        case 2 as n if n: return x @ w + b\n"
        "        case _: return None"
    ],
    "nothing yet": ["def weighted_sum(x, w, b):\n    raise NotImplementedError()"],
    "a value": ["weighted_sum = 3"],
}


@pytest.mark.parametrize("way", HONEST)
def test_an_honest_answer_is_not_refused(way):
    assert both("weighted_sum", *HONEST[way], against=AGAINST) == ("", "")


CELLS = {
    "magics": "%matplotlib inline\n!pip list\nx = !ls\nx = %who\nnp.sum?\n?np\nif 1:\n    %time np.ones(1)\n",
    "a shell cell": "%%bash\nfrom dlcourse.neurons.neuron import weighted_sum",
    "a typing error": "from dlcourse.neurons.neuron import weighted_sum\ndef (:",
    "a null byte": "x = '\0'",
    "nothing": "",
    "too deep": "x = " + "(" * 5000,
    "a long sum": "y = 0" + " + 1" * 50_000,
    "a division over two lines": "z = (3\n% 2)",
}


@pytest.mark.parametrize("kind", CELLS)
def test_an_odd_cell_breaks_nothing(kind):
    mine = "def weighted_sum(x, w, b): return x @ w + b"
    assert refusal_in("weighted_sum", [SETUP, CELLS[kind], mine], against=AGAINST) == ""


def test_a_magic_hides_nothing_of_its_cell():
    cell = f"%time 1\n{READY}\nif True:\n    %timeit 2\n"
    mine = "def weighted_sum(x, w, b): return ready(x, w, b)"
    assert "write it" in refusal_in("weighted_sum", [cell, mine], against=AGAINST)


@pytest.mark.parametrize("terms", [500, 3000, 50_000])
def test_what_is_nested_too_deeply_to_be_read_is_refused(terms):
    deep = "def weighted_sum(x, w, b): return x @ w" + " + b" * terms
    assert "nested too deeply" in refusal_in("weighted_sum", [deep], against=AGAINST)


def test_a_name_that_no_cell_binds_is_not_refused():
    assert refusal_in("weighted_sum", [SETUP], against=AGAINST) == ""


@pytest.mark.parametrize(
    "source",
    [
        "total = np.sum",
        "def total(x): return np.sum(x)",
        "from numpy import sum as plus\ndef total(x): return plus(x)",
        "from numpy import *\ndef total(x): return sum(x)",
        "def total(x):\n    import numpy\n    return numpy.sum(x)",
        "def total(x):\n    import numpy as n\n    plus = n.sum\n    return plus(x)",
        "from torch import sum as plus\ndef total(x): return plus(x)",
        "import torch\ndef total(x): return torch.tensor(x).sum()",
        "import torch\ntotal = torch.Tensor.sum",
        "import torch\ntotal = torch.special.sum if False else torch.sum",
        "def plus(module, x): return module.sum(x)\ndef total(x): return plus(np, x)",
        "class A:\n    module = np\n    def f(self, x): return self.module.sum(x)\ndef total(x): return A().f(x)",
        "import operator\ndef total(x): return operator.attrgetter('sum')(np)(x)",
        "def total(x): return getattr(np, 's' + 'um')(x)",
        "table = {'plus': np.sum}\ndef total(x): return table['plus'](x)",
        "import scipy.special as s\ndef total(x): return s.logsumexp(x)",
        "from scipy.special import logsumexp\ntotal = logsumexp",
        "from scipy.stats import norm\ndef total(x): return norm.cdf(x)",
    ],
)
def test_a_forbidden_function_is_named(source):
    forbid = [
        "numpy.sum",
        "torch.sum",
        "scipy.special.logsumexp",
        "scipy.stats.norm.cdf",
        "missing_package.sum",
    ]
    for sentence in both("total", source, forbid=forbid):
        assert re.search(r"(numpy|torch)\.sum|scipy", sentence)


@pytest.mark.parametrize(
    "source",
    [
        "import scipy.special\ndef total(x): return scipy.special.expit(x)",
        "def total(x): return x.sum()",
        "class A:\n    def softmax(self, x): return x\ndef total(x): return A().softmax(x)",
        "def softmax(x): return x / x.sum()\ndef total(x): return softmax(x)",
        "import torch\ndef total(x): return torch.exp(torch.tensor(x))",
        "def total(x):\n    softmax = np.exp(x)\n    return softmax / np.add.reduce(softmax)",
    ],
)
def test_what_only_sounds_forbidden_is_allowed(source):
    forbid = ["numpy.sum", "torch.softmax", "scipy.special.softmax", "scipy.stats.norm.cdf"]
    assert both("total", source, forbid=forbid) == ("", "")


@pytest.mark.parametrize(
    "use",
    [
        "torch.softmax(x, 0)",
        "x.softmax(0)",
        "F.softmax(x, 0)",
        "torch.nn.Softmax(0)(x)",
        "torch.special.softmax(x, 0)",
    ],
)
def test_one_operation_of_torch_is_forbidden_in_all_its_forms(use):
    source = f"import torch\nimport torch.nn.functional as F\ndef total(x): return {use}"
    for sentence in both("total", source, forbid=["torch.softmax"]):
        assert "torch.softmax" in sentence


LOOPED = "def total(x):\n    s = 0\n    for v in x: s += v\n    return s"


def test_loops_are_refused_where_the_task_forbids_them():
    assert both("total", LOOPED) == ("", "")
    for sentence in both("total", LOOPED, loops=False):
        assert "loops in Python" in sentence
    for sentence in both("total", LOOPED.replace("total", "plus"), "total = lambda x: plus(x)", loops=False):
        assert "loops in Python" in sentence


def test_a_table_built_by_a_loop_is_no_loop_in_the_answer():
    assert both("total", "table = [k for k in range(3)]", "def total(x): return table", loops=False) == (
        "",
        "",
    )


def test_another_task_is_read_where_it_is_checked():
    cells = [READY, "neuron = ready", "def weighted_sum(x, w, b): return neuron(x, w, b)"]
    assert both("weighted_sum", *cells, against=AGAINST, skip=["neuron"]) == ("", "")
    assert all(both("weighted_sum", *cells, against=AGAINST))


def test_a_refused_answer_earns_nothing():
    check = Check("weighted_sum", "adds", on=[given([[1.0]], [1.0], 0.0)], against=AGAINST)
    report = run_checks(check, names={"weighted_sum": weighted_sum})
    assert report.points == 0
    assert "the package's own dlcourse.neurons.neuron.weighted_sum under another name" in str(report)


EXERCISES = sorted((Path(__file__).parents[2] / "exercises").glob("*/*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_both_ways_agree_on_every_answer_of_the_exercises(path):
    """The solutions and the classic mistakes: no answer is taken for a shortcut, and loops are found alike."""
    pytest.importorskip("dlcourse.grading.notebooks", reason="the grader is not installed")
    if path.parent.name == "frameworks":  # TensorFlow ends a process in which Triton is, too
        done = subprocess.run([sys.executable, __file__, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        expect_both_to_agree(path)


def expect_both_to_agree(path):
    """Look for shortcuts in the solutions and the mistakes of an exercise, in this process."""
    from dlcourse.grading import notebooks, sample

    exercise = notebooks.read_exercise(path)
    solved = notebooks.reference(exercise)
    checks = [
        check
        for calls in declared([cell.source for cell in exercise.cells if notebooks.graded(cell)])
        for call in calls
        for check in call.checks
    ]
    for mistake in [None, *sample.mistakes_of(path)]:
        notebook = sample.with_mistake(exercise, mistake) if mistake else solved
        cells = [c.source for c in notebook.cells if c.cell_type == "code" and not notebooks.graded(c)]
        space = run(cells)
        for check in checks:
            options = {
                "against": check.against,
                "forbid": check.forbid,
                "loops": check.loops,
                "skip": check.builds_on,
            }
            live = refusal(check.name, space[check.name], **options)
            assert live == refusal_in(check.name, cells, **options)
            assert live == "" or (mistake and ("loops" in live or mistake.told in live))


if __name__ == "__main__":
    expect_both_to_agree(Path(sys.argv[1]))
