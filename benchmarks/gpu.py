"""What does a GPU reach with the code of this course, and beside what one would take instead?

    python benchmarks/gpu.py [--quick] [--json] [--only WORD] [--tune] [--tiny]

A GPT of 124 million parameters beside a loop as nanoGPT has it, the kernels of the chapter on Triton beside cuBLAS and
beside copying, the shipped digits to 98 %, and DDP on one rank beside the same loop without it. Two cases need no GPU
and are called CPU: `--only CPU` measures them anywhere. Each case has a process of its own; the peers take turns in it,
after their results were held equal. A ratio is the median over the rounds of a peer's seconds divided by ours in the
same round.

`--tiny` runs everything in small on the processor, the kernels in Triton's interpreter. It shows that the code works
and measures nothing. `--tune` also tries slower ways to compile the GPT. Without a GPU, and without these words, the
status is 3.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from dlcourse.gpus import torch_missing
from dlcourse.gpus._machine import PUBLISHED, processor

WORKER = Path(__file__).with_name("_gpu_cases.py")
ROOT = WORKER.parents[1]
TITLES = {
    "gpt": "GPT",
    "product": "matrix product",
    "softmax": "softmax",
    "linear": "fused linear",
    "digits": "digits to 98 %",
    "ddp": "DDP on one rank",
    "cpu": "TorchMLP on the CPU",
    "two": "DDP on 2 processes of the CPU",
}
"""The cases; `--only` looks for its word in here."""
ON_CPU, RANKS = ("cpu", "two"), {"ddp": 1, "two": 2}
INTERPRETED = ("product", "softmax", "linear")
NO_GPU, FAILED = 3, 1
NEEDS = (
    "This benchmark needs an NVIDIA GPU that PyTorch can use, and found none: run it where there is one, or take "
    "--only CPU for the two cases that need none, or --tiny to run everything in small."
)
Case = dict[str, Any]


class Goal(NamedTuple):
    """What a case is held to.

    Args:
        key: of the case.
        told: what is compared, as a sentence that takes the number found.
        found: takes that number from a case and the name of the device; ``None`` where it says nothing.
        least: the number should be this at least, or this at most where ``most`` is true.
        most: whether less is better.
    """

    key: str
    told: str
    found: Callable[[Case, str], float | None]
    least: float
    most: bool = False

    def met(self, number: float) -> bool:
        """Say whether a number is good enough."""
        return number <= self.least if self.most else number >= self.least


def ratio(case: Case, peer: str) -> float | None:
    """Return the median of the peer's seconds over ours, round by round; ``None`` if there is no such peer."""
    if peer not in case["seconds"]:
        return None
    ours = next(iter(case["seconds"].values()))
    return statistics.median(a / b for a, b in zip(case["seconds"][peer], ours, strict=True))


def seconds(case: Case) -> float:
    """Return our median."""
    return statistics.median(next(iter(case["seconds"].values())))


def share_of_peak(case: Case, device: str) -> float | None:
    """Return our share of the bfloat16 peak that is published for the device; ``None`` for one that is not known here."""
    for word, like in (
        ("H100", "H100"),
        ("H200", "H100"),
        ("A100", "A100"),
    ):  # the H200 has the cores of the H100
        if word in device:
            return next(iter(case["values"].values())) * 1e12 / PUBLISHED[like].peak
    return None


