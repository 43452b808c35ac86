"""How much one sandbox may use."""

from __future__ import annotations

from dataclasses import dataclass

MANY_PROCESSES = 4096
"""The limit where Linux counts all processes of a user, not those of the sandbox alone."""


@dataclass(frozen=True)
class Limits:
    """What learners' code may use before it is refused more, or ended.

    Args:
        seconds: Processor time of each process.
        memory: Bytes that a process may allocate.
        address_space: Bytes that it may map, shared memory and libraries included.
        total_memory: Bytes of all processes and scratch folders together, where cgroups can be had.
        processes: Processes and threads of a sandbox.
        open_files: Files that a process may hold open.
        file_size: Bytes of the largest file.
        scratch: Bytes of each folder that can be written to.
        files: Files and folders in each of them.
    """

    seconds: int = 600
    memory: int = 3 * 2**30
    address_space: int = 6 * 2**30
    total_memory: int = 4 * 2**30
    processes: int = 128
    open_files: int = 512
    file_size: int = 64 * 2**20
    scratch: int = 256 * 2**20
    files: int = 20_000


LIMITS = Limits()
