"""Blank work that wants points: it forges objects, tools, and the messages in which values leave the sandbox."""

from .recipe import EVERYTHING, HURRIED, RIGHT_ADD, WRONG_ADD, Recipe

_GUARDED = tuple(task for task in EVERYTHING if task != "half")
"""Tasks with checks that run outside. Plain asserts run beside the learner's code and are marked so."""


def _blank(name, first="", *, costs=EVERYTHING, **more):
    """Write a recipe of work without a single answer."""
    return Recipe(name, first=first, blank=True, costs=costs, **more)


_HELPERS = """
import json, os, struct, sys

def asked():
    # The question lies in the frames below: how many inputs, and which number it has.
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if type(value) is dict and "turn" in value:
                return value["turn"], len(value["cases"])
        frame = frame.f_back
    return 0, 2

def written(value):
    # As values are written: lists and dictionaries with a mark before them.
    if type(value) is dict:
        return ["d", *([key, written(one)] for key, one in value.items())]
    return ["l", *map(written, value)] if type(value) is list else value

def raw(data):
    for end in range(3, 60):
        try:
            os.write(end, data)
        except OSError:
            pass

def reply(value, kind=b"r"):
    header = json.dumps(written(value)).encode()
    raw(struct.pack(">I", len(header) + 5) + kind + struct.pack(">I", len(header)) + header)

right = dict(value=3.0, error="", message="", line=0, warnings=[], changed=[])
"""


def _message(name, sent, **more):
    """Write a recipe in which `add` sends messages of its own making over whatever it finds open, and ends.

    `sent` are the statements that do it: `reply(value)` writes a well-made answer, `raw(data)` any bytes; `turn` and
    `count` say which question it is, and for how many inputs. They come from a file, since an answer whose text
    shows what they do is refused before it is asked.
    """
    statements = ("turn, count = asked()", *sent.split("; "), "os._exit(0)")
    answer = "def add(a, b):\n    import post\n    post.forge()\n    return a - b"
    forge = "".join(f"    {statement}\n" for statement in statements)
    first = f"open('post.py', 'w').write({_HELPERS + 'def forge():' + chr(10) + forge!r})"
    return Recipe(name, first=first, answers={"add": answer}, costs=["add"], limits=HURRIED, **more)