GOALS = (
    Goal(
        "gpt",
        "ours reaches {:.1%} of the published bfloat16 peak (989 TFLOP/s for an H100)",
        share_of_peak,
        0.50,
    ),
    Goal("gpt", "nanoGPT's loop takes {:.2f} of our time", lambda c, _: ratio(c, "nanoGPT's loop"), 1.0),
    Goal("product", "ours has {:.2f} of the speed of cuBLAS", lambda c, _: ratio(c, "cuBLAS"), 0.90),
    Goal("softmax", "ours has {:.2f} of the bandwidth of copying", lambda c, _: ratio(c, "copy"), 0.85),
    Goal("linear", "ours has {:.2f} of the bandwidth of copying", lambda c, _: ratio(c, "copy"), 0.85),
    Goal("digits", "training takes {:.2f} s", lambda c, _: seconds(c), 1.0, most=True),
    Goal("digits", "{:.1%} of new digits are right", lambda c, _: c["accuracy"], 0.98),
    Goal("ddp", "DDP has {:.3f} of the speed without it", lambda c, _: ratio(c, "plain"), 0.97),
    Goal("cpu", "torch's own loop takes {:.2f} of our time", lambda c, _: ratio(c, "torch's own loop"), 1.0),
)


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def run(key: str, options: argparse.Namespace, *, limit: float = 1200) -> dict[str, Any]:
    """Run a case in a process of its own, or in several started by torchrun; return what it says.

    Raises:
        RuntimeError: if it ends without an answer; what it said stands on standard error.
    """
    started = [sys.executable]
    if key in RANKS:
        started += ["-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={RANKS[key]}"]
        started += ["--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    asked = [f"--{name}" for name in ("quick", "tiny", "tune") if getattr(options, name)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    more = {"PYTHONPATH": path, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    if key in RANKS and sys.platform == "linux":
        more |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    if options.tiny:
        more["CUDA_VISIBLE_DEVICES"] = ""
        if key in INTERPRETED:
            more["TRITON_INTERPRET"] = "1"
    with subprocess.Popen(
        [*started, str(WORKER), key, *asked],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | threads | more,
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            raise RuntimeError(f"the case {TITLES[key]!r} took more than {limit:.0f} s") from None
        except BaseException:
            process.terminate()
            raise
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise RuntimeError(
            f"the case {TITLES[key]!r} ended with status {process.returncode}; what it said stands above"
        )
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def rows(case: Case, device: str) -> list[dict[str, Any]]:
    """List a case in the form that all benchmarks here have, with what was reached beside the seconds."""
    return [
        {
            "case": case["case"],
            "peer": peer,
            "device": device,
            "seconds": statistics.median(times),
            "ratio": ratio(case, peer),
            "value": case["values"][peer],
            "unit": case["unit"],
        }
        for peer, times in case["seconds"].items()
    ]


def verdicts(key: str, case: Case, device: str) -> list[dict[str, Any]]:
    """Compare a case with its goals."""
    found = []
    for goal in GOALS:
        number = goal.found(case, device) if goal.key == key else None
        if number is not None:
            found.append(
                {
                    "case": case["case"],
                    "told": goal.told.format(number),
                    "reached": number,
                    "goal": goal.least,
                    "met": goal.met(number),
                    "better": "less" if goal.most else "more",
                }
            )
    return found


def show(console: Console, case: Case, device: str, judged: list[dict[str, Any]]) -> None:
    """Print a table, and what it does not show."""
    rounds = len(next(iter(case["seconds"].values())))
    console.print(
        f"[bold]{case['case']}[/bold]\n{device}; medians of {rounds} alternating rounds", highlight=False
    )
    table = Table()
    table.add_column("peer", no_wrap=True)
    for title in ("median", case["unit"], "time / ours"):
        table.add_column(title, justify="right")
    for row in rows(case, device):
        time = f"{1000 * row['seconds']:,.2f} ms"
        table.add_row(row["peer"], time, f"{row['value']:,.1f}", f"{row['ratio']:.2f}")
    console.print(table)
    for sentence in case["said"]:
        console.print(sentence, highlight=False)
    for one in judged:
        sentence = one["told"][0].upper() + one["told"][1:]
        limit = "at most" if one["better"] == "less" else "at least"
        console.print(
            f"{sentence}; goal {limit} {one['goal']:g}: {'met' if one['met'] else 'not met'}.",
            highlight=False,
        )
    console.print()


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three rounds instead of eleven")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases with this word in their name")
    parser.add_argument("--tune", action="store_true", help="try slower ways to compile the GPT, too")
    parser.add_argument(
        "--tiny", action="store_true", help="everything in small on the CPU; measures nothing"
    )
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Measure, and print a table a case, or JSON; return the exit status."""
    options = arguments(given)
    chosen = [key for key, title in TITLES.items() if options.only.lower() in f"{key} {title}".lower()]
    if not chosen:
        print(
            f"no case has {options.only!r} in its name; there are: {', '.join(TITLES.values())}",
            file=sys.stderr,
        )
        return 2
    if missing := torch_missing():
        print(missing, file=sys.stderr)
        return NO_GPU
    if not options.tiny and not set(chosen) <= set(ON_CPU):
        import torch

        if not torch.cuda.is_available():
            print(NEEDS, file=sys.stderr)
            return NO_GPU
    console = Console(width=110, stderr=options.json)
    if options.tiny:
        console.print("Everything is tiny: this shows that the code works, and measures nothing.\n")
    table, judged_all, failed = [], [], []
    for key in chosen:
        try:
            answer = run(key, options)
        except RuntimeError as error:
            failed.append(str(error))
            console.print(f"{str(error)[0].upper()}{str(error)[1:]}.\n", highlight=False)
            continue
        for case in answer["cases"]:
            judged = [] if options.tiny else verdicts(key, case, answer["device"])
            table += rows(case, answer["device"])
            judged_all += judged
            if not options.json:
                show(console, case, answer["device"], judged)
    if options.json:
        machine = f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        found = {
            "machine": machine,
            "tiny": options.tiny,
            "rows": table,
            "goals": judged_all,
            "failed": failed,
        }
        json.dump(found, sys.stdout)
        print()
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
