"""Classic mistakes of the exercise ``distributed/collectives``, each with what its author must be told."""

from dlcourse.checks import Mistake

BYTES = {"ring_bytes_check": 1, "ring_bytes_hidden": 1}
SECONDS = {"ring_seconds_check": 1, "ring_seconds_hidden": 1}
STEP = {"ring_step_check": 2, "ring_step_hidden": 2}
CAST = {"broadcast_check": 2, "broadcast_hidden": 2}
GATHER = {"all_gather_check": 2, "all_gather_hidden": 3}
GATHERED = {"all_gather_check": 2, "all_gather_hidden": 2}
RING = {"ring_all_reduce_check": 5, "ring_all_reduce_hidden": 5}
SUMS = {"ring_all_reduce_check": 3, "ring_all_reduce_hidden": 3}
SENT = {"ring_all_reduce_check": 2, "ring_all_reduce_hidden": 2}
WAIT = "The ranks wait for one another"


def _bytes(name: str, formula: str, told: str) -> Mistake:
    return Mistake("ring_bytes", name, f"def ring_bytes(size, count):\n    return {formula}\n", BYTES, told)


def _seconds(name: str, formula: str, told: str) -> Mistake:
    code = f"def ring_seconds(size, count, bandwidth, latency):\n    return {formula}\n"
    return Mistake("ring_seconds", name, code, SECONDS, told)


def _step(name: str, result: str, told: str) -> Mistake:
    return Mistake("ring_step", name, f"def ring_step(rank, step, count):\n    return {result}\n", STEP, told)


def _cast(name: str, body: str, told: str) -> Mistake:
    code = "def broadcast(x, source):\n    rank, count = dist.get_rank(), dist.get_world_size()\n" + body
    return Mistake("broadcast", name, code, CAST, told)


def _gather(
    name: str,
    told: str,
    *,
    loses: dict[str, float] = GATHERED,
    steps: str = "count - 1",
    sent: str = "rows[-1]",
    order: str = "[rows[(rank - owner) % count] for owner in range(count)]",
    talk: str = "sending = dist.isend({sent}, dst=right)\n        dist.recv(came, src=left)\n        sending.wait()",
    result: str = "torch.stack({order})",
) -> Mistake:
    code = (
        "def all_gather(x):\n"
        "    rank, count = dist.get_rank(), dist.get_world_size()\n"
        "    left, right = (rank - 1) % count, (rank + 1) % count\n"
        "    rows = [x]\n"
        f"    for step in range({steps}):\n"
        "        came = torch.empty_like(x)\n"
        f"        {talk.format(sent=sent)}\n"
        "        rows.append(came)\n"
        "    rows += [x] * (count - len(rows))\n"
        f"    return {result.format(order=order)}\n"
    )
    return Mistake("all_gather", name, code, loses, told)


def _ring(
    name: str,
    told: str,
    *,
    loses: dict[str, float] = SUMS,
    pieces: str = "torch.tensor_split(x, count)",
    steps: str = "2 * (count - 1)",
    sent: str = "pieces[(rank - step - 1) % count]",
    add: str = "step < count - 1",
    put: str = "mine.copy_(came)",
    talk: str = "sending = dist.isend({sent}, dst=right)\n        dist.recv(came, src=left)\n        sending.wait()",
    result: str = "x",
) -> Mistake:
    code = (
        "def ring_all_reduce(x):\n"
        "    rank, count = dist.get_rank(), dist.get_world_size()\n"
        "    left, right = (rank - 1) % count, (rank + 1) % count\n"
        "    own = x.clone()\n"
        f"    pieces = {pieces}\n"
        f"    for step in range({steps}):\n"
        "        mine = pieces[(rank - step - 2) % count]\n"
        "        came = torch.empty_like(mine)\n"
        f"        {talk.format(sent=sent)}\n"
        f"        if {add}:\n"
        "            mine += came\n"
        "        else:\n"
        f"            {put}\n"
        f"    return {result}\n"
    )
    return Mistake("ring_all_reduce", name, code, loses, told)


def _whole(name: str, body: str, told: str) -> Mistake:
    code = (
        "def ring_all_reduce(x):\n"
        "    rank, count = dist.get_rank(), dist.get_world_size()\n"
        "    total, came = x.clone(), torch.empty_like(x)\n" + body
    )
    return Mistake("ring_all_reduce", name, code, SENT, told)


SEND_FIRST = "dist.send({sent}, dst=right)\n        dist.recv(came, src=left)"

