"""How many bytes are really held: between two steps, and from moment to moment within one.

The arrays themselves are counted. What a library allocates for itself while it sends is not seen.
Chapter: book/distributed/sharding.md.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from dlcourse.gpus._device import torch


def held_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Count the bytes behind some tensors; what several of them share is counted once.

    Example:
        >>> a = torch.ones(1000)
        >>> held_bytes([a, a[:10], torch.ones(1)])
        4004
    """
    blocks = [tensor.untyped_storage() for tensor in tensors]
    return sum({block.data_ptr(): block.nbytes() for block in blocks if block.nbytes()}.values())


# PyTorch has no other way to see each operation, and memory counters of other projects stand on this one.
class Recording(torch.utils._python_dispatch.TorchDispatchMode):
    """Writes down how many bytes all arrays hold together, whenever one comes or goes.

    An array from before counts from the moment in which something looks at it: make what is recorded inside.

    Attributes:
        held: bytes, after each change.
        begins: positions in ``held`` at which :meth:`begin` was called.

    Example:
        >>> with Recording() as recording:
        ...     a = torch.ones(1000)
        ...     recording.begin()
        ...     a = a.relu()
        >>> recording.held, recording.begins
        ([0, 4000, 8000, 4000], [1])
    """

    def __init__(self) -> None:
        super().__init__()
        self._bytes: dict[int, int] = {}  # by address: views share the array that they look at
        self.held, self.begins = [0], list[int]()

    def begin(self) -> None:
        """Note that a part of the work begins here."""
        self.begins.append(len(self.held) - 1)

    def _see(self, tensor: torch.Tensor) -> None:
        block = tensor.untyped_storage()
        address = block.data_ptr()
        if block.nbytes() and address not in self._bytes:
            self._bytes[address] = block.nbytes()
            self.held.append(self.held[-1] + block.nbytes())
            weakref.finalize(block, self._gone, address).atexit = False

    def _gone(self, address: int) -> None:
        if address in self._bytes:
            self.held.append(self.held[-1] - self._bytes.pop(address))

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._bytes.clear()  # what goes later goes unseen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in torch.utils._pytree.tree_iter(result):
            if isinstance(item, torch.Tensor):
                self._see(item)
        return result
