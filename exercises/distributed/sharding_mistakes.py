"""Classic mistakes of the exercise ``distributed/sharding``, each with what its author must be told.

Each costs the points of its own task only.
"""

from dlcourse.checks import Mistake

STATE = {"state_bytes_check": 2, "state_bytes_hidden": 2}
SHARE = {"share_check": 1, "share_hidden": 1}
STEP = {"sharded_step_check": 2, "sharded_step_hidden": 2}
COLUMN = {"column_backward_check": 2, "column_backward_hidden": 2}
ROW = {"row_linear_check": 2, "row_linear_hidden": 2}
MLP = {"parallel_mlp_check": 2, "parallel_mlp_hidden": 3}


def _state(
    name: str,
    told: str,
    *,
    stages: tuple[int, int, int] = (3, 2, 1),
    share: str = "-(-parameters // ranks)",
    result: str = "held",
) -> Mistake:
    first, second, third = stages
    code = (
        "def state_bytes(parameters, ranks, stage, itemsize, moments):\n"
        f"    whole, share = parameters * itemsize, {share} * itemsize\n"
        "    held = (\n"
        f"        share if stage >= {first} else whole,\n"
        f"        share if stage >= {second} else whole,\n"
        f"        moments * (share if stage >= {third} else whole),\n"
        "    )\n"
        f"    return {result}\n"
    )
    return Mistake("state_bytes", name, code, STATE, told)


def _share(name: str, told: str, first: str, end: str, size: str = "-(-count // ranks)") -> Mistake:
    code = f"def share(count, rank, ranks):\n    size = {size}\n    return {first}, {end}\n"
    return Mistake("share", name, code, SHARE, told)


def _step(name: str, told: str, mine: str, result: str = "shares - rate * mine") -> Mistake:
    code = f"def sharded_step(shares, gradients, rate):\n    mine = {mine}\n    return {result}\n"
    return Mistake("sharded_step", name, code, STEP, told)


def _column(
    name: str, told: str, d_x: str = "sum(asked)", d_W: str = "np.stack(d_W_parts)", result: str = "d_x, d_W"
) -> Mistake:
    code = (
        "def column_backward(x, W_parts, d_z_parts):\n"
        "    asked = [d_z @ W.T for W, d_z in zip(W_parts, d_z_parts)]\n"
        "    d_W_parts = [x.T @ d_z for d_z in d_z_parts]\n"
        f"    d_x, d_W = {d_x}, {d_W}\n"
        f"    return {result}\n"
    )
    return Mistake("column_backward", name, code, COLUMN, told)


def _row(
    name: str,
    told: str,
    z: str,
    *,
    sent: str = "x_k @ W_k",
    own: str = "zip(np.split(x, ranks, axis=1), np.split(W, ranks))",
) -> Mistake:
    code = (
        "def row_linear(x, W, b, ranks):\n"
        f"    sent = np.stack([{sent} for x_k, W_k in {own}])\n"
        f"    return sent, {z}\n"
    )
    return Mistake("row_linear", name, code, ROW, told)


def _mlp(
    name: str,
    told: str,
    *,
    hidden: str = "torch.relu(x @ W + b)",
    part: str = "hidden @ V",
    add: str = "torch.distributed.all_reduce(part)",
    result: str = "part + c",
) -> Mistake:
    code = (
        "def parallel_mlp(x, W, b, V, c):\n"
        f"    hidden = {hidden}\n"
        f"    part = {part}\n"
        f"    {add}\n"
        f"    return {result}\n"
    )
    return Mistake("parallel_mlp", name, code, MLP, told)


MISTAKES = [
    _state("always stage 3", "You divided all three in each stage", stages=(0, 0, 0)),
    _state("one too early", "Your stages are one too early", stages=(2, 1, 0)),
    _state("one too late", "Your stages are one too late", stages=(4, 3, 2)),
    _state("parameters first", "Your stages begin with the parameters", stages=(1, 2, 3)),
    _state("numbers", "You counted numbers", result="tuple(part // itemsize for part in held)"),
    _state("one moment", "You forgot the moments", result="(*held[:2], held[2] // moments)"),
    _state("rounded down", "You rounded down", share="(parameters // ranks)"),
    _state("not rounded", "Whole bytes are wanted", share="(parameters / ranks)"),
    _state("added up", "You added the three up", result="sum(held)"),
    _share(
        "rounded down", "You rounded the length down", "rank * size", "(rank + 1) * size", "count // ranks"
    ),
    _share("beyond the end", "You forgot the end", "rank * size", "(rank + 1) * size"),
    _share("begins beyond the end", "You cut the end alone", "rank * size", "min((rank + 1) * size, count)"),
    _share(
        "as np.array_split",
        "as np.array_split does",
        "rank * size + min(rank, count % ranks)",
        "(rank + 1) * size + min(rank + 1, count % ranks)",
        "count // ranks",
    ),
    _share(
        "the last one takes the rest",
        "Your last rank takes all that is left over",
        "rank * size",
        "count if rank == ranks - 1 else (rank + 1) * size",
        "count // ranks",
    ),
    _share(
        "the last number",
        "You gave the last number",
        "min(rank * size, count)",
        "min((rank + 1) * size, count) - 1",
    ),
    _step("sum", "You added the gradients", "gradients.sum(axis=0).reshape(shares.shape)"),
    _step(
        "own gradient",
        "Each rank took its own gradient alone",
        "np.stack([g.reshape(shares.shape)[k] for k, g in enumerate(gradients)])",
    ),
    _step(
        "wrong axis",
        "Each rank took the average of its own gradient",
        "gradients.mean(axis=1, keepdims=True)",
    ),
    _step(
        "uphill",
        "the gradient points uphill",
        "gradients.mean(axis=0).reshape(shares.shape)",
        "shares + rate * mine",
    ),
    _step("first part for all", "All ranks took the first part", "gradients.mean(axis=0)[: shares.shape[1]]"),
    _step("gradient of rank 0", "You took the first rank's gradient", "gradients[0].reshape(shares.shape)"),
    _column("not added", "Each rank kept what its own units ask", d_x="np.stack(asked)"),
    _column("rank 0 alone", "You took what the units of rank 0 ask", d_x="asked[0]"),
    _column("averaged", "You averaged over the ranks", d_x="np.mean(asked, axis=0)"),
    _column("weights added", "You added up the gradients of the weights", d_W="sum(d_W_parts)"),
    _column(
        "side by side",
        "You put the columns of all ranks side by side",
        d_W="np.concatenate(d_W_parts, axis=1)",
    ),
    _row("biases from each rank", "Each rank added the biases", "sent.sum(axis=0)", sent="x_k @ W_k + b"),
    _row("no biases", "You left out the biases", "sent.sum(axis=0)"),
    _row("averaged", "You averaged over the ranks", "sent.mean(axis=0) + b"),
    _row(
        "dealt like cards",
        "You dealt the inputs out like cards",
        "sent.sum(axis=0) + b",
        own="[(x[:, k::ranks], W[k::ranks]) for k in range(ranks)]",
    ),
    _row("not added", "You did not add up", "sent + b"),
    _mlp("not added", "Each rank kept its own part", add="pass"),
    _mlp("biases before the sum", "before the sum", part="hidden @ V + c", result="part"),
    _mlp("averaged", "You averaged over the ranks", result="part / torch.distributed.get_world_size() + c"),
    _mlp("no ReLU", "You forgot ReLU between the layers", hidden="x @ W + b"),
    _mlp("broadcast", "All have the part of rank 0", add="torch.distributed.broadcast(part, 0)"),
]
