"""Checks with tensors are asked a second time on a GPU: here with something else in a GPU's place, in a real sandbox."""

import os
import sys
import types
from pathlib import Path

import pytest

from dlcourse.checks import judge
from dlcourse.checks.judge import judge_on_gpu
from dlcourse.grading import sandbox
from dlcourse.grading.book import earlier_modules
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import place, warm
from dlcourse.grading.execution.execute import execute
from dlcourse.grading.execution.jobs import CHECKS, CODE, Job, JobCell, Limits, Outcome, make_job
from dlcourse.grading.execution.session import Session
from dlcourse.grading.notebooks import read_exercise
from dlcourse.grading.sandbox import gpu

torch = pytest.importorskip("torch", reason='tensors need PyTorch: pip install "dlcourse[torch]"')
ROOT = Path(__file__).parents[3]
ONLY = "On the CPU this is right, on the GPU not: "
NO_GPU = "The GPU could not be used: what was right on the CPU counts as right."
IN_ITS_PLACE = "with a GPU (a stand-in)"


@pytest.fixture(autouse=True)
def here():
    """A sandbox that can let a GPU in, and no warm ones left behind."""
    found = sandbox.isolation()
    if found.backend is None or found.backend.with_gpu() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(found.words)
        pytest.skip(found.words)
    sandbox.with_gpu.cache_clear()
    yield
    sandbox.with_gpu.cache_clear()
    warm.close()


@pytest.fixture(autouse=True)
def references(monkeypatch):
    """References that only this process knows."""
    module = types.ModuleType("gpu_reference")
    module.double = lambda x: 2 * x
    monkeypatch.setitem(sys.modules, "gpu_reference", module)


@pytest.fixture
def instead(monkeypatch):
    """Put a device of PyTorch's in the GPU's place."""

    def put(device):
        monkeypatch.setattr(gpu, "nodes", lambda: ("/dev/null",))
        monkeypatch.setattr(sandbox, "_TRIAL_ON_GPU", f"print('{device} a stand-in')")

    return put


def check(name="double", inputs="tensor([1.0, -2.0])", hidden=False):
    declared = f'Check("{name}", "doubles", against="gpu_reference.double", on=[given({inputs})])'
    return f"run_checks({declared}, hidden={hidden})"


def ran(*cells, device="auto"):
    """Execute cells; those that call `run_checks` are checks."""
    made = (
        JobCell(index, f"check_{index}", CHECKS, "", source, 1.0)
        if source.startswith("run_checks")
        else JobCell(index, "", CODE, source)
        for index, source in enumerate(cells)
    )
    limits = Limits(cell_seconds=20, check_seconds=10)
    job = Job("sums/adding", tuple(made), warm=("torch",), limits=limits, device=device)
    return Outcome.from_bytes(execute(job.to_bytes()))


def told(outcome):
    return [
        verdict["message"] for cell in outcome.cells if cell.report for verdict in cell.report["verdicts"]
    ]


DOUBLE = "def double(x):\n    return 2 * x"
THERE = 'import os\nthere = "gpu" in os.environ["DLCOURSE_SHARED"].split()'
ANSWERS = """
def coarse(x): return 2 * x * (1.0005 if there else 1)
def wrong(x): return 2 * x * (3 if there else 1)
def ended(x):
    if there: os._exit(3)
    return 2 * x
def never(x): return 3 * x
"""
WRONG = DOUBLE + " * (3 if there else 1)"


@pytest.mark.slow
def test_tensors_are_checked_on_the_gpu_too_with_the_rule_of_the_notebook(instead):
    instead("cpu")
    outcome = ran(
        f"{THERE}\n{ANSWERS}\n{DOUBLE}",
        *(check(name) for name in ("double", "coarse", "wrong", "ended", "never")),
        check("wrong", hidden=True),
        check("wrong", "[1.0, -2.0]"),
    )
    double, coarse, wrong, ended, never, hidden, numbers = told(outcome)
    assert [cell.points for cell in outcome.cells[1:]] == [1, 1, 0, 0, 0, 0, 1]
    assert (double, coarse, numbers) == ("", "", "")
    assert wrong == f"{ONLY}Every value is 3 times the right one"
    assert ended == f"{ONLY}ended ended Python itself, as os._exit does: return a value instead"
    assert never == "Every value is 1.5 times the right one"
    assert hidden == f"{ONLY}Every value is the same multiple of the right one"
    assert (outcome.isolation, outcome.notes) == (f"{sandbox.isolation().words}, {IN_ITS_PLACE}", ())


ZEROS = """
import torch
read = torch.Tensor.to
torch.Tensor.to = lambda x, *how: torch.zeros(x.shape) if x.is_meta else read(x, *how)
"""
"""Makes a device of one whose tensors have no numbers: all are zero there, and do not mix with tensors elsewhere."""