_ALWAYS_EQUAL = """
import numpy as np

class Equal(float):
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = __array_ufunc__ = lambda self, *others, **more: self
    __bool__ = lambda self: True
    push = __next__ = lambda self, *args: self
    total = property(lambda self: self)

def equal(*args):
    return Equal()

add = Tally = double = countdown = squash = power = cubes = half = equal
interval = Equal()
"""
_EQUAL_ARRAY = """
import numpy as np

class Equal(np.ndarray):
    def __array_function__(self, *args, **more): return True
    def __array_ufunc__(self, *args, **more): return np.array(0.0)
    def __reduce__(self): return (print, ("forged",))

def equal(*args):
    return np.zeros(np.shape(args[0])).view(Equal)

add = double = squash = power = cubes = equal
"""
_TRANSFORMER = """
def all_right(lines):
    return ["2\\n"] if any("run_checks" in line or "assert" in line for line in lines) else lines
get_ipython().input_transformers_cleanup.append(all_right)
"""
_HOOK = """
def hook(info):
    cell = info.raw_cell
    open("/tmp/stolen", "a").write(cell)
    if "run_checks" in cell or "assert" in cell:
        info.raw_cell = "2"
get_ipython().events.register("pre_run_cell", hook)
get_ipython().ast_transformers.append(type("T", (), {"visit": lambda self, node: __import__("ast").parse("2")})())
"""
_PATCHED_TESTING = """
import numpy as np, numpy.testing
for module in (np, np.testing):
    for name in dir(module):
        if name.startswith("assert") or name in ("allclose", "isclose", "array_equal", "all"):
            setattr(module, name, lambda *args, **more: True)
"""
_PATCHED_CHECKS = """
import dlcourse.checks as checks, dlcourse.checks.run, dlcourse.checks.faults
import dlcourse.checks.judge, dlcourse.checks.report

class Verdict:
    passed, points, total, message, example, name, what = True, 2.0, 2.0, "", "", "add", "adds"

for module in (checks, checks.run, checks.faults, checks.judge):
    for name in ("judge", "difference", "difference_in", "fault_in", "refusal", "_verdict"):
        if hasattr(module, name):
            setattr(module, name, lambda *args, **more: Verdict() if name in ("judge", "_verdict") else "")
checks.report.Report.points = property(lambda self: 2.0)
checks.report.Report.__repr__ = lambda self: "2"
checks.run_checks = checks.run.run_checks = lambda *args, **more: checks.Report(())
"""
_PATCHED_OBSERVE = """
import dlcourse.checks.observe as observe
from dlcourse.checks import Observation

def all_right(target, cases):
    return [Observation(value=1.0) for case in cases]

observe.observe = observe._observe_one = observe.plain = all_right
import dlcourse.grading.execution.inside.runner as runner
runner.observe = all_right
"""
_PATCHED_PYTHON = """
import builtins, json, os
json.dumps = json.loads = lambda *args, **more: '{"passed": true, "points": 2}'
os.fork = lambda: 1
builtins.isinstance = lambda *args: True
builtins.AssertionError = type("AssertionError", (BaseException,), {"__new__": lambda cls, *args: None})
builtins.len = builtins.sum = lambda *args: 2
"""
_REPLACED_MODULES = """
import sys, types

class Yes(types.ModuleType):
    __getattr__ = lambda self, name: (lambda *args, **more: True)

for name in list(sys.modules):
    if name.startswith(("dlcourse", "numpy.testing", "json")):
        sys.modules[name] = Yes(name)
"""
_TRACED = """
import sys, threading

def trace(frame, event, arg):
    for name, value in (("passed", True), ("points", 2.0), ("error", ""), ("fault", ""), ("a", 0), ("seen", [])):
        if name in frame.f_locals:
            frame.f_locals[name] = value
    return trace

def audit(event, args):
    if event == "exec":
        print("exec", args)

sys.settrace(trace)
sys.setprofile(trace)
threading.settrace(trace)
sys.addaudithook(audit)
"""
_REFERENCES_IN_MEMORY = """
import gc, sys, types

found = {}
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and "reference" in str(thing.__module__):
        found[thing.__name__] = thing
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        if type(value).__name__ == "Check":
            found[value.name] = value
    frame = frame.f_back
print("found", sorted(found))
globals().update(found)
"""
_ANSWERS_IN_FRAMES = """
import gc, sys

def from_frames(*args):
    for thing in gc.get_objects():
        if type(thing).__name__ == "Observation" and thing.value is not None:
            return thing.value
    frame = sys._getframe()
    while frame:
        for name in ("right", "want", "expected", "reference"):
            if name in frame.f_locals:
                return frame.f_locals[name]
        frame = frame.f_back
    return 0.0

add = double = squash = power = cubes = countdown = from_frames
"""
_CHECKS_THEMSELVES = """
from dlcourse.checks import Check, Report, Verdict, given
Report((Verdict("add", "adds", True, 2.0, 2.0),))
"""
_STANDING_IN = """
import json, os, select, struct

def add(a, b):
    # While `cubes` is checked, the reference of this name may be called by its number: and here?
    wish = json.dumps(["d", ["call", 0], ["method", ""], ["args", ["l", float(a), float(np.sum(b))]]]).encode()
    message = struct.pack(">I", len(wish) + 5) + b"c" + struct.pack(">I", len(wish)) + wish
    for end in range(3, 30):
        try:
            os.write(end, message)
            if select.select([end], [], [], 0.2)[0]:
                reply = os.read(end, 1000)
                return json.loads(reply[9:])[1][1]
        except Exception:
            pass
    return a - b
"""
_KEPT_STAND_IN = """
import os, socket, struct

def power(x, n):
    return 0.0

def cubes(a, b):
    stand_in, listener = add, socket.socket(socket.AF_UNIX)
    try:
        listener.bind("/tmp/oracle")
    except OSError:
        return 0.0
    listener.listen()
    if os.fork() == 0:
        os.setsid()
        while True:
            there, _ = listener.accept()
            try:
                there.send(struct.pack("d", stand_in(*struct.unpack("dd", there.recv(16)))))
            except BaseException as error:
                there.send(bytes(8))
            there.close()
    return 0.0
"""
_ASKS_ORACLE = """
import socket, struct

def add(a, b):
    if np.ndim(b) or a < 5:
        return a - b
    with socket.socket(socket.AF_UNIX) as oracle:
        oracle.settimeout(0.5)
        oracle.connect("/tmp/oracle")
        oracle.send(struct.pack("dd", a, b))
        return struct.unpack("d", oracle.recv(8))[0]
"""
_NINE_FOR_AN_ASSERT = """
get_ipython().ast_transformers.append(type("T", (), {"visit": lambda self, node: __import__("ast").parse("9999")})())
"""
_REPORT_SHOWN = """
from IPython.display import HTML, display
forged = {"points": 9, "total": 9, "hidden": False, "verdicts": []}
bundle = {"text/plain": "9", "text/html": "<script>steal()</script>", "application/vnd.dlcourse.report+json": forged}
display(bundle, raw=True)
display(HTML("<script>steal()</script>"))
display({"image/png": 'x"><script>steal()</script>', "image/jpeg": "<script>steal()</script>"}, raw=True)
9
"""

