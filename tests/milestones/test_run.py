"""Whole milestones: the learner's code trains, and the report says whose code it was."""

import numpy as np
import pytest

from dlcourse.checks import declared, judge, observe
from dlcourse.grading import notebooks
from dlcourse.milestones import PARTS, Interrupted, MilestoneError, milestone, run
from dlcourse.milestones.neurons import cards
from dlcourse.milestones.reading import OPEN, RIGHT

from .conftest import EXERCISES, STUB, exercise, package_only
from .outside import outside


@pytest.mark.parametrize("part", PARTS)
def test_the_pieces_are_tasks_and_those_of_the_package_pass_their_checks(part):
    use = package_only(part)
    for chapter in milestone(part).chapters:
        source = notebooks.reference(exercise(part, chapter))
        found = {task.name: task for task in notebooks.tasks(source)}
        cells = {notebooks.grade_id(cell): cell.source for cell in source.cells if notebooks.graded(cell)}
        checks = dict(zip(cells, declared(list(cells.values())), strict=True))
        for piece in milestone(part).pieces:
            if piece.chapter == chapter and piece.name not in ("AdamW", "BatchNorm"):
                for call in [call for name in found[piece.name].visible for call in checks[name]]:
                    for check in call.checks:
                        cases = [case for case in check.cases() if not case.raises]
                        target = getattr(use, piece.name)
                        verdict = judge(check, cases, observe(target, cases))
                        assert verdict.passed, (piece.name, verdict.message, verdict.example)


def test_every_part_with_a_milestone_has_exercises():
    assert [part for part in PARTS if not (EXERCISES / part).is_dir()] == []


def test_an_unknown_part_is_said():
    with pytest.raises(
        MilestoneError,
        match=r"There is no milestone 'nuerons'\. Did you mean 'neurons'\? There are: neurons, ",
    ):
        milestone("nuerons")


def test_the_cards_are_marked_on_one_half():
    x, right = cards(200, rng=np.random.default_rng(0), dust=0.0)
    halves = x.reshape(-1, 20, 2, 10).sum(axis=(1, 3))
    assert (halves[np.arange(200), 1 - right.astype(int)] == 0).all()
    assert halves.max() <= 49
    assert halves.max(axis=1).min() >= 16
    assert 60 < right.sum() < 140
    dusty, _ = cards(200, rng=np.random.default_rng(0), dust=0.02)
    assert 0.01 < np.mean(dusty != x) < 0.03


def test_the_perceptron_learns_left_from_right_with_the_learners_code(write):
    steps = []
    report = run(
        milestone("neurons"),
        write("neurons"),
        progress=lambda done, total, now: steps.append((done, total, now)),
    )
    assert report.reached
    assert [trained.result.value > 0.9 for trained in report.trained] == [True, True]
    assert [(line.yours, line.calls > 0) for line in report.lines] == [(True, True)] * 4
    assert 0 < report.yours < 1
    assert steps[0] == (0, 1, "reading your notebooks")
    assert steps[-1] == (50, 150, "training on the cards (one by one)")
    # 50 cards one by one: each asks the neuron about the test cards, and once to correct itself.
    assert report.lines[2].calls >= 50


def test_untouched_notebooks_run_on_the_package_and_say_so(write):
    stubs = {
        name: f"def {name}(*arguments):\n    {STUB}\n"
        for name in ("weighted_sum", "neuron", "perceptron_update", "train_perceptron")
    }
    report = run(milestone("neurons"), write("neurons", **stubs))
    assert [(line.yours, line.work.state) for line in report.lines] == [(False, OPEN)] * 4
    assert report.yours == 0
    assert report.reached


def test_half_done_notebooks_use_every_half(write):
    report = run(milestone("neurons"), write("neurons", neuron=f"def neuron(x, w, b):\n    {STUB}\n"))
    yours = {line.work.piece.name: (line.yours, line.calls) for line in report.lines}
    assert yours["neuron"] == (False, yours["neuron"][1])
    # The package's neuron asks the learner's weighted_sum, and the learner's correction asks the package's neuron.
    assert yours["weighted_sum"] == (True, yours["neuron"][1])
    assert report.reached


WRONG_UPDATE = (
    "def perceptron_update(x, y, w, b, learning_rate):\n"
    "    e = neuron(x, w, b) - y\n    return w + learning_rate * e @ x, b + learning_rate * e.sum()\n"
)


def test_a_wrong_piece_is_named_and_the_run_goes_on_with_the_packages(write):
    report = run(milestone("neurons"), write("neurons", perceptron_update=WRONG_UPDATE))
    [wrong] = report.wrong
    assert "your correction of w points the wrong way" in wrong.breaks
    assert not wrong.yours
    assert all(trained.result.reached for trained in report.trained)
    assert not report.reached


def test_a_wrong_piece_can_be_used_as_it_is(write):
    report = run(milestone("neurons"), write("neurons", perceptron_update=WRONG_UPDATE), as_is=True)
    assert report.wrong[0].yours
    assert report.trained[0].result.value < 0.7


def test_a_wrong_piece_that_raises_as_it_is_stops_its_stages_only(write):
    code = "def train_perceptron(x, y, passes):\n    raise ValueError('no idea')\n"
    report = run(milestone("neurons"), write("neurons", train_perceptron=code), as_is=True)
    assert report.trained[0].result.reached
    assert (report.trained[1].result, report.trained[1].stopped) == (None, "ValueError: no idea")


def test_a_right_piece_that_hangs_later_is_ended(write):
    code = notebooks.reference_answers(exercise("neurons", "neuron"))["train_perceptron"]
    code = code.replace("    w, b =", "    while len(x) > 40: pass\n    w, b =", 1)
    report = run(milestone("neurons"), write("neurons", train_perceptron=code), limit=0.3)
    assert [(trained.result is None, trained.stopped) for trained in report.trained] == [
        (False, ""),
        (True, "your train_perceptron did not come back within 0.3 s: look for a loop that never ends"),
    ]
    assert not report.reached


def test_ctrl_c_in_training_says_what_was_going_on(write):
    code = (
        "import signal\n"
        "def neuron(x, w, b):\n    if len(x) > 300: signal.raise_signal(signal.SIGINT)\n"
        "    return (weighted_sum(x, w, b) >= 0) * 1.0\n"
    )
    with pytest.raises(
        Interrupted, match=r"^Stopped while training on the cards \(one by one\), in your neuron\.$"
    ):
        run(milestone("neurons"), write("neurons", neuron=code))


def test_what_a_piece_writes_into_its_inputs_stays_there(write):
    code = "def weighted_sum(x, w, b):\n    z = x @ w + b\n    x[...] = 0\n    return z\n"
    wanted = milestone("neurons")
    spoiled = run(wanted, write("neurons", weighted_sum=code), as_is=True)
    assert not spoiled.reached
    assert run(wanted, write("neurons")).reached


@pytest.mark.slow
@pytest.mark.parametrize(("part", "least"), [("learning", 0.9), ("training", 0.93)])
@pytest.mark.parametrize("way", ["right", "stubs"])
def test_learner_and_package_reach_the_milestone(part, least, way):
    report = outside("whole", part, way)
    assert report["reached"]
    assert min(report["values"][-1:]) > least
    assert report["states"] == ([RIGHT] if way == "right" else [OPEN])
    assert (report["yours"] > 0) == (way == "right")
    # The solution of draw_parameters draws by itself.
    assert report["uncalled"] == (["he"] if (part, way) == ("training", "right") else [])
