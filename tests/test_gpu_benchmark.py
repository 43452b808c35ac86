"""The benchmark for a GPU, in small on the CPU: every case runs, its results are equal, its losses fall."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

FOLDER = Path(__file__).parents[1] / "benchmarks"
ASKED = SimpleNamespace(tiny=True, quick=True, tune=False)


@pytest.fixture(scope="module")
def module():
    """Load a script of the benchmarks as a module; it finds its neighbours."""
    sys.path.insert(0, str(FOLDER))

    def load(name):
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    yield load
    sys.path.remove(str(FOLDER))


@pytest.fixture
def gpu(module):
    return module("gpu")


@pytest.fixture
def gpt(module):
    return module("_gpt")


def command(*given):
    line = [sys.executable, str(FOLDER / "gpu.py"), *given]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_it_needs(gpu, capsys):
    assert gpu.main([]) == gpu.NO_GPU == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == gpu.NEEDS
    assert "--only CPU" in said.err
    assert "--tiny" in said.err


def test_a_word_that_no_case_has_is_told(gpu, capsys):
    assert gpu.main(["--only", "quantum"]) == 2
    assert "GPT, matrix product" in capsys.readouterr().err


def test_every_case_that_is_shown_is_there(gpu, module):
    assert list(gpu.TITLES) == list(module("_gpu_cases").CASES)
    assert {goal.key for goal in gpu.GOALS} == set(gpu.TITLES) - {"two"}


def test_a_case_that_fails_is_told_and_the_others_go_on(gpu, capfd, monkeypatch):
    seen = []

    def run(key, options):
        seen.append(key)
        raise RuntimeError(f"the case {key} ended")

    monkeypatch.setattr(gpu, "run", run)
    assert gpu.main(["--tiny", "--json"]) == gpu.FAILED == 1
    assert seen == list(gpu.TITLES)
    found = json.loads(capfd.readouterr().out)
    assert found["rows"] == []
    assert len(found["failed"]) == len(seen)


def test_a_process_that_ends_badly_is_an_error(gpu, monkeypatch, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import sys; sys.exit(7)")
    monkeypatch.setattr(gpu, "WORKER", broken)
    with pytest.raises(RuntimeError, match="'softmax' ended with status 7"):
        gpu.run("softmax", ASKED)
    broken.write_text("import time; time.sleep(60)")
    with pytest.raises(RuntimeError, match="took more than 1 s"):
        gpu.run("softmax", ASKED, limit=1)


def test_goals_are_judged_by_ratios_and_by_the_peak(gpu):
    case = {
        "case": "GPT",
        "seconds": {"ours": [1.0, 2.0, 1.0], "nanoGPT's loop": [1.1, 1.8, 1.2]},
        "values": {"ours": 494.5, "nanoGPT's loop": 400.0},
        "unit": "TFLOP/s",
        "said": [],
    }
    peak, loop = gpu.verdicts("gpt", case, "NVIDIA H100 80GB HBM3")
    assert peak["reached"] == pytest.approx(0.5)
    assert peak["met"]
    assert loop["reached"] == pytest.approx(1.1)
    assert loop["met"]
    case["values"]["ours"] = 494
    assert not gpu.verdicts("gpt", case, "NVIDIA H200")[0]["met"]
    assert len(gpu.verdicts("gpt", case, "another GPU")) == 1  # whose peak is not known here
    assert [row["ratio"] for row in gpu.rows(case, "a GPU")] == [1.0, pytest.approx(1.1)]


def test_less_is_better_where_seconds_are_the_goal(gpu):
    case = {"case": "digits", "seconds": {"ours": [0.8]}, "values": {"ours": 1.0}, "accuracy": 0.97}
    assert [one["met"] for one in gpu.verdicts("digits", case, "a GPU")] == [True, False]


def test_the_gpt_has_124_million_parameters_of_which_those_that_multiply_are_counted(gpt):
    full = gpt.Shape()
    assert full.parameters + full.time * full.width == pytest.approx(124.3e6, rel=1e-3)
    assert full.flops() == pytest.approx(855e6, rel=1e-3)  # as nanoGPT's formula has it
    model = gpt.GPT(gpt.TINY)
    counted = sum(p.numel() for p in model.parameters())
    assert counted == gpt.TINY.parameters + gpt.TINY.time * gpt.TINY.width


def test_the_formula_is_what_pytorch_counts(gpt):
    from torch.utils.flop_counter import FlopCounterMode

    shape, texts = gpt.TINY, 3
    model = gpt.GPT(shape)
    tokens = torch.zeros(texts, shape.time, dtype=torch.long)
    with gpt.attention_by(gpt.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(tokens, tokens).backward()
    norms = sum(p.numel() for p in model.parameters() if p.ndim == 1)  # they are counted, and do no product
    assert counter.get_total_flops() == texts * shape.time * (shape.flops() - 6 * norms)
    assert shape.flops() - shape.flops(causal=True) == 6 * shape.layers * shape.width * shape.time


def test_the_gpt_does_not_look_ahead(gpt):
    model = gpt.GPT(gpt.TINY).double()
    seen = []
    model.last.register_forward_hook(lambda part, given, answer: seen.append(answer.detach()))
    tokens = torch.arange(24)[None]
    model(tokens, tokens)
    later = tokens.clone()
    later[0, 15] = 70
    model(later, tokens)
    torch.testing.assert_close(seen[0][:, :15], seen[1][:, :15], rtol=0, atol=0)
    assert not torch.allclose(seen[0][:, 15], seen[1][:, 15])


@pytest.mark.parametrize("kind", ["Ours", "Plain"])
def test_both_loops_learn_and_a_batch_in_pieces_is_the_same(gpt, kind):
    here = torch.device("cpu")
    texts = gpt.draw_texts(gpt.TINY, 4, rng=np.random.default_rng(0))
    losses = []
    for micro in (4, 2):
        loop = getattr(gpt, kind)(gpt.TINY, here, micro=micro, compiled=lambda model: model, rate=1e-2)
        losses.append([loop.step(texts).item() for _ in range(8)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)
    assert losses[0][-1] < losses[0][0] - 0.5


def test_both_loops_take_the_step_of_float32(gpt):
    here = torch.device("cpu")
    texts = gpt.draw_texts(gpt.TINY, 4, rng=np.random.default_rng(0))
    model = gpt.GPT(gpt.TINY)
    optimizer = gpt.adamw(model, list(model.parameters()), rate=1e-2)
    plain = []
    for _ in range(6):
        loss = model(texts[:, :-1], texts[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), gpt.CLIP)
        optimizer.step()
        optimizer.zero_grad()
        plain.append(loss.item())
    for kind in (gpt.Ours, gpt.Plain):
        loop = kind(gpt.TINY, here, micro=4, compiled=lambda model: model, rate=1e-2)
        np.testing.assert_allclose([loop.step(texts).item() for _ in plain], plain, rtol=1e-2)
    assert all(
        w.dtype == torch.bfloat16
        for w in gpt.Ours(gpt.TINY, here, micro=4, compiled=lambda model: model).weights
    )


def test_differing_results_stop_a_case(module):
    cases = module("_gpu_cases")
    right = torch.ones(3)
    cases.expect_close(right, right, 0, "ones")
    for wrong in (1.1 * right, torch.full((3,), torch.nan)):
        with pytest.raises(SystemExit, match="ones: the results differ"):
            cases.expect_close(wrong, right, 1e-3, "ones")


def test_peers_take_turns(module):
    cases, seen = module("_gpu_cases"), []
    works = {name: lambda name=name: seen.append(name) for name in "ab"}
    found = cases.take_turns(works, torch.device("cpu"), 3)
    assert "".join(seen) == "ab" + 3 * "ab"
    cases.take_turns(works, torch.device("cpu"), 1, settle=True)
    assert "".join(seen).endswith("ab" + "aabb")
    assert {peer: len(times) for peer, times in found.items()} == {"a": 3, "b": 3}


@pytest.mark.slow
def test_the_product_is_measured_in_the_interpreter_and_told_as_json():
    pytest.importorskip("triton", reason="Triton is not installed")
    done = command("--tiny", "--json", "--only", "product")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"machine", "tiny", "rows", "goals", "failed"}
    assert found["tiny"]
    assert found["goals"] == found["failed"] == []
    assert [row["peer"] for row in found["rows"]] == ["Triton, ours", "torch"]
    for row in found["rows"]:
        assert set(row) == {"case", "peer", "device", "seconds", "ratio", "value", "unit"}
        assert row["seconds"] > 0
        assert row["ratio"] > 0
    assert "measures nothing" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("key", ["softmax", "linear"])
def test_kernels_are_right_before_they_are_measured(gpu, key):
    pytest.importorskip("triton", reason="Triton is not installed")
    cases = gpu.run(key, ASKED)["cases"]
    assert len(cases) == 2
    assert "copy" in cases[0]["seconds"]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["gpt", "digits", "cpu", "ddp", "two"])
def test_networks_learn_in_every_case(gpu, key):
    (case,) = gpu.run(key, ASKED)["cases"]
    ours = next(iter(case["seconds"]))
    assert len(case["seconds"]) >= 2
    for peer, losses in case["losses"].items():
        assert np.isfinite(losses).all()
        assert np.mean(losses[-2:]) < losses[0], peer
    assert {len(times) for times in case["seconds"].values()} == {len(case["seconds"][ours])}
    assert min(map(min, case["seconds"].values())) > 0
    if key == "two":
        assert "Efficiency of 2 processes" in case["said"][1]
