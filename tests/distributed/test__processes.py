"""Processes that can talk to one another: they start, answer, fail with words, and none is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from dlcourse import gpus

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

import torch.distributed as dist  # noqa: E402

from dlcourse.distributed import _processes, _rank  # noqa: E402
from dlcourse.distributed._processes import ProcessError, run_processes  # noqa: E402


@pytest.fixture(params=["fork" if os.environ.get("DLCOURSE_TEST_FORKS") == "1" else "fresh"])
def way(request, monkeypatch):
    """Both ways to start processes; threads of a library forbid a fork, so it is tested apart (test__forked.py)."""
    if request.param == "fresh":
        monkeypatch.setattr(_processes, "_threads", lambda: 99)
    assert (_processes._context().get_start_method() == "fork") == (request.param == "fork")
    return str(request.param)


def test_a_thread_of_pythons_own_is_no_reason_for_a_fresh_process():
    before = _processes._context().get_start_method()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert _processes._context().get_start_method() == before
    finally:
        ended.set()
        thread.join()


def _until(done, seconds):
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.02)


def children():
    """Name the processes that this one started, with their numbers; not the one from which fresh ones come."""
    found = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split(None, 2) for line in found]
    here = {str(os.getpid())}
    servers = {pid for pid, parent, args in rows if parent in here and "multiprocessing" in args}
    return [
        row for row in rows if row[1] in here | servers and row[0] not in servers and "ps" not in row[2][:3]
    ]


@pytest.fixture
def left():
    """Name the processes that this test started and that still run; sandboxes of other tests may stay warm."""
    before = {pid for pid, *_ in children()}
    return lambda: [row for row in children() if row[0] not in before]


def place():
    return dist.get_rank(), dist.get_world_size(), dist.get_backend()


def test_each_process_knows_its_place(way, left):
    assert run_processes(place, 3) == [(rank, 3, "gloo") for rank in range(3)]
    assert left() == []


def test_any_function_can_be_called(way):
    """Of Python's own, of a library, and of a module that no other process could import, as this one is."""
    assert run_processes(max, 2, 3, 4) == [4, 4]
    assert run_processes(torch.ones, 1, 2)[0].tolist() == [1.0, 1.0]
    assert run_processes(place, 1) == [(0, 1, "gloo")]


def test_they_talk_to_one_another(way):
    def summed(x, factor):
        x = x * dist.get_rank() * factor
        dist.all_reduce(x)
        return x

    results = run_processes(summed, 4, torch.ones(3), 2.0)
    assert [result.tolist() for result in results] == [[12.0] * 3] * 4


def test_each_has_one_thread_and_the_variables_of_torchrun(way):
    def seen():
        names = "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"
        return torch.get_num_threads(), *(int(os.environ[name]) for name in names)

    assert run_processes(seen, 2) == [(1, 0, 0, 2, 2), (1, 1, 1, 2, 2)]
    assert "RANK" not in os.environ


def test_what_they_print_comes_in_order(way, capsys):
    def speak():
        dist.barrier()
        print("rank", dist.get_rank())

    run_processes(speak, 3)
    assert capsys.readouterr().out == "rank 0\nrank 1\nrank 2\n"


def test_gradients_are_computed_there_too(way):
    def slope(x):
        x = x.clone().requires_grad_()
        (x**2).sum().backward()
        dist.all_reduce(x.grad)
        return x.grad

    slope_here = torch.ones(2, requires_grad=True)
    (slope_here**2).sum().backward()
    assert run_processes(slope, 2, torch.ones(2))[1].tolist() == [4.0, 4.0]


def test_an_error_in_one_ends_all_and_is_told_with_its_lines(way, left):
    def fails():
        if dist.get_rank() == 1:
            raise ValueError("no such thing")
        dist.recv(torch.zeros(1), src=1)

    begin = time.monotonic()
    with pytest.raises(ProcessError, match=r"^rank 1 of 3 stopped with ValueError: no such thing") as caught:
        run_processes(fails, 3)
    assert 'raise ValueError("no such thing")' in str(caught.value)
    assert _rank.__file__ not in str(caught.value)
    assert time.monotonic() - begin < 30  # and not the 60 s for which the others would wait
    assert left() == []


