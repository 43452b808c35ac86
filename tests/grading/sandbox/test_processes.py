"""Exercises whose answers run in several processes: they start in each kind of sandbox, talk, and nothing is left."""

import ast
import importlib.util
import sys

import pytest

from dlcourse.grading.book import with_imports

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes need Linux"),
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"),
    pytest.mark.slow,
]

SCRIPT = """
import torch
import torch.distributed as dist
from dlcourse.distributed._processes import run_processes

def talk():
    me, count = dist.get_rank(), dist.get_world_size()
    total = torch.tensor([float(me)])
    dist.all_reduce(total)
    came = torch.empty(1)
    sending = dist.isend(total + me, dst=(me + 1) % count)
    dist.recv(came, src=(me - 1) % count)
    sending.wait()
    return came.item()

def wait():
    dist.recv(torch.empty(1), src=1 - dist.get_rank())

def everything():
    for count in (2, 4, 8):
        attempt(count, lambda: run_processes(talk, count))
    attempt("waiting", lambda: run_processes(wait, 2, timeout=0.5))
    attempt("again", lambda: run_processes(talk, 2))
    attempt("left", lambda: os.waitpid(-1, os.WNOHANG))
    print(happened)

status = locked(everything)
assert status == 0, status
"""


def test_processes_talk_in_every_sandbox(usual):
    happened = ast.literal_eval(
        usual.run(SCRIPT, modules=with_imports(["dlcourse.distributed._processes"])).strip()
    )
    for count in (2, 4, 8):
        total = count * (count - 1) / 2
        assert happened[count] == repr([total + (rank - 1) % count for rank in range(count)])
    assert "ranks 0, 1 of 2 were not done after 0.5 s" in happened["waiting"]
    assert happened["again"] == "[2.0, 1.0]"
    assert happened["left"].startswith("refused: ChildProcessError")
