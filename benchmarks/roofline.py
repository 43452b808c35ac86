"""Where is the roof of this machine? Peak, bandwidth and a layer, with NumPy, PyTorch, and a GPU if there is one.

    python benchmarks/roofline.py [--quick] [--json] [--threads N]

Everything is float32. A limit is what a machine reaches at its best, so the fastest of several rounds counts, not the
median. The chapter "Why a GPU?" explains what is measured and draws it.
"""

from __future__ import annotations

import argparse
import json
import os

BATCHES = (1, 16, 256)
PEAK, COPY, CALL = "largest matrix product [GFLOP/s]", "copy [GB/s]", "the smallest work [µs]"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--threads", type=int, default=1, help="cores of the processor to use (default: 1)")
    return parser.parse_args()


def measure(quick: bool, threads: int) -> list[dict[str, object]]:
    """Measure each library; rows in the form that all benchmarks here have, with the speed beside the seconds."""
    from dlcourse.gpus import torch_missing
    from dlcourse.gpus.parallelism import (
        libraries,
        linear_flops,
        measure_call,
        measure_layer,
        measure_machine,
    )

    if not torch_missing():
        from dlcourse.gpus._device import torch

        torch.set_num_threads(threads)
    n, at_most = 2048, 0.1 if quick else 1.0
    rows: list[dict[str, object]] = []
    first: dict[str, float] = {}
    for library in libraries():
        machine = measure_machine(library, at_most=at_most)
        call = measure_call(library, at_most=at_most)
        # Seconds for one TFLOP, one GB, and one call: less is faster, as in the other tables.
        found = {
            PEAK: (1e12 / machine.peak, machine.peak / 1e9),
            COPY: (1e9 / machine.bandwidth, machine.bandwidth / 1e9),
        }
        found[CALL] = (call, call * 1e6)
        for batch, speed in zip(
            BATCHES, measure_layer(library, BATCHES, n=n, layers=4, at_most=at_most), strict=True
        ):
            seconds = linear_flops(batch, n, n) / speed
            found[f"layer of {n:,} units, batch {batch} [GFLOP/s]"] = (seconds, speed / 1e9)
        for case, (seconds, shown) in found.items():
            ratio = seconds / first.setdefault(case, seconds)
            rows.append(
                {"case": case, "peer": library.name, "seconds": seconds, "ratio": ratio, "value": shown}
            )
    return rows


def main() -> None:
    """Measure and print."""
    asked = arguments()
    # Before NumPy is imported: afterwards its threads are there.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked.threads)
    rows = measure(asked.quick, asked.threads)
    from dlcourse.gpus._machine import processor

    machine = f"{processor()}, {asked.threads} of {os.cpu_count()} cores"
    if asked.json:
        print(json.dumps({"machine": machine, "rows": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "case", "library and device", "value", "time, NumPy = 1", title=f"Roofline, float32: {machine}"
    )
    for row in sorted(rows, key=lambda row: str(row["case"])):
        table.add_row(str(row["case"]), str(row["peer"]), f"{row['value']:,.1f}", f"{row['ratio']:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
