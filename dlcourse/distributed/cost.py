"""What a training run costs in time, energy and money, and how far more devices help.

The operations are counted (:func:`dlcourse.gpus.parallelism.run_flops`), and everything follows from them: the hours,
by the share of its peak that a device reaches; the energy and the money, by the hours; the checkpoints, by the failures.
More devices make it shorter, until they spend their time on telling one another what they found. All prices are yours to
give: the course knows none.
Chapter: book/distributed/cost.md. Sources: Kaplan et al. (2020); Young (1974); Daly (2006); Patarasuk and Yuan (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil, floor, inf, isinf
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dlcourse.distributed._published import RUNS, Published
from dlcourse.distributed._seconds import Number, Numbers, expect_ranks, ring_seconds, tree_seconds
from dlcourse.gpus._expect import expect_above_0, expect_positive, expect_share
from dlcourse.gpus.parallelism import run_flops

__all__ = [
    "HOUR",
    "RUNS",
    "Bill",
    "Cluster",
    "Published",
    "bill",
    "break_even",
    "checkpoint_interval",
    "energy_kwh",
    "finish_time",
    "ring_seconds",
    "run_flops",
    "run_seconds",
    "simulate_runs",
    "slowdown",
    "slowest",
    "step_seconds",
    "token_flops",
    "tree_seconds",
    "utilisation",
]

HOUR = 3600
"""Seconds of an hour."""


def token_flops(parameters: Number, layers: int, width: int, context: int) -> Number:
    r"""Count the operations that a transformer does for one token in training, with those of its attention.

    .. math:: 6 N + 12 \, L \, d \, T

    The first term is that of :func:`run_flops`. The second one is for comparing the token with the others in its context.

    Source: Chowdhery et al. (2023), appendix B.

    Args:
        parameters: how many weights there are, :math:`N`.
        layers: how many layers, :math:`L`.
        width: numbers that stand for a token in each layer, :math:`d`.
        context: how many tokens are seen at once, :math:`T`.

    Returns:
        Floating-point operations [FLOP].

    Example:
        >>> token_flops(124e6, layers=12, width=768, context=1024) / 1e6  # GPT-2
        857.246208
    """
    expect_above_0("token_flops", parameters=parameters)
    expect_positive("token_flops", layers=layers, width=width, context=context)
    return 6 * parameters + 12 * layers * width * context


def utilisation(parameters: Number, tokens: Number, device_seconds: Number, peak: Number) -> float:
    r"""Return which share of their peak the devices of a run have reached (model FLOPs utilisation, MFU).

    .. math:: u = \frac{6 N D}{t \cdot \text{peak}}

    Source: Chowdhery et al. (2023), who named it.

    Args:
        parameters: how many weights there are, :math:`N`.
        tokens: how many tokens or samples went through, :math:`D`.
        device_seconds: devices, times the seconds that each of them was busy, :math:`t`.
        peak: what one device can compute at most [FLOP/s].

    Returns:
        A share, 0 to 1.

    Raises:
        ValueError: if the share would be above 1: nothing computes faster than its peak.

    Example:
        >>> round(utilisation(70e9, 2e12, 1720320 * HOUR, 312e12), 2)  # Llama 2 70B on A100s
        0.43
    """
    expect_above_0("utilisation", device_seconds=device_seconds, peak=peak)
    share = run_flops(float(parameters), float(tokens)) / (device_seconds * peak)
    if share > 1:
        raise ValueError(
            f"utilisation expects less work than the peak allows, got {share:.3g} times as much: "
            "give the seconds of all devices together, and the peak in FLOP/s"
        )
    return float(share)


def run_seconds(flops: Number, devices: Number, peak: Number, share: Number) -> float:
    r"""Return how long a run takes in which nothing fails.

    .. math:: \frac{C}{n \, u \cdot \text{peak}}

    Args:
        flops: operations of the whole run, :math:`C`.
        devices: how many work on it, :math:`n`.
        peak: what one device can compute at most [FLOP/s].
        share: which share of it a device reaches, :math:`u`.

    Returns:
        Seconds.

    Example:
        >>> days = run_seconds(run_flops(175e9, 300e9), 1024, 312e12, 0.346) / HOUR / 24
        >>> round(days)  # OPT-175B; its authors say 33
        33
    """
    expect_above_0("run_seconds", flops=flops, devices=devices, peak=peak, share=share)
    expect_share("run_seconds", float(share))
    return float(flops / (devices * peak * share))


def energy_kwh(device_hours: Number, watts: Number, pue: Number = 1.0) -> float:
    r"""Return the energy that comes out of the socket.

    .. math:: \frac{\text{device hours} \cdot \text{watts}}{1000} \cdot \text{PUE}

    Args:
        device_hours: devices, times the hours that each of them was on.
        watts: what one device draws, with its share of its computer.
        pue: power usage effectiveness: what the whole building draws, for each watt of its computers; 1 at least.

    Returns:
        Kilowatt hours [kWh].

    Example:
        >>> energy_kwh(1082990, 400)  # BLOOM, without the building
        433196.0
    """
    expect_above_0("energy_kwh", device_hours=device_hours, watts=watts, pue=pue)
    if pue < 1:
        raise ValueError(
            f"energy_kwh expects pue from 1 on, got {pue}: the building draws what is in it at least"
        )
    return float(device_hours * watts / 1000 * pue)


def break_even(purchase: Number, price: Number, running: Number) -> float:
    r"""Return after how many hours of use a device of your own has cost as much as a rented one.

    .. math:: \frac{\text{purchase}}{\text{price} - \text{running}}

    Args:
        purchase: what it costs to buy.
        price: what an hour of a rented one costs.
        running: what an hour of your own one costs: power, cooling, a room, somebody who looks after it.

    Returns:
        Hours of use; infinity if an hour of your own one is no cheaper.

    Example:
        >>> break_even(20000, price=2.0, running=0.4)
        12500.0
    """
    expect_above_0("break_even", purchase=purchase, price=price)
    if running < 0:
        raise ValueError(f"break_even expects running costs from 0 on, got {running}")
    return float(purchase / (price - running)) if price > running else inf


def checkpoint_interval(write: Number, device_mtbf: Number, devices: Numbers) -> Numbers:
    r"""Return how much work to do between two checkpoints, so that the least time is lost.

    .. math:: \tau = \sqrt{2 \, \delta \, M}, \qquad M = \frac{m}{n}

    Source: Young (1974). It is the first order of Daly (2006), good where :math:`\delta` is much less than :math:`M`.

    Args:
        write: seconds that it takes to write a checkpoint, :math:`\delta`.
        device_mtbf: mean time between failures of one device [s], :math:`m`.
        devices: how many work on the run, :math:`n`, any shape. If one fails, all of them have to go back.

    Returns:
        Seconds of work, same shape.

    Example:
        >>> checkpoint_interval(60, device_mtbf=50_000 * HOUR, devices=1024) / 60  # minutes
        76.54655446197431
    """
    expect_above_0("checkpoint_interval", write=write, device_mtbf=device_mtbf)
    expect_ranks("checkpoint_interval", devices)
    interval = np.sqrt(2 * write * device_mtbf / devices)
    return interval if isinstance(devices, np.ndarray) else float(interval)


def slowdown(interval: Number, write: Number, restart: Number, mtbf: Number) -> float:
    r"""Return how many times longer than its work a run takes on average, with checkpoints and failures.

    .. math:: \frac{M}{\tau} \, e^{R / M} \left( e^{(\tau + \delta) / M} - 1 \right)

    Failures come at random, independently of one another. A restart and a checkpoint can fail, too.

    Source: Daly (2006).

    Args:
        interval: seconds of work between two checkpoints, :math:`\tau`.
        write: seconds that it takes to write one, :math:`\delta`.
        restart: seconds from a failure until the work goes on, :math:`R`.
        mtbf: mean time between failures of the whole run [s], :math:`M`.

    Returns:
        A factor, above 1; infinity where nearly no interval ever ends well.

    Example:
        >>> round(slowdown(1200, write=60, restart=300, mtbf=3 * HOUR), 3)
        1.145
    """
    _expect_failures("slowdown", interval, write, restart)
    expect_above_0("slowdown", mtbf=mtbf)
    with np.errstate(over="ignore"):
        return float(mtbf / interval * np.exp(restart / mtbf) * np.expm1((interval + write) / mtbf))


def finish_time(
    work: Number, interval: Number, write: Number, restart: Number, lifetimes: Iterable[Number]
) -> float:
    """Play one run through: it works, writes checkpoints, fails, goes back to the last one and starts again.

    Args:
        work: seconds that the run takes if it is never disturbed.
        interval: seconds of work between two checkpoints. One is written at the end, too.
        write: seconds that it takes to write one.
        restart: seconds from a failure until the work goes on.
        lifetimes: seconds from the beginning to the first failure, then from each failure to the next one.

    Returns:
        Seconds from the beginning to the end.

    Raises:
        ValueError: if the lifetimes end before the work does.

    Example:
        >>> finish_time(100, interval=40, write=5, restart=10, lifetimes=[60, 1000])
        140.0
    """
    _expect_failures("finish_time", interval, write, restart)
    expect_above_0("finish_time", work=work)
    pieces = ceil(work / interval)
    saved, clock = 0, 0.0
    ready: Number = 0
    for lifetime in lifetimes:
        needed = ready + (work - saved * interval) + (pieces - saved) * write
        if lifetime >= needed:
            return float(clock + needed)
        clock += float(lifetime)
        saved += max(0, floor((lifetime - ready) / (interval + write)))
        ready = restart
    raise ValueError(
        f"finish_time expects lifetimes until the work is done, got {saved} of {pieces} intervals: give more of them"
    )


def simulate_runs(
    work: Number,
    interval: Number,
    write: Number,
    restart: Number,
    mtbf: Number,
    *,
    runs: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, " runs"]:
    """Play many runs through, with failures drawn at random.

    Args:
        work: seconds that a run takes if it is never disturbed.
        interval: seconds of work between two checkpoints.
        write: seconds that it takes to write one.
        restart: seconds from a failure until the work goes on.
        mtbf: mean time between failures of the whole run [s].
        runs: how many to play.
        rng: draws the lifetimes, which are exponential: a run does not age.

    Returns:
        Seconds that each of them took, shape (runs,).

    Raises:
        ValueError: if nearly no interval would ever end well, so that a run would not end, either.

    Example:
        >>> took = simulate_runs(1e6, 1200, 60, 300, 3 * HOUR, runs=50, rng=np.random.default_rng(0))
        >>> round(float(took.mean()) / 1e6, 2)
        1.14
    """
    expect_positive("simulate_runs", runs=runs)
    expect_above_0("simulate_runs", mtbf=mtbf)
    if restart + interval + write > 12 * mtbf:
        raise ValueError(
            f"simulate_runs expects intervals that can end well, got one of {interval:g} s with a failure each "
            f"{mtbf:g} s: write checkpoints more often"
        )

    def lifetimes() -> Iterator[float]:
        while True:
            yield from rng.exponential(mtbf, 256).tolist()

    return np.array([finish_time(work, interval, write, restart, lifetimes()) for _ in range(runs)])


def step_seconds(
    devices: Numbers,
    compute: Numbers,
    size: Number,
    bandwidth: Number,
    latency: Number = 0.0,
    overlap: Number = 0.0,
    all_reduce: Callable[[Number, Numbers, Number, Number], Numbers] = ring_seconds,
) -> Numbers:
    r"""Return how long a step takes in which each device computes, and then all of them add up their gradients.

    .. math:: t_\text{compute} + \max(0,\; t_\text{all-reduce} - o \cdot t_\text{compute})

    The first gradients are ready while the others are still computed, so a part of the sending costs nothing.

    Args:
        devices: how many there are, any shape.
        compute: seconds that each of them computes, one number or the same shape.
        size: bytes of the gradients.
        bandwidth: bytes that a device can send in a second.
        latency: seconds until the first byte arrives.
        overlap: share :math:`o` of the computing during which gradients can be sent. The way back is 2/3 of a step.
        all_reduce: :func:`ring_seconds` or :func:`tree_seconds`.

    Returns:
        Seconds, same shape.

    Example:
        >>> step_seconds(np.array([1, 8, 64]), 0.5, 14e9, 50e9, overlap=0.5)
        array([0.5    , 0.74   , 0.80125])
    """
    expect_share("step_seconds", float(overlap))
    sending = all_reduce(size, devices, bandwidth, latency)
    seconds = compute + np.maximum(0, sending - overlap * compute)
    return seconds if isinstance(devices, np.ndarray) or isinstance(compute, np.ndarray) else float(seconds)


def slowest(devices: int, spread: Number, *, steps: int = 100, rng: np.random.Generator) -> float:
    """Return how many times longer than an average device the slowest one takes, on average over many steps.

    All of them wait for the last. The times are drawn log-normal with mean 1, each device and each step for itself.

    Args:
        devices: how many there are.
        spread: standard deviation of the logarithm of the times: 0.02 is about 2 %.
        steps: how many steps to draw.
        rng: draws the times.

    Returns:
        A factor, about 1 for one device.

    Example:
        >>> round(slowest(1024, 0.02, rng=np.random.default_rng(0)), 2)
        1.07
    """
    expect_positive("slowest", devices=devices, steps=steps)
    if spread < 0:
        raise ValueError(f"slowest expects a spread from 0 on, got {spread}")
    times = rng.lognormal(-(spread**2) / 2, spread, (steps, devices))
    return float(times.max(axis=1).mean())


class Cluster(NamedTuple):
    """The devices of a run, and what they cost; all of it is yours to give.

    Args:
        devices: how many work together.
        peak: what one can compute at most [FLOP/s].
        share: which share of it one reaches alone.
        efficiency: which part of this is left when all of them work together.
        watts: what one draws, with its share of its computer.
        pue: what the building draws for each watt of its computers.
        price: what an hour of one costs.
        mtbf: mean time between failures of one [s].
        write: seconds that it takes to write a checkpoint.
        restart: seconds from a failure until the work goes on.
    """

    devices: int
    peak: float
    share: float = 0.4
    efficiency: float = 1.0
    watts: float = 700.0
    pue: float = 1.2
    price: float = 2.0
    mtbf: float = inf
    write: float = 60.0
    restart: float = 300.0


class Bill(NamedTuple):
    """What a training run costs.

    Args:
        hours: from the beginning to the end.
        device_hours: those of all devices together.
        kwh: energy [kWh].
        money: in the currency of the price.
        interval: seconds of work between two checkpoints; infinity if nothing ever fails.
        slowdown: how many times longer it takes because of checkpoints and failures.
    """

    hours: float
    device_hours: float
    kwh: float
    money: float
    interval: float
    slowdown: float


def bill(flops: Number, cluster: Cluster) -> Bill:
    """Make the bill of a training run: hours, energy and money.

    Args:
        flops: operations of the whole run, from :func:`run_flops`.
        cluster: the devices, and what they cost.

    Returns:
        The bill, on average over what may fail.

    Example:
        >>> made = bill(run_flops(7e9, 140e9), Cluster(devices=8, peak=989e12, price=2.0))
        >>> f"{made.hours:.0f} hours, {made.kwh:.0f} kWh, {made.money:.0f} $"
        '516 hours, 3468 kWh, 8257 $'
    """
    expect_share("bill", cluster.efficiency)
    seconds = run_seconds(flops, cluster.devices, cluster.peak, cluster.share * cluster.efficiency)
    interval, factor = inf, 1.0
    if not isinf(cluster.mtbf):
        interval = float(checkpoint_interval(cluster.write, cluster.mtbf, cluster.devices))
        factor = slowdown(interval, cluster.write, cluster.restart, cluster.mtbf / cluster.devices)
    hours = seconds * factor / HOUR
    device_hours = hours * cluster.devices
    kwh = energy_kwh(device_hours, cluster.watts, cluster.pue)
    return Bill(hours, device_hours, kwh, device_hours * cluster.price, interval, factor)


def _expect_failures(function: str, interval: Number, write: Number, restart: Number) -> None:
    """Refuse an interval without work, and times below 0."""
    expect_above_0(function, interval=interval)
    for name, seconds in (("write", write), ("restart", restart)):
        if seconds < 0:
            raise ValueError(f"{function} expects {name} from 0 s on, got {seconds}")
