import json
import sys
from itertools import zip_longest

import numpy as np
import pytest

from dlcourse.experiments import settings
from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.networks import NETWORKS, OPTIMIZERS, SCHEDULES
from dlcourse.experiments.run import FILES, prepare, train
from dlcourse.training import _checkpoint

QUICK = {"batch": 16, "hidden": (6, 5), "patience": 0}


@pytest.fixture(autouse=True)
def _without_pictures(request, monkeypatch):
    """A picture takes longer than such a run; the test that asks for one says so."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr("dlcourse.experiments.run._draw", lambda run, history: None)


@pytest.fixture
def pictures():
    """Have them drawn."""


class CtrlC:
    """Presses Ctrl-C after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, done, in_all, history):
        if done == self.steps:
            raise KeyboardInterrupt


def quick(network="fused", **more):
    given = QUICK | {"network": network} | more
    return {name: value for name, value in given.items() if (network, name) != ("linear", "hidden")}


def assert_same(one, other):
    """Two folders hold the same network, history and scores, bit for bit."""
    (arrays, about), (expected, about_other) = (
        _checkpoint.read(folder / "checkpoint.npz") for folder in (one, other)
    )
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert about == about_other
    kept, kept_other = (json.loads((folder / "run.json").read_text()) for folder in (one, other))
    for name in ("settings", "scores", "losses", "history"):
        assert kept[name] == kept_other[name]


@pytest.mark.parametrize("network", NETWORKS)
def test_two_epochs_and_two_more_are_four(network, mine, tmp_path):
    given = quick(network)
    whole = train(prepare(str(mine), given | {"epochs": 4}, tmp_path / "whole"))
    train(prepare(str(mine), given | {"epochs": 2}, tmp_path / "halves"))
    run = prepare(str(mine), {"epochs": 4}, tmp_path / "halves", resume=True)
    assert run.done == 2
    assert train(run).scores == whole.scores
    assert_same(tmp_path / "halves", tmp_path / "whole")


@pytest.mark.parametrize(
    ("optimizer", "schedule"), list(zip_longest(OPTIMIZERS, SCHEDULES, fillvalue="cosine"))
)
def test_a_run_goes_on_after_ctrl_c(optimizer, schedule, mine, tmp_path):
    given = quick(optimizer=optimizer, schedule=schedule, epochs=4, patience=3, seed=5)
    train(prepare(str(mine), given, tmp_path / "whole"))
    first = train(prepare(str(mine), given, tmp_path / "halves"), progress=CtrlC(8))  # three steps an epoch
    assert (first.interrupted, first.history.epochs, first.scores) == (True, 2, {})
    assert len(json.loads((tmp_path / "halves" / "run.json").read_text())["history"]["loss"]) == 2
    second = train(prepare(str(mine), {}, tmp_path / "halves", resume=True))
    assert not second.interrupted
    assert second.seconds > first.seconds > 0
    assert_same(tmp_path / "halves", tmp_path / "whole")


def test_ctrl_c_in_the_first_epoch_loses_nothing_but_that(mine, tmp_path):
    train(prepare(str(mine), quick(epochs=2), tmp_path / "whole"))
    outcome = train(prepare(str(mine), quick(epochs=2), tmp_path / "halves"), progress=CtrlC(2))
    assert outcome.interrupted
    assert outcome.history.epochs == 0
    assert [path.name for path in (tmp_path / "halves").iterdir()] == ["run.json"]
    train(prepare(str(mine), {}, tmp_path / "halves", resume=True))
    assert_same(tmp_path / "halves", tmp_path / "whole")


def test_a_finished_run_goes_on_to_the_same_scores(mine, tmp_path):
    outcome = train(prepare(str(mine), quick(epochs=2), tmp_path / "run"))
    again = train(prepare(str(mine), {}, tmp_path / "run", resume=True))
    assert again.scores == outcome.scores
    assert again.history == outcome.history


