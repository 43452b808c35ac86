"""What `gpu.py` measures, one case a process: `python benchmarks/_gpu_cases.py CASE [--quick] [--tiny] [--tune]`.

A case first holds the results of all peers equal, then lets them take turns, and prints one line of JSON: the seconds of
each peer round by round, what they amount to, and what a table cannot say. The two cases that share their work among
processes are started by `torchrun`, and the process of rank 0 speaks for all.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from dlcourse.gpus._device import device, name, synchronize, torch

Works = dict[str, Callable[[], object]]
F, nn = torch.nn.functional, torch.nn


class How(NamedTuple):
    """What was asked for: few rounds, everything in small on the CPU, more search for what is fastest."""

    quick: bool
    tiny: bool
    tune: bool

    @property
    def rounds(self) -> int:
        """How many rounds the peers take turns."""
        return 2 if self.tiny else 3 if self.quick else 11

    @property
    def where(self) -> torch.device:
        """The device: with `--tiny` the CPU, whatever there is."""
        return device("cpu" if self.tiny else "cuda")


def take_turns(
    works: Works,
    where: torch.device,
    rounds: int,
    *,
    least: float = 0.0,
    settle: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Measure the peers in turn, until the device is really done; a round repeats what takes less than ``least`` seconds.

    Args:
        works: what is measured, by the peer's name; each was called at least once before.
        where: the device.
        rounds: how many times each has its turn.
        least: seconds of a round at least.
        settle: whether each does its work once, unmeasured, before each of its rounds: after another one the memory of
            the device is divided in another way.
        clock: tells the seconds.
    """

    def once(work: Callable[[], object], repeats: int) -> float:
        synchronize(where)
        start = clock()
        for _ in range(repeats):
            work()
        synchronize(where)
        return (clock() - start) / repeats

    repeats = {peer: max(1, round(least / once(work, 1))) for peer, work in works.items()}
    found: dict[str, list[float]] = {peer: [] for peer in works}
    for _ in range(rounds):
        for peer, work in works.items():
            if settle:
                work()
            found[peer].append(once(work, repeats[peer]))
    return found


