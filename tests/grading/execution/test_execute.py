"""The dialog with the sandbox: what becomes of a notebook's cells and checks, one question at a time."""

import os
import sys
import types

import pytest

from dlcourse.grading import sandbox
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import warm
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import ASSERTS, CHECKS, CODE, Job, JobCell, Limits, Outcome

LOW = Limits(cell_seconds=1, check_seconds=0.5, notebook_seconds=30, memory=2**30)


@pytest.fixture(scope="module", autouse=True)
def here():
    """A sandbox, and no warm ones left behind."""
    found = sandbox.isolation()
    if found.backend is None:
        if os.environ.get("CI") == "true":
            pytest.fail(found.words)
        pytest.skip(found.words)
    yield
    warm.close()


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """References that only this process knows."""

    class Counter:
        def __init__(self, start):
            self.n = start

        def add(self, k):
            self.n = self.n + k
            return self.n

    module = types.ModuleType("engine_reference")
    module.double = lambda a: 2 * a
    module.Counter = Counter
    module.square_op = lambda x: (x**2, lambda d_y: 2 * x * d_y)
    monkeypatch.setitem(sys.modules, "engine_reference", module)


def code(source):
    return (CODE, "", source, "", 0.0)


def check(source, points=1.0, name="check", shown=""):
    return (CHECKS, name, shown, source, points)


def asserts(source, points=1.0, name="asserts"):
    return (ASSERTS, name, source, "", points)


def ran(*cells, limits=LOW, **more):
    made = tuple(JobCell(i, n, role, src, tests, p) for i, (role, n, src, tests, p) in enumerate(cells))
    job = Job("sums/adding", made, limits=limits, **more)
    assert Job.from_bytes(job.to_bytes()) == job
    outcome = Outcome.from_bytes(execute(job.to_bytes()))
    assert outcome.isolation == sandbox.isolation().words
    return outcome


def messages(cell):
    return [verdict["message"] for verdict in cell.report["verdicts"]]


DOUBLE = 'run_checks(Check("double", "doubles", against="engine_reference.double", on=[given(3), given([1.0, -2.0])]))'
TRIPLE = 'run_checks(Check("triple", "triples", on=[given(4)], accept=lambda got, a: None if got == 3 * a else "No"))'
STUBBORN = "try:\n            while True: pass\n        except BaseException: pass"
RIGHT = "def double(a):\n    return a + a"


def test_a_right_answer_earns_its_points_and_shows_its_report():
    outcome = ran(code(RIGHT), check(DOUBLE))
    (output,) = outcome.cells[1].outputs
    assert outcome.points == 1
    assert output["output_type"] == "execute_result"
    assert output["data"]["text/plain"] == "1"
    assert "Passed" in output["data"]["text/html"]
    assert (outcome.low_trust, outcome.notes) == ((), ())


def test_a_wrong_answer_is_told_what_is_wrong_with_the_smallest_input():
    outcome = ran(code("def double(a):\n    return 3 * a"), check(DOUBLE))
    (verdict,) = outcome.cells[1].report["verdicts"]
    assert verdict["points"] == outcome.points == 0
    assert "expected 6" in verdict["example"]
    assert "got      9" in verdict["example"]