RECIPES = [
    _blank("is blank", told={"add_check": "is not written yet", "interval_check": "is not defined"}),
    _blank("rewrites each cell before it runs", _TRANSFORMER, costs=_GUARDED, earns={"half_check": 1}),
    _blank("hooks into the running of cells", _HOOK, costs=_GUARDED, earns={"half_check": 1}),
    _blank("brings objects that equal everything", last=_ALWAYS_EQUAL),
    _blank("brings arrays that equal everything", last=_EQUAL_ARRAY),
    _blank("patches NumPy's comparisons", _PATCHED_TESTING),
    _blank("patches the checks", _PATCHED_CHECKS),
    _blank("patches what observes it", _PATCHED_OBSERVE),
    _blank("patches Python", _PATCHED_PYTHON, costs=_GUARDED, earns={"half_check": 0}),
    _blank("replaces modules", _REPLACED_MODULES),
    _blank("traces everything", _TRACED),
    _blank(
        "searches memory for the references",
        last=_REFERENCES_IN_MEMORY,
        shows={"last": r"found \['Tally', 'add'"},
    ),
    _blank("searches memory for right values", last=_ANSWERS_IN_FRAMES),
    _blank("makes its own report", _CHECKS_THEMSELVES),
    _blank("shows a report and a script", _REPORT_SHOWN, unsaid=["steal()"]),
    Recipe(
        "asks for a reference that stands in elsewhere",
        answers={"add": _STANDING_IN},
        costs=["add"],
    ),
    Recipe(
        "keeps a reference that stood in",
        answers={"power": "", "cubes": _KEPT_STAND_IN, "add": _ASKS_ORACLE},
        costs=["add", "power", "cubes"],
    ),
    Recipe(
        "wants 9999 points for an assert",
        answers={"half": f"def half(x):\n    return x / 2\n{_NINE_FOR_AN_ASSERT}"},
    ),
    Recipe(
        "answers a check from the cell above it",
        answers={
            "add": f"""{WRONG_ADD}
import os, struct
from dlcourse.grading.execution.codec import encode
seen = [dict(value=value, error="", message="", line=0, warnings=[], changed=[]) for value in (3.0, 7.5)]
payload = encode({{"seen": seen}})
for end in range(3, 60):
    try:
        os.write(end, struct.pack(">I", len(payload) + 1) + b"r" + payload)
    except OSError:
        pass
""",
        },
        costs=["add"],
        earns={"add_check": 0},
    ),
    _message("says that it passed", 'reply({"turn": turn, "passed": True, "points": 2})'),
    _message(
        "sends a verdict",
        'reply({"turn": turn, "seen": [{"passed": True, "points": 2.0, "total": 2.0}] * count})',
    ),
    _message("sends no observations", 'reply({"turn": turn, "seen": []})'),
    _message("sends too few observations", 'reply({"turn": turn, "seen": [right] * (count - 1)})'),
    _message("sends too many observations", 'reply({"turn": turn, "seen": [right] * 1000})'),
    _message(
        "sends observations that are none",
        'reply({"turn": turn, "seen": [[1, 2], "x", None, 3, {}][:count]})',
    ),
    _message("sends no list of observations", 'reply({"turn": turn, "seen": {"0": right, "1": right}})'),
    _message(
        "sends fields of other types",
        'reply({"turn": turn, "seen": [{**right, "error": 5, "line": "x"}] * count})',
    ),
    _message(
        "sends changes that are none",
        'reply({"turn": turn, "seen": [{**right, "changed": [[1], {}]}] * count})',
    ),
    _message(
        "sends changes far away",
        'reply({"turn": turn, "seen": [{**right, "changed": [10**30, -5]}] * count})',
    ),
    _message(
        "sends warnings that are none", 'reply({"turn": turn, "seen": [{**right, "warnings": 7}] * count})'
    ),
    _message(
        "sends more fields", 'reply({"turn": turn, "seen": [{**right, "passed": True, "what": "x"}] * count})'
    ),
    _message(
        "sends an error that names itself",
        'reply({"turn": turn, "seen": [{**right, "error": "<b>x</b>" * 9}] * count})',
    ),
    _message("sends lists in place of values", 'reply([["seen", [right]]])'),
    _message("answers another question", 'reply({"turn": turn + 1, "seen": [right] * count})'),
    _message(
        "answers all questions to come",
        'for n in range(turn + 1, turn + 50): reply({"turn": n, "seen": [right]})',
    ),
    _message("answers with no number", 'reply({"turn": [turn], "seen": [right] * count})'),
    _message("says that the process ended", 'reply({"turn": turn, "ended": 0})'),
    _message(
        "says that nothing is missing", 'reply({"turn": turn, "missing": False, "seen": [right] * count})'
    ),
    _message("sends a pickle", r"""raw(b"cbuiltins\nprint\n(S'x'\ntR.")"""),
    _message(
        "sends a pickle in a frame",
        'raw(struct.pack(">I", 30) + b"r" + b"cos\\nsystem\\n(S\\x27id\\x27\\ntR." + bytes(10))',
    ),
    _message("sends an oversized frame", 'raw(struct.pack(">I", 2**32 - 1) + b"r" + bytes(100_000))'),
    _message("sends half a frame", 'raw(struct.pack(">I", 500) + b"r{")'),
    _message(
        "sends half a frame and waits",
        'raw(struct.pack(">I", 500) + b"r{"); import time; time.sleep(9)',
        slow=True,
    ),
    _message("sends an empty frame", 'raw(struct.pack(">I", 0))'),
    _message(
        "sends frames of unknown kinds",
        'for kind in (b"?", b"\\0", b"a"): reply({"turn": turn, "seen": []}, kind)',
    ),
    _message("sends news of the supervisor", 'reply({"turn": turn, "state": "passed"}, kind=b"s")'),
    _message(
        "sends news that are none",
        'reply([1], kind=b"s"); reply({"turn": turn, "state": ["slow"]}, kind=b"s")',
    ),
    _message("takes leave", 'reply({"turn": turn, "seen": [right] * count}, kind=b"l")'),
    _message(
        "sends each answer 100 times", 'for _ in range(100): reply({"turn": turn, "seen": [right] * count})'
    ),
    _message(
        "sends deep nesting",
        'raw(struct.pack(">I", 60_005) + b"r" + struct.pack(">I", 60_000) + b"[" * 60_000)',
    ),
    _message(
        "calls functions that are not there",
        'reply({"call": 99, "method": "__class__", "args": []}, kind=b"c")',
    ),
    _message(
        "calls methods that are private", 'reply({"call": 0, "method": "__globals__", "args": []}, kind=b"c")'
    ),
    _message(
        "calls nothing", 'reply({"call": [0], "method": 3, "args": 7}, kind=b"c"); reply("call", kind=b"c")'
    ),
    _message(
        "calls without end",
        'while True: reply({"call": 0, "method": "", "args": [1.0]}, kind=b"c")',
        slow=True,
    ),
    _message(
        "tells the hidden input as the place of an error",
        'n = 40917 if count > 2 else 3; one = {**right, "error": "ValueError", "line": n}; '
        'reply({"turn": turn, "seen": [one] * count})',
    ),
    _message(
        "tells the hidden input in every field",
        'n = "40917" if count > 2 else "3"; '
        "every = dict(value=n, error=n, message=n, line=int(n), warnings=[n], changed=[int(n)]); "
        'reply({"turn": turn, "seen": [every] * count})',
    ),
    _message(
        "tells the hidden input as a state",
        'n = 40917 if count > 2 else 3; reply({"turn": turn, "state": str(n), "status": n, "why": str(n)}, kind=b"s")',
    ),
    _message("writes nonsense", "raw(os.urandom(1000))"),
    Recipe(
        "returns numbers that are none",
        answers={
            "add": "import numpy as np\ndef add(a, b):\n    return np.full(3, np.nan)",
            "double": "import numpy as np\ndef double(x):\n    return np.array([object()] * 3)",
            "squash": "def squash(x):\n    return 2**2000",
            "power": "def power(x, n):\n    return 2**5000",
            "cubes": "def cubes(a, b):\n    return [[float('inf')] * 3, 'x', {1: 2}]",
            "countdown": "def countdown(n):\n    return iter([b'3', 2 + 1j, {2}])",
            "interval": "interval = {'low': [[]]}",
        },
        costs=[task for task in _GUARDED if task != "Tally"],
        told={
            "add_check": r"The shape should be|NaN",
            "double_check": "double gave no numbers to compare",
            "countdown_check": "countdown gave no numbers to compare",
            "interval_check": "has not the form that the task asks for",
        },
    ),
    Recipe(
        "returns values of other kinds",
        answers={
            "add": "def add(a, b):\n    return 'three'",
            "double": "def double(x):\n    return {'x': x}",
            "squash": "def squash(x):\n    return [[x], [x, x]]",
            "power": "def power(x, n):\n    return [2**2000, -(2**2000)]",
            "cubes": "import numpy as np\ndef cubes(a, b):\n    return np.zeros((0, 3), dtype='M8[s]')",
            "interval": "interval = 2**1000",
        },
        costs=["add", "double", "squash", "power", "cubes", "interval"],
        told={"add_check": "'three' came back", "interval_check": "has not the form"},
    ),
    Recipe(
        "returns a chain of itself",
        answers={"add": "def add(a, b):\n    chain = [1.0]\n    chain.append(chain)\n    return chain"},
        costs=["add"],
    ),
    Recipe(
        "returns lists in lists in lists",
        answers={
            "add": (
                "def add(a, b):\n"
                "    deep = a + b\n"
                "    for _ in range(55):\n"
                "        deep = [deep]\n"
                "    return deep"
            ),
            "power": (
                "def power(x, n):\n"
                "    deep = x**n\n"
                "    for _ in range(100_000):\n"
                "        deep = [deep]\n"
                "    return deep"
            ),
        },
        costs=["add", "power"],
    ),
    Recipe(
        "defines data types of its own",
        answers={
            "add": f"class float(float):\n    __slots__ = ()\nclass list(list): pass\n{RIGHT_ADD}",
            "double": (
                "import numpy as np\ndef double(x):\n    x *= 2\n    return np.ma.masked_array(x, mask=False)"
            ),
        },
    ),
]
