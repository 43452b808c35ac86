"""Watch a kernel's programs: who reads and writes what, and who reaches outside of an array.

Triton's interpreter reads whatever memory a pointer leads to, as a GPU does. Here each place is looked at first, so that
a missing mask is told in a sentence. What a mask leaves out without ``other`` is NaN: on a GPU it could be anything.
Compiled kernels cannot be watched; there :func:`launch` only starts them. Chapter: book/gpus/kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dlcourse.gpus import _device
from dlcourse.gpus._device import torch
from dlcourse.gpus._triton import INTERPRETED, tl
from dlcourse.neurons._arrays import Array

Grid: TypeAlias = tuple[int, ...]

ROOM = 2**16
"""Numbers on each side of an array by which a stray place is still known to belong to it."""


class Access(NamedTuple):
    """What one ``tl.load`` or ``tl.store`` of one program touched.

    Args:
        program: which one, in the three directions of the grid.
        tensor: the kernel's name for the array.
        kind: ``"load"`` or ``"store"``.
        places: which entries, as indices of the flattened array; what a mask leaves out is not among them.
        itemsize: bytes of one entry.
    """

    program: tuple[int, int, int]
    tensor: str
    kind: str
    places: Array
    itemsize: int


def moved(accesses: Sequence[Access], kind: str = "") -> int:
    """Count the bytes that programs loaded, stored, or both.

    Args:
        accesses: from :func:`trace`.
        kind: ``"load"``, ``"store"``, or nothing for both.
    """
    return sum(a.places.size * a.itemsize for a in accesses if kind in ("", a.kind))


def launch(kernel: Any, grid: Grid, *args: Any, **meta: Any) -> None:
    """Start a kernel; in the interpreter, refuse places outside of its arrays.

    Where kernels are compiled, tensors on the CPU are carried to the GPU and back.

    Args:
        kernel: a function under ``@triton.jit``.
        grid: how many programs, in up to three directions.
        args: its arguments in order; tensors are written in place.
        meta: its constants by name.

    Raises:
        IndexError: if a program reads or writes outside of a tensor, in the interpreter.
    """
    if INTERPRETED:
        trace(kernel, grid, *args, **meta)
        return
    there = [arg.to(_device.device()) if torch.is_tensor(arg) else arg for arg in args]
    kernel[grid](*there, **meta)
    for arg, result in zip(args, there, strict=True):
        if torch.is_tensor(arg) and arg is not result:
            arg.copy_(result)


def trace(kernel: Any, grid: Grid, *args: Any, **meta: Any) -> list[Access]:
    """Run a kernel in the interpreter, and write down what each program loads and stores.

    Args:
        kernel: a function under ``@triton.jit``.
        grid: how many programs, in up to three directions.
        args: its arguments in order; tensors are written in place.
        meta: its constants by name.

    Returns:
        The accesses in the order in which they happened.

    Raises:
        IndexError: if a program reads or writes outside of a tensor.
        RuntimeError: if kernels are compiled here.
    """
    if not INTERPRETED:
        raise RuntimeError(
            "trace watches kernels in Triton's interpreter, but they are compiled here: set TRITON_INTERPRET=1 before "
            "Python starts"
        )
    names = list(kernel.arg_names)
    fields = {name: _Field(name, arg) for name, arg in zip(names, args, strict=False) if torch.is_tensor(arg)}
    seen: list[Access] = []
    with _watched(list(fields.values()), seen):
        _run(
            kernel,
            grid,
            [fields[n].inside if n in fields else a for n, a in zip(names, args, strict=False)],
            meta,
        )
    for name in {access.tensor for access in seen if access.kind == "store"}:
        fields[name].tensor.copy_(fields[name].inside)
    return seen


def _run(kernel: Any, grid: Grid, args: Sequence[Any], meta: dict[str, Any]) -> None:
    try:
        kernel[grid](*args, **meta)
    except (
        Exception
    ) as error:  # the interpreter wraps what a kernel raises, once for each function on the way
        while type(error).__name__ == "InterpreterError" and isinstance(error.__cause__, Exception):
            error = error.__cause__
        raise error from None


class _Field:
    """A copy of a tensor with room around it, and the way from addresses to its entries."""

    def __init__(self, name: str, tensor: torch.Tensor):
        self.name, self.tensor = name, tensor
        shape, strides = tensor.shape, tensor.stride()
        span = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if tensor.numel() else 0
        self.around = torch.empty(span + 2 * ROOM, dtype=tensor.dtype)
        if tensor.is_floating_point():
            self.around[ROOM : ROOM + span] = torch.nan
        self.inside = self.around.as_strided(shape, strides, ROOM)
        self.inside.copy_(tensor.detach())
        # Which entry lies at a place of the memory; -1 between the rows of a larger array.
        self.entries = np.full(span, -1)
        self.entries[torch.arange(span).as_strided(shape, strides, 0).flatten().numpy()] = np.arange(
            tensor.numel()
        )

    def offsets(self, addresses: Array) -> Array:
        start = self.around.data_ptr()
        return (addresses.astype(np.int64) - start) // self.around.itemsize - ROOM

    def holds(self, address: int) -> bool:
        start = self.around.data_ptr()
        return start <= address < start + self.around.numel() * self.around.itemsize


def _find(fields: Sequence[_Field], kind: str, addresses: Array) -> tuple[_Field, Array]:
    verb, call = ("reads", "tl.load") if kind == "load" else ("writes", "tl.store")
    # The first place tells the array: the others can only be too far from it.
    field = next((f for f in fields if f.holds(int(addresses[0]))), None)
    if field is None:
        raise IndexError(f"the kernel {verb} far outside of all its arrays: are the strides multiplied in?")
    offsets = field.offsets(addresses)
    if offsets.min() < 0:
        raise IndexError(f"the kernel {verb} before the beginning of {field.name}: places count from 0")
    if offsets.max() >= field.entries.size:
        raise IndexError(
            f"the kernel {verb} beyond the end of {field.name}: give {call} a mask that is False there"
        )
    places = field.entries[offsets]
    if places.min() < 0:
        raise IndexError(
            f"the kernel {verb} between the rows of {field.name}: a row ends before the next one begins, so mask what is "
            "behind its end, and multiply its number by the stride"
        )
    return field, places


@contextmanager
def _watched(fields: Sequence[_Field], seen: list[Access]) -> Iterator[None]:
    from triton.runtime import interpreter

    builder = interpreter.interpreter_builder
    plain_load, plain_store, plain_atomic = (
        builder.create_masked_load,
        builder.create_masked_store,
        builder.create_atomic_rmw,
    )

    def note(kind: str, pointers: Any, mask: Any) -> None:
        wanted = np.broadcast_to(mask.data, pointers.data.shape)
        addresses = np.atleast_1d(pointers.data[wanted])
        if addresses.size:
            field, places = _find(fields, kind, addresses)
            seen.append(Access(builder.grid_idx, field.name, kind, places, field.tensor.itemsize))

    def load(pointers: Any, mask: Any, other: Any, *rest: Any) -> Any:
        note("load", pointers, mask)
        element = pointers.get_element_ty()
        if other is None and element in (tl.float16, tl.float32, tl.float64):
            nothing = np.full(
                pointers.data.shape, np.nan, dtype=getattr(np, f"float{element.primitive_bitwidth}")
            )
            other = interpreter.TensorHandle(nothing, element)
        return plain_load(pointers, mask, other, *rest)

    def store(pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        note("store", pointers, mask)
        return plain_store(pointers, value, mask, *rest)

    def atomic(operation: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        note("store", pointers, mask)
        return plain_atomic(operation, pointers, value, mask, *rest)

    own: dict[str, Callable[..., Any]] = {
        "create_masked_load": load,
        "create_masked_store": store,
        "create_atomic_rmw": atomic,
    }
    vars(builder).update(own)
    try:
        yield
    finally:
        for name in own:
            del vars(builder)[name]
