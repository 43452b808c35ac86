"""Odd but honest work: it earns everything, and nobody needs to look at it."""

from .recipe import RIGHT_ADD, Recipe


def _honest(name, **more):
    return Recipe(name, note="", **more)


_WORDY = """
import warnings

def add(a, b):
    warnings.warn("adding is deprecated")
    print("adding", a, b)
    result = np.float64(a) + b
    np.float64(1) / np.float64(0)
    return result
"""
_TABLES = """
from __future__ import annotations

import dataclasses, functools
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

@dataclass(slots=True)
class Tally(Generic[T]):
    total: T

    def push(self, amount: T) -> T:
        match amount:
            case int() | float():
                self.total += amount
            case _:
                raise TypeError
        return self.total

def logged(function):
    @functools.wraps(function)
    def inner(*args, **more):
        return function(*args, **more)
    return inner

@logged
def add(a: float, b: float) -> float:
    return a + b
"""
_THREADED = """
from concurrent.futures import ThreadPoolExecutor

def add(a, b):
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda value: value, [a, b]))
"""
_POOL_KEPT = """
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)
print(list(pool.map(abs, [-1, -2, -3])))

def add(a, b):
    return sum(pool.map(lambda value: value, [a, b]))
"""
_PROCESSES = """
import multiprocessing, subprocess, sys

def add(a, b):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.apply(float.__add__, (float(a), float(b))) if isinstance(a, float) and isinstance(b, float) else a + b

print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)
"""
_MAGICS = """
%matplotlib inline
%time 1 + 1
%timeit -n 1 -r 1 pass
!echo from the shell
%cd /tmp
%config InlineBackend.figure_format = "png"
files = !ls
%pwd
%who
%env
"""
_CELL_MAGIC = """%%time
def add(a, b):
    return a + b
"""
_WRITEFILE = """%%writefile helper.py
def plus(a, b):
    return a + b
"""
_PLOTS = """
import matplotlib.pyplot as plt

plt.plot([1, 2, 3])
plt.title("A line")
plt.show()
fig, axes = plt.subplots(2)
fig.savefig("figure.png")
fig
"""
_ASYNC = """
import asyncio

async def later(value):
    await asyncio.sleep(0)
    return value

print(await asyncio.gather(later(1), later(2)))

def add(a, b):
    return asyncio.run(later(a)) + b
"""
_GLOBAL_STATE = """
counter = 0
cache = {}

def add(a, b):
    global counter
    counter += 1
    key = repr((a, b))
    if key not in cache:
        cache[key] = a + b
    return cache[key]
"""
_METACLASS = """
class Counted(type):
    made = 0
    def __call__(cls, *args):
        cls.made += 1
        return super().__call__(*args)

class Base:
    def push(self, amount):
        self.total = self.total + amount
        return self.total

class Tally(Base, metaclass=Counted):
    @property
    def total(self):
        return self._total
    @total.setter
    def total(self, value):
        self._total = value
    def __init__(self, start=0.0, *, name="tally"):
        print("a new", name)
        self.total = start
    def __repr__(self):
        raise RuntimeError("never shown")
"""

