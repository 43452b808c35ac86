"""Classic mistakes of the exercise ``distributed/data_parallel``, each with what its author must be told.

The tasks do not call one another, so each mistake costs the points of its own task only.
"""

from dlcourse.checks import Mistake

SHARD = {"shard_check": 1, "shard_hidden": 2}
MEAN = {"mean_gradient_check": 1, "mean_gradient_hidden": 2}
AVERAGE = {"average_gradients_check": 2, "average_gradients_hidden": 2}
TRAIN = {"train_rank_check": 3, "train_rank_hidden": 3}
BEGIN = {"train_rank_check": 1, "train_rank_hidden": 1}
UNEVEN = {"train_rank_check": 1, "train_rank_hidden": 1}
RATE = {"rate_at_check": 1, "rate_at_hidden": 1}
OVERLAP = {"overlapped_check": 2, "overlapped_hidden": 2}


def _shard(name: str, result: str, told: str) -> Mistake:
    code = (
        "def shard(order, rank, count):\n"
        "    n = len(order)\n"
        "    each = -(-n // count)\n"
        f"    return {result}\n"
    )
    return Mistake("shard", name, code, SHARD, told)


def _mean(name: str, result: str, told: str) -> Mistake:
    code = f"def mean_gradient(gradients, sizes):\n    return {result}\n"
    return Mistake("mean_gradient", name, code, MEAN, told)


def _average(name: str, lines: str, told: str) -> Mistake:
    body = "".join(f"    {line}\n" for line in lines.split("; "))
    code = f"def average_gradients(g):\n{body}"
    return Mistake("average_gradients", name, code, AVERAGE, told)


def _train(
    name: str,
    told: str,
    loses: dict[str, float] = TRAIN,
    *,
    begin: str = "dist.broadcast(w, src=0)",
    rows: str = "x[rank::count], y[rank::count]",
    gradient: str = "2 * x.T @ (x @ w - y) / batch",
    send: str = "dist.all_reduce(g)",
    step: str = "w -= rate * g",
) -> Mistake:
    code = (
        "def train_rank(w, x, y, rate, steps):\n"
        "    rank, count, batch = dist.get_rank(), dist.get_world_size(), len(x)\n"
        f"    {begin}\n"
        f"    x, y = {rows}\n"
        "    for _ in range(steps):\n"
        f"        g = {gradient}\n"
        f"        {send}\n"
        f"        {step}\n"
        "    return w\n"
    )
    return Mistake("train_rank", name, code, loses, told)


def _rate(name: str, result: str, told: str) -> Mistake:
    code = f"def rate_at(rate, count, warmup, step):\n    return {result}\n"
    return Mistake("rate_at", name, code, RATE, told)


def _overlapped(
    name: str,
    told: str,
    *,
    layers: str = "zip(computing[::-1], sending[::-1])",
    start: str = "max(computed, arrived)",
    result: str = "arrived",
) -> Mistake:
    code = (
        "def overlapped(computing, sending):\n"
        "    computed = arrived = latest = 0.0\n"
        f"    for c, t in {layers}:\n"
        "        computed += c\n"
        f"        arrived = {start} + t\n"
        "        latest = max(latest, arrived)\n"
        f"    return {result}\n"
    )
    return Mistake("overlapped", name, code, OVERLAP, told)


MISTAKES = [
    _shard("not even", "order[rank::count]", "The ranks get differently many"),
    _shard("last left out", "order[: n // count * count][rank::count]", "The last samples are left out"),
    _shard("same for all", "np.resize(order, each * count)[::count]", "Each rank got the same samples"),
    _shard(
        "neighbours",
        "np.resize(order, each * count)[rank * each : (rank + 1) * each]",
        "Your ranks take neighbours",
    ),
    _shard("all of them", "order", "You returned all samples"),
    _shard(
        "zeros", "np.append(order, [0] * (-n % count)).astype(int)[rank::count]", "You filled up with zeros"
    ),
    _shard("places", "np.resize(np.arange(n), each * count)[rank::count]", "You returned places"),
    _mean("plain mean", "gradients.mean(axis=0)", "You gave each rank the same weight"),
    _mean("sum", "gradients.sum(axis=0)", "You added the gradients"),
    _mean("not divided", "sizes @ gradients", "You forgot to divide by the number of all samples"),
    _mean("divided by ranks", "sizes @ gradients / len(sizes)", "You divided by the number of ranks"),
    _average("sum", "dist.all_reduce(g); return g", "This is the sum"),
    _average("nothing sent", "return g / dist.get_world_size()", "You divided and did not add"),
    _average("nothing returned", "dist.all_reduce(g); g /= dist.get_world_size()", "You returned nothing"),
    _average("result of the call", "return dist.all_reduce(g)", "You returned nothing"),
    _average("broadcast", "dist.broadcast(g, src=0); return g", "All have the gradient of rank 0"),
    _average(
        "divided twice",
        "n = dist.get_world_size(); g /= n; dist.all_reduce(g); return g / n",
        "You divided twice",
    ),
    _average("two ranks", "dist.all_reduce(g); return g / 2", "You divided by 2"),
    _average("largest", "dist.all_reduce(g, dist.ReduceOp.MAX); return g", "You took the largest"),
    _average(
        "rank 0 alone calls",
        "dist.get_rank() or dist.all_reduce(g); return g / dist.get_world_size()",
        "The ranks wait for one another",
    ),
    _train("own beginning", "Each rank began with its own weights", BEGIN, begin="pass"),
    _train("sum", "You added the gradients of the ranks", gradient="2 * x.T @ (x @ w - y) / len(x)"),
    _train(
        "equal weights",
        "You gave each rank the same weight",
        UNEVEN,
        gradient="2 * x.T @ (x @ w - y) / len(x) / count",
    ),
    _train("same rows", "All ranks took the same rows", rows="x[::count], y[::count]"),
    _train("alone", "Each rank trained alone", gradient="2 * x.T @ (x @ w - y) / len(x)", send="pass"),
    _train("part of a step", "Each rank took a step with its own part", send="pass"),
    _train("no factor 2", "You forgot the factor 2", gradient="x.T @ (x @ w - y) / batch"),
    _train("climbs", "You climbed", step="w += rate * g"),
    _rate("no warm-up", "rate * count", "You have no warm-up"),
    _rate("not scaled", "rate", "The rate does not grow with the ranks"),
    _rate("from 0", "rate * count * (min(1, step / warmup) if warmup else 1)", "Your rate begins at 0"),
    _rate(
        "above", "rate * (1 + count * (min(1, step / warmup) if warmup else 1))", "ends above its multiple"
    ),
    _rate("divided", "rate / count", "You divided by the number of ranks"),
    _overlapped("at the end", "You sent when all was computed", result="sum(computing) + sum(sending)"),
    _overlapped("first layer first", "from the first layer to the last", layers="zip(computing, sending)"),
    _overlapped(
        "line shared", "You let a gradient leave before the one before it", start="computed", result="latest"
    ),
    _overlapped("before it is known", "You let a gradient leave before it is known", start="arrived"),
    _overlapped("longer sum", "You took the longer one", result="max(sum(computing), sum(sending))"),
]