def test_a_hidden_check_gets_the_seed_and_shows_no_values():
    draws = 'Check("double", "doubles", against="engine_reference.double", on=[drawn(normal(3))])'
    hidden = check(f"run_checks({draws}, hidden=True)")
    wrong = code("def double(a):\n    raise ValueError(f'SEEN {a}')")
    first, again, other = (ran(wrong, hidden, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.points == other.points == 0
    text = first.to_bytes().decode()
    assert "ValueError" in text
    assert "SEEN" not in text
    assert "array(" not in text
    assert "expected" not in text


def test_a_class_keeps_its_state_between_calls():
    checked = (
        'run_checks(Check("Counter", "counts", against="engine_reference.Counter", '
        'on=[given(5, then=[call("add", 2), call("add", 3), read("n")])]))'
    )
    right = "class Counter:\n    def __init__(self, n): self.n = n\n    def add(self, k): self.n += k; return self.n"
    assert ran(code(right), check(checked)).points == 1
    assert ran(code(right.replace("+=", "=")), check(checked)).points == 0


def test_a_pullback_is_called_where_it_was_made():
    checked = (
        'run_checks(Check("square_op", "squares", against="engine_reference.square_op", '
        "on=[given([1.0, -3.0], then=[pull([1.0, 2.0])])]))"
    )
    right = "def square_op(x):\n    return x * x, lambda d_y: 2 * x * d_y"
    assert ran(code(right), check(checked)).points == 1
    assert ran(code(right.replace("2 *", "")), check(checked)).points == 0


def test_a_mistake_costs_its_own_task_only():
    later = (
        'run_checks(Check("four_times", "takes four times", accept=lambda got, a: None if got == 4 * a else "Wrong", '
        'on=[given(3)], builds_on={"double": "engine_reference.double"}))'
    )
    built = code("def four_times(a):\n    return double(double(a))")
    outcome = ran(code("def double(a):\n    return a"), built, check(DOUBLE), check(later, name="later"))
    assert [cell.points for cell in outcome.cells] == [None, None, 0, 1]
    assert messages(outcome.cells[3]) == ["Checked with a right double in the place of yours"]


def test_a_stand_in_gets_tuples_as_tuples():
    later = (
        'run_checks(Check("look", "looks", accept=lambda got: None if got else "No tuple came back", '
        'on=[given()], builds_on={"double": "engine_reference.double"}))'
    )
    answer = "def look():\n    return double((1, (2,), [3])) == (1, (2,), [3]) * 2\ndouble = 3"
    outcome = ran(code(answer), check(later))
    assert outcome.points == 1, messages(outcome.cells[1])


def test_a_stand_in_gives_values_and_nothing_else():
    later = (
        'run_checks(Check("look", "looks", accept=lambda got: None if got == "nothing" else str(got), '
        'on=[given()], builds_on={"double": "engine_reference.double"}))'
    )
    answer = """
def look():
    if not callable(double) or double(4) != 8:
        return "no stand-in"
    for name in ("__code__", "__closure__", "__defaults__", "_code", "func"):
        try:
            getattr(double, name)()
        except (AttributeError, TypeError):
            continue
        return name
    return "nothing"
double = 3
"""
    outcome = ran(code(answer), check(later))
    assert outcome.points == 1, messages(outcome.cells[1])


def test_plain_asserts_run_in_place_and_are_marked():
    outcome = ran(
        code(RIGHT + "\nstate = 1"),
        asserts("import warnings; warnings.warn('x')\nassert double(2) == 4 and state == 1", name="good"),
        code("state = 2"),
        asserts("assert state == 1, 'too late'", name="bad"),
        asserts("assert double(2) == 4\n0.5", name="half"),
    )
    assert [cell.points for cell in outcome.cells] == [None, 1, None, 0, 0.5]
    assert outcome.low_trust == ("good", "bad", "half")
    assert outcome.cells[3].outputs[-1]["evalue"] == "too late"


def test_what_a_cell_shows_is_kept_up_to_the_limit():
    limits = Limits(output=100)
    outcome = ran(
        code("print('a' * 60); 7"),
        code("import sys\nfor _ in range(100_000): print('flood', file=sys.stderr)"),
        code("raise ValueError('no')"),
        code("print(('x' * 10**6))"),
        limits=limits,
    )
    first, flood, error, long = (cell.outputs for cell in outcome.cells)
    assert [output["output_type"] for output in first] == ["stream", "execute_result"]
    assert first[1]["data"] == {"text/plain": "7"}
    assert 100 <= len(flood[0]["text"]) < 200
    assert "more was written" in flood[0]["text"]
    assert (error[-1]["ename"], error[-1]["evalue"]) == ("ValueError", "no")
    assert len(long[0]["text"]) < 200


def test_a_plot_is_kept_and_nothing_that_a_browser_would_run():
    outcome = ran(
        code("from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script>'))"),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"),
        limits=Limits(),
    )
    assert "script" not in str(outcome.cells[0].outputs)
    pictures = [o["data"]["image/png"] for o in outcome.cells[1].outputs if "image/png" in o.get("data", {})]
    assert [picture[:8] for picture in pictures] == ["iVBORw0K"]


def test_a_missing_name_is_told_its_cause():
    outcome = ran(code(f"import nothing_like_it\n{RIGHT}"), check(DOUBLE))
    assert messages(outcome.cells[1]) == [
        "double is not defined: the cell in which you write it stopped with ModuleNotFoundError"
    ]
    outcome = ran(code("def dubble(a): return 2 * a"), check(DOUBLE))
    assert messages(outcome.cells[1])[0].startswith("double is not defined: write it in the cell of its task")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("while True: pass", "stopped after 0.5 s: is there a loop that never ends?"),
        (
            "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
            "stopped after 0.5 s",
        ),
        ("import os; os._exit(0)", "ended Python itself, as os._exit does"),
        ("import os; os.abort()", "crashed Python (SIGABRT)"),
        ("return bytearray(8 * 2**30)", "MemoryError"),
        ("return input('How much? ')", "input() waits for somebody to type"),
        ("return nothing_like_it", "NameError"),
        ("return (lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    ],
)
def test_what_goes_wrong_costs_that_question_only(body, told):
    outcome = ran(
        code(f"def double(a):\n    {body}"),
        code("def triple(a):\n    return 3 * a"),
        check(DOUBLE),
        check(
            'run_checks(Check("triple", "triples", accept=lambda got, a: None if got == 3 * a else "No", on=[given(4)]))'
        ),
    )
    assert [cell.points for cell in outcome.cells] == [None, None, 0, 1]
    assert told in messages(outcome.cells[2])[0]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("while True: pass", "The cell was stopped after 1 s"),
        (
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
            "The cell was stopped after 1 s",
        ),
        ("import os; os._exit(1)", "Python ended while the cell ran"),
        ("input()", "input() waits"),
    ],
)
def test_a_cell_that_does_not_end_leaves_the_others_alone(end, told):
    outcome = ran(code(RIGHT), code(end), code("state = 1"), check(DOUBLE), asserts("assert state == 1"))
    assert [cell.points for cell in outcome.cells] == [None, None, None, 1, 1]
    assert told in outcome.cells[1].outputs[-1]["evalue"]


