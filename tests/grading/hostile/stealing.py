"""Attempts to carry hidden inputs, their right values, or the words of hidden checks to where the learner reads them."""

from dataclasses import replace

from .recipe import EVERYTHING, QUICK, RIGHT_ADD, Recipe


def _hidden(name, statement, told="", **more):
    """Write a recipe whose `add` is right until it sees numbers that the visible check does not have."""
    body = f"def add(a, b):\n    if max(abs(a), abs(b)) > 5:\n        {statement}\n    return a + b"
    return Recipe(
        name,
        answers={"add": f"import numpy as np\n{body}"},
        earns={"add_hidden": 0},
        told={"add_hidden": told},
        **more,
    )


_ON_DISK = """
import glob, os
words = []
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith((".md", ".ipynb", ".db", ".json")) or "course" in path:
            try:
                text = open(path, errors="replace").read(10**6)
            except OSError:
                continue
            words += [path] if "adds other " "numbers" in text or "no learner " "may" in text else []
print("found", words)
"""
_SAVED = """
def keep(*args):
    import os
    for place in ("/tmp/kept", "/dev/shm/kept", "kept", os.path.expanduser("~/kept2"), "/var/tmp/kept"):
        try:
            with open(place, "a") as file:
                file.write(repr(args))
        except OSError:
            pass
    print(args)
    os.write(1, repr(args).encode())
    os.write(2, repr(args).encode())
"""
_TOLD_LATER = """
import glob
def kept():
    return "".join(open(place).read() for folder in ("/tmp", "/dev/shm", ".") for place in glob.glob(f"{folder}/kept"))
"""

RECIPES = [
    _hidden("raises the input", "raise ValueError(f'{a} {b}')", "ValueError"),
    _hidden("names an error after the input", "raise type(f'E{int(a)}', (ValueError,), {})()"),
    _hidden("returns something named after the input", "return type(f'C{int(a)}', (), {})()", "no numbers"),
    _hidden("returns the input as text", "return f'{a} {b}'"),
    _hidden("returns text, to be told the right value", "return 'x'"),
    _hidden("returns None there", "return None", "returned None"),
    _hidden("returns a dictionary, to be told the right value", "return {str(a): a}"),
    _hidden("shapes its result like the input", "return np.zeros(int(abs(a)))"),
    Recipe(
        "multiplies by the input",
        answers={"double": "def double(x):\n    x *= 2\n    return x * (x[0] if x[0] > 5 else 1.0)"},
        earns={"double_hidden": 0},
        unsaid=["8.184e", "4.092e"],
    ),
    _hidden("returns as many values as the input says", "return [0.0] * 40917 + ['x']"),
    _hidden("warns of the input", "import warnings; warnings.warn(str(a)); raise KeyError(a)"),
    _hidden("exits with the input", "raise SystemExit(a)"),
    _hidden("fails with the input as the cause", "raise ValueError from KeyError(a)"),
    _hidden("prints the input, and is wrong", "import sys; print(a); print(a, file=sys.stderr); return a"),
    Recipe(
        "accepts what it is given as its value",
        answers={"interval": "interval = (1.0, [type('Deep', (), {})])"},
        costs=["interval"],
    ),
    Recipe(
        "keeps the inputs and prints them",
        first=_SAVED,
        answers={
            "add": "def add(a, b):\n    keep(a, b)\n    return a + b",
            "double": "def double(x):\n    keep(x)\n    x *= 2\n    return x",
            "countdown": "def countdown(n):\n    keep(n)\n    return iter(range(n, 0, -1))",
        },
        last="print(open('/tmp/kept').read())",
        shows={"last": "FileNotFoundError"},
    ),
    Recipe(
        "tells in one check what it saw in another",
        first=_SAVED + _TOLD_LATER,
        answers={
            "add": "def add(a, b):\n    keep(a, b)\n    return a + b",
            "double": "def double(x):\n    raise ValueError(kept())",
            "power": "def power(x, n):\n    return kept()",
            "interval": (
                "class Late(tuple):\n"
                "    def __iter__(self):\n"
                "        raise ValueError(kept())\n"
                "interval = Late((1.0, 3.0))"
            ),
        },
        costs=["double", "power"],
    ),
    Recipe(
        "leaves a thread that waits for inputs",
        first="""
import gc, os, threading, time
def watch():
    while True:
        for thing in gc.get_objects():
            if type(thing) is dict and "cases" in thing:
                os.write(1, repr(thing).encode())
                print(thing)
                get_ipython().kept.write("stdout", repr(thing))
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
""",
    ),
    Recipe(
        "traces what asks it",
        first="""
import sys
seen = []
def trace(frame, event, arg):
    try:
        seen.append(repr(frame.f_locals)[:2000])
        print(seen[-1])
    except Exception:
        pass
sys.settrace(trace)
""",
        last="import sys; sys.settrace(None); seen[-1:]",
    ),
    Recipe(
        "reads what lies on the disk",
        last=_ON_DISK,
        shows={"last": r"found \[\]"},
        # Looking at all files takes this long on a machine with much to do.
        limits=replace(QUICK, cell_seconds=70, notebook_seconds=140),
        slow=True,
    ),
    Recipe(
        "reads the source text of the cells that ran",
        last="print(In, get_ipython().history_manager.input_hist_raw, dir())",
        shows={"last": "run_checks"},
    ),
    Recipe(
        "runs the checks itself",
        last="run_checks(check_add)",
        blank=True,
        costs=EVERYTHING,
        shows={"last": "check_add|run_checks|0|not"},
    ),
    Recipe(
        "asks its own checks for the right values",
        answers={
            "add": f"""{RIGHT_ADD}
import importlib, sys
for path in ("hostile.reference", "tests.grading.hostile.reference", "reference"):
    try:
        print("WORKED", importlib.import_module(path))
    except ImportError as error:
        print("refused", error)
print(sys.path)
""",
        },
        shows={"add": "(?s)refused.*refused.*refused"},
        unsaid=["WORKED"],
    ),
]
