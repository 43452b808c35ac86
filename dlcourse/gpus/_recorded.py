"""The memory of a training step, recorded: every array of PyTorch that comes and goes.

What the operating system says about a process tells little: it counts PyTorch itself, and memory that was given back and
may be used again. So the arrays themselves are counted. An operation's own scratch memory is not seen; on a GPU
:func:`peak_bytes` asks the allocator, which sees all. Chapter: book/gpus/memory.md.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dlcourse.gpus._device import torch


# PyTorch has no other way to see each operation, and memory counters of other projects stand on this one.
class Recording(torch.utils._python_dispatch.TorchDispatchMode):
    """Writes down how many bytes all arrays hold together, whenever one comes or goes.

    Args:
        known: tensors that are there already.

    Attributes:
        totals: bytes held, after each change.
        starts: for each part of the work, where it begins in ``totals``; see :meth:`begin`.

    Example:
        >>> with Recording() as recording:
        ...     a = torch.ones(1000)
        ...     del a
        >>> recording.totals
        [0, 4000, 0]
    """

    def __init__(self, known: Iterable[torch.Tensor] = ()):
        super().__init__()
        self._bytes: dict[int, int] = {}  # by address: views share the array that they look at
        self.totals = [0]
        self.starts: dict[str, int] = {}
        for tensor in known:
            self._see(tensor)
        self.totals = self.totals[-1:]

    @property
    def peak(self) -> int:
        """The most bytes that were held at once."""
        return max(self.totals)

    def begin(self, part: str) -> None:
        """Say that another part of the work begins here."""
        self.starts[part] = len(self.totals)
        self.totals.append(self.totals[-1])

    def parts(self) -> dict[str, list[int]]:
        """Return ``totals`` in parts, as :meth:`begin` divided them."""
        ends = [*self.starts.values(), len(self.totals)][1:]
        return {name: self.totals[a:b] for (name, a), b in zip(self.starts.items(), ends, strict=True)}

    def _see(self, tensor: torch.Tensor) -> None:
        block = tensor.untyped_storage()
        address = block.data_ptr()
        if block.nbytes() and address not in self._bytes:
            self._bytes[address] = block.nbytes()
            self.totals.append(self.totals[-1] + block.nbytes())
            weakref.finalize(block, self._gone, address).atexit = False

    def _gone(self, address: int) -> None:
        if address in self._bytes:
            self.totals.append(self.totals[-1] - self._bytes.pop(address))

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._bytes.clear()  # what goes later goes unseen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in torch.utils._pytree.tree_iter(result):
            if isinstance(item, torch.Tensor):
                self._see(item)
        return result


def held_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Count the bytes behind some tensors; what several of them share is counted once.

    Example:
        >>> a = torch.ones(1000)
        >>> held_bytes([a, a[:10], torch.ones(1)])
        4004
    """
    blocks = [tensor.untyped_storage() for tensor in tensors]
    return sum({block.data_ptr(): block.nbytes() for block in blocks if block.nbytes()}.values())


def tensors_of(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> Iterator[torch.Tensor]:
    """List what stays in memory between two steps: parameters, their gradients, and what the optimizer keeps."""
    for parameter in module.parameters():
        yield parameter
        if parameter.grad is not None:
            yield parameter.grad
    if optimizer is not None:
        for kept in optimizer.state.values():
            yield from (value for value in kept.values() if isinstance(value, torch.Tensor))


def train_step(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    labels: torch.Tensor,
    *,
    pieces: int = 1,
    keep_gradients: bool = False,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
    around: AbstractContextManager[Any] | None = None,
    recording: Recording | None = None,
) -> float:
    """Do one training step of a classifier, and return its loss.

    Args:
        module: what is trained.
        optimizer: what trains it.
        x: samples, ``(batch, ...)``.
        labels: their classes, ``(batch,)``.
        pieces: in how many pieces the batch is taken; their gradients are added up.
        keep_gradients: whether their memory is kept for the next step.
        forward: what is called instead of the module, such as the same layers with checkpoints.
        around: what the way forward stands in, such as ``torch.autocast``.
        recording: where to say which part of the step begins.
    """
    total = 0.0
    for some, classes in zip(x.chunk(pieces), labels.chunk(pieces), strict=True):
        if recording is not None:
            recording.begin("forward" if pieces == 1 else f"forward {len(recording.starts) // 2 + 1}")
        with around or nullcontext():
            loss = torch.nn.functional.cross_entropy((forward or module)(some), classes)
        if recording is not None:
            recording.begin("backward" if pieces == 1 else f"backward {len(recording.starts) // 2 + 1}")
        share = len(some) / len(x)
        (loss if pieces == 1 else share * loss).backward()
        total += share * loss.item()
    if recording is not None:
        recording.begin("step")
    optimizer.step()
    optimizer.zero_grad(set_to_none=not keep_gradients)
    return total


def record_step(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    labels: torch.Tensor,
    **how: Any,
) -> Recording:
    """Record the second of two training steps: with the first one, the optimizer begins to keep what it keeps.

    Args:
        module: what is trained.
        optimizer: what trains it.
        x: samples, ``(batch, ...)``.
        labels: their classes, ``(batch,)``.
        how: what else :func:`train_step` takes.
    """
    train_step(module, optimizer, x, labels, **how)
    with Recording([*tensors_of(module, optimizer), x, labels]) as recording:
        train_step(module, optimizer, x, labels, recording=recording, **how)
    return recording


def kept_bytes(work: Callable[[], object], *, without: Iterable[torch.Tensor] = ()) -> int:
    """Count the bytes that PyTorch keeps for the way back, as it says itself.

    Args:
        work: a way forward, without arguments.
        without: tensors that are not counted, such as the parameters: they are there anyway.

    Example:
        >>> W = torch.ones(3, 5, requires_grad=True)
        >>> x = torch.ones(2, 3)
        >>> kept_bytes(lambda: x @ W, without=[W]) == 4 * x.numel()
        True
    """
    kept: dict[int, int] = {}
    left_out = {tensor.untyped_storage().data_ptr() for tensor in without}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        block = tensor.untyped_storage()
        if block.data_ptr() not in left_out:
            kept[block.data_ptr()] = block.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        alive = work()  # holds what is kept, so that no address is given away twice
    del alive
    return sum(kept.values())


def peak_bytes(work: Callable[[], object], where: torch.device, known: Iterable[torch.Tensor] = ()) -> int:
    """Return the most bytes that are held at once while something is done, on any device.

    Args:
        work: what is measured, without arguments.
        where: the device. A GPU's own allocator is asked; elsewhere the arrays are counted.
        known: tensors that are there already; needed where the arrays are counted.
    """
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
        work()
        return int(torch.cuda.max_memory_allocated(where))
    with Recording(known) as recording:
        work()
    return recording.peak
