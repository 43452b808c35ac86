"""Answers that use up time, memory, processes, the disk or the reader: this costs the task in which they do it."""

from dataclasses import replace

from .recipe import HURRIED, RIGHT_ADD, Recipe

_ALL_BUT_TWO = ("add", "Tally", "double", "countdown", "squash", "power", "interval")
_SLOW = r"stopped after"
_PATIENT = replace(HURRIED, check_seconds=10)  # it ends by itself, on a loaded machine too


def _answer(name, code, told="", **more):
    """Write a recipe of a wrong answer to `double`, on which no other task builds."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    answers = {"double": f"def double(x):\n{body}\n"}
    more = {"limits": HURRIED, **more}
    return Recipe(name, answers=answers, costs=["double"], told={"double_check": told}, **more)


def _harmless(name, cell, **more):
    """Write a recipe of a right answer in whose cell something is used up that nobody else needs."""
    return Recipe(name, answers={"add": f"{RIGHT_ADD}{cell}"}, **more)


_FORK_BOMB = """
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
except OSError as error:
    print("stopped:", error)
"""
_DEEP_FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
_THREAD_BOMB = """
import threading, time
try:
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
except BaseException as error:
    print("stopped:", error)
"""
_FILES = """
def fill(folder):
    size = 0
    try:
        for number in range(64):
            with open(f"{folder}/part{number}", "wb") as file:
                size += file.write(bytes(2**24))
    except OSError as error:
        return f"stopped: {error}"
    return "everything fits"
print([fill(folder) for folder in ("/tmp", "/dev/shm", ".")])
"""
_SWALLOW = """
import signal
for number in range(1, 64):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""

