"""What can be asked about this machine without PyTorch: its processor, how long things take, whether torch is there."""

from __future__ import annotations

import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_LEAST = 1e-3
"""Seconds that a measured round takes at least: shorter ones drown in the grain of the clock."""


class TorchMissingError(ImportError):
    """PyTorch is not installed; the message says how to get it."""


def torch_missing() -> str:
    """Say in a sentence that PyTorch is not installed; an empty text where it is. Nothing is imported."""
    if find_spec("torch") is not None:
        return ""
    return (
        "This part of the course computes with PyTorch, which is not installed here: "
        'install it with pip install "dlcourse[torch]". The chapters before this part need NumPy alone.'
    )


def processor() -> str:
    """Name the processor of this machine as its maker does, without trade marks."""
    found = ""
    if platform.system() == "Linux":
        facts = Path("/proc/cpuinfo")
        listed = facts.read_text(errors="replace") if facts.is_file() else ""
        match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", listed, re.MULTILINE)
        found = match[1] if match else ""
    elif platform.system() == "Darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return tidy(found or platform.processor() or platform.machine() or "unknown processor")


def tidy(name: str) -> str:
    """Leave out of a device's name what tells nothing: trade marks, the word CPU, the clock rate.

    Example:
        >>> tidy("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz")
        'Intel Xeon E5-2680 v4'
    """
    shorter = re.sub(r"\((?:R|TM|C)\)|®|™|@.*$", "", name.strip(), flags=re.IGNORECASE)
    shorter = re.sub(r"\b(?:CPU|Processor)\b", "", shorter)
    return " ".join(shorter.split()) or name.strip()


def timed(
    work: Callable[[], object],
    *,
    wait: Callable[[], object] = lambda: None,
    rounds: int = 9,
    at_most: float = 1.0,
    choose: Callable[[Sequence[float]], float] = statistics.median,
) -> float:
    """Measure how long something takes: the median of several rounds, after one that warms up.

    Work that is shorter than a millisecond is repeated within a round.

    Args:
        work: what is measured, without arguments.
        wait: waits until the device is done; a GPU goes on working after ``work`` has returned.
        rounds: how many rounds to take the median of.
        at_most: stop after so many seconds, with as many rounds as were done by then, and one at least.
        choose: makes one number of the rounds: the median, or ``min`` where a limit is looked for, since other
            programs on the machine can only make a round slower.

    Returns:
        Seconds of one call of ``work``.

    Raises:
        ValueError: if no round is asked for.
    """
    if rounds < 1:
        raise ValueError(
            f"timed expects at least 1 round, got {rounds}: a median needs something to be the median of"
        )

    def once(repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        wait()
        return (time.perf_counter() - start) / repeats

    begun = time.perf_counter()
    once(1)
    repeats = 1
    while (took := once(repeats)) * repeats < _LEAST:
        repeats *= 2
    measured = [took]
    while len(measured) < rounds and time.perf_counter() - begun < at_most:
        measured.append(once(repeats))
    return choose(measured)


class Machine(NamedTuple):
    """The two speeds that limit a computer, as the roofline model sees it.

    Args:
        name: what to call it in a figure.
        peak: how much it can compute [FLOP/s].
        bandwidth: how much its memory can bring and take [byte/s].
        measured: whether it was measured here; otherwise its maker published the numbers.

    Example:
        >>> Machine("a core", peak=100e9, bandwidth=20e9).ridge
        5.0
    """

    name: str
    peak: float
    bandwidth: float
    measured: bool = True

    @property
    def ridge(self) -> float:
        """The arithmetic intensity from which on it is busy computing, not waiting for its memory [FLOP/byte]."""
        return self.peak / self.bandwidth

    def seconds(self, flops: float | int, moved: float | int) -> float:
        r"""Return how long work takes at least: the time of the arithmetic or that of the bytes, whatever is longer.

        .. math:: \max\Bigl( \frac{\text{flops}}{\text{peak}}, \frac{\text{moved}}{\text{bandwidth}} \Bigr)

        A machine computes while the next numbers are on their way, so the two times do not add up.

        Args:
            flops: floating-point operations.
            moved: bytes between the memory and the cores.

        Example:
            >>> Machine("a core", peak=100e9, bandwidth=20e9).seconds(1e9, 1e9)
            0.05
        """
        return max(flops / self.peak, moved / self.bandwidth)


PUBLISHED = {
    "A100": Machine("A100 SXM 80 GB, bfloat16", 312e12, 2.039e12, measured=False),
    "A100 float32": Machine("A100 SXM 80 GB, float32", 19.5e12, 2.039e12, measured=False),
    "H100": Machine("H100 SXM 80 GB, bfloat16", 989e12, 3.35e12, measured=False),
    "H100 float32": Machine("H100 SXM 80 GB, float32", 67e12, 3.35e12, measured=False),
}
"""What NVIDIA publishes (data sheets of the A100, 2021, and of the H100, 2022), for dense matrices; not measured here."""
