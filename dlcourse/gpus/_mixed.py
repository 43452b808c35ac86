"""Mixed precision in PyTorch: a training step, which operation runs in which dtype, and where the first NaN comes from.

Chapter: book/gpus/precision.md. Source: Micikevicius et al. (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Int

from dlcourse.gpus._device import torch


def mixed_train_step(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Float[torch.Tensor, "batch ..."],
    labels: Int[torch.Tensor, " batch"],
    *,
    dtype: torch.dtype | None = None,
    scaler: torch.amp.GradScaler | None = None,
    weight: float = 1.0,
) -> float:
    """Take a training step in mixed precision.

    Autocast casts what goes into each operation; the parameters of the module stay as they are, in float32: they are
    the master weights. The way back runs in the dtypes of the way forward.

    Args:
        module: gives logits, ``(batch, classes)``.
        optimizer: of the parameters of ``module``.
        x: samples.
        labels: class indices.
        dtype: ``torch.bfloat16`` or ``torch.float16`` for what is safe in 16 bits; ``None`` for float32.
        scaler: scales the loss; float16 needs it, the others do not.
        weight: multiplies the loss, as a share of a larger loss does.

    Returns:
        The loss of the batch, without the weight.
    """
    scaler = scaler or torch.amp.GradScaler(enabled=False)
    with torch.autocast(x.device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        loss = torch.nn.functional.cross_entropy(module(x), labels)
    optimizer.zero_grad()
    scaler.scale(weight * loss).backward()
    scaler.step(optimizer)  # divides the gradients first; leaves the step out if one of them is not finite
    scaler.update()
    return loss.item()


# PyTorch has no other way to see each operation after autocast has decided.
class _Watch(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple | list) else result
        if isinstance(first, torch.Tensor) and not func.is_view:
            self.seen.append((func.overloadpacket.__name__, str(first.dtype).removeprefix("torch.")))
        return result


def op_dtypes(
    work: Callable[[], object], dtype: torch.dtype, device: torch.device | str = "cpu"
) -> list[tuple[str, str]]:
    """List the operations that some work runs under autocast, each with the dtype of its result.

    Args:
        work: what is watched, without arguments; it is done once.
        dtype: what autocast casts to.
        device: where the work runs.

    Returns:
        Pairs of an operation and a dtype, in order; ``_to_copy`` is a cast.

    Example:
        >>> a = torch.ones(2, 2)
        >>> op_dtypes(lambda: (a @ a).relu() + a, torch.bfloat16)[2:]
        [('mm', 'bfloat16'), ('relu', 'bfloat16'), ('add', 'float32')]
    """
    where = torch.device(device)
    # The cache of casts lives outside of what is watched, so each cast is seen.
    with _Watch() as watch, torch.autocast(where.type, dtype=dtype, cache_enabled=False):
        work()
    return watch.seen


def first_not_finite(module: torch.nn.Module, x: torch.Tensor) -> str:
    """Name the first part of a network whose answer is not finite, or an empty text if all are.

    Args:
        module: the network.
        x: a batch that makes trouble.

    Returns:
        The name of the part, as in ``module.named_modules()``; of the innermost one, whose inputs are finite still.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Softmax(dim=1))
        >>> first_not_finite(net, torch.tensor([[1.0, float("inf")]])), first_not_finite(net, torch.ones(1, 2))
        ('0', '')
    """
    found: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def look(part: torch.nn.Module, given: Any, answer: Any) -> None:
            answers = answer if isinstance(answer, tuple | list) else (answer,)
            if not found and any(isinstance(a, torch.Tensor) and not a.isfinite().all() for a in answers):
                found.append(name)

        return look

    hooks = [part.register_forward_hook(watch(name)) for name, part in module.named_modules() if name]
    try:
        with torch.no_grad():
            module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""
