"""The exercise that most recipes answer: one task of each kind that a check can look at.

Its hidden inputs hold the number 40917, and its hidden cells the word "quartz": neither may reach a learner.
"""

import json

from dlcourse.grading import notebooks

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Odds and ends

"""
SETUP = "import numpy as np\n\nfrom dlcourse.checks import Check, call, drawn, given, normal, read, run_checks, value"


def _cell(grade_id, source, **changes):
    """Write one code cell as an exercise's text has it."""
    fields = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3}
    line = json.dumps({"grade_id": grade_id, **fields, **changes})
    return f"```{{code-cell}} ipython3\n:nbgrader: {line}\n\n{source}\n```\n\n"


def _task(name, solution, check, hidden="", points=1):
    """Write an answer cell, its check, and its hidden check if it has one."""
    head, _, body = solution.partition("\n")
    region = f"    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
    answer = f"{head}\n{region}" if body else f"### BEGIN SOLUTION\n{head}\n### END SOLUTION"
    text = _cell(name, answer, solution=True)
    text += _cell(f"{name}_check", check, grade=True, locked=True, points=1)
    if hidden:
        secret = f"### BEGIN HIDDEN TESTS\nquartz = {hidden}\nrun_checks(quartz, hidden=True)\n### END HIDDEN TESTS"
        text += _cell(f"{name}_hidden", secret, grade=True, locked=True, points=points)
    return text


def _checks(name, what, on, more=""):
    """Write a check that compares with the reference, and the one on hidden inputs takes the same words."""
    return f"""check_{name} = Check(
    {name!r},
    {what!r},
    against="hostile.reference.{name}",
    on=[{on}],
    {more}
)
run_checks(check_{name})"""


def _again(name, what, on, points=1):
    return f"check_{name}.again({what!r}, on=[{on}], points={points})"


TEXT = (
    HEADER
    + _cell("setup", SETUP, locked=True)
    + _task(
        "add",
        "def add(a, b):\n    return a + b",
        _checks(
            "add",
            "adds two numbers",
            "given(1.0, 2.0), given(3.0, 4.5)",
            'mistakes={"You subtracted": lambda right, a, b: a - b},',
        ),
        _again("add", "adds other numbers", "given(40917.25, 2.0), drawn(normal(), normal(3))", points=2),
        points=2,
    )
    + _task(
        "Tally",
        "class Tally:\n"
        "    def __init__(self, start):\n        self.total = start\n\n"
        "    def push(self, amount):\n        self.total += amount\n        return self.total",
        _checks(
            "Tally", "remembers", 'given(1.0, then=[call("push", 2.0), call("push", 3.5), read("total")])'
        ),
        _again(
            "Tally",
            "remembers other amounts",
            'given(40917.5, then=[call("push", 0.25), call("push", 8.0), read("total")])',
        ),
    )
    + _task(
        "double",
        "def double(x):\n    x *= 2\n    return x",
        _checks("double", "doubles an array in its place", "given([1.0, 2.0, 3.5])"),
        _again("double", "doubles other arrays", "given([40917.75, -1.0]), drawn(normal('n', 2))"),
    )
    + _task(
        "countdown",
        "def countdown(n):\n    while n > 0:\n        yield n\n        n -= 1",
        _checks("countdown", "counts down", 'given(3, then=[call("__next__")] * 3)'),
        _again("countdown", "counts down from anywhere", 'given(40917, then=[call("__next__")] * 5)'),
    )
    + _task(
        "squash",
        "def squash(x):\n    powers = np.exp(x - x.max())\n    return powers / powers.sum()",
        _checks(
            "squash",
            "sums to 1",
            "given([0.0, 1.0, 2.0])",
            'forbid=("scipy.special.softmax", "torch.softmax", "torch.nn.functional.softmax"),\n    loops=False,',
        ),
        _again("squash", "sums to 1 for large numbers too", "given([40917.0, 40916.0]), drawn(normal('n'))"),
    )
    + _task(
        "power",
        "def power(x, n):\n    result = 1.0\n    for _ in range(n):\n        result = result * x\n    return result",
        _checks("power", "multiplies a number by itself", "given(3.0, 2), given(2.0, 0)"),
        _again("power", "multiplies other numbers", "given(40917.0, 1), drawn(normal(), 3)"),
    )
    + _task(
        "cubes",
        "def cubes(a, b):\n    return add(power(a, 3), power(b, 3))",
        _checks(
            "cubes",
            "adds two cubes",
            "given(1.0, 2.0)",
            'builds_on={"add": "hostile.reference.add", "power": "hostile.reference.power"},',
        ),
        _again("cubes", "adds other cubes", "drawn(normal(), normal())"),
    )
    + _task(
        "interval",
        "interval = (1.0, 3.0)",
        "def is_interval(answer):\n"
        '    """Return what is wrong with the interval, or None."""\n'
        "    low, high = answer\n"
        "    if low < 2 < high:\n        return None\n"
        '    return "This interval does not hold 2"\n\n\n'
        'run_checks(Check("interval", "holds 2", on=[value()], accept=is_interval))',
    )
    + _task("half", "def half(x):\n    return x / 2", "assert half(3) == 1.5\nassert half(-1) == -0.5")
)
SOURCE = notebooks.parse_exercise(TEXT, name="odds/ends.md")
