"""Answers that end, stop or corrupt the process in which they run: this costs the task in which they do it."""

from .recipe import EVERYTHING, RIGHT_ADD, Recipe

_ENDED = r"ended|crashed|was stopped"
_ALL_BUT_HALF = tuple(task for task in EVERYTHING if task != "half")  # its asserts run where they stand
_KILL_ALL = """
import os, signal
for process in (os.getppid(), 1, -1, 0):
    try:
        os.kill(process, {signal})
    except OSError:
        pass
"""


def _in_cell(name, code, **more):
    """Write a recipe that ends the process while the cell of the answer runs."""
    return Recipe(f"{name} in its cell", answers={"add": f"{code}\n{RIGHT_ADD}"}, costs=["add"], **more)


def _in_check(name, code, told=_ENDED, **more):
    """Write a recipe that ends the process when its function is called."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    answers = {"double": f"def double(x):\n{body}\n    x *= 2\n    return x"}
    return Recipe(
        f"{name} in a check", answers=answers, costs=["double"], told={"double_check": told}, **more
    )


def _both(name, code, **more):
    return [_in_cell(name, code, **more), _in_check(name, code, **more)]


RECIPES = [
    *_both("calls os._exit", "import os\nos._exit(0)"),
    *_both("aborts", "import os\nos.abort()"),
    *_both("writes to address 0", "import faulthandler\nfaulthandler._sigsegv()"),
    *_both("kills everybody", _KILL_ALL.format(signal="signal.SIGKILL")),
    *_both("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", slow=True),
    _in_check("stops everybody", _KILL_ALL.format(signal="signal.SIGSTOP"), told="", slow=True),
    Recipe(
        "sends every signal to the first process",
        answers={
            "double": """
def double(x):
    import os
    for number in range(1, 65):
        for process in (1, os.getppid()):
            try:
                os.kill(process, number)
            except OSError:
                pass
    x *= 2
    return x
