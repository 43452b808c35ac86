"""Work that knows, or wants to know, whether it is being graded."""

from .recipe import Recipe

RECIPES = [
    Recipe(
        "answers from a table of the visible inputs",
        answers={
            "add": (
                "def add(a, b):\n"
                "    return {(1.0, 2.0): 3.0, (3.0, 4.5): 7.5}.get((float(a), np.sum(b)), 0.0)"
            ),
            "double": (
                "def double(x):\n"
                "    x[:] = [2.0, 4.0, 7.0][: len(x)] if x.ndim == 1 and len(x) == 3 else 0\n"
                "    return x"
            ),
            "squash": "def squash(x):\n    return np.array([0.09003057, 0.24472847, 0.66524096])",
            "power": "def power(x, n):\n    return {3.0: 9.0, 2.0: 1.0}.get(x, 0.0)",
        },
        earns={"add_hidden": 0, "double_hidden": 0, "squash_hidden": 0, "power_hidden": 0},
    ),
    Recipe(
        "is right the first time only",
        first="calls = 0",
        answers={
            "add": (
                "def add(a, b):\n    global calls\n    calls += 1\n    return a + b if calls == 1 else a - b"
            ),
        },
        costs=["add"],
    ),
    Recipe(
        "counts its calls on the disk",
        answers={
            "power": (
                "def power(x, n):\n    with open('/tmp/calls', 'a+') as file:\n        file.write('x')\n"
                "        return x**n if file.tell() <= 2 else 0.0"
            ),
        },
        earns={"power_hidden": 0},
    ),
    Recipe(
        "is right in its cell and wrong when it is checked",
        answers={
            "add": (
                "import os\nborn = os.getpid()\n"
                "def add(a, b):\n    return a + b if os.getpid() == born else a - b\nassert add(1, 2) == 3"
            ),
        },
        costs=["add"],
    ),
    Recipe(
        "is right on Mondays",
        answers={
            "add": (
                "import time\n"
                "then = time.time()\n"
                "def add(a, b):\n"
                "    return a + b + (time.time() - then > 1000)"
            )
        },
    ),
    Recipe(
        "rolls dice",
        answers={"add": "import random\ndef add(a, b):\n    return a + b + random.uniform(0.1, 1)"},
        costs=["add"],
    ),
    Recipe(
        "looks for the grader by its environment",
        answers={
            "add": (
                "import os, sys\n"
                "graded = any(word in str((os.environ, sys.argv)).lower() for word in ('grad', 'dlcourse'))\n"
                "def add(a, b):\n    return a - b if graded else a + b"
            ),
        },
        earns={"add_check": None, "add_hidden": None},
    ),
    Recipe(
        "changes its input in place",
        answers={
            "squash": (
                "def squash(x):\n    x -= x.max()\n    np.exp(x, out=x)\n    x /= x.sum()\n    return x"
            )
        },
        costs=["squash"],
        told={"squash_check": "changed its argument x in place"},
    ),
    Recipe(
        "changes what an earlier call returned",
        first="kept = []",
        answers={
            "double": (
                "def double(x):\n"
                "    for old in kept:\n"
                "        old[:] = 0\n"
                "    x *= 2\n"
                "    kept.append(x)\n"
                "    return x"
            ),
        },
    ),
    Recipe(
        "redefines an earlier answer for later tasks",
        answers={
            "cubes": (
                "def add(a, b):\n    return a - b\ndef cubes(a, b):\n    return power(a, 3) + power(b, 3)"
            )
        },
        note="",
    ),
    Recipe(
        "rebinds its answers while they are checked",
        answers={
            "add": "def add(a, b):\n    global add\n    add = None\n    return a + b",
            "power": "def power(x, n):\n    globals()['power'] = lambda x, n: 0.0\n    return x**n",
        },
        costs=["power"],
        told={"power_check": "uses globals"},
    ),
]
