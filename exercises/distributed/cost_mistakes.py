"""Classic mistakes of the exercise ``distributed/cost``, each with what its author must be told.

Each costs the points of its own task only.
"""

from dlcourse.checks import Mistake

SHARE = {"utilisation_check": 1, "utilisation_hidden": 1}
ENERGY = {"energy_kwh_check": 1, "energy_kwh_hidden": 1}
EVEN = {"break_even_check": 1, "break_even_hidden": 1}
INTERVAL = {"checkpoint_interval_check": 2, "checkpoint_interval_hidden": 2}
FAILS = {"finish_time_check": 2, "finish_time_hidden": 2}
BOTH = {"finish_time_check": 3, "finish_time_hidden": 3}
STEP = {"step_seconds_check": 2, "step_seconds_hidden": 3}


def _share(name: str, formula: str, told: str) -> Mistake:
    code = f"def utilisation(parameters, tokens, device_seconds, peak):\n    return {formula}\n"
    return Mistake("utilisation", name, code, SHARE, told)


def _energy(name: str, formula: str, told: str) -> Mistake:
    code = f"def energy_kwh(device_hours, watts, pue):\n    return {formula}\n"
    return Mistake("energy_kwh", name, code, ENERGY, told)


def _even(name: str, formula: str, told: str, never: str = "np.inf") -> Mistake:
    code = (
        "def break_even(purchase, price, running):\n"
        "    if price <= running:\n"
        f"        return {never}\n"
        f"    return {formula}\n"
    )
    return Mistake("break_even", name, code, EVEN, told)


def _interval(name: str, formula: str, told: str) -> Mistake:
    code = f"def checkpoint_interval(write, device_mtbf, devices):\n    return {formula}\n"
    return Mistake("checkpoint_interval", name, code, INTERVAL, told)


def _finish(
    name: str,
    told: str,
    loses: dict[str, float] = FAILS,
    *,
    left: str = "work - saved * interval + (pieces - saved) * write",
    clock: str = "clock + lifetime",
    saved: str = "saved + max(0, (lifetime - waits) // (interval + write))",
    waits: str = "restart",
    first: str = "0",
    lives: str = "lifetimes",
    done: str = "clock + waits + left",
) -> Mistake:
    code = (
        "def finish_time(work, interval, write, restart, lifetimes):\n"
        "    pieces = np.ceil(work / interval)\n"
        f"    saved, clock, waits = 0, 0.0, {first}\n"
        f"    for lifetime in {lives}:\n"
        f"        left = {left}\n"
        "        if lifetime >= waits + left:\n"
        f"            return {done}\n"
        f"        clock = {clock}\n"
        f"        saved = {saved}\n"
        f"        waits = {waits}\n"
    )
    return Mistake("finish_time", name, code, loses, told)


def _step(
    name: str,
    told: str,
    *,
    ring: str = "2 * (devices - 1) * (latency + size / devices / bandwidth)",
    result: str = "compute + np.maximum(0, ring - overlap * compute)",
) -> Mistake:
    code = (
        "def step_seconds(devices, compute, size, bandwidth, latency, overlap):\n"
        f"    ring = {ring}\n"
        f"    return {result}\n"
    )
    return Mistake("step_seconds", name, code, STEP, told)


MISTAKES = [
    _share(
        "forward only",
        "2 * parameters * tokens / (device_seconds * peak)",
        "You counted the way forward only",
    ),
    _share(
        "back once",
        "4 * parameters * tokens / (device_seconds * peak)",
        "You counted the way back as one product",
    ),
    _share("turned around", "device_seconds * peak / (6 * parameters * tokens)", "You turned it around"),
    _share("speed", "6 * parameters * tokens / device_seconds", "This is the speed that was reached"),
    _share("per cent", "600 * parameters * tokens / (device_seconds * peak)", "You gave it in per cent"),
    _energy("no building", "device_hours * watts / 1000", "You left out the building"),
    _energy("divided", "device_hours * watts / 1000 / pue", "You divided by pue"),
    _energy("watt hours", "device_hours * watts * pue", "You gave watt hours"),
    _energy("building alone", "device_hours * watts / 1000 * (pue - 1)", "beside its computers"),
    _even("own hours free", "purchase / price", "You left out the running costs"),
    _even("added", "purchase / (price + running)", "You added the running costs to the price"),
    _even("money", "price * purchase / (price - running)", "This is what both have cost by then"),
    _even("at once", "purchase / (price - running)", "0 hours would mean", never="0.0"),
    _even(
        "negative",
        "purchase / (price - running)",
        "No number of hours is negative",
        never="purchase / (price - running) if price < running else np.inf",
    ),
    _interval("no factor 2", "np.sqrt(write * device_mtbf / devices)", "You left out the factor 2"),
    _interval("no root", "2 * write * device_mtbf / devices", "You left out the root"),
    _interval(
        "factor outside", "2 * np.sqrt(write * device_mtbf / devices)", "The factor 2 belongs inside the root"
    ),
    _interval("multiplied", "np.sqrt(2 * write * device_mtbf * devices)", "You multiplied by the devices"),
    _interval("one device", "np.sqrt(2 * write * device_mtbf) + 0 * devices", "You left out the devices"),
    _interval("outside", "np.sqrt(2 * write * device_mtbf) / devices", "You divided the root by the devices"),
    _finish("no restart", "You left out the restart", waits="0"),
    _finish("from the beginning", "You went back to the beginning", saved="0"),
    _finish(
        "no checkpoints' time",
        "You left out the checkpoints",
        BOTH,
        left="work - saved * interval",
        saved="saved + max(0, (lifetime - waits) // interval)",
    ),
    _finish(
        "no last checkpoint", "You left out the last checkpoint", BOTH, done="clock + waits + left - write"
    ),
    _finish("restart at first", "You restarted at the beginning", BOTH, first="restart"),
    _finish(
        "first failure only",
        "You looked at the first failure only",
        lives="(lifetimes[0], 1e12)",
    ),
    _finish("clock goes back", "You left out the time before the failures", clock="0.0"),
    Mistake(
        "finish_time",
        "all lifetimes",
        "def finish_time(work, interval, write, restart, lifetimes):\n    return sum(lifetimes)\n",
        BOTH,
        "You added up all lifetimes",
    ),
    _step("no overlap", "You left out the overlap", result="compute + ring"),
    _step("no max", "You left out the max", result="compute + ring - overlap * compute"),
    _step("overlap of the sending", "a share of the sending", result="compute + (1 - overlap) * ring"),
    _step("no latency", "You left out the latency", ring="2 * (devices - 1) * size / devices / bandwidth"),
    _step(
        "latency once",
        "You paid the latency once",
        ring="(devices > 1) * latency + 2 * (devices - 1) * size / devices / bandwidth",
    ),
    _step(
        "half a ring",
        "You went round the ring once",
        ring="(devices - 1) * (latency + size / devices / bandwidth)",
    ),
    _step(
        "whole gradients",
        "You sent all gradients each time",
        ring="2 * (devices - 1) * (latency + size / bandwidth)",
    ),
]