def test_what_a_stopped_cell_defined_is_kept():
    outcome = ran(code(f"{RIGHT}\nprint('before')\nwhile True: pass"), check(DOUBLE))
    assert outcome.points == 1
    assert outcome.cells[0].outputs[0]["text"] == "before\n"


def test_files_beside_the_notebook_are_there():
    outcome = ran(
        asserts("assert open('data/numbers.csv').read() == '1,2'"), files={"data/numbers.csv": b"1,2"}
    )
    assert outcome.points == 1


def test_the_reference_cannot_be_imported():
    outcome = ran(
        asserts("import dlcourse.checks, dlcourse.data", name="given"),
        asserts("import dlcourse.neurons.neuron", name="refused"),
    )
    assert [cell.points for cell in outcome.cells] == [1, 0]
    outcome = ran(
        asserts("import dlcourse.neurons.neuron", name="earlier"),
        asserts("import dlcourse.neurons.network", name="refused"),
        modules=("dlcourse.neurons.neuron", "dlcourse.neurons._expect"),
    )
    assert [cell.points for cell in outcome.cells] == [1, 0]


def test_a_broken_test_cell_is_the_course_s_fault():
    with pytest.raises(GradingError, match="A test cell of sums/adding fails by itself, with NameError"):
        ran(check("run_checks(nothing_like_it)"))


def test_without_a_sandbox_nothing_runs_unless_that_is_said(monkeypatch):
    nowhere = sandbox.Isolation("none: not here", None)
    monkeypatch.setattr(sandbox, "isolation", lambda: nowhere)
    job = Job("sums/adding", (JobCell(0, "", CODE, "1"),), limits=LOW).to_bytes()
    with pytest.raises(GradingError, match=r"none: not here.*--unsafe"):
        execute(job)


@pytest.mark.slow
def test_a_learner_s_threads_do_not_stop_the_checks():
    started = (
        "import threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    outcome = ran(
        code(RIGHT),
        code(started),
        code("def triple(a): return 3 * a"),
        check(DOUBLE),
        check(TRIPLE),
        check(DOUBLE),
    )
    assert [cell.points for cell in outcome.cells] == [None, None, None, 1, 1, 1]


