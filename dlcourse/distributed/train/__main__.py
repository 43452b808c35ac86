"""The script that torchrun starts: train the network for digits on all ranks, and go on where a run was cut off.

    python -m dlcourse.distributed.train                                            (one process)
    torchrun --standalone --nproc-per-node 2 -m dlcourse.distributed.train          (two on this machine)
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 \
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29400 --rdzv-id 1 \
             --max-restarts 3 -m dlcourse.distributed.train                  (the same line on each of two machines)

torchrun tells each process its rank in the environment, and starts all of them again if one dies. What is in the folder
then goes on: the ranks agree on the newest checkpoint that any of them has. Chapter: book/distributed/data_parallel.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from dlcourse.data import digits
from dlcourse.distributed.data_parallel import (
    DDPMLP,
    DataParallelMLP,
    backend,
    distributed,
    rank_device,
    spread,
    world,
)
from dlcourse.gpus import _device
from dlcourse.gpus._device import torch
from dlcourse.training import History, Progress, _checkpoint, fit
from dlcourse.training.initialization import initialize
from dlcourse.training.optimizers import AdamW


def main(arguments: Sequence[str] | None = None) -> None:
    """Join the other ranks, train with them, and leave.

    Args:
        arguments: of the command line; those that the script was started with if left out.
    """
    asked = _parser().parse_args(arguments)
    join(asked.device)
    try:
        train(asked)
    finally:
        distributed.destroy_process_group()


def join(device: str) -> None:
    """Meet the other ranks that torchrun started; without torchrun, be the only one.

    After a restart, addresses of dead ranks must not be found (pytorch issue 135712). Where one torchrun has started all
    ranks, each start has a room of its own. Where there are several, they do not agree on how many starts there were:
    set ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` for them.
    """
    where = rank_device(device)
    if where.startswith("cuda"):
        torch.cuda.set_device(where)
    patience, told = timedelta(minutes=5), os.environ
    rank, count = int(told.get("RANK", 0)), int(told.get("WORLD_SIZE", 1))
    store = distributed.HashStore()
    if "RANK" in told:
        # Here the ranks write their addresses; torchrun keeps it over restarts.
        store, *_ = next(distributed.rendezvous("env://", rank, count, timeout=patience))
        if told.get("GROUP_WORLD_SIZE") == "1":
            room = f"start {told['TORCHELASTIC_RESTART_COUNT']}"
            store = distributed.PrefixStore(room, store)
    distributed.init_process_group(
        backend(where),
        store=store,
        rank=rank,
        world_size=count,
        timeout=patience,
    )


def train(asked: argparse.Namespace) -> History:
    """Train on this rank, together with the others.

    Args:
        asked: the command line.

    Returns:
        How it went: the same on all ranks.
    """
    rank, count = world()
    data = digits.split()
    sizes = (data.x_train.shape[1], *asked.hidden, 10)
    net = initialize(sizes, "he", output="class", rng=np.random.default_rng(asked.seed), dtype=np.float32)
    model = (DataParallelMLP if asked.by_hand else DDPMLP)(net, device=asked.device)
    _say(f"rank {rank} of {count}: process {os.getpid()} on {_device.name(model.device)}")
    path, done = agree(asked.out)
    if rank == 0 and done:
        _say(f"goes on after epoch {done}")
    start = time.perf_counter()
    history = fit(
        model,
        data.x_train,
        data.y_train,
        optimizer=AdamW(model.parameters, rate=asked.rate),
        epochs=asked.epochs,
        batch=asked.batch,  # of all ranks together, so that the result does not depend on how many there are
        rng=np.random.default_rng((asked.seed, 1)),  # the same order on each rank
        validation=(data.x_test, data.y_test),
        progress=_teller(done) if rank == 0 else None,
        checkpoint=path,
        resume=done > 0,
    )
    seconds = time.perf_counter() - start
    apart = spread(tuple(model.module.parameters()))
    if rank == 0:
        last = f"the last {history.epochs - done} in {seconds:.1f} s"
        _say(f"{history.epochs} epochs, {last}: accuracy {history.accuracy[-1]:.1%}")
        _say(f"the networks of all ranks are {apart:g} apart")
    return history


def agree(folder: Path) -> tuple[Path, int]:
    """Give all ranks the newest checkpoint that one of them has.

    Each rank keeps its own file, so a machine may be lost, and no disk need be shared. The ranks may be numbered anew
    after a restart, and some may have been killed before they wrote: so they compare, and take the newest.

    Args:
        folder: where each rank keeps its checkpoint; the folder of another machine may be empty.

    Returns:
        This rank's file, and how many epochs are in it.
    """
    rank, count = world()
    path = folder / f"checkpoint-{rank}.npz"
    found = sorted((_epochs(each), str(each)) for each in folder.glob("checkpoint-*.npz"))
    done, newest = found[-1] if found else (0, "")
    everywhere: list[int] = [0] * count
    distributed.all_gather_object(everywhere, done)
    done, owner = max(everywhere), everywhere.index(max(everywhere))
    if done:
        parcel = [Path(newest).read_bytes() if rank == owner else b""]
        distributed.broadcast_object_list(parcel, src=owner)
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        beside.write_bytes(parcel[0])
        beside.replace(path)
    return path, done


def _epochs(path: Path) -> int:
    """Return how many epochs are in a checkpoint: 0 if it cannot be read."""
    try:
        return History(**_checkpoint.read(path)[1]["history"]).epochs
    except (OSError, KeyError, TypeError, ValueError):
        return 0


def _teller(told: int) -> Progress:
    """Return what says how each epoch was, as soon as the next one begins."""

    def tell(steps: int, of: int, history: History) -> None:
        nonlocal told
        if history.epochs > told:
            told = history.epochs
            _say(f"epoch {told}: loss {history.loss[-1]:.4f}, accuracy {history.accuracy[-1]:.1%}")

    return tell


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")  # at once: the ranks share one screen
    sys.stdout.flush()


def _units(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dlcourse.distributed.train",
        description="Train the network for digits on all ranks that torchrun starts; goes on with what is in the folder.",
    )
    parser.add_argument("--out", type=Path, default=Path("build/train/distributed"), help="folder of the run")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128, help="examples a step, of all ranks together")
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument(
        "--hidden", type=_units, default=(128,), metavar="UNITS", help="such as 256,128 (default: 128)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same on all ranks")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--by-hand", action="store_true", help="average in one message, without DDP")
    return parser


if __name__ == "__main__":
    main()
