"""What does sharing cost? DDP on one rank against the plain loop, and two processes on this machine against one.

    python benchmarks/data_parallel.py [--quick] [--json] [--device auto|cpu|cuda]

The same network, batch and optimizer everywhere; equal parameters are asserted before anything is timed. Efficiency is
the samples a second of all ranks, divided by the ranks times those of the plain loop on one. Each rank has a batch of its
own. With two GPUs or more the two ranks compute there, otherwise on the processor, one core each. The chapter "Sharing
the batch" explains what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any

GOAL = 0.97
"""Efficiency of DDP on one rank, on a GPU: it has nobody to send to, and should cost next to nothing."""
PLAIN, DDP, HAND = "plain loop", "DDP", "by hand, one message"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser.parse_args()


class Loop:
    """One way to train: a network, an optimizer, a batch of this rank, and a step."""

    def __init__(self, way: str, device: str, rank: int = 0) -> None:
        import numpy as np

        from dlcourse.distributed.data_parallel import DistributedDataParallel
        from dlcourse.gpus._device import torch
        from dlcourse.gpus._torch_mlp import TorchMLP
        from dlcourse.training.initialization import initialize

        wide, batch = (4096, 8192) if device.startswith("cuda") else (512, 512)
        sizes = (784, wide, wide, wide, 10)
        net = initialize(sizes, "he", output="class", rng=np.random.default_rng(0), dtype=np.float32)
        self.module: Any = TorchMLP(net, device=device).module
        self.parameters = list(self.module.parameters())
        self.hand = way == HAND
        self.batch, self.device = batch, torch.device(device)
        if way == DDP:
            on = [self.device] if self.device.type == "cuda" else None
            self.module = DistributedDataParallel(self.module, device_ids=on, gradient_as_bucket_view=True)
        self.optimizer = torch.optim.SGD(self.parameters, lr=0.01)
        chance = torch.Generator().manual_seed(rank)
        self.x = torch.rand(batch, 784, generator=chance).to(self.device)
        self.y = torch.randint(0, 10, (batch,), generator=chance).to(self.device)

    def steps(self, count: int) -> None:
        """Take steps, and wait until they are done."""
        from dlcourse.distributed.data_parallel import average_gradients
        from dlcourse.gpus._device import synchronize, torch

        for _ in range(count):
            self.optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(self.module(self.x), self.y).backward()
            if self.hand:
                average_gradients([p.grad for p in self.parameters if p.grad is not None])
            self.optimizer.step()
        synchronize(self.device)

    def seconds(self, count: int) -> float:
        """Return the time of one step."""
        start = time.perf_counter()
        self.steps(count)
        return (time.perf_counter() - start) / count


def one_rank(device: str, rounds: int, steps: int) -> dict[str, list[float]]:
    """Measure the plain loop and DDP with nobody to send to, in turn."""
    from dlcourse.distributed.data_parallel import backend, distributed
    from dlcourse.gpus._device import torch

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group(backend(device), store=distributed.HashStore(), rank=0, world_size=1)
    try:
        loops = {way: Loop(way, device) for way in (PLAIN, DDP)}
        for loop in loops.values():
            loop.steps(3)
        for mine, theirs in zip(loops[PLAIN].parameters, loops[DDP].parameters, strict=True):
            torch.testing.assert_close(mine, theirs)
        found: dict[str, list[float]] = {way: [] for way in loops}
        for number in range(rounds):
            for way in list(loops)[:: 1 if number % 2 else -1]:
                found[way].append(loops[way].seconds(steps))
    finally:
        distributed.destroy_process_group()
    return found


def two_ranks(rounds: int, steps: int, kind: str = "cpu") -> dict[str, list[float]]:
    """Measure rank 0 alone, and then both together, in turn; called on each of two ranks.

    Args:
        rounds: how many.
        steps: of each round.
        kind: ``"cpu"`` or ``"cuda"``.

    Returns:
        Seconds of a step in each round: of the slower rank, where both work.
    """
    from dlcourse.distributed.data_parallel import distributed, rank_device, spread, world
    from dlcourse.gpus._device import torch

    rank, device = world()[0], rank_device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    plain, *together = (Loop(way, device, rank) for way in (PLAIN, DDP, HAND))
    for loop in together:
        loop.steps(3)
        assert spread(loop.parameters) == 0, "the ranks have different networks"
    for p, q in zip(*(loop.parameters for loop in together), strict=True):
        torch.testing.assert_close(p, q)
    plain.steps(3)
    found: dict[str, list[float]] = {PLAIN: [], DDP: [], HAND: []}
    for _ in range(rounds):
        distributed.barrier()
        alone = plain.seconds(steps) if rank == 0 else 0.0
        found[PLAIN].append(alone)
        for way, loop in zip((DDP, HAND), together, strict=True):
            distributed.barrier()
            slower = torch.tensor(loop.seconds(steps), device=device)
            distributed.all_reduce(slower, distributed.ReduceOp.MAX)
            found[way].append(slower.item())
    return found


def on_two_gpus(rank: int, folder: str, rounds: int, steps: int, answers: Any) -> None:
    """Be one of two ranks with a GPU each: :func:`run_processes` has gloo alone."""
    from dlcourse.distributed.data_parallel import distributed

    os.environ["LOCAL_RANK"] = str(rank)
    distributed.init_process_group("nccl", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = two_ranks(rounds, steps, "cuda")
    distributed.destroy_process_group()
    if rank == 0:
        answers.put(found)


def table(case: str, found: dict[str, list[float]], ranks: int) -> list[dict[str, Any]]:
    """Make the rows of one case: efficiency is the median over the rounds of plain / way, for a batch on each rank."""
    rows = []
    for way, seconds in found.items():
        ratio = statistics.median(s / p for s, p in zip(seconds, found[PLAIN], strict=True))
        count = 1 if way == PLAIN else ranks
        rows.append(
            {
                "case": case,
                "peer": f"{way}, {count} rank{'s' if count > 1 else ''}",
                "seconds": statistics.median(seconds),
                "ratio": ratio,
                "efficiency": 1 / ratio,
            }
        )
    return rows


def measure(asked: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """Measure both cases; rows, and the devices."""
    import tempfile

    from dlcourse.distributed._processes import run_processes
    from dlcourse.distributed.data_parallel import rank_device
    from dlcourse.gpus import _device
    from dlcourse.gpus._device import torch

    torch.set_num_threads(1)
    rounds = 3 if asked.quick else 15
    steps = 2 if asked.quick else 5
    # Processes are started before this one has threads or a GPU in use.
    gpus = torch.cuda.device_count() if asked.device != "cpu" else 0
    if gpus >= 2:
        context = torch.multiprocessing.get_context("spawn")
        answers = context.SimpleQueue()
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(on_two_gpus, (folder, rounds, steps, answers), nprocs=2)
            both = answers.get()
        pair = f"2 of {gpus} × {_device.name('cuda:0')}"
    else:
        both = run_processes(two_ranks, 2, rounds, steps, timeout=900.0)[0]
        pair = f"{_device.name('cpu')} each"
    device = rank_device(asked.device)
    alone = one_rank(device, rounds, steps if device == "cpu" else 10 * steps)
    where = _device.name(device)
    rows = table("one rank", alone, 1) + table("two ranks", both, 2)
    return rows, [where, pair]


def main() -> None:
    """Measure and print."""
    asked = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    rows, devices = measure(asked)
    if asked.json:
        print(json.dumps({"machine": "; ".join(devices), "rows": rows}))
        return
    for case, device in zip(("one rank", "two ranks"), devices, strict=True):
        print(f"{case}: {device}")
    print(f"\n{'case':10} {'':28} {'a step':>10} {'efficiency':>11}  goal")
    for row in rows:
        goal = f"{GOAL:.2f}" if row["peer"].startswith(f"{DDP}, 1") and "core" not in devices[0] else ""
        print(
            f"{row['case']:10} {row['peer']:28} {1000 * row['seconds']:7.2f} ms {row['efficiency']:11.2f}  {goal}"
        )


if __name__ == "__main__":
    main()
