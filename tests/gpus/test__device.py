"""Where tensors live, what it is called, and how long things take there."""

import subprocess
import sys
import textwrap
import time

import pytest

from dlcourse import gpus
from dlcourse.gpus import _machine

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

from dlcourse.gpus import _device  # noqa: E402  (where torch is missing, all this is skipped)


@pytest.fixture
def gpus_there(monkeypatch):
    """Pretend that there are GPUs: so many of NVIDIA, and one of Apple or none."""

    def there(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return there


@pytest.mark.parametrize(
    ("cuda", "mps", "found"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")]
)
def test_auto_takes_the_fastest_there_is(gpus_there, cuda, mps, found):
    gpus_there(cuda, mps)
    assert _device.device() == _device.device("auto") == torch.device(found)


def test_a_device_is_what_was_asked_for(gpus_there):
    gpus_there(cuda=2, mps=True)
    assert _device.device("cpu") == torch.device("cpu")
    assert _device.device("mps") == torch.device("mps")
    assert _device.device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("asked", ["gpu", "", "tpu", "auto:1", "cuda:", "cuda:one", "CPU"])
def test_an_unknown_device_is_refused(asked):
    with pytest.raises(ValueError, match="choose one of auto, cpu, cuda, mps"):
        _device.device(asked)


@pytest.mark.parametrize("asked", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_there_is_said_in_one_sentence(gpus_there, asked):
    gpus_there()
    with pytest.raises(
        ValueError, match=f"^device '{asked}' was asked for, but PyTorch finds none here: take auto"
    ):
        _device.device(asked)


def test_a_device_number_that_is_too_large_is_told_the_largest(gpus_there):
    gpus_there(cuda=2)
    with pytest.raises(ValueError, match="take cuda:1 or less"):
        _device.device("cuda:2")


def test_the_cpu_is_named_with_its_cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert _device.name(torch.device("cpu")) == f"{_machine.processor()}, one core"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert _device.name("cpu") == f"{_machine.processor()}, 4 cores"


def test_a_gpu_is_named_as_its_maker_does(gpus_there, monkeypatch):
    gpus_there(cuda=1, mps=True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "NVIDIA H100 80GB HBM3")
    assert _device.name("cuda") == "NVIDIA H100 80GB HBM3"
    assert _device.name("mps") == f"GPU of {_machine.processor()}"
    assert _device.name(torch.device("meta")) == "meta"


def test_a_clock_waits_until_the_device_is_done(monkeypatch):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda where: time.sleep(0.005))
    assert _device.seconds(lambda: None, torch.device("cuda"), rounds=3) >= 0.005
    monkeypatch.setattr(torch.mps, "synchronize", lambda: time.sleep(0.005))
    assert _device.seconds(lambda: None, torch.device("mps"), rounds=3) >= 0.005
    assert _device.seconds(lambda: None, torch.device("cpu"), rounds=3) < 0.005


def test_seconds_is_the_median_of_rounds_that_last_long_enough(monkeypatch):
    now = [0.0]
    spent = iter([5.0, 0.25, 0.5, 9.0, 0.125, 0.5])  # the first one warms up
    monkeypatch.setattr(_machine.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += next(spent)

    assert _machine.timed(work, rounds=5, at_most=100.0) == 0.5
    assert next(spent, None) is None


def test_short_work_is_repeated_within_a_round(monkeypatch):
    now, calls = [0.0], [0]
    monkeypatch.setattr(_machine.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += 1e-6
        calls[0] += 1

    assert _machine.timed(work, rounds=3, at_most=100.0) == pytest.approx(1e-6)
    assert calls[0] == 1 + (1 + 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512) + 3 * 1024


def test_long_work_is_not_measured_for_ever(monkeypatch):
    now, calls = [0.0], [0]
    monkeypatch.setattr(_machine.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += 3.0
        calls[0] += 1

    assert _machine.timed(work, rounds=9, at_most=1.0) == 3.0
    assert calls[0] == 2


def test_no_round_cannot_be_measured():
    with pytest.raises(ValueError, match="at least 1 round, got 0"):
        _machine.timed(lambda: None, rounds=0)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("AMD EPYC 7742 64-Core Processor", "AMD EPYC 7742 64-Core"),
        ("Apple M2\n", "Apple M2"),
        ("CPU", "CPU"),
    ],
)
def test_a_name_is_short(said, shown):
    assert _machine.tidy(said) == shown


def test_the_processor_has_a_name_on_every_system(monkeypatch):
    assert _machine.processor()
    monkeypatch.setattr(_machine.platform, "system", lambda: "Windows")
    monkeypatch.setattr(_machine.platform, "processor", lambda: "")
    monkeypatch.setattr(_machine.platform, "machine", lambda: "")
    assert _machine.processor() == "unknown processor"


WITHOUT = {
    "no torch": ("sys.modules['torch'] = None", "TorchMissingError"),
    "broken torch": ("sys.path.insert(0, sys.argv[1])", "ModuleNotFoundError: No module named 'of_torch'"),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_only_a_missing_torch_is_called_missing(case, tmp_path):
    """A fresh interpreter without torch, and one whose torch lacks something itself."""
    prepare, told = WITHOUT[case]
    (tmp_path / "torch.py").write_text("import of_torch\n")
    code = f"import sys\n{prepare}\nimport dlcourse.gpus\nimport dlcourse.gpus._device\n"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert told in done.stderr.splitlines()[-1]


def test_without_torch_the_part_can_be_imported_and_says_what_is_missing():
    code = """
        import sys
        sys.modules["torch"] = None
        from dlcourse import gpus
        import dlcourse.gpus.parallelism
        print(gpus.torch_missing())
        try:
            import dlcourse.gpus._device
        except gpus.TorchMissingError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert said[0] == said[1]
    assert 'pip install "dlcourse[torch]"' in said[0]
    assert gpus.torch_missing() == ""
