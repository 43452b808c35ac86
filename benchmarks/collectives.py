"""How long does an all-reduce take: through one rank, around the ring, and by the library?

    torchrun --nproc-per-node=4 benchmarks/collectives.py [--quick] [--json]        on a CPU, over gloo
    torchrun --nproc-per-node=gpu benchmarks/collectives.py [--quick] [--json]      on all GPUs of a machine, over NCCL

On many machines, torchrun is given their number and an address where they meet (--nnodes, --rdzv-endpoint). The slowest
rank counts, and the median of the rounds. That all three ways give the same sum is asserted first. The chapter "What do
many machines tell one another?" explains what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

SIZES = (10, 1_000, 100_000, 1_000_000, 10_000_000)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="short tensors and few rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser.parse_args()


def measure(quick: bool) -> tuple[str, list[dict[str, object]]]:
    """Measure all ways on all sizes, in every rank at the same time."""
    from dlcourse.gpus._device import device, name, synchronize, torch

    torch.set_num_threads(1)
    import torch.distributed as dist

    from dlcourse.distributed.collectives import all_reduce, ring_all_reduce

    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    on_gpus = torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])
    where = device(f"cuda:{os.environ['LOCAL_RANK']}" if on_gpus else "cpu")
    if on_gpus:
        torch.cuda.set_device(where)
    dist.init_process_group("nccl" if on_gpus else "gloo")

    def library(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    ways = {"library": library, "around the ring": ring_all_reduce, "through one rank": all_reduce}
    rows: list[dict[str, object]] = []
    for size in SIZES[:3] if quick else SIZES:
        x = torch.full((size,), float(rank + 1), device=where)
        for peer, way in ways.items():
            assert torch.equal(way(x), torch.full_like(x, count * (count + 1) / 2)), peer
        seconds: dict[str, list[float]] = {peer: [] for peer in ways}
        for _ in range(3 if quick else 9):
            for peer, way in ways.items():
                dist.barrier()
                begin = time.perf_counter()
                way(x)
                synchronize(where)
                slowest = torch.tensor([time.perf_counter() - begin], device=where)
                dist.all_reduce(slowest, op=dist.ReduceOp.MAX)
                seconds[peer].append(slowest.item())
        first = statistics.median(seconds["library"])
        for peer, found in seconds.items():
            median = statistics.median(found)
            rows.append({"case": f"{4 * size:,} B", "peer": peer, "seconds": median, "ratio": median / first})
    machine = f"{count} x {name(where)}, {dist.get_backend()}"
    dist.destroy_process_group()
    return machine, rows


def main() -> None:
    """Print the table, in rank 0."""
    asked = arguments()
    if "RANK" not in os.environ:
        raise SystemExit("start this with torchrun: torchrun --nproc-per-node=4 benchmarks/collectives.py")
    machine, rows = measure(asked.quick)
    if os.environ["RANK"] != "0":
        return
    if asked.json:
        print(json.dumps({"machine": machine, "rows": rows}))
        return
    print(f"all-reduce of float32, {machine}")
    print(f"{'size':>14}  {'way':<18}{'ms':>10}{'ratio':>8}")
    for row in rows:
        milliseconds = 1000 * float(str(row["seconds"]))
        print(f"{row['case']:>14}  {row['peer']:<18}{milliseconds:10.3f}{float(str(row['ratio'])):8.2f}")


if __name__ == "__main__":
    main()