""",
        },
        earns={"double_check": None, "double_hidden": None},
    ),
    Recipe(
        "interrupts the first process",
        answers={"add": f"import os, signal, time\nos.kill(1, signal.SIGINT)\ntime.sleep(0.2)\n{RIGHT_ADD}"},
    ),
    Recipe(
        "calls sys.exit in its cell",
        answers={"add": f"{RIGHT_ADD}import sys\nsys.exit(3)"},
    ),
    _in_check("calls sys.exit", "import sys\nsys.exit(3)", told="SystemExit"),
    _in_check("interrupts itself", "raise KeyboardInterrupt", told=""),
    _in_check(
        "raises an error that cannot be shown",
        "class Bad(Exception):\n    def __str__(self): return 1/0\nraise Bad",
        told="",
    ),
    _in_check(
        "raises a group of errors",
        "raise ExceptionGroup('many', [ValueError(1), ExceptionGroup('x', [KeyError(2)])])",
        told="ExceptionGroup",
    ),
    _in_check("raises an error of a megabyte", "raise ValueError('long ' * 200_000)", told="ValueError"),
    _in_check("calls itself for ever", "return double(x)", told="RecursionError"),
    _in_check(
        "overflows the stack",
        (
            "import sys\n"
            "sys.setrecursionlimit(10**9)\n"
            "f = lambda g, n: sorted([n], key=lambda _: g(g, n + 1))\n"
            "f(f, 0)"
        ),
    ),
    Recipe(
        "returns twice, by a fork",
        answers={"add": "import os\ndef add(a, b):\n    os.fork()\n    return a + b"},
        earns={"add_check": None, "add_hidden": None},
    ),
    _in_check(
        "becomes another program",
        'import os\nos.execv("/bin/sh", ["sh", "-c", "echo 3; exit 77"])',
        slow=True,
    ),
    _in_cell("becomes another program", 'import os\nos.execv("/bin/sh", ["sh", "-c", "cat"])', slow=True),
    _in_cell("closes all files", "import os\nos.closerange(0, 4096)"),
    _in_check("closes all files", "import os\nos.closerange(0, 4096)"),
    _in_cell(
        "writes to all files",
        (
            "import os\n"
            "for end in range(3, 100):\n"
            "    try:\n"
            "        os.write(end, b'hello' * 1000)\n"
            "    except OSError:\n"
            "        pass"
        ),
    ),
    _in_check(
        "reads from all files",
        (
            "import os\n"
            "for end in range(0, 100):\n"
            "    try:\n"
            "        os.set_blocking(end, False)\n"
            "        os.read(end, 10**6)\n"
            "    except OSError:\n"
            "        pass\n"
            "return None"
        ),
        told="returned None|process",
    ),
    _in_check(
        "leaves by a patched exit", "import os\nos._exit = lambda status: None\nraise SystemExit", told=""
    ),
    Recipe(
        "patches the exit and everything after it",
        first=(
            "import os\n"
            "real = os._exit\n"
            "os._exit = lambda status: print('still here')\n"
            "os.kill = lambda *args: None"
        ),
    ),
    Recipe(
        "kills its parent in every check",
        answers={
            "add": "import os\ndef add(a, b):\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
            "double": "import os\ndef double(x):\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
            "countdown": "import os\ndef countdown(n):\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
            "squash": "import os\ndef squash(x):\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
            "power": "import os\ndef power(x, n):\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
        },
        costs=["add", "double", "countdown", "squash", "power"],
    ),
    Recipe(
        "sets an alarm",
        answers={
            "add": (
                f"{RIGHT_ADD}import signal\n"
                "signal.signal(signal.SIGALRM, lambda *_: 1 / 0)\n"
                "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)"
            )
        },
        earns={"add_check": None, "add_hidden": None},
    ),
    Recipe(
        "deletes everything it may",
        first=(
            "import shutil, os\n"
            "for place in ('/home/learner', '/tmp', '/dev/shm', '.', '/'):\n"
            "    shutil.rmtree(place, ignore_errors=True)\n"
            "try:\n"
            "    os.chdir('/tmp')\n"
            "    os.rmdir('/home/learner')\n"
            "except OSError:\n"
            "    pass"
        ),
    ),
    Recipe(
        "hides its modules",
        last=(
            "import sys\n"
            "for name in list(sys.modules):\n"
            "    if name not in ('sys', 'builtins'):\n"
            "        sys.modules[name] = None"
        ),
        costs=_ALL_BUT_HALF,
    ),
    Recipe(
        "resets its shell",
        last="%reset -f",
        costs=["add", "Tally", "double", "countdown", "squash", "power", "cubes", "interval", "half"],
        earns={"half_check": 1},
    ),
    Recipe(
        "leaves files that are called like modules",
        first=(
            "import os\n"
            "for name in ('numpy', 'json', 'IPython', 'dlcourse', 'sitecustomize', 'select', 'random'):\n"
            "    open(f'{name}.py', 'w').write('raise SystemExit(0)')\n"
            "os.makedirs('dlcourse', exist_ok=True)\n"
            "open('dlcourse/__init__.py', 'w').write('raise SystemExit(0)')"
        ),
        last="import json, random, select, subprocess, sys",
    ),
    Recipe(
        "breaks the garbage collector",
        first=(
            "import gc, sys\n"
            "gc.collect = lambda *args: 1 / 0\n"
            "gc.set_threshold(1)\n"
            "sys.setswitchinterval(1e-9)"
        ),
    ),
    Recipe(
        "fills the shell with nonsense",
        last="get_ipython().user_ns.update({n: 3 for n in ('__name__', '__builtins__', 'print', 'np')})",
        costs=["squash"],
    ),
    Recipe(
        "has names that are no functions",
        answers={
            "add": "add = 3",
            "double": "double = 'text'",
            "squash": "import numpy as squash",
            "power": "power = None",
            "cubes": "cubes = [1]",
            "Tally": "Tally = {}",
            "countdown": "countdown = ...",
        },
        costs=["add", "double", "squash", "power", "cubes", "Tally", "countdown"],
    ),
    Recipe(
        "has syntax that is none",
        answers={
            "add": "def add(a, b:\n    return a + b",
            "double": "\tdef double(x):\nreturn",
            "squash": "def squash(x):\n    return “x”",
        },
        costs=["add", "double", "squash"],
        told={"add_check": "not defined"},
        shows={"add": "SyntaxError", "double": "IndentationError|SyntaxError|unexpected indent"},
    ),
    Recipe(
        "misses an import",
        answers={
            "add": "import nothing_of_the_kind\ndef add(a, b):\n    return a + b",
            "double": "def double(x):\n    return pandas.x",
        },
        costs=["add", "double"],
        told={"add_check": "not defined", "double_check": "NameError.*pandas"},
        shows={"add": "ModuleNotFoundError"},
    ),
    Recipe(
        "asks a question",
        answers={
            "add": f"name = input('Your name? ')\n{RIGHT_ADD}",
            "double": "def double(x):\n    input()\n    x *= 2\n    return x",
        },
        costs=["add", "double"],
        told={"double_check": "input"},
        shows={"add": "input|EOFError"},
    ),
    Recipe(
        "stops in the debugger",
        answers={
            "add": "def add(a, b):\n    breakpoint()\n    return a + b",
            "double": "def double(x):\n    import pdb; pdb.set_trace()\n    x *= 2\n    return x",
        },
        earns=dict.fromkeys(("add_check", "add_hidden", "double_check", "double_hidden")),
    ),
    Recipe(
        "uses letters that are none",
        answers={"add": "def add(a, b):\n    '''\\ud800 \\x00'''\n    return '\\ud800\\x00\\x1b[2J'"},
        costs=["add"],
    ),
    Recipe(
        "has a cell that fails, above everything",
        first="raise SystemError('what is this')",
        note="",
    ),
]
