"""What does each rank hold, at most and between two steps, in the stages of ZeRO and with FSDP?

    python benchmarks/sharding.py [--ranks 4] [--json]            on this machine's processor, with gloo
    torchrun --nproc-per-node=8 benchmarks/sharding.py [--json]   on GPUs, one process each, with NCCL

The same network, batch and optimizer everywhere; on GPUs it is as large as makes sense there. What is held between two
steps is counted array by array. The most that is held is asked of the allocator, which only a GPU has. The chapter
"Sharding" explains what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from itertools import pairwise
from typing import Any

STEPS = 5


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ranks", type=int, default=4, help="how many processes, without torchrun")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser.parse_args()


def measure() -> list[dict[str, Any]]:
    """Train in each way, in a process that knows the others; what this rank holds, and the seconds of a step."""
    from dlcourse.distributed.sharding import ShardedMLP, fully_sharded, state_bytes, state_held
    from dlcourse.gpus._device import name, synchronize, torch

    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    on_gpus = torch.distributed.get_backend() == "nccl"
    where = torch.device("cuda", torch.cuda.current_device()) if on_gpus else torch.device("cpu")
    wide = 8192 if on_gpus else 512
    sizes = (784, wide, wide, wide, 10)
    count = sum((a + 1) * b for a, b in pairwise(sizes))
    chance = torch.Generator().manual_seed(rank)
    x = torch.rand(64, 784, generator=chance).to(where)
    labels = torch.randint(0, 10, (64,), generator=chance).to(where)

    def layers() -> list[tuple[torch.Tensor, torch.Tensor]]:
        torch.manual_seed(0)
        return [
            (torch.randn(a, b, device=where) * (2 / a) ** 0.5, torch.zeros(b, device=where))
            for a, b in pairwise(sizes)
        ]

    def network() -> torch.nn.Module:
        torch.manual_seed(0)
        parts = [[torch.nn.Linear(a, b, device=where), torch.nn.ReLU()] for a, b in pairwise(sizes)]
        return torch.nn.Sequential(*[part for pair in parts for part in pair][:-1])

    found = []
    for way in ("stage 0", "stage 1", "stage 2", "stage 3", "FSDP"):
        if on_gpus:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(where)
        stage = 3 if way == "FSDP" else int(way[-1])
        if way == "FSDP":
            module = fully_sharded(network())
            optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

            def step(module: Any = module, optimizer: Any = optimizer) -> None:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(module(x), labels).backward()
                optimizer.step()

        else:
            model = ShardedMLP(layers(), stage=stage)

            def step(model: Any = model) -> None:
                model.step(x, labels)

        step()
        synchronize(where)
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        synchronize(where)
        seconds = (time.perf_counter() - start) / STEPS
        held = state_held(module, optimizer) if way == "FSDP" else model.held()
        row = {"case": way, "held": held.total, "predicted": state_bytes(count, ranks, stage).total}
        peak = torch.cuda.max_memory_allocated(where) if on_gpus else None
        found.append(row | {"peak": peak, "seconds": seconds, "device": name(where), "ranks": ranks})
        del step
        module = optimizer = model = None  # type: ignore[assignment]  # what is held goes before the next way
    return found


def main() -> None:
    """Measure, and print a table or JSON."""
    asked = arguments()
    from dlcourse.gpus._device import torch

    if "TORCHELASTIC_RUN_ID" in os.environ:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        rows, first = measure(), torch.distributed.get_rank() == 0
        torch.distributed.destroy_process_group()
        if not first:
            return
    else:
        from dlcourse.distributed._processes import run_processes

        rows = run_processes(measure, asked.ranks, timeout=300.0)[0]
    if asked.json:
        print(json.dumps({"machine": rows[0]["device"], "rows": rows}))
        return
    print(f"{rows[0]['ranks']} ranks, each on {rows[0]['device']}; MB of rank 0")
    print(f"{'':8} {'held':>10} {'predicted':>10} {'at most':>10} {'ms a step':>10}")
    for row in rows:
        peak = f"{row['peak'] / 1e6:10.1f}" if row["peak"] else f"{'-':>10}"
        print(
            f"{row['case']:8} {row['held'] / 1e6:10.3f} {row['predicted'] / 1e6:10.3f} {peak} "
            f"{1e3 * row['seconds']:10.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