RECIPES = [
    _honest("is right"),
    _honest("warns, prints and divides by zero", answers={"add": _WORDY}),
    _honest(
        "writes much to both streams",
        answers={
            "add": (
                f"import sys\nfor n in range(2000):\n    print(n)\n    print(n, file=sys.stderr)\n{RIGHT_ADD}"
            )
        },
    ),
    _honest(
        "answers in float32",
        answers={
            "add": "def add(a, b):\n    return np.float32(a) + np.asarray(b, np.float32)",
            "squash": (
                "def squash(x):\n"
                "    x = x.astype(np.float32)\n"
                "    e = np.exp(x - x.max())\n"
                "    return e / e.sum()"
            ),
        },
    ),
    _honest(
        "answers in lists and tuples",
        answers={
            "add": "def add(a, b):\n    return np.add(a, b).tolist()",
            "double": (
                "def double(x):\n"
                "    x *= 2\n"
                "    return tuple(x.tolist()) if x.ndim == 1 else [tuple(row) for row in x]"
            ),
            "squash": "def squash(x):\n    return list(np.exp(x - max(x)) / np.exp(x - max(x)).sum())",
            "interval": "interval = [1, 3]",
        },
    ),
    _honest(
        "answers in whole numbers and arrays of one number",
        answers={
            "interval": "interval = np.array([1, 3])",
            "countdown": "def countdown(n):\n    return iter(np.arange(n, 0, -1))",
            "power": "def power(x, n):\n    return np.array(x, dtype=float) ** n",
        },
    ),
    _honest(
        "keeps a function, not a def",
        answers={"add": "add = lambda a, b: a + b", "power": "import operator\npower = operator.pow"},
    ),
    _honest(
        "keeps an object that can be called",
        answers={"add": "class Adder:\n    def __call__(self, a, b):\n        return a + b\nadd = Adder()"},
    ),
    _honest(
        "makes its functions in other ways",
        answers={
            "add": "from functools import partial\nadd = partial(lambda sign, a, b: a + sign * b, 1)",
            "double": (
                "class All:\n"
                "    @staticmethod\n"
                "    def double(x):\n"
                "        x *= 2\n"
                "        return x\n"
                "double = All.double"
            ),
        },
    ),
    _honest(
        "has helpers above, which its answers use",
        first="def plus(a, b):\n    return a + b",
        answers={"add": "def add(a, b):\n    return plus(a, b)"},
    ),
    _honest("has its answer in a cell below", answers={"add": "# see below"}, last=RIGHT_ADD),
    _honest("changes its mind below", answers={"add": "def add(a, b):\n    return a - b"}, last=RIGHT_ADD),
    _honest(
        "has all its answers in one cell",
        answers={"add": f"{RIGHT_ADD}def half(x):\n    return x / 2", "half": "pass"},
    ),
    _honest("uses the words of Python 3.11", answers={"add": _TABLES, "Tally": "pass"}),
    _honest(
        "uses the walrus",
        answers={"add": "def add(a, b):\n    return (total if (total := a + b) is not None else 0)"},
    ),
    _honest("has a class in several parts", answers={"Tally": _METACLASS}),
    _honest(
        "is slow, but inside the limit",
        answers={"add": "import time\ndef add(a, b):\n    time.sleep(0.1)\n    return a + b"},
    ),
    _honest("uses threads", answers={"add": _THREADED}),
    _honest("keeps a pool of threads that its cell started", answers={"add": _POOL_KEPT}),
    _honest(
        "keeps threads beside a cell that takes its time",
        first="import time\ntime.sleep(0.4)",
        answers={"add": _POOL_KEPT},
        slow=True,
    ),
    _honest("starts processes", answers={"add": _PROCESSES}, shows={"add": "42"}),
    _honest("uses magics and the shell", first=_MAGICS, shows={"first": "from the shell"}),
    _honest("uses a magic for the whole cell", answers={"add": _CELL_MAGIC}),
    _honest(
        "writes a module beside the notebook",
        first=_WRITEFILE,
        answers={"add": "import helper\nadd = helper.plus"},
    ),
    _honest("plots", last=_PLOTS, shows={"last": "Figure|iVBOR"}, slow=True),
    _honest("waits in a cell", answers={"add": _ASYNC}, shows={"add": r"\[1, 2\]"}),
    _honest("keeps a state of its own", answers={"add": _GLOBAL_STATE}),
    _honest(
        "sows NumPy's generator",
        first="import numpy as np\nnp.random.seed(0)\nnp.random.rand(3)",
        answers={"add": "def add(a, b):\n    np.random.seed(1)\n    return a + b + 0 * np.random.rand()"},
    ),
    _honest(
        "takes the words of others",
        first=(
            "print_before = print\n"
            "def print(*args, **more):\n"
            "    print_before('>', *args)\n"
            "list_before = list\n"
            "import builtins"
        ),
        answers={
            "add": ("sum = 0\nmax = min = abs = len = None\ndef add(a, b):\n    print(a)\n    return a + b")
        },
    ),
    _honest(
        "shadows what the checks use",
        answers={
            "interval": (
                "run = judge = observe = case = Case = check = names = target = None\ninterval = (1, 3)"
            )
        },
    ),
    _honest(
        "turns warnings into errors",
        first="import warnings, numpy as np\nwarnings.simplefilter('error')\nnp.seterr(all='raise')",
    ),
    _honest(
        "shows few digits",
        first="import numpy as np\nnp.set_printoptions(precision=1, suppress=True, threshold=2)",
    ),
    _honest(
        "changes the folder",
        first="import os, tempfile\n"
        "folder = os.path.join(tempfile.gettempdir(), 'mine', 'deep')\n"
        "os.makedirs(folder)\nos.chdir(folder)",
    ),
    _honest(
        "writes and reads a file",
        answers={
            "add": (
                "import json\n"
                "with open('table.json', 'w') as file:\n"
                "    json.dump({'one': 1}, file)\n"
                "def add(a, b):\n"
                "    return a + b * json.load(open('table.json'))['one']"
            )
        },
    ),
    _honest(
        "handles numbers below the normal ones",
        answers={"add": "def add(a, b):\n    tiny = np.float64(5e-324)\n    return a + b + tiny - tiny"},
    ),
    _honest("answers in negative zero", answers={"power": "def power(x, n):\n    return x**n * 1.0 + -0.0"}),
    _honest("has a cell that fails, after everything", last="1 / 0", shows={"last": "ZeroDivisionError"}),
    _honest("has a cell of notes", last="this is no Python, but a note to myself"),
    _honest("exits at its end", last="exit()"),
    _honest("cleans up at its end", last="del np\nimport gc\ngc.collect()"),
    _honest(
        "has its hands on signals",
        first="import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\nsignal.alarm(1)",
        answers={"add": "import time\ndef add(a, b):\n    time.sleep(0.01)\n    return a + b"},
    ),
    _honest(
        "makes references in a circle",
        answers={
            "add": (
                "class Node: pass\n"
                "for _ in range(1000):\n"
                "    a = Node(); b = Node(); a.b = b; b.a = a\n"
                "def add(a, b):\n"
                "    return a + b"
            )
        },
    ),
    _honest(
        "has text in other scripts",
        answers={
            "add": "def addición(α, β):\n    '''Сложение, 加法, جمع 🙂'''\n    return α + β\nadd = addición"
        },
        last="print('Ünïcödé 加 🙂')",
        shows={"last": "加 🙂"},
    ),
    _honest(
        "yields in its own way",
        answers={
            "countdown": (
                "class countdown:\n"
                "    def __init__(self, n):\n"
                "        self.n = n + 1\n"
                "    def __iter__(self):\n"
                "        return self\n"
                "    def __next__(self):\n"
                "        self.n -= 1\n"
                "        if not self.n:\n"
                "            raise StopIteration\n"
                "        return self.n"
            )
        },
    ),
    _honest(
        "needs many calls of its own",
        answers={
            "power": "def power(x, n):\n    return 1.0 if n == 0 else x * power(x, n - 1)",
            "countdown": "def countdown(n):\n    if n:\n        yield n\n        yield from countdown(n - 1)",
        },
    ),
    _honest("runs its checks itself", last="run_checks(check_add)\ncheck_add"),
    _honest(
        "tries things out between the checks",
        last="add(1, 2), Tally(3).push(4), list(countdown(3)), squash(np.zeros(3))",
    ),
    _honest(
        "was wrong once, and builds on it",
        answers={"power": "def power(x, n):\n    return 0.0"},
        costs=["power"],
        told={"cubes_check": "Checked with a right add and power"},
    ),
    _honest(
        "lacks what others build on",
        answers={"add": "", "power": ""},
        costs=["add", "power"],
        told={"cubes_check": "Checked with a right add and power", "add_check": "add is not defined"},
    ),
]