def test_waiting_for_one_another_ends_with_who_and_where(way, left):
    def all_send_first():
        rank, count = dist.get_rank(), dist.get_world_size()
        dist.send(torch.zeros(1), dst=(rank + 1) % count)
        dist.recv(torch.zeros(1), src=(rank - 1) % count)

    line = all_send_first.__code__.co_firstlineno + 2
    with pytest.raises(ProcessError, match=r"^ranks 0, 1, 2 of 3 were not done after 0.5 s: ") as caught:
        run_processes(all_send_first, 3, timeout=0.5)
    for rank in range(3):
        assert f"rank {rank} in line {line} of all_send_first" in str(caught.value)
    assert left() == []


def test_one_that_never_ends_is_named_alone(way):
    def loops():
        while dist.get_rank() == 1:
            pass

    with pytest.raises(
        ProcessError, match=r"^rank 1 of 2 was not done after 0.5 s: rank 1 in line \d+ of loops"
    ):
        run_processes(loops, 2, timeout=0.5)


@pytest.mark.parametrize(
    ("ends", "said"),
    [(lambda: os._exit(3), "exit status 3"), (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL")],
)
def test_one_that_is_gone_is_named(way, ends, said):
    def work():
        if dist.get_rank() == 1:
            ends()
        dist.recv(torch.zeros(1), src=1)

    with pytest.raises(ProcessError, match=rf"^rank 1 of 2 ended without a result \({said}\)$"):
        run_processes(work, 2)


def test_sys_exit_is_an_error_too(way):
    with pytest.raises(ProcessError, match="rank 0 of 1 stopped with SystemExit: 2"):
        run_processes(sys.exit, 1, 2)


def test_a_result_that_cannot_be_sent_is_told(way):
    with pytest.raises(ProcessError, match="the result, a generator, cannot be sent"):
        run_processes(lambda: (x for x in "ab"), 1)


def test_one_that_is_done_early_stays_until_the_others_are(way):
    def work():
        if dist.get_rank() == 0:
            return dist.isend(torch.full((3,), 7.0), dst=1).wait()
        time.sleep(0.3)
        got = torch.zeros(3)
        dist.recv(got, src=0)
        return got

    assert run_processes(work, 2)[1].tolist() == [7.0] * 3


@pytest.mark.usefixtures("no_shape_check")
def test_it_says_how_it_is_called():
    with pytest.raises(TypeError, match="expects a function to call in each process, got int: pass its name"):
        run_processes(3, 2)
    with pytest.raises(ValueError, match="expects 1 to 64 processes, got 0"):
        run_processes(place, 0)
    with pytest.raises(ValueError, match="expects a timeout above 0 seconds, got 0"):
        run_processes(place, 1, timeout=0)


SCRIPT = """
    import time
    import torch
    from dlcourse.distributed._processes import run_processes, _context

    class Own:  # of this script, which processes do not run again
        def __init__(self, number):
            self.number = number

    def work(own):
        from torch import distributed
        distributed.barrier()
        {inside}
        return own.number + distributed.get_rank()

    print(_context().get_start_method(), flush=True)
    print(run_processes(work, 2, Own(5)), flush=True)
"""


def script(tmp_path, *, inside="pass", threads):
    """Start a script in which NumPy has threads of its own, or none."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT).format(inside=inside))
    return subprocess.Popen(
        [sys.executable, str(path)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_functions_and_classes_of_a_script_or_a_cell_work(tmp_path, threads):
    said, _ = script(tmp_path, threads=threads).communicate(timeout=60)
    assert said.split("\n")[1:] == ["[5, 6]", ""]  # the script ran once


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_one_that_started_them_is_ended(tmp_path, threads, how):
    """By Ctrl-C, which all processes of a terminal hear, and by a signal that nobody can answer."""
    begun = tmp_path / "begun"
    inside = f"open({str(begun)!r} + str(distributed.get_rank()), 'w').close(); time.sleep(60)"
    started = script(tmp_path, inside=inside, threads=threads)
    _until(lambda: all((tmp_path / f"begun{rank}").exists() for rank in range(2)), 60)
    if how == signal.SIGINT:
        os.killpg(started.pid, how)
    else:
        started.kill()
    assert started.wait(30) != 0
    _until(lambda: not _alive(started.pid), 30)
    assert _alive(started.pid) == []
    started.stdout.close()


def _alive(group):
    rows = subprocess.run(
        ["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    return [row for row in rows.splitlines() if row.split()[0] == str(group) and "Z" not in row.split()[1]]


def test_without_torch_it_says_so():
    code = "import sys; sys.modules['torch'] = None\nimport dlcourse.distributed\nimport dlcourse.distributed._processes"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "TorchMissingError: This part of the course computes with PyTorch" in done.stderr.splitlines()[-1]