@pytest.mark.usefixtures("pictures")
def test_the_folder_holds_all_that_is_needed_to_repeat_the_run(mine, tmp_path, clouds):
    x, _, values = clouds
    np.savez(mine, x=x, y=values)
    outcome = train(prepare(str(mine), quick(epochs=3, seed=4), tmp_path / "one"))
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(FILES)
    about = json.loads((tmp_path / "one" / "run.json").read_text())
    assert about["history"]["loss"] == outcome.history.loss
    assert about["scores"]["test"] == outcome.scores["test"]
    again = settings.read(about["settings"])
    assert again.command(tmp_path / "one") == about["command"]
    given = {name: value for name, value in vars(again).items() if name not in ("data", "dropout")}
    train(prepare(again.data, given, tmp_path / "two"))
    assert_same(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_seed_decides(mine, tmp_path):
    losses = [
        train(prepare(str(mine), quick(epochs=1, seed=seed), tmp_path / str(i))).history.loss
        for i, seed in enumerate((0, 0, 1))
    ]
    assert losses[0] == losses[1] != losses[2]


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(mine, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setitem(SCHEDULES, "constant", lambda rate, steps: lambda step: rate if step < 7 else 1e30)
    with pytest.raises(ExperimentError) as error:
        train(prepare(str(mine), quick(epochs=9, optimizer="sgd", rate=0.01), folder))
    said = str(error.value)
    assert "no longer a finite number in epoch 3: lower --rate, which was 0.01" in said
    assert f"the network after epoch 2 is kept in {folder / 'checkpoint.npz'}" in said
    arrays, about = _checkpoint.read(folder / "checkpoint.npz")
    assert len(about["history"]["loss"]) == 2
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert len(json.loads((folder / "run.json").read_text())["history"]["loss"]) == 2
    with pytest.raises(ExperimentError, match=r"in epoch 1: lower --rate.*nothing was kept"):
        train(prepare(str(mine), quick(epochs=2, optimizer="sgd", rate=1e30), tmp_path / "other"))


def test_a_run_is_not_written_over_by_chance(mine, tmp_path):
    folder = tmp_path / "run"
    train(prepare(str(mine), quick(epochs=2), folder))
    (folder / "notes.txt").write_text("mine")
    before = (folder / "checkpoint.npz").read_bytes()
    with pytest.raises(
        ExperimentError, match=r"holds a run already; go on with it .--resume., choose another"
    ):
        prepare(str(mine), quick(epochs=2), folder)
    with pytest.raises(ExperimentError, match="had 0 as --seed, not 3"):
        prepare(str(mine), {"seed": 3}, folder, resume=True)
    assert (folder / "checkpoint.npz").read_bytes() == before
    train(prepare(str(mine), quick(epochs=1, seed=3), folder, replace=True))
    assert (folder / "checkpoint.npz").read_bytes() != before
    assert (folder / "notes.txt").read_text() == "mine"
    assert json.loads((folder / "run.json").read_text())["settings"]["seed"] == 3


def test_what_cannot_go_on_is_said(mine, tmp_path, clouds):
    folder = tmp_path / "run"
    with pytest.raises(
        ExperimentError, match=r"There is no run in .* that could go on; start one without --resume"
    ):
        prepare(str(mine), {}, folder, resume=True)
    train(prepare(str(mine), quick(epochs=1), folder))
    x, classes, _ = clouds
    np.savez(mine, x=x**2, y=classes)
    with pytest.raises(
        ExperimentError, match="its data or its network are no longer those that it began with"
    ):
        train(prepare(str(mine), {"epochs": 2}, folder, resume=True))
    for name in ("checkpoint.npz", "run.json"):
        (folder / name).write_text("{}")
        with pytest.raises(
            ExperimentError, match=f"{name} is damaged or of another version; start the run again"
        ):
            prepare(str(mine), {}, folder, resume=True)
    with pytest.raises(ExperimentError, match="is a file; name a folder with --out"):
        prepare(str(mine), {}, mine)


def test_a_name_that_is_none_is_said_with_those_that_are():
    with pytest.raises(ExperimentError) as error:
        prepare("digit", {})
    assert "no data set 'digit' and no such file. Did you mean 'digits'? There are: digits, weather" in str(
        error.value
    )
    with pytest.raises(ExperimentError, match=r"There is no file .*digit.npz"):
        prepare("digit.npz", {})


def test_batches_that_cannot_be_normalized_are_refused(mine, tmp_path):
    with pytest.raises(ExperimentError, match=r"the last of 36 examples is alone .* choose --batch 8"):
        prepare(str(mine), quick("batchnorm", batch=7), tmp_path / "run")


@pytest.mark.slow
def test_a_network_of_pytorch_learns_as_one_of_numpy(mine, tmp_path):
    in_numpy = train(prepare(str(mine), quick("plain"), tmp_path / "numpy"))
    run = prepare(str(mine), quick("plain") | {"network": "torch", "device": "cpu"}, tmp_path / "torch")
    in_torch = train(run)
    np.testing.assert_allclose(in_torch.history.loss, in_numpy.history.loss, rtol=1e-4)
    assert in_torch.scores == in_numpy.scores


def test_without_pytorch_its_network_is_refused_and_the_others_are_there(mine, tmp_path, monkeypatch):
    for name in ("dlcourse.gpus._torch_mlp", "dlcourse.gpus._device"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExperimentError, match=r"(?i)torch"):
        prepare(str(mine), {"network": "torch"}, tmp_path / "torch")
    assert prepare(str(mine), {"network": "fused"}, tmp_path / "fused").model is not None