@pytest.mark.parametrize(
    "undone", ["del helper", "def double(a): return 0", "helper = None", "import math as helper"]
)
def test_a_check_counts_in_its_place_too(undone):
    hidden = check(DOUBLE.replace("[1.0, -2.0])]))", "[1.0, -2.0])]), hidden=True)"), name="hidden")
    right = code("def helper(a): return 2 * a\ndef double(a): return helper(a)")
    outcome = ran(right, check(DOUBLE), hidden, code(undone))
    assert [cell.points for cell in outcome.cells] == [None, 1, 1, None]
    outcome = ran(code("def double(a): return 0"), check(DOUBLE), code("def double(a): return 2 * a"))
    assert outcome.points == 1


def test_an_array_changed_in_place_and_a_generator_come_back(monkeypatch):
    module = sys.modules["engine_reference"]

    def step(w, d_w):
        w -= 0.5 * d_w

    def count(n):
        while True:
            n += 1
            yield n

    monkeypatch.setattr(module, "step", step, raising=False)
    monkeypatch.setattr(module, "count", count, raising=False)
    in_place = (
        'run_checks(Check("step", "steps", against="engine_reference.step", '
        "on=[given([1.0, 2.0], [2.0, 2.0], then=[argument(0)])]))"
    )
    endless = 'run_checks(Check("count", "counts", against="engine_reference.count", on=[given(3, then=[take(4)])]))'
    right = code("def step(w, d_w): w -= d_w / 2\ndef count(n):\n    while True:\n        yield (n := n + 1)")
    wrong = code("def step(w, d_w): return w - d_w / 2\ndef count(n): return [n + 1, n + 2, n + 3]")
    cells = (check(in_place, name="step"), check(endless, name="count"))
    assert [cell.points for cell in ran(right, *cells).cells] == [None, 1, 1]
    assert [cell.points for cell in ran(wrong, *cells).cells] == [None, 0, 0]


@pytest.mark.slow
def test_torch_functions_and_modules_are_checked(monkeypatch):
    torch = pytest.importorskip("torch")

    class Halved(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.w = torch.nn.Parameter(torch.full((n,), 0.5))

        def forward(self, x):
            return x * self.w

    module = sys.modules["engine_reference"]
    monkeypatch.setattr(module, "Halved", Halved, raising=False)
    monkeypatch.setattr(module, "rms", lambda x: x.square().mean().sqrt(), raising=False)
    checks = (
        check(
            'run_checks(Check("rms", "is the root", against="engine_reference.rms", '
            "on=[drawn(tensor(normal(3, 4)))]), hidden=True)",
            name="rms",
        ),
        check(
            'run_checks(Check("Halved", "halves", against="engine_reference.Halved", '
            'on=[given(3, then=[call("forward", tensor([1.0, 2.0, 3.0])), read("w")])]))',
            name="Halved",
        ),
    )
    answer = """
import torch
def rms(x):
    assert isinstance(x, torch.Tensor)
    return (x ** 2).mean() ** 0.5
class Halved(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(n) / 2)
    def forward(self, x):
        return self.w * x
"""
    warm = {"warm": ("torch",), "limits": Limits()}
    assert [cell.points for cell in ran(code(answer), *checks, seed=7, **warm).cells] == [None, 1, 1]
    wrong = answer.replace("** 0.5", "").replace("/ 2", "/ 3")
    assert [cell.points for cell in ran(code(wrong), *checks, seed=7, **warm).cells] == [None, 0, 0]
    # Two threads of OpenMP do not survive a fork.
    threads = "import torch\ntorch.set_num_threads(2)\n(torch.randn(900, 900) @ torch.randn(900, 900)).sum()"
    cells = ran(code(threads), code(answer), *checks, seed=7, **warm).cells
    assert [cell.points for cell in cells] == [None, None, 1, 1]


@pytest.mark.slow
def test_unsafe_runs_and_says_so(monkeypatch):
    monkeypatch.setattr(sandbox, "isolation", lambda: sandbox.Isolation("none: not here", None))
    warm.close()
    cells = (JobCell(0, "", CODE, RIGHT), JobCell(1, "check", CHECKS, "", DOUBLE, 1.0))
    job = Job("sums/adding", cells, limits=LOW).to_bytes()
    outcome = Outcome.from_bytes(execute(job, unsafe=True))
    warm.close()
    assert outcome.points == 1
    assert outcome.isolation == sandbox.unsafe().words
    assert "--unsafe" in outcome.isolation
