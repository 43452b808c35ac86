"""The script for torchrun: on one machine, on two, and through the death of a worker."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.distributed.train import __main__ as script  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.training import _checkpoint  # noqa: E402

ROOT = Path(__file__).parents[2]
SMALL = ["--hidden", "16", "--device", "cpu", "--batch", "250"]
PATIENCE = 240  # seconds: only a hang takes so long, however loaded the machine is


@contextmanager
def started(*arguments, launcher=()):
    """Start the script, and end all that it started."""
    command = [sys.executable, "-m", *launcher, *(["-m"] if launcher else [])]
    command += ["dlcourse.distributed.train", *map(str, [*SMALL, *arguments])]
    here = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        for child in [process.pid, *session_of(process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def session_of(leader):
    """List the processes that a launcher started; each worker leads a session of its own."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == leader or int(fields[3]) == leader:
            children.append(int(status.parent.name))
    return [each for child in children if child != leader for each in (child, *session_of(child))]


def finished(process):
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


def torchrun(*how):
    return ("torch.distributed.run", *map(str, how))


def reached(folder, rank=0):
    """Read what a rank ended with."""
    arrays, about = _checkpoint.read(folder / f"checkpoint-{rank}.npz")
    return {name: array for name, array in arrays.items() if "best" not in name}, about["history"]


def wait_for(path, process):
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def test_alone_it_needs_no_torchrun(tmp_path, capsys):
    script.main(["--out", str(tmp_path), *SMALL, "--epochs", "1"])
    assert re.search(r"rank 0 of 1: process \d+ on .+", capsys.readouterr().out)
    script.main(["--out", str(tmp_path), *SMALL, "--epochs", "2", "--by-hand"])
    assert "goes on after epoch 1\n" in capsys.readouterr().out
    assert len(reached(tmp_path)[1]["loss"]) == 2


def test_the_newest_checkpoint_is_taken_and_a_damaged_one_is_not(tmp_path, capsys):
    script.main(["--out", str(tmp_path), *SMALL, "--epochs", "1"])
    (tmp_path / "checkpoint-0.npz").rename(tmp_path / "checkpoint-3.npz")  # of a rank that there no longer is
    (tmp_path / "checkpoint-1.npz").write_bytes(b"half of a")
    script.main(["--out", str(tmp_path), *SMALL, "--epochs", "2"])
    assert "goes on after epoch 1\n" in capsys.readouterr().out


@pytest.mark.slow
def test_two_ranks_end_where_one_does(tmp_path):
    with started("--out", tmp_path / "one", "--epochs", 3) as process:
        finished(process)
    with started(
        "--out", tmp_path / "two", "--epochs", 3, launcher=torchrun("--standalone", "--nproc-per-node", 2)
    ) as process:
        said = finished(process)
    assert "networks of all ranks are 0 apart" in said
    alone, history = reached(tmp_path / "one")
    for rank in range(2):
        together, same = reached(tmp_path / "two", rank)
        np.testing.assert_allclose(same["loss"], history["loss"], rtol=1e-5)
        for name, array in together.items():
            np.testing.assert_allclose(array, alone[name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_killed_worker_is_started_again_and_nothing_is_lost(tmp_path):
    how = ("--standalone", "--nproc-per-node", 2, "--max-restarts", 1)
    with started("--out", tmp_path / "whole", "--epochs", 60, launcher=torchrun(*how)) as process:
        finished(process)
    with started("--out", tmp_path / "killed", "--epochs", 60, launcher=torchrun(*how)) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        victim = int(re.search(r"rank 1 of 2: process (\d+)", "".join(lines))[1])
        wait_for(tmp_path / "killed" / "checkpoint-1.npz", process)
        os.kill(victim, signal.SIGKILL)
        said = finished(process)
    after = re.search(r"goes on after epoch (\d+)", said)
    assert after, said
    assert 1 <= int(after[1]) < 60
    whole, history = reached(tmp_path / "whole")
    for rank in range(2):
        arrays, same = reached(tmp_path / "killed", rank)
        assert same == history
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, whole[name], err_msg=name)


@pytest.mark.slow
def test_two_launchers_make_one_run_as_two_machines_do(tmp_path):
    how = ("--nnodes", 2, "--nproc-per-node", 1, "--rdzv-backend", "c10d", "--rdzv-id", "test")
    how += ("--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--local-addr", "127.0.0.1")
    with (
        started("--out", tmp_path / "left", "--epochs", 2, launcher=torchrun(*how)) as left,
        started("--out", tmp_path / "right", "--epochs", 2, launcher=torchrun(*how)) as right,
    ):
        said = finished(left) + finished(right)
    assert "rank 0 of 2" in said
    assert "rank 1 of 2" in said
    found = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*.npz"))
    assert len({path.parent for path in found}) == 2  # no shared disk: each machine keeps its own
    first, second = (_checkpoint.read(tmp_path / path)[1]["history"] for path in found)
    assert first == second
