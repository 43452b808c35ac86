"""What one really uses: ``fully_shard`` of PyTorch (FSDP2), and a checkpoint that any number of ranks can read.

Chapter: book/distributed/sharding.md. Sources: Zhao et al. (2023); the documentation of ``torch.distributed.checkpoint``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dlcourse.distributed._shares import State
from dlcourse.gpus._device import torch
from dlcourse.gpus._recorded import held_bytes

M = TypeVar("M", bound=torch.nn.Module)


def fully_sharded(module: M) -> M:
    """Divide the parameters of a module among all ranks, each of its layers for itself: stage 3.

    The module stays the same object. From now on a layer is brought together just before it is used, and dropped after
    it; gradients are averaged and scattered. Make the optimizer after this call, so that it sees the shares.

    Args:
        module: the same on all ranks. Its direct children are the layers.

    Raises:
        RuntimeError: if there is no process group.
    """
    if not torch.distributed.is_initialized():
        raise RuntimeError(
            "fully_sharded expects processes that know one another, got a process alone: call it in what run_processes "
            "or torchrun starts"
        )
    # Each takes its time to load, and only processes need them.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    kind = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    mesh = init_device_mesh(kind, (torch.distributed.get_world_size(),))
    for layer in module.children():
        if any(True for _ in layer.parameters()):
            fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def state_held(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Measure the bytes that this rank holds of a module's parameters, gradients and optimizer.

    Args:
        module: divided or not.
        optimizer: of its parameters. The count of steps, one number each, is left out.
    """
    parameters = list(module.parameters())
    gradients = [p.grad for p in parameters if p.grad is not None]
    kept = [value for state in optimizer.state.values() for value in state.values()]
    moments = [value for value in kept if isinstance(value, torch.Tensor) and value.ndim]
    return State(*(held_bytes(_local(tensors)) for tensors in (parameters, gradients, moments)))


def save_checkpoint(folder: str | Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Save a module and its optimizer: each rank writes what it holds into a file of its own. All ranks call this.

    Args:
        folder: where to, on a disk that all ranks see.
        module: what :func:`fully_sharded` gave.
        optimizer: of its parameters.
    """
    from torch.distributed.checkpoint import state_dict_saver
    from torch.distributed.checkpoint.state_dict import get_state_dict

    model, kept = get_state_dict(module, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state_dict_saver.save({"model": model, "optimizer": kept}, checkpoint_id=str(folder))


def load_checkpoint(folder: str | Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load a checkpoint into a module and its optimizer, whatever number of ranks saved it. All ranks call this.

    Each rank reads only what it holds from now on.

    Args:
        folder: where :func:`save_checkpoint` saved it.
        module: of the same layers.
        optimizer: of its parameters.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    if not (Path(folder) / ".metadata").is_file():
        raise FileNotFoundError(
            f"load_checkpoint expects a checkpoint in {folder}, but its index .metadata is not there: save one with "
            "save_checkpoint on all ranks, and wait until the last one is done"
        )
    from torch.distributed.checkpoint import state_dict_loader
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    model, kept = get_state_dict(module, optimizer)
    state: dict[str, Any] = {"model": model, "optimizer": kept}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state_dict_loader.load(state, checkpoint_id=str(folder))
    set_state_dict(module, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def _local(tensors: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Give the part of each tensor that lies on this rank."""
    for tensor in tensors:
        yield tensor.to_local() if hasattr(tensor, "to_local") else tensor
