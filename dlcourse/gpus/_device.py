"""The one place that chooses where tensors live, names it, and measures on it.

Everything in the torch half runs on a CPU in small, and with the same code on a GPU in full. ``torch`` is imported from
here (``from dlcourse.gpus._device import torch``), so that a machine without it gets a sentence that says what to do.
Chapter: book/gpus/parallelism.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from dlcourse.gpus._machine import TorchMissingError, processor, tidy, timed, torch_missing

try:
    import torch
except ModuleNotFoundError as missing:
    if missing.name != "torch":
        raise
    raise TorchMissingError(torch_missing(), name="torch") from None

__all__ = ["KINDS", "device", "name", "seconds", "synchronize", "torch"]

KINDS = ("auto", "cpu", "cuda", "mps")
"""What can be asked for: the best there is, this machine's processor, an NVIDIA or AMD GPU, an Apple GPU."""


def device(asked: str = "auto") -> torch.device:
    """Choose the device on which tensors live.

    Args:
        asked: ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"`` for a GPU if there is one and the CPU otherwise. A number
            may follow where there are several: ``"cuda:1"``.

    Returns:
        The device.

    Raises:
        ValueError: if there is no such kind of device, or this machine has none of it.

    Example:
        >>> device("cpu")
        device(type='cpu')
    """
    kind, colon, number = asked.partition(":")
    if kind not in KINDS or (colon and (kind == "auto" or not number.isdecimal())):
        raise ValueError(
            f"there is no device {asked!r}: choose one of {', '.join(KINDS)}, or cuda:0, cuda:1, ..."
        )
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind == "auto":
        return torch.device(next(k for k in ("cuda", "mps", "cpu") if there[k]))
    if not there[kind]:
        raise ValueError(
            f"device {asked!r} was asked for, but PyTorch finds none here: take auto or cpu, or install a driver and a "
            "PyTorch that fit together (torch.cuda.is_available() says whether they do)"
        )
    if int(number or 0) >= there[kind]:
        raise ValueError(
            f"device {asked!r} was asked for, but there are {there[kind]} of kind {kind}, counted from 0: "
            f"take {kind}:{there[kind] - 1} or less"
        )
    return torch.device(asked)


def name(where: torch.device | str) -> str:
    """Name a device as a figure's caption does: ``"Intel Xeon, one core"`` or ``"NVIDIA H100 80GB HBM3"``.

    Args:
        where: a device, or what :func:`device` understands.
    """
    where = device(where) if isinstance(where, str) else where
    if where.type == "cuda":
        return tidy(torch.cuda.get_device_name(where))
    if where.type == "mps":
        return f"GPU of {processor()}"
    if where.type != "cpu":
        return str(where)
    threads = torch.get_num_threads()
    return f"{processor()}, {'one core' if threads == 1 else f'{threads} cores'}"


def synchronize(where: torch.device) -> None:
    """Wait until a device has done all that it was given; a CPU always has."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)
    elif where.type == "mps":
        torch.mps.synchronize()


def seconds(
    work: Callable[[], object],
    where: torch.device,
    *,
    rounds: int = 9,
    at_most: float = 1.0,
    choose: Callable[[Sequence[float]], float] = statistics.median,
) -> float:
    """Measure how long something takes on a device, until it is really done: the median of several rounds.

    A GPU is given work faster than it does it, so a clock that does not wait measures how long asking takes.

    Args:
        work: what is measured, without arguments.
        where: the device that it runs on.
        rounds: how many rounds to take the median of, after one that warms up.
        at_most: stop after so many seconds, with as many rounds as were done by then.
        choose: makes one number of the rounds: the median, or ``min`` where a limit is looked for.

    Returns:
        Seconds of one call of ``work``.

    Example:
        >>> a = torch.ones(100, 100)
        >>> seconds(lambda: a @ a, device("cpu"), rounds=3) > 0
        True
    """
    return timed(work, wait=lambda: synchronize(where), rounds=rounds, at_most=at_most, choose=choose)
