"""What a cell gives a meaning to: what is skipped must leave nothing behind."""

import pytest

from dlcourse.grading.execution.bound import bindings, only_calls


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(x):\n    y = x\n    return y", {"f": ""}),
        ("import numpy as np\nfrom math import pi", {"np": "numpy", "pi": "math.pi"}),
        ("a, *b = c = [1, 2]\ndel a", {"a": "", "b": "", "c": ""}),
        ("print(n := 3, [k for k in range(3)])", {"n": ""}),
        ("not Python", {}),
    ],
)
def test_names_that_stay_for_the_cells_below(source, names):
    assert bindings(source) == names


@pytest.mark.parametrize(
    "source",
    ["", "# Checked again on other inputs.", 'run_checks(Check("f", "adds", against="operator.add"))'],
)
def test_a_cell_that_only_calls_the_checks_leaves_nothing(source):
    assert only_calls(source)


@pytest.mark.parametrize(
    "source",
    [
        "check = Check()\nrun_checks(check)",
        "run_checks(c := Check())",
        "import numpy\nrun_checks()",
        "prepare()\nrun_checks()",
        "report = run_checks()",
        "%time run_checks()",
    ],
)
def test_all_other_cells_are_run(source):
    assert not only_calls(source)
