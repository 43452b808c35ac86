"""How often a GPU would have to be started for some work, counted without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlcourse.gpus._device import torch

_COMPUTE_NOTHING = ("_unsafe_view", "empty", "empty_like", "empty_strided", "new_empty")


# PyTorch has no other way to see each operation, and counters of other projects stand on this one.
class _Count(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.count += func.namespace == "aten" and not func.is_view and name not in _COMPUTE_NOTHING
        return func(*args, **(kwargs or {}))


def launches(work: Callable[[], object]) -> int:
    """Count the operations of PyTorch that compute something; on a GPU each of them starts at least one kernel.

    A view, such as a transposed matrix, and new memory compute nothing and are not counted.

    Args:
        work: what is counted, without arguments; it is done once.

    Example:
        >>> x, W = torch.ones(2, 3), torch.ones(4, 3)
        >>> launches(lambda: torch.relu(x @ W.T))
        2
    """
    with _Count() as mode:
        work()
    return mode.count
