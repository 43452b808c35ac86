"""How fast is our NumPy engine beside what one would take instead?

    python benchmarks/engine.py [--quick] [--json] [--only WORD]

The same work, float32, one thread on one core: an epoch of the shipped digits with Adam, value and gradient of a small
and of a middle-sized network, and micrograd's training step. Each peer lives in a process of its own and waits there; the
rounds go from one to the next in turn. Before anything is timed, the first round of each must give the same numbers
as ours. A ratio is the median over the rounds of a peer's seconds divided by ours in the same round: where the machine
is busy, the ratios hold and the seconds do not. Peers that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _engine_peers import CASES, EPOCH, GRADIENT, MIDDLE, SCALAR, SMALL, STEPS
from rich.console import Console
from rich.table import Table

WORKER = Path(__file__).with_name("_engine_peers.py")
ROOT = WORKER.parents[1]
OFF = f"{SCALAR}, garbage collector off"
SMALL_CASE, MIDDLE_CASE = (GRADIENT.format(size, *units) for size, units in (SMALL, MIDDLE))
# How far from ours the numbers of a first round may lie: an epoch adds up the rounding of 31 steps.
CLOSE = {EPOCH: 2e-3, STEPS: 2e-3, SMALL_CASE: 1e-4, MIDDLE_CASE: 1e-4, SCALAR: 1e-9, OFF: 1e-9}


class Goal(NamedTuple):
    """What share of another's time ours may take."""

    case: str
    ours: str
    other: str
    share: float
    limit: str


GOALS = (
    Goal(EPOCH, "FusedMLP", "torch eager", 0.65, "matrix products and our Adam"),
    Goal(EPOCH, "TensorMLP", "FusedMLP", 1.05, ""),
    Goal(SMALL_CASE, "Tensor", "HIPS autograd", 0.15, "FusedMLP"),
    Goal(MIDDLE_CASE, "Tensor", "HIPS autograd", 0.45, "FusedMLP"),
    Goal(SCALAR, "Value", "micrograd", 0.10, ""),
    Goal(OFF, "Value", "micrograd", 0.30, ""),
)


QUIET = {"Keras (TensorFlow)"}  # TensorFlow tells about the processor on standard error, whatever it is asked


class Worker:
    """A peer in its own process."""

    def __init__(self, case: str, peer: str):
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), case, peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if peer in QUIET else None,
            text=True,
            env=os.environ | threads | {"PYTHONPATH": path},
        )

    def answer(self) -> dict[str, Any]:
        """Wait for the next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a peer ended with status {self.process.wait()}; what it said stands above")
        return json.loads(line)

    def seconds(self) -> float:
        """Let it take a round."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()["seconds"]

    def end(self) -> None:
        """Close its input, at which it leaves."""
        self.process.communicate()


def measure(case: str, rounds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Let all peers of a case take turns; return their seconds a round, and the names of those that are missing."""
    workers, missing, ours = {}, [], []
    try:
        for peer in CASES[case]:  # one after the other: starting is work, too
            worker = Worker(case, peer)
            first = worker.answer()
            if "missing" in first:
                missing.append(peer)
                worker.end()
                continue
            workers[peer] = worker
            numbers = first["numbers"]
            ours = ours or numbers
            if numbers:
                np.testing.assert_allclose(numbers, ours, rtol=CLOSE[case], err_msg=f"{peer}: {case}")
        seconds: dict[str, list[float]] = {peer: [] for peer in workers}
        for _ in range(rounds):
            for peer, worker in workers.items():
                seconds[peer].append(worker.seconds())
    finally:
        for worker in workers.values():
            worker.end()
    return seconds, missing


def ratio(one: list[float], other: list[float]) -> float:
    """Return the median of the paired ratios."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def verdicts(case: str, seconds: dict[str, list[float]]) -> list[str]:
    """Say which goals were met."""
    said = []
    for goal in GOALS:
        if goal.case != case or goal.ours not in seconds or goal.other not in seconds:
            continue
        share = ratio(seconds[goal.ours], seconds[goal.other])
        limit = (
            f", limit {ratio(seconds[goal.limit], seconds[goal.other]):.2f} ({goal.limit})"
            if goal.limit in seconds
            else ""
        )
        met = "met" if share <= goal.share else "not met"
        said.append(
            f"{goal.ours} takes {share:.2f} of the time of {goal.other}; goal {goal.share:.2f}{limit}: {met}."
        )
    return said


def main() -> None:
    """Measure, and print a table a case, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three rounds instead of eleven")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases with this word in their name")
    options = parser.parse_args()
    rounds = 3 if options.quick else 11
    if hasattr(
        os, "sched_setaffinity"
    ):  # one core for all that is started from here: nobody gets a second thread
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = f"{platform.machine()}, one core, Python {platform.python_version()}, NumPy {np.__version__}"
    console, rows = Console(width=100, stderr=options.json), []
    for case in CASES:
        if options.only not in case:
            continue
        seconds, missing = measure(case, rounds)
        ours = next(iter(seconds.values()))
        found = [
            {"case": case, "peer": peer, "seconds": statistics.median(times), "ratio": ratio(times, ours)}
            for peer, times in seconds.items()
        ]
        rows += found
        if options.json:
            continue
        console.print(
            f"[bold]{case}[/bold]\n{machine}; medians of {rounds} alternating rounds", highlight=False
        )
        table = Table()
        table.add_column("peer", no_wrap=True)
        table.add_column("median", justify="right")
        table.add_column("time / ours", justify="right")
        for row in found:
            table.add_row(row["peer"], f"{1000 * row['seconds']:.1f} ms", f"{row['ratio']:.2f}")
        console.print(table)
        for sentence in verdicts(case, seconds):
            console.print(sentence)
        if missing:
            console.print(f"Not installed, left out: {', '.join(missing)}.")
        console.print()
    if options.json:
        json.dump({"machine": machine, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
