"""`dlcourse train`, really run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer", reason='the command line is not installed: pip install "dlcourse[book]"')
pytest.importorskip("matplotlib", reason='the pictures are not installed: pip install "dlcourse[book]"')

from dlcourse import cli
from dlcourse.cli import training
from dlcourse.experiments.networks import ACTIVATIONS, NETWORKS, OPTIMIZERS, SCHEDULES
from dlcourse.experiments.sets import SETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with examples, as the current folder."""
    rng = np.random.default_rng(7)
    y = np.tile(np.arange(3), 20)
    np.savez(tmp_path / "mine.npz", x=2 * np.eye(3, 4)[y] + rng.standard_normal((60, 4)), y=y)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def run(capfd):
    """Run the command line in this process: exit status, standard output, standard error on one line."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main(["train", *map(str, arguments)])
        printed = capfd.readouterr()
        return left.value.code or 0, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


def test_the_names_in_the_help_are_those_that_exist():
    for names, known in (
        (training.Network, NETWORKS),
        (training.Activation, ACTIVATIONS),
        (training.OptimizerName, OPTIMIZERS),
        (training.ScheduleName, SCHEDULES),
    ):
        assert [str(name) for name in names] == list(known)


def test_without_data_all_that_can_be_trained_is_listed(here, run):
    status, out, err = run()
    assert (status, err) == (0, "")
    for name in (*SETS, *NETWORKS, "FILE.npz"):
        assert name in out
    assert not (here / "build").exists()


def test_a_run_shows_scores_and_says_what_it_saved(here, run):
    status, out, err = run("mine.npz", "--epochs", 3, "--hidden", 8, "--hidden", "4,4", "--seed", 2)
    assert (status, err) == (0, "")
    assert "mine.npz: 36 training, 12 validation, 12 test examples; 3 classes" in out
    assert "fused 4-8-4-4-3, adamw at rate 0.001, 3 epochs at most, seed 2" in out
    for word in ("training │ 36", "validation │ 12", "test │ 12", "always 0, test", "33.3%"):
        assert word in out
    assert "etter than 'always 0', by accuracy on the test examples" in out
    assert "Note: Divided at random" in out
    for name in ("run.json", "checkpoint.npz", "curve.png"):
        assert f"Saved build/train/mine/{name}" in out
        assert (here / "build" / "train" / "mine" / name).is_file()


def test_the_command_that_was_kept_repeats_the_run(here, run):
    import shlex

    assert run("mine.npz", "--epochs", 2, "--network", "linear", "--out", "first run")[0] == 0
    about = json.loads((here / "first run" / "run.json").read_text())
    words = shlex.split(about["command"])
    assert words[:2] == ["dlcourse", "train"]
    assert run(*words[2:], "--force")[0] == 0
    again = json.loads((here / "first run" / "run.json").read_text())
    assert again["history"] == about["history"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digit"], "Did you mean 'digits'?"),
        (["mine.npy"], "There is no file"),
        (["mine.npz", "--resume"], "There is no run in build/train/mine that could go on"),
        (["mine.npz", "--hidden", "12,x"], "'x' is no number of units; write 256 or 256,128"),
        (["mine.npz", "--hidden", "0"], "'0' is no number of units"),
        (["mine.npz", "--network", "vast"], "'vast' is not one of"),
        (["mine.npz", "--device", "tpu"], "There is no device 'tpu': choose one of auto, cpu, cuda, mps"),
        (
            ["mine.npz", "--device", "cpu", "--network", "fused"],
            "choose --network torch, or leave out --device",
        ),
        (["mine.npz", "--rate", "nan"], "'--rate'"),
        (["mine.npz", "--weight-decay", "inf"], "--weight-decay is inf; give a finite number"),
        (["mine.npz", "--epochs", "0"], "'--epochs'"),
        (["mine.npz", "--resume", "--force"], "choose one of --resume and --force"),
        (["mine.npz", "--optimizer", "sgd", "--rate", "1e30"], "lower --rate, which was 1e+30"),
        (["mine.npz", "--out", "mine.npz"], "mine.npz is a file; name a folder with --out"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, said, here, run):
    status, _, err = run(*arguments)
    assert status != 0
    assert said in err.replace("│ ", "").replace(" │", "")
    assert "Traceback" not in err


@pytest.mark.slow
def test_ctrl_c_keeps_the_run_and_the_command_that_it_prints_goes_on(here, run):
    """A real process, and a real signal."""
    arguments = ["mine.npz", "--hidden", "8", "--epochs", "4000", "--patience", "0", "--batch", "8"]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from dlcourse import cli; cli.main()", "train", *arguments],
        env=os.environ | threads | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        checkpoint = here / "build" / "train" / "mine" / "checkpoint.npz"
        for _ in range(6000):
            if checkpoint.exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "")
    assert "is kept in build/train/mine/checkpoint.npz" in out
    assert "Go on with: dlcourse train mine.npz --resume" in out
    done = len(json.loads((here / "build" / "train" / "mine" / "run.json").read_text())["history"]["loss"])
    assert 1 <= done < 4000
    # What it printed goes on; so many epochs that a test need not wait for them are asked for here.
    status, said, _ = run("mine.npz", "--resume", "--epochs", done + 2)
    assert status == 0
    assert f"{done} done" in said
    assert run("mine.npz", *arguments[1:3], "--epochs", done + 2, *arguments[5:], "--out", "whole")[0] == 0
    one, other = (np.load(here / folder / "checkpoint.npz") for folder in ("build/train/mine", "whole"))
    with one, other:
        assert one.files == other.files
        for name in set(one.files) - {"about"}:
            np.testing.assert_array_equal(one[name], other[name])
