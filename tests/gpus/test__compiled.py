"""What is measured about compiling."""

import os
import subprocess
import sys
import time
from math import inf

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.gpus import _compiled  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.gpus._compiled import Gain, compiler_missing, nothing_compiled_before  # noqa: E402

HERE = torch.device("cpu")


def test_a_gain_says_when_it_pays():
    assert Gain(eager=0.4, compiled=0.1, warm_up=3.1).speed_up == pytest.approx(4)
    assert Gain(eager=0.4, compiled=0.1, warm_up=3.1).pays_after == pytest.approx(10)
    assert Gain(eager=0.1, compiled=0.4, warm_up=3.1).pays_after == inf
    assert Gain(eager=0.4, compiled=0.1, warm_up=0.05).pays_after == 0


def test_a_missing_compiler_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(_compiled.shutil, "which", lambda name: None)
    assert "no compiler for it was found here: install one" in compiler_missing(HERE)
    assert compiler_missing(torch.device("cuda")) == ""  # Triton brings its own
    monkeypatch.setattr(_compiled.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert compiler_missing(HERE) == ""


def test_the_cache_is_put_back(monkeypatch):
    name = "TORCHINDUCTOR_CACHE_DIR"
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setenv(name, "before")
    with nothing_compiled_before():
        inside = os.environ[name]
        assert os.path.isdir(inside)
    assert os.environ[name] == "before"
    assert not os.path.isdir(inside)
    monkeypatch.delenv(name)
    with nothing_compiled_before():
        pass
    assert name not in os.environ


def test_the_fastest_round_counts():
    times = iter([0.03, 0.01, 0.02, 0.03, 0.03])

    def work():
        end = time.process_time() + next(times, 0.03)
        while time.process_time() < end:
            pass

    assert 0.01 <= _compiled._fastest(work, (), HERE, at_most=0.08) < 0.02


@pytest.mark.slow
def test_a_function_is_compiled_and_measured():
    """In a process of its own: compiling imports much that warns, and starts what should not outlive it."""
    program = (
        "import torch; from dlcourse.gpus._compiled import measure_gain, compiler_missing\n"
        "here = torch.device('cpu'); how = {'backend': 'aot_eager'} if compiler_missing(here) else {}\n"
        "with torch.no_grad():\n"
        "    gain = measure_gain(lambda z: 2 * z.exp() + 1, torch.ones(1000), where=here, at_most=0.1, **how)\n"
        "assert gain.warm_up > 100 * gain.eager > 0 < gain.compiled, gain\n"
        "calls = iter(range(100))\n"
        "try:\n"
        "    measure_gain(lambda z: z + next(calls), torch.ones(3), where=here, backend='eager')\n"
        "except AssertionError as error:\n"
        "    print('differ' if 'not close' in str(error) else error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "differ"
