"""What a process sends to others, counted while it sends it. Chapter: book/distributed/collectives.md."""

from __future__ import annotations

from functools import wraps
from typing import Any

from dlcourse.gpus._device import torch


class Traffic:
    """Counts the messages that this process sends from point to point, and their bytes.

    Whatever sends them: ``send``, ``isend`` and ``batch_isend_irecv`` of ``torch.distributed`` all go through
    the same place. PyTorch's own collectives do not, since they talk inside of their library.

    Attributes:
        messages: how many were sent.
        bytes: how many bytes of tensors they held together.

    Example:
        >>> from dlcourse.distributed._processes import run_processes
        >>> def work():
        ...     with Traffic() as traffic:
        ...         if torch.distributed.get_rank() == 0:
        ...             torch.distributed.send(torch.zeros(5), dst=1)
        ...         else:
        ...             torch.distributed.recv(torch.zeros(5), src=0)
        ...     return traffic.messages, traffic.bytes
        >>> run_processes(work, 2)
        [(1, 20), (0, 0)]
    """

    def __init__(self) -> None:
        self.messages = self.bytes = 0

    def __enter__(self) -> Traffic:
        world = torch.distributed.group.WORLD  # None where there are no other processes yet
        kind: Any = torch._C._distributed_c10d.ProcessGroup if world is None else type(world)
        before = kind.send
        # As it is kept in the class: what an attribute gives would not be bound again.
        self._kind, self._before = kind, vars(kind)["send"]

        @wraps(before)
        def send(group: Any, tensors: Any, *arguments: Any, **options: Any) -> Any:
            self.messages += 1
            self.bytes += sum(tensor.nbytes for tensor in tensors)
            return before(group, tensors, *arguments, **options)

        kind.send = send
        return self

    def __exit__(self, *_: object) -> None:
        self._kind.send = self._before