def result(
    case: str,
    seconds: dict[str, list[float]],
    *,
    work: float,
    unit: str,
    said: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Put together what a table shows; ``work`` is done in the seconds, and their quotient has the ``unit``."""
    values = {peer: work / statistics.median(times) for peer, times in seconds.items()}
    return {"case": case, "seconds": seconds, "values": values, "unit": unit, "said": said or [], **more}


def expect_close(found: torch.Tensor, wanted: torch.Tensor, share: float, what: str) -> None:
    """Refuse a result that is further from the right one than a share of its largest number."""
    away = (found.double() - wanted.double()).abs().max() / wanted.double().abs().max()
    if not away <= share:
        raise SystemExit(
            f"{what}: the results differ by {away:.1e} of the largest number, so nothing was timed"
        )


# GPT


def gpt(how: How) -> list[dict[str, Any]]:
    """Train a GPT of 124 million parameters, beside a loop as nanoGPT has it."""
    import _gpt

    where = how.where
    shape = _gpt.TINY if how.tiny else _gpt.Shape()
    steps = 3 if how.tiny else 5
    room = 0 if how.tiny else torch.cuda.mem_get_info(where)[1] // 2**30
    batch = 4 if how.tiny else 2 ** max(0, int(room).bit_length() - 1)
    rate = 1e-2 if how.tiny else 6e-4
    rng = np.random.default_rng(0)
    texts = [_gpt.draw_texts(shape, batch, rng=rng) for _ in range(4)]
    here = [text.to(where) for text in texts]
    kernel = _gpt.fastest_attention(shape, batch, where)
    backend = "aot_eager" if how.tiny else "inductor"
    modes = {"": {}} | ({"max-autotune-no-cudagraphs": {}} if how.tune and not how.tiny else {})

    def compiled(mode: str = "") -> Callable[[nn.Module], nn.Module]:
        return lambda model: torch.compile(model, backend=backend, mode=mode or None, dynamic=False)

    kinds: dict[str, tuple[Callable[[int], Any], list[torch.Tensor], Any]] = {
        f"ours{', ' + mode if mode else ''}": (
            lambda micro, mode=mode: _gpt.Ours(shape, where, micro=micro, compiled=compiled(mode), rate=rate),
            here,
            kernel,
        )
        for mode in modes
    }
    kinds["nanoGPT's loop"] = (
        lambda micro: _gpt.Plain(shape, where, micro=micro, compiled=compiled(), rate=rate),
        texts,
        None,
    )
    kinds["nanoGPT's loop, not compiled"] = (
        lambda micro: _gpt.Plain(shape, where, micro=micro, compiled=lambda model: model, rate=rate),
        texts,
        None,
    )
    works: Works = {}
    losses: dict[str, list[float]] = {}
    said = []
    for peer, (make, data, attention) in kinds.items():
        with _gpt.attention_by(attention):
            trained, losses[peer], micro = _begin(make, data, batch, where)
        if micro < batch:
            said.append(f"{peer}: {batch} texts did not fit at once, so {micro} were computed at a time.")

        def some(trained: Any = trained, data: list[torch.Tensor] = data) -> None:
            for number in range(steps):
                trained.step(data[number % len(data)])

        works[peer] = some
    first = next(iter(losses.values()))
    for peer, of_peer in losses.items():
        # From the same weights the first loss is the same; then the rounding of each way adds up.
        np.testing.assert_allclose(of_peer[0], first[0], rtol=5e-3, err_msg=f"{peer}: the first loss")
        np.testing.assert_allclose(of_peer, first, rtol=5e-2, err_msg=f"{peer}: the first losses")
        if not min(of_peer[-len(texts) :]) < of_peer[0] - 0.1:
            raise SystemExit(f"{peer}: the loss does not fall, {of_peer[0]:.3f} to {of_peer[-1]:.3f}")
    tokens = steps * batch * shape.time
    seconds = take_turns(works, where, how.rounds, settle=not how.tiny)
    best = min((p for p in seconds if p.startswith("ours")), key=lambda p: statistics.median(seconds[p]))
    seconds = {best: seconds[best]} | {p: t for p, t in seconds.items() if p != best}
    per_token = statistics.median(seconds[best]) / tokens
    said += [
        f"{batch} texts of {shape.time} tokens a step; {1 / per_token:,.0f} tokens a second. "
        f"Attention of ours: {kernel.name if kernel is not None else 'the only one of a CPU'}.",
        f"TFLOP/s by {_gpt.FORMULA}: {shape.flops() / 1e6:,.1f} million a token. "
        f"With half of attention, all that must be computed: {shape.flops(causal=True) / per_token / 1e12:,.1f}.",
        f"The loss of ours fell from {first[0]:.3f} to {first[-1]:.3f} in the first {len(first)} steps; "
        "those of the others agree to 5 %, and the first one to 0.5 %.",
    ]
    case = "GPT of 124 million parameters, training" if not how.tiny else "a tiny GPT, training"
    return [
        result(case, seconds, work=tokens * shape.flops() / 1e12, unit="TFLOP/s", said=said, losses=losses)
    ]


def _begin(
    make: Callable[[int], Any], data: list[torch.Tensor], batch: int, where: torch.device
) -> tuple[Any, list[float], int]:
    """Make a peer and take its first steps, which compile; where the batch does not fit, in halves of it."""
    micro = batch
    while True:
        trained = None
        try:
            trained = make(micro)
            losses = [trained.step(text).item() for text in 3 * data]
        except torch.OutOfMemoryError:
            if micro == 1:
                raise
            micro //= 2
        else:
            synchronize(where)
            return trained, losses, micro
        del trained
        gc.collect()
        torch.cuda.empty_cache()


# Kernels

KINDS = ((torch.bfloat16, 1e-2), (torch.float32, 1e-5))
"""Dtypes, and how far a result may be from float64 in shares of the largest number."""


def product(how: How) -> list[dict[str, Any]]:
    """Multiply square matrices in bfloat16 with the kernel of the course, and with cuBLAS."""
    from dlcourse.gpus.kernels import matmul

    where = how.where
    # On a GPU each size and dtype is tuned anew, which takes half a minute: one will do.
    for m, n, k in [(33, 17, 40), (37, 65, 33)] if how.tiny else [(257, 515, 129)]:
        for dtype, share in KINDS[: 2 if how.tiny else 1]:
            a, b = _draw((m, k), dtype, where), _draw((k, n), dtype, where)
            expect_close(matmul(a, b), a.double() @ b.double(), share, f"product of {(m, k)} and {(k, n)}")
    found = []
    for n in (48,) if how.tiny else (4096, 8192):
        a, b = _draw((n, n), torch.bfloat16, where), _draw((n, n), torch.bfloat16, where)
        expect_close(matmul(a, b), a @ b, 2e-2, f"product of matrices of {n}")
        out = torch.empty_like(a)
        works: Works = {
            "Triton, ours": lambda a=a, b=b: matmul(a, b),
            "cuBLAS" if where.type == "cuda" else "torch": lambda a=a, b=b, out=out: torch.matmul(
                a, b, out=out
            ),
        }
        seconds = take_turns(works, where, how.rounds, least=0 if how.tiny else 0.05)
        case = f"matrix product, {n} rows and columns, bfloat16"
        found.append(result(case, seconds, work=2 * n**3 / 1e12, unit="TFLOP/s"))
    return found


def softmax(how: How) -> list[dict[str, Any]]:
    """Compute softmax of rows, beside copying them: both read and write each number once."""
    from dlcourse.gpus import kernels

    where = how.where
    for shape in [(3, 5), (7, 129)] if how.tiny else [(3, 5), (7, 129), (1001, 5003)]:
        for dtype, share in KINDS:
            z = 5 * _draw(shape, dtype, where)
            expect_close(kernels.softmax(z), z.double().softmax(1), share, f"softmax of {shape}")
    found = []
    rows, n = (5, 37) if how.tiny else (16384, 8192)
    for dtype in (torch.float32, torch.bfloat16):
        z = _draw((rows, n), dtype, where)
        out = torch.empty_like(z)
        works: Works = {
            "Triton, ours": lambda z=z: kernels.softmax(z),
            "torch": lambda z=z: torch.softmax(z, 1),
            "copy": lambda z=z, out=out: out.copy_(z),
        }
        for work in works.values():
            work()
        seconds = take_turns(works, where, how.rounds, least=0 if how.tiny else 0.05)
        kind = str(dtype).removeprefix("torch.")
        case = f"softmax, {rows:,} rows of {n:,}, {kind}"
        found.append(result(case, seconds, work=2 * z.nbytes / 1e9, unit="GB/s"))
    return found


def linear(how: How) -> list[dict[str, Any]]:
    """Compute a layer with GELU in one kernel: a narrow one waits for its memory, a wide one computes."""
    from dlcourse.gpus.kernels import linear_gelu

    where = how.where
    for batch, n_in, n_out in [(35, 20, 67)] if how.tiny else [(1001, 127, 515)]:
        for dtype, share in KINDS[: 2 if how.tiny else 1]:
            x, W, b = (_draw(s, dtype, where) for s in ((batch, n_in), (n_in, n_out), (n_out,)))
            wanted = F.gelu(x.double() @ W.double() + b.double())
            expect_close(linear_gelu(x, W, b), wanted, share, f"layer of {(batch, n_in, n_out)}")
    found = []
    sizes = {"narrow": (70, 16, 8), "wide": (32, 32, 48)}
    for kind, (batch, n_in, n_out) in (
        sizes if how.tiny else {"narrow": (2**20, 256, 64), "wide": (8192, 4096, 4096)}
    ).items():
        x, W, b = (_draw(s, torch.bfloat16, where) for s in ((batch, n_in), (n_in, n_out), (n_out,)))
        W /= n_in**0.5
        expect_close(linear_gelu(x, W, b), F.gelu(torch.addmm(b, x, W)), 3e-2, f"the {kind} layer")
        works: Works = {
            "Triton, ours": lambda x=x, W=W, b=b: linear_gelu(x, W, b),
            "torch, product and GELU": lambda x=x, W=W, b=b: F.gelu(torch.addmm(b, x, W)),
        }
        moved = 2 * (batch * n_in + n_in * n_out + n_out + batch * n_out)
        if kind == "narrow":
            here, there = (torch.empty(moved // 4, dtype=torch.bfloat16, device=where) for _ in range(2))
            works["copy"] = lambda here=here, there=there: there.copy_(here)
            work, unit = moved / 1e9, "GB/s"
        else:
            work, unit = 2 * batch * n_in * n_out / 1e12, "TFLOP/s"
        for peer in works.values():
            peer()
        seconds = take_turns(works, where, how.rounds, least=0 if how.tiny else 0.05)
        case = f"{kind} layer with GELU, {n_in} inputs, {n_out} units, batch {batch:,}, bfloat16"
        found.append(result(case, seconds, work=work, unit=unit))
    return found


def _draw(shape: tuple[int, ...], dtype: torch.dtype, where: torch.device) -> torch.Tensor:
    generator = torch.Generator(where).manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, device=where).to(dtype)


# Digits

PEAK, EPOCHS, BATCH, SHIFT = 1e-2, 10, 125, 2


def digits_network() -> nn.Sequential:
    """Three convolutions with batch norm, each followed by a maximum over squares of four, and one layer."""
    parts: list[nn.Module] = []
    for n_in, n_out, side in ((1, 24, 5), (24, 48, 3), (48, 48, 3)):
        parts += [
            nn.Conv2d(n_in, n_out, side, padding=side // 2),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(48 * 9, 10))


def train_digits(
    data: tuple[torch.Tensor, ...],
    seed: int,
    *,
    compiled: Callable[[nn.Module], nn.Module] = lambda network: network,
    epochs: int = EPOCHS,
    begun: tuple[nn.Module, nn.Module] | None = None,
) -> tuple[float, list[float]]:
    """Train on the shipped digits, moved by up to two places.

    Args:
        data: samples and labels to train on, then those to test on; on the device.
        seed: of the weights, the order and the moves.
        compiled: how to compile the network.
        epochs: how often each digit is seen.
        begun: a network and its compiled form, to be drawn anew; without it both are made.

    Returns:
        The share of right answers among the digits to test on, and the loss of each step.
    """
    x, y, x_test, y_test = data
    torch.manual_seed(seed)
    network, run = begun or _digits_pair(x.device, compiled)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            part.reset_parameters()
    each = len(x) // BATCH
    rate = torch.optim.lr_scheduler.OneCycleLR
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK, weight_decay=0.05, fused=True)
    schedule = rate(optimizer, PEAK, total_steps=epochs * each, pct_start=0.25)
    padded = F.pad(x, 4 * (SHIFT,))
    moves = torch.randint(0, 2 * SHIFT + 1, (epochs * each, 2)).tolist()
    losses = []
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(x), device=x.device)[: each * BATCH]
        for number, rows in enumerate(order.split(BATCH)):
            down, right = moves[epoch * each + number]
            pictures = padded[:, :, down : down + 28, right : right + 28][rows]
            loss = F.cross_entropy(run(pictures), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
    network.eval()
    with torch.no_grad():
        right_ones = (network(x_test).argmax(1) == y_test).float().mean()
    return right_ones.item(), torch.stack(losses).tolist()


def _digits_pair(
    where: torch.device, compiled: Callable[[nn.Module], nn.Module]
) -> tuple[nn.Module, nn.Module]:
    network = digits_network().to(where)
    return network, compiled(network)


def digits(how: How) -> list[dict[str, Any]]:
    """Train on the shipped digits from new weights to 98 % of new digits right."""
    from dlcourse.data import digits as shipped

    where = how.where
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = where.type == "cuda"
    arrays = [torch.from_numpy(np.array(a)).to(where) for a in shipped.split()]
    samples = [a.view(-1, 1, 28, 28) if a.ndim == 2 else a for a in arrays]
    kept = (250, 250, 100, 100) if how.tiny else tuple(map(len, samples))
    data = tuple(a[:count] for a, count in zip(samples, kept, strict=True))
    epochs = 4 if how.tiny else EPOCHS
    kinds: dict[str, Callable[[nn.Module], nn.Module]] = {
        "ours, compiled": lambda network: torch.compile(
            network, backend="aot_eager" if how.tiny else "inductor", dynamic=False
        ),
        "not compiled": lambda network: network,
    }
    reached: dict[str, list[float]] = {peer: [] for peer in kinds}
    losses: dict[str, list[float]] = {}
    works: Works = {}
    for peer, compiled in kinds.items():
        pair = _digits_pair(where, compiled)
        seeds = iter(range(1000))

        def train(peer: str = peer, pair: Any = pair, seeds: Any = seeds) -> None:
            found, losses[peer] = train_digits(data, next(seeds), epochs=epochs, begun=pair)
            reached[peer].append(found)

        works[peer] = train
        train()  # warms up: compiles, and lets cuDNN choose
    first, second = (of_peer[0] for of_peer in losses.values())
    np.testing.assert_allclose(first, second, rtol=1e-2, err_msg="the first losses, compiled and not")
    seconds = take_turns(works, where, how.rounds)
    ours = reached["ours, compiled"][1:]
    said = [
        f"{epochs} epochs of {kept[0]:,} digits from new weights, the test on {kept[2]:,} others included; right: "
        f"{statistics.median(ours):.1%} in the median of {len(ours)} runs, {min(ours):.1%} in the worst.",
    ]
    steps = epochs * (kept[0] // BATCH)
    case = "digits to 98 % of new ones right" if not how.tiny else "some digits"
    return [
        result(
            case, seconds, work=steps, unit="steps/s", said=said, accuracy=statistics.median(ours),
            losses=losses,
        )
    ]  # fmt: skip


def cpu(how: How) -> list[dict[str, Any]]:
    """Train the network of the course on one core: `TorchMLP` with `fit`, beside the loops that one writes in PyTorch."""
    from dlcourse.data import digits as shipped
    from dlcourse.gpus._torch_mlp import TorchMLP
    from dlcourse.neurons.network import MLP
    from dlcourse.training import fit
    from dlcourse.training.optimizers import AdamW

    sizes, batch = (784, 256, 128, 10), 128
    x, y, _, _ = shipped.split()
    count = 640 if how.tiny else len(x)
    x, y = x[:count], y[:count]

    def draw() -> MLP:
        return MLP.draw(sizes, output="class", rng=np.random.default_rng(0), dtype=np.float32)

    def ours() -> Callable[[], float]:
        model = TorchMLP(draw(), device="cpu")
        optimizer, rng = AdamW(model.parameters, rate=1e-3), np.random.default_rng(1)
        return lambda: fit(model, x, y, optimizer=optimizer, epochs=1, batch=batch, rng=rng).loss[-1]

    def idiom(*, fused: bool | None = None, loaded: bool = False) -> Callable[[], float]:
        parts: list[nn.Module] = []
        for layer in draw().layers:
            dense = nn.Linear(*layer.W.shape)
            with torch.no_grad():
                dense.weight.copy_(torch.from_numpy(layer.W.T))
                dense.bias.copy_(torch.from_numpy(layer.b))
            parts += [dense, nn.ReLU()]
        network = nn.Sequential(*parts[:-1])
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=fused)
        samples, labels, rng = (
            torch.from_numpy(np.array(x)),
            torch.from_numpy(np.array(y)),
            np.random.default_rng(1),
        )
        data = torch.utils.data.TensorDataset(samples, labels)

        def epoch() -> float:
            order = rng.permutation(len(x))
            if loaded:
                batches = iter(torch.utils.data.DataLoader(data, batch, sampler=order.tolist()))
            else:
                batches = ((samples[rows], labels[rows]) for rows in torch.from_numpy(order).split(batch))
            total = 0.0
            for some, right in batches:
                loss = F.cross_entropy(network(some), right)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(some)
            return total / len(x)

        return epoch

    works: Works = {
        "TorchMLP with fit": ours(),
        "torch's own loop": idiom(),
        "... with fused AdamW": idiom(fused=True),
        "... with a DataLoader": idiom(loaded=True),
    }
    firsts = {peer: [work(), work()] for peer, work in works.items()}
    for peer, losses in firsts.items():
        np.testing.assert_allclose(losses, firsts["TorchMLP with fit"], rtol=1e-3, err_msg=peer)
    seconds = take_turns(works, device("cpu"), how.rounds, clock=time.process_time)
    case = f"an epoch of {count:,} digits on one core of the CPU, 784-256-128-10, AdamW"
    said = ["Seconds of the processor in this process, so that other programs do not count."]
    return [result(case, seconds, work=count, unit="digits/s", said=said, losses=firsts)]


# Processes


def ddp(how: How) -> list[dict[str, Any]]:
    """Train with DDP on one rank, beside the same loop without it."""
    return _distributed(how, how.where)


def two(how: How) -> list[dict[str, Any]]:
    """Train on 2 processes with DDP, each with a batch of its own, beside one process with one of these batches."""
    return _distributed(how, device("cpu"))


def _distributed(how: How, where: torch.device) -> list[dict[str, Any]]:
    from torch import distributed

    if where.type == "cuda":
        where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(where)
    backend = "nccl" if where.type == "cuda" else "gloo"
    own = where if where.type == "cuda" else None
    distributed.init_process_group(backend, timeout=timedelta(seconds=300), device_id=own)
    try:
        return _with_and_without(how, where, backend)
    finally:
        distributed.destroy_process_group()


def _with_and_without(how: How, where: torch.device, backend: str) -> list[dict[str, Any]]:
    import _gpt
    from torch import distributed

    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    large = where.type == "cuda"
    if large:
        shape, batch, steps = _gpt.Shape(), 32, 5
    elif how.tiny:
        shape, batch, steps = _gpt.TINY, 4, 3
    else:
        shape, batch, steps = _gpt.Shape(layers=4, heads=4, width=256, vocabulary=2048, time=128), 8, 2

    def compiled(model: nn.Module) -> nn.Module:
        return (
            torch.compile(model, backend="inductor" if large else "aot_eager", dynamic=False)
            if large or how.tiny
            else model
        )

    def around(model: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(
            model, device_ids=[where.index] if large else None, gradient_as_bucket_view=True
        )

    rng = np.random.default_rng(0)
    texts = [_gpt.draw_texts(shape, batch * ranks, rng=rng) for _ in range(4)]
    own = [text[rank * batch : (rank + 1) * batch] for text in texts]
    rate = 1e-2 if how.tiny else 6e-4
    plain = _gpt.Plain(shape, where, micro=batch * ranks, compiled=compiled, rate=rate)
    shared = _gpt.Plain(shape, where, micro=batch, compiled=compiled, wrap=around, rate=rate)

    # The mean of the ranks' gradients is the gradient of all texts together, so both go the same way.
    alone = [plain.step(text).item() for text in texts]
    together = []
    for text in own:
        loss = shared.step(text)
        distributed.all_reduce(loss)
        together.append(loss.item() / ranks)
    np.testing.assert_allclose(together, alone, rtol=2e-2, err_msg="the losses with DDP and without")

    def turn(trained: Any) -> float:
        synchronize(where)
        start = time.perf_counter()
        for number in range(steps):
            trained.step(own[number % len(own)])
        synchronize(where)
        return time.perf_counter() - start

    one = "plain" if ranks == 1 else "plain, one process alone"
    seconds: dict[str, list[float]] = {"DDP": [], one: []}
    plain.micro = batch
    turn(plain), turn(shared)  # a batch of another size may compile anew
    for _ in range(how.rounds):
        distributed.barrier()
        seconds["DDP"].append(turn(shared))
        distributed.barrier()
        if rank == 0:  # the others wait, so that it has the machine for itself
            seconds[one].append(turn(plain))
        distributed.barrier()
    if rank:
        return []
    said = [f"{batch} texts of {shape.time} tokens a process and step; {backend}, started by torchrun."]
    if ranks > 1:
        share = statistics.median(a / b for a, b in zip(seconds[one], seconds["DDP"], strict=True))
        said.append(
            f"Efficiency of {ranks} processes on {os.cpu_count()} cores: {share:.2f}; 1 would be {ranks} times the "
            "texts in the same time."
        )
    what = "GPT of 124 million parameters" if large else "a tiny GPT" if how.tiny else "a small GPT"
    where_to = "on one rank" if ranks == 1 else f"on {ranks} processes of the CPU"
    case = f"DDP {where_to}, {what}"
    tokens = steps * batch * shape.time
    return [
        result(case, seconds, work=tokens, unit="tokens/s", said=said, losses={"DDP": together, one: alone})
    ]


CASES: dict[str, Callable[[How], list[dict[str, Any]]]] = {
    "gpt": gpt,
    "product": product,
    "softmax": softmax,
    "linear": linear,
    "digits": digits,
    "ddp": ddp,
    "cpu": cpu,
    "two": two,
}


def main() -> None:
    """Measure one case; print one line, from the process of rank 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    for option in How._fields:
        parser.add_argument(f"--{option}", action="store_true")
    asked = parser.parse_args()
    how = How(asked.quick, asked.tiny, asked.tune)
    torch.set_num_threads(1)
    on_cpu = how.tiny or asked.case in ("cpu", "two")
    found = CASES[asked.case](how)
    if int(os.environ.get("RANK", "0")) == 0:
        json.dump({"device": name(device("cpu" if on_cpu else "cuda")), "cases": found}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