MISTAKES = [
    _bytes("one time around", "(count - 1) * size / count", "You counted one time around"),
    _bytes("n steps", "2 * count * (size / count)", "You took n steps in place of n - 1"),
    _bytes("whole tensors", "2 * (count - 1) * size", "You sent the whole tensor in each step"),
    _bytes("no ring", "(count - 1) * size", "That is what the busiest rank sends without a ring"),
    _seconds(
        "one latency",
        "latency + 2 * (count - 1) * size / count / bandwidth",
        "You counted the latency once",
    ),
    _seconds("no latency", "2 * (count - 1) * size / count / bandwidth", "You left out the latency"),
    _seconds(
        "whole tensors",
        "2 * (count - 1) * (latency + size / bandwidth)",
        "You sent the whole tensor in each step",
    ),
    _seconds(
        "half of the steps",
        "(count - 1) * (latency + size / count / bandwidth)",
        "You took half of the steps",
    ),
    _seconds(
        "all ranks",
        "count * 2 * (count - 1) * (latency + size / count / bandwidth)",
        "You added up the time of all ranks",
    ),
    _seconds(
        "times bandwidth",
        "2 * (count - 1) * (latency + size / count * bandwidth)",
        "You multiplied by the bandwidth",
    ),
    _step(
        "own piece first", "(rank - step) % count, (rank - step - 1) % count", "You sent your own piece first"
    ),
    _step(
        "rising", "(rank - 1 + step) % count, (rank - 2 + step) % count", "Your pieces rise with the steps"
    ),
    _step(
        "from the right", "(rank - 1 - step) % count, (rank - step) % count", "You received from the right"
    ),
    _step(
        "the same one",
        "(rank - 1 - step) % count, (rank - 1 - step) % count",
        "You received the piece that you send",
    ),
    _step("swapped", "(rank - 2 - step) % count, (rank - 1 - step) % count", "You swapped the two"),
    _step("open ring", "rank - 1 - step, rank - 2 - step", "The ring is not closed"),
    _step("no step", "(rank - 1) % count, (rank - 2) % count", "You left out the step"),
    _cast(
        "nobody sends",
        "    if rank != source:\n        dist.recv(x, src=source)\n    return x\n",
        WAIT,
    ),
    _cast("own tensor", "    return x\n", "Every rank returned its own tensor"),
    _cast(
        "received elsewhere",
        "    y = x.clone()\n"
        "    if rank != source:\n        dist.recv(y, src=source)\n"
        "    else:\n        [dist.send(x, dst=r) for r in range(count) if r != source]\n"
        "    return x\n",
        "Every rank returned its own tensor",
    ),
    _cast(
        "from rank 0",
        "    if rank != 0:\n        dist.recv(x, src=0)\n"
        "    else:\n        [dist.send(x, dst=r) for r in range(1, count)]\n"
        "    return x\n",
        "Rank 0 was the source",
    ),
    _cast(
        "next rank only",
        "    if rank == source + 1:\n        dist.recv(x, src=source)\n"
        "    if rank == source:\n        dist.send(x, dst=source + 1)\n"
        "    return x\n",
        "Only the next rank got it",
    ),
    _cast(
        "source returns nothing",
        "    if rank != source:\n        dist.recv(x, src=source)\n        return x\n"
        "    [dist.send(x, dst=r) for r in range(count) if r != source]\n",
        "The source returned None",
    ),
    _gather("all send first", WAIT, loses=GATHER, talk=SEND_FIRST),
    _gather("as they came", "You stacked them as they came", order="rows"),
    _gather("own tensor always", "You sent your own tensor in every step", sent="x"),
    _gather(
        "one step",
        "You took one step only",
        loses=GATHER,
        steps="1",
        order=("[rows[(rank - owner) % count] if owner in (rank, left) else x for owner in range(count)]"),
    ),
    _gather("the last one", "You returned what came last", result="rows[-1]"),
    Mistake(
        "all_gather",
        "one step too many",
        "def all_gather(x):\n"
        "    rank, count = dist.get_rank(), dist.get_world_size()\n"
        "    rows = torch.stack([x] * count)\n"
        "    for step in range(count):\n"
        "        came = torch.empty_like(x)\n"
        "        sending = dist.isend(rows[(rank - step) % count], dst=(rank + 1) % count)\n"
        "        dist.recv(came, src=(rank - 1) % count)\n"
        "        sending.wait()\n"
        "        rows[(rank - step - 1) % count] = came\n"
        "    return rows\n",
        {"all_gather_hidden": 1},
        "You took one step too many",
    ),
    _ring("all send first", WAIT, loses=RING, talk=SEND_FIRST),
    _ring("half of it", "Each rank has one complete piece", loses=RING, steps="count - 1"),
    _ring("never added", "from the beginning: add it in the first n - 1 steps", add="False"),
    _ring("added twice", "You added in the second half, too", add="True"),
    _ring("one step fewer", "One piece is missing on each rank", loses=RING, steps="2 * (count - 1) - 1"),
    _ring("mean", "That is the mean", result="x / count"),
    _ring("own tensor", "Every rank returned its own tensor", result="own"),
    _ring("own tensor twice", "You added your own tensor twice", result="x + own"),
    _ring(
        "equal pieces only",
        "RuntimeError",
        pieces="x.view(count, -1)",
        loses={
            "ring_all_reduce_check": 1,
            "ring_all_reduce_hidden": 1,
        },
    ),
    _whole(
        "through one rank",
        "    if rank:\n        dist.send(x, dst=0)\n        dist.recv(total, src=0)\n        return total\n"
        "    for other in range(1, count):\n        dist.recv(came, src=other)\n        total += came\n"
        "    for other in range(1, count):\n        dist.send(total, dst=other)\n"
        "    return total\n",
        "Everything goes through one rank",
    ),
    _whole(
        "whole tensors around",
        "    passed = x\n"
        "    for step in range(count - 1):\n"
        "        came = torch.empty_like(x)\n"
        "        sending = dist.isend(passed, dst=(rank + 1) % count)\n"
        "        dist.recv(came, src=(rank - 1) % count)\n"
        "        sending.wait()\n"
        "        passed = came\n"
        "        total += came\n"
        "    return total\n",
        "You sent whole tensors",
    ),
]