@pytest.mark.slow
def test_a_tensor_made_without_a_device_costs_the_points_where_the_others_are_on_another(instead):
    instead("meta")
    answers = """
def careful(x): return 2 * x + torch.zeros(2, device=x.device)
def careless(x): return 2 * x + torch.zeros(2)
"""
    inputs = "tensor([0.0, 0.0])"
    outcome = ran(ZEROS + answers, check("careful", inputs), check("careless", inputs))
    assert [cell.points for cell in outcome.cells[1:]] == [1, 0]
    right, wrong = told(outcome)
    assert right == ""
    assert wrong.startswith(f"{ONLY}RuntimeError in line 1 of careless: ")


@pytest.mark.slow
def test_numbers_alone_are_checked_once(instead, monkeypatch):
    instead("cpu")
    monkeypatch.setattr(sandbox, "with_gpu", lambda here: pytest.fail("it was looked for"))
    outcome = ran(f"{THERE}\n{WRONG}", check(inputs="[1.0, -2.0]"), check(inputs="3.0"))
    assert (outcome.points, outcome.isolation) == (2, sandbox.isolation().words)


@pytest.mark.slow
def test_where_the_instructor_says_cpu_no_gpu_is_looked_for(instead, monkeypatch):
    instead("cpu")
    monkeypatch.setattr(sandbox, "with_gpu", lambda here: pytest.fail("it was looked for"))
    outcome = ran(f"{THERE}\n{WRONG}", check(), device="cpu")
    assert (outcome.points, outcome.isolation) == (1, sandbox.isolation().words)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_does_not_answer_costs_nobody_points(instead):
    instead("cuda")
    outcome = ran(DOUBLE, check(), check())
    assert (outcome.points, outcome.isolation) == (2, sandbox.isolation().words)
    assert outcome.notes == (NO_GPU,)


@pytest.mark.slow
def test_a_sandbox_that_does_not_start_with_a_gpu_costs_nobody_points(instead, monkeypatch):
    instead("cpu")
    get = warm.get

    def refuses(isolation, key):
        if isolation.device:
            raise GradingError("The sandbox started but does not answer")
        return get(isolation, key)

    monkeypatch.setattr(warm, "get", refuses)
    outcome = ran(DOUBLE, check())
    assert (outcome.points, outcome.notes) == (1, (NO_GPU,))


@pytest.mark.slow
def test_who_says_on_the_cpu_that_there_is_no_device_earns_nothing(monkeypatch):
    said = {"state": place.NO_DEVICE}
    monkeypatch.setattr(Session, "ask", lambda self, questions, *_, **__: [said] * len(questions))
    outcome = ran(DOUBLE, check())
    assert (outcome.points, outcome.notes) == (0, ())


@pytest.mark.slow
def test_what_later_cells_undo_is_looked_at_in_its_place_on_the_gpu_too(instead):
    instead("cpu")
    undone = "def double(x):\n    return x"
    outcome = ran(THERE, DOUBLE, check(), undone, WRONG, check(), undone)
    assert [cell.points for cell in outcome.cells if cell.report] == [1, 0]
    assert told(outcome)[0] == ""


@pytest.mark.slow
def test_where_pytorch_finds_no_gpu_no_second_sandbox_is_kept(instead, monkeypatch):
    instead("cpu")
    monkeypatch.setattr(sandbox, "_TRIAL_ON_GPU", "raise SystemExit('no CUDA here')")
    outcome = ran(f"{THERE}\n{WRONG}", check())
    assert (outcome.points, outcome.isolation, outcome.notes) == (1, sandbox.isolation().words, ())
    found = sandbox.with_gpu(sandbox.isolation())
    assert found == sandbox.Isolation("PyTorch finds no GPU in the sandbox (no CUDA here)", None)
    assert [device for *_, device in warm._sandboxes] == [""]


def test_the_values_are_judged_by_the_notebooks_function():
    there = place.Place(Job("a/b", ()), sandbox.Isolation("", None, "cuda"), lambda note: None)
    here = place.Place(Job("a/b", ()), sandbox.Isolation("", None), lambda note: None)
    assert (there.judge, here.judge) == (judge_on_gpu, judge)
    assert there.seconds(1) > here.seconds(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["frameworks/pytorch", "gpus/kernels"])
def test_the_references_of_the_exercises_pass_on_both(instead, name):
    instead("cpu")
    exercise = read_exercise(ROOT / "exercises" / f"{name}.md")
    if name == "gpus/kernels":
        pytest.importorskip("triton", reason="there is no Triton here")
    job = make_job(exercise, exercise, chapter=name, modules=earlier_modules(ROOT, name))
    outcome = Outcome.from_bytes(execute(job.to_bytes()))
    assert outcome.points == sum(cell.points for cell in job.cells), told(outcome)
    assert outcome.isolation.endswith(IN_ITS_PLACE)
    assert outcome.notes == ()