RECIPES = [
    _answer("never ends", "while True:\n    pass", _SLOW, slow=True),
    _answer("never ends and cannot be interrupted", _SWALLOW, _SLOW, slow=True),
    _answer("sleeps", "import time\ntime.sleep(1000)", _SLOW, slow=True),
    _answer("never ends in C", "return sum(range(10**15))", _SLOW, slow=True),
    _answer("counts to infinity in a result", "import itertools\nreturn list(itertools.count())", slow=True),
    _answer(
        "waits for a lock",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
        _SLOW,
        slow=True,
    ),
    _answer("waits for nobody", "import os\nr, w = os.pipe()\nos.read(r, 1)", _SLOW, slow=True),
    Recipe(
        "never ends in its cell",
        answers={"add": f"while True:\n    pass\n{RIGHT_ADD}"},
        costs=["add"],
        shows={"add": _SLOW},
        slow=True,
        limits=HURRIED,
    ),
    Recipe(
        "never ends in its cell and cannot be interrupted",
        answers={"add": f"{_SWALLOW}\n{RIGHT_ADD}"},
        costs=["add"],
        shows={"add": _SLOW},
        slow=True,
        limits=HURRIED,
    ),
    Recipe(
        "never ends after its answer",
        answers={"add": f"{RIGHT_ADD}while True:\n    pass"},
        slow=True,
        limits=HURRIED,
    ),
    Recipe(
        "never ends in any cell",
        answers=dict.fromkeys(_ALL_BUT_TWO, "while True:\n    pass"),
        costs=_ALL_BUT_TWO,
        limits=replace(HURRIED, cell_seconds=0.5),
        slow=True,
    ),
    Recipe(
        "uses up the time of the notebook",
        answers=dict.fromkeys(
            ("double", "countdown", "squash", "power", "interval"), "import time\ntime.sleep(1000)"
        ),
        costs=["double", "countdown", "squash", "power", "interval"],
        earns={"cubes_check": None, "cubes_hidden": None, "half_check": None},
        told={"interval_check": "not defined|time for the whole notebook"},
        limits=replace(HURRIED, notebook_seconds=5),
        slow=True,
    ),
    Recipe(
        "never ends the second time",
        answers={
            "double": (
                "def double(x):\n"
                "    try:\n"
                "        open('/tmp/once', 'x')\n"
                "    except FileExistsError:\n"
                "        while True:\n"
                "            pass\n"
                "    x *= 2\n"
                "    return x"
            )
        },
        earns={"double_check": None, "double_hidden": 0},
        told={"double_hidden": _SLOW},
        slow=True,
        limits=HURRIED,
    ),
    Recipe(
        "does not end after its answer",
        answers={
            "double": (
                "import os, time\n"
                "def double(x):\n"
                "    os._exit = lambda status: time.sleep(3)\n"
                "    x *= 2\n"
                "    return x"
            )
        },
        earns={"double_check": None, "double_hidden": None},
        slow=True,
        limits=HURRIED,
    ),
    _answer("wants all memory", "return len(bytearray(40 * 2**30))", "MemoryError|memory|stopped after"),
    _answer(
        "takes memory bit by bit",
        "kept = []\nwhile True:\n    kept.append(bytearray(2**24))",
        "MemoryError|memory|stopped after",
    ),
    _answer(
        "takes memory outside of Python",
        (
            "import mmap\n"
            "kept = []\n"
            "while True:\n"
            "    kept.append(mmap.mmap(-1, 2**26))\n"
            "    kept[-1].write(bytes(2**26))"
        ),
        "OSError|stopped after|memory",
    ),
    Recipe(
        "wants all memory in its cell",
        answers={"add": f"import numpy as np\nnp.ones((10**6, 10**5))\n{RIGHT_ADD}"},
        costs=["add"],
        shows={"add": "MemoryError"},
    ),
    _harmless("forks in its cell", _FORK_BOMB, shows={"add": "stopped"}),
    _answer("forks in the check", _FORK_BOMB, slow=True),
    _answer("forks without end", _DEEP_FORK_BOMB, slow=True),
    Recipe(
        "forks without end in its cell",
        answers={"add": f"{_DEEP_FORK_BOMB}\n{RIGHT_ADD}"},
        costs=["add"],
        slow=True,
        limits=HURRIED,
    ),
    _harmless("starts threads in its cell", _THREAD_BOMB, shows={"add": "stopped"}, slow=True),
    _answer("starts threads in the check", _THREAD_BOMB + "\nreturn None"),
    _harmless("fills the disk", _FILES, shows={"add": "stopped.*stopped.*stopped"}, slow=True),
    _harmless(
        "opens files",
        (
            "kept = []\n"
            "try:\n"
            "    while True:\n"
            "        kept.append(open('/dev/null'))\n"
            "except OSError as error:\n"
            "    print('stopped', error)"
        ),
        shows={"add": "stopped"},
    ),
    _harmless(
        "starts a daemon",
        (
            "import subprocess, sys\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987654)'], start_new_session=True)"
        ),
    ),
    _harmless("prints a line of 50 MB", "print('x' * (50 * 2**20))", shows={"add": "not kept|cut|more"}),
    _harmless(
        "prints a million lines", "for n in range(300_000): print(n)", shows={"add": "not kept|cut|more"}
    ),
    _harmless(
        "writes 50 MB to file 1",
        "import os\nfor _ in range(50):\n    os.write(1, b'x' * 2**20)\n    os.write(2, b'x' * 2**20)",
    ),
    _harmless(
        "lifts the limit of its output",
        "kept = get_ipython().kept\n"
        "kept.left = kept.pictures_left = 10**9\n"
        "print('x' * 2_000_000)\n"
        "kept.outputs += [{'output_type': 'stream', 'name': 'stdout', 'text': ['y' * 90]}] * 5000\n"
        "kept.outputs += [{'output_type': 'error', 'ename': 'z' * 100_000, 'evalue': '', 'traceback': ['z' * 100_000]}]",
        earns={"add_check": None, "add_hidden": None},
    ),
    _harmless(
        "lets a program write 50 MB",
        "import subprocess\nsubprocess.run(['sh', '-c', 'yes | head -c 50000000'])",
    ),
    _harmless(
        "shows 300 pictures",
        (
            "from IPython.display import Image, display\n"
            "for _ in range(300):\n"
            "    display(Image(data=b'\\x89PNG' + bytes(200_000), format='png'))"
        ),
    ),
    _harmless(
        "shows something that takes for ever to write",
        ("class Slow:\n    def __repr__(self):\n        import time\n        time.sleep(1000)\nSlow()"),
        slow=True,
    ),
    _harmless(
        "shows something of 100 MB",
        "class Large:\n    def __repr__(self):\n        return 'x' * 100_000_000\nLarge()",
    ),
    _harmless(
        "shows something that cannot be written",
        "class Broken:\n    def __repr__(self):\n        return 7\nBroken()",
    ),
    _harmless("raises an error of 50 MB", "raise ValueError('x' * 50_000_000)"),
    _harmless(
        "raises errors in a chain of 500",
        (
            "error = None\n"
            "for n in range(500):\n"
            "    new = ValueError('x' * 1000)\n"
            "    new.__cause__ = error\n"
            "    error = new\n"
            "raise error"
        ),
    ),
    _answer("prints 50 MB in the check", "print('x' * (50 * 2**20))\nreturn x + 1"),
    _answer(
        "writes 50 MB to file 1 in the check",
        "import os\nfor _ in range(50):\n    os.write(1, b'x' * 2**20)\nreturn None",
        "None",
    ),
    _answer(
        "warns a million times",
        "import warnings\nfor n in range(100_000):\n    warnings.warn(str(n))\nreturn None",
        slow=True,
    ),
    _answer(
        "returns 200 MB", "import numpy as np\nreturn np.zeros(25_000_000)", "more than|MB", limits=_PATIENT
    ),
    _answer("returns 20 MB", "import numpy as np\nreturn np.zeros(2_500_000)", "shape"),
    _answer("returns a list of 100,000 numbers", "return [x[0]] * 100_000"),
    _answer("returns ten million numbers in a list", "return [1] * 10_000_000", "more than", limits=_PATIENT),
    _answer("returns a text of 10 MB", "return 'x' * 10_000_000"),
    _answer("returns a text of a megabyte", "return 'x' * 1_000_000"),
    _answer("returns a dictionary of long keys", "return {'x' * 100_000 + str(n): n for n in range(10)}"),
    _answer("returns a dictionary of 100,000 keys", "return {str(n): n for n in range(100_000)}"),
    _answer("returns a whole number of a million digits", "return 10 ** 1_000_000"),
    _answer(
        "returns a tree of lists",
        "tree = [1.0, 2.0]\nfor _ in range(16):\n    tree = [tree, tree]\nreturn tree",
    ),
    _answer(
        "returns a crooked tree of lists",
        "tree = 1.0\nfor _ in range(50):\n    tree = [tree, 1.0]\nreturn tree",
    ),
    _answer(
        "returns a list that grows while it is read",
        (
            "class Long(list):\n"
            "    def __iter__(self):\n"
            "        while True:\n"
            "            yield 1.0\n"
            "return Long([1.0])"
        ),
        slow=True,
    ),
    Recipe(
        "gives the stand-in a number of turns that never ends",
        answers={
            "power": "def power(x, n):\n    return 0.0",
            "cubes": "def cubes(a, b):\n    return power(2.0, 10**14)",
        },
        costs=["power", "cubes"],
        earns={"power_check": 0},
        slow=True,
        limits=replace(HURRIED, notebook_seconds=10),
    ),
    Recipe(
        "gives the stand-in arrays that do not fit in memory",
        answers={
            "power": "def power(x, n):\n    return 0.0",
            "cubes": (
                "import numpy as np\n"
                "def cubes(a, b):\n"
                "    return add(np.zeros((3 * 10**6, 1)), np.zeros(3 * 10**6))"
            ),
        },
        costs=["power", "cubes"],
    ),
    Recipe(
        "gives the stand-in things of all kinds",
        answers={
            "power": "def power(x, n):\n    return 0.0",
            "cubes": (
                "def cubes(a, b):\n"
                "    odd = [[], [1], ['x', 3], [{}, None], [[1] * 1000, 10**5], [2**2000, 2**2000]]\n"
                "    odd += [[[[]], -1], ['x' * 10**6, 1]]\n"
                "    for args in odd:\n"
                "        for function in (add, power):\n"
                "            try:\n"
                "                function(*args)\n"
                "            except Exception:\n"
                "                pass\n"
                "    return add(power(a, 3), power(b, 3))"
            ),
        },
        costs=["power"],
    ),
    Recipe(
        "calls the stand-in without end",
        answers={
            "power": "def power(x, n):\n    return 0.0",
            "cubes": "def cubes(a, b):\n    while True:\n        add(1.0, 1.0)",
        },
        costs=["power", "cubes"],
        slow=True,
        limits=HURRIED,
    ),
]
