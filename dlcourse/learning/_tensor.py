"""The tensor engine: :class:`Tensor` records ops of arrays, and :meth:`Tensor.backward` walks them from the loss back.

Nothing here knows how to differentiate: the ops do (:mod:`dlcourse.learning._ops`). The engine decides in which order
their pullbacks are called, adds up what arrives, and frees what was used. It is re-exported by
:mod:`dlcourse.learning.autodiff`. Chapter: book/learning/autodiff.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from dlcourse.learning import _ops as ops
from dlcourse.learning._layer_ops import Room, cross_entropy_op, dense_op, mean_squared_error_op
from dlcourse.learning._ops import Axes, Pullback
from dlcourse.neurons._arrays import Array

Operand: TypeAlias = "Tensor | Array | float | int"


def _freed(d_y: Any) -> tuple[Any, ...]:
    """Stand in for a pullback that was used and thrown away."""
    raise AssertionError("backward refuses a freed graph before it walks")


class Tensor:
    """An array that remembers from which tensors it was computed.

    The numbers are copied, so that nobody else changes them. What :attr:`data` hands out may be changed, but a change
    between an op and its backward is found and refused. Arrays beside a tensor in an op are constants, and not watched.

    Args:
        data: floating-point numbers.
        requires_grad: whether :meth:`backward` should leave a gradient here.

    Attributes:
        grad: gradient of the loss in the shape of the data, summed over the calls of :meth:`backward`; ``None`` before.
        requires_grad: whether this is a tensor with a gradient, or was computed from one.

    Raises:
        TypeError: if ``data`` is not floating-point.

    Example:
        >>> W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> loss = (np.array([[1.0, 1.0]]) @ W).tanh().sum()
        >>> loss.backward()
        >>> W.grad.round(4)
        array([[0.0013, 0.    ],
               [0.0013, 0.    ]])
    """

    __slots__ = (
        "_changes",
        "_data",
        "_into",
        "_lent",
        "_parents",
        "_pullback",
        "_seen",
        "grad",
        "requires_grad",
    )
    __array_ufunc__ = None  # an array beside a tensor leaves the op to the tensor

    def __init__(self, data: Any, *, requires_grad: bool = False):
        array = np.array(data.data if isinstance(data, Tensor) else data)
        if array.dtype.kind != "f":
            raise TypeError(
                f"Tensor expects floating-point numbers, got {array.dtype}: there is no slope between whole numbers; "
                "convert them with np.asarray(data, dtype=float)"
            )
        self._become(array, requires_grad, (), None)

    def _become(
        self, data: Any, requires_grad: bool, parents: tuple[Tensor | None, ...], pullback: Pullback | None
    ) -> None:
        self._data = data
        self.requires_grad = requires_grad
        self.grad: Array | None = None
        self._parents = parents
        self._pullback = pullback
        self._lent: bytes | None = None  # the numbers as they were when somebody outside got hold of them
        self._changes = 0
        self._into: Array | None = None  # where the gradient is wanted, if anywhere
        self._seen = 0  # changes of the parents when this was computed

    @classmethod
    def _around(cls, array: Any, into: Array | None = None) -> Tensor:
        """Put a tensor around an array without copying or watching it; its gradient is written into another one."""
        tensor = cls.__new__(cls)
        tensor._become(array, into is not None, (), None)
        tensor._into = into
        return tensor

    @property
    def data(self) -> Array:
        """The numbers. Change them in place, or set new ones of the same shape and dtype, between two backwards."""
        if self._lent is None:
            self._data = np.asarray(self._data)
            self._lent = self._data.tobytes()
        return self._data

    @data.setter
    def data(self, new: Any) -> None:
        array = np.asarray(new)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"data expects {self.dtype} of shape {self.shape}, as it was, got {array.dtype} of shape {array.shape}: "
                "make a new Tensor for other data"
            )
        if array is not self._data:
            self._data, self._lent = array, b""  # which is no content: found as a change

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the numbers, and of the gradient."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self._data.size

    def detach(self) -> Tensor:
        """Return the same numbers, in the same memory, as a constant."""
        return Tensor._around(self.data)

    def item(self) -> float:
        """Return the number of a tensor that has only one."""
        return float(self._data.item())

    def __float__(self) -> float:
        return self.item()

    def __repr__(self) -> str:
        return f"Tensor({np.array2string(np.asarray(self._data), separator=', ')}, requires_grad={self.requires_grad})"

    def _count_changes(self) -> int:
        """Return how often the numbers were found to be changed by somebody outside."""
        if self._lent is not None:
            now = self._data.tobytes()
            if now != self._lent:
                self._lent = now
                self._changes += 1
        return self._changes

    def backward(self) -> None:
        """Add the gradient of this number to ``grad`` of each tensor it was computed from, and free the graph.

        Raises:
            RuntimeError: if there is nothing to walk, the graph was freed, or a tensor was changed since its op.
            ValueError: if this is not one number.
        """
        if self._data.size != 1:
            raise ValueError(
                f"backward expects one number, got a tensor of shape {self.shape}: "
                "reduce it first, with .sum() or .mean()"
            )
        if not self.requires_grad:
            raise RuntimeError(
                "backward expects a tensor that was computed from one with requires_grad=True, got a constant: "
                "set it where the parameters are made"
            )
        waiting = self._count_uses()
        gradients: dict[Tensor, Any] = {self: np.ones(self._data.shape, self._data.dtype)}
        ready = [self]
        while ready:
            y = ready.pop()
            d_y = gradients.pop(y)
            if y._pullback is None:
                y._keep(d_y)
                continue
            for x, d_x in zip(y._parents, y._pullback(d_y), strict=True):
                if x is None:
                    continue
                if x in gradients:
                    gradients[x] = gradients[x] + d_x  # not in place: the first one may be shared
                else:
                    gradients[x] = d_x
                waiting[x] -= 1
                if not waiting[x]:
                    ready.append(x)
            y._parents, y._pullback = (), _freed

    def _count_uses(self) -> dict[Tensor, int]:
        """Count how many gradients each tensor will get, and refuse a graph that cannot be walked."""
        uses = {self: 0}
        found = [self]
        for y in found:  # grows while it is read: no recursion, however long the chain
            if y._pullback is _freed:
                raise RuntimeError(
                    "backward has freed this graph already: compute the result again, "
                    "or add up the losses and call backward once"
                )
            changes = y._changes if y._lent is None else y._count_changes()
            if y._pullback is None:
                continue
            for x in y._parents:
                if x is None:
                    continue
                changes += x._changes if x._lent is None else x._count_changes()
                if x in uses:
                    uses[x] += 1
                else:
                    uses[x] = 1
                    found.append(x)
            if changes != y._seen:
                raise RuntimeError(
                    f"backward expects what the result of shape {y.shape} was computed from as it was then, but it or "
                    "the result was changed since: change data after backward, or compute the result again"
                )
        return uses

    def _keep(self, d_x: Any) -> None:
        """Add to the gradient; it is an array of its own, so that changing it changes nothing else."""
        if self._into is not None:
            if d_x is not self._into:
                np.copyto(self._into, d_x)
        elif self.grad is None:
            self.grad = np.array(d_x)
        else:
            self.grad = self.grad + d_x

    def __add__(self, other: Operand) -> Tensor:
        return _binary(ops.add_op, self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return _binary(ops.add_op, other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return _binary(ops.subtract_op, self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return _binary(ops.subtract_op, other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return _binary(ops.multiply_op, self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return _binary(ops.multiply_op, other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return _binary(ops.divide_op, self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return _binary(ops.divide_op, other, self)

    def __matmul__(self, other: Tensor | Array) -> Tensor:
        return _binary(ops.matmul_op, self, other)

    def __rmatmul__(self, other: Tensor | Array) -> Tensor:
        return _binary(ops.matmul_op, other, self)

    def __pow__(self, exponent: float | int) -> Tensor:
        if not isinstance(exponent, int | float):
            raise TypeError(
                f"** expects a fixed number as exponent, got {type(exponent).__name__}: "
                "write a ** b as (a.log() * b).exp()"
            )
        return _unary(self, ops.power_op(self._data, exponent))

    def __neg__(self) -> Tensor:
        return _unary(self, ops.negative_op(self._data))

    def exp(self) -> Tensor:
        """Raise e to each entry."""
        return _unary(self, ops.exp_op(self._data))

    def log(self) -> Tensor:
        """Take the natural logarithm of each entry; all must be above 0."""
        return _unary(self, ops.log_op(self._data))

    def relu(self) -> Tensor:
        """Pass what is positive, block the rest."""
        return _unary(self, ops.relu_op(self._data))

    def tanh(self) -> Tensor:
        """Squeeze each entry between -1 and 1."""
        return _unary(self, ops.tanh_op(self._data))

    def sigmoid(self) -> Tensor:
        """Squeeze each entry between 0 and 1."""
        return _unary(self, ops.sigmoid_op(self._data))

    def sum(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """Add up along axes, or everything."""
        return _unary(self, ops.sum_op(self._data, axis, keepdims))

    def mean(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """Average along axes, or everything."""
        return _unary(self, ops.mean_op(self._data, axis, keepdims))

    def max(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """Take the largest along axes, or of everything; equal largest ones share the gradient."""
        return _unary(self, ops.max_op(self._data, axis, keepdims))

    def reshape(self, *shape: int) -> Tensor:
        """Put the same numbers into another shape; one length may be -1."""
        return _unary(self, ops.reshape_op(self._data, shape))

    def transpose(self, *axes: int) -> Tensor:
        """Reorder the axes; without any, reverse them."""
        return _unary(self, ops.transpose_op(self._data, axes or None))

    @property
    def T(self) -> Tensor:  # noqa: N802 - as arrays call it
        """The axes in reverse order."""
        return self.transpose()

    def __getitem__(self, index: Any) -> Tensor:
        return _unary(self, ops.index_op(self._data, index))


def _unary(x: Tensor, computed: tuple[Any, Pullback]) -> Tensor:
    """Record what was computed from one tensor."""
    y = Tensor.__new__(Tensor)
    if x.requires_grad:
        y._become(computed[0], True, (x,), computed[1])
        y._seen = x._changes if x._lent is None else x._count_changes()
    else:
        y._become(computed[0], False, (), None)
    return y


def _binary(op: Callable[..., tuple[Any, Pullback]], a: Operand, b: Operand) -> Tensor:
    """Compute an op of two, of which one at least is a tensor, and record it."""
    of_a: Any = a._data if isinstance(a, Tensor) else a
    of_b: Any = b._data if isinstance(b, Tensor) else b
    if getattr(of_a, "dtype", None) is not getattr(of_b, "dtype", None):
        if isinstance(a, Tensor):
            of_b = _beside(of_a.dtype, of_b)
        else:
            of_a = _beside(of_b.dtype, of_a)
    return _record(op, (a, b), (of_a, of_b))


def _record(
    op: Callable[..., tuple[Any, Pullback]], operands: tuple[Any, ...], arrays: tuple[Any, ...], *options: Any
) -> Tensor:
    """Compute an op of several operands and record those that ask for a gradient."""
    parents = tuple([x if isinstance(x, Tensor) and x.requires_grad else None for x in operands])
    needs = [x is not None for x in parents]
    value, pullback = op(*arrays, *options, needs)
    y = Tensor.__new__(Tensor)
    if any(needs):
        y._become(value, True, parents, pullback)
        for x in parents:
            if x is not None:
                y._seen += x._changes if x._lent is None else x._count_changes()
    else:
        y._become(value, False, (), None)
    return y


def _beside(dtype: Any, x: Any) -> Any:
    """Return an operand that keeps the dtype of the tensor beside it, or say why there is none."""
    if isinstance(x, int | float):
        return float(x) if isinstance(x, np.floating) else x  # NumPy's own numbers would force their dtype
    if not isinstance(x, np.ndarray | np.generic):
        raise TypeError(
            f"an op of tensors expects tensors, arrays or numbers, got {type(x).__name__}: make it an array"
        )
    if x.dtype == bool:
        return x.astype(dtype)
    if x.dtype != dtype:
        raise TypeError(
            f"an op of tensors expects one floating-point dtype, got {x.dtype} beside {dtype}: "
            f"convert with astype(np.{dtype})"
        )
    return x


def linear(x: Operand, W: Operand, b: Operand) -> Tensor:
    """Compute the sums of a layer as one op; see :func:`dlcourse.neurons.network.linear`."""
    return dense(x, W, b, "linear")


def dense(x: Operand, W: Operand, b: Operand, activation: str = "relu") -> Tensor:
    """Compute a layer as one op; see :func:`dlcourse.neurons.network.dense`.

    Args:
        x: one sample a row, ``(batch, n_in)``.
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: ``"linear"`` for none, or a name from :data:`dlcourse.neurons.activation.ACTIVATIONS`.
    """
    return _layer(x, W, b, activation, None)


def _layer(x: Operand, W: Operand, b: Operand, activation: str, room: Room | None) -> Tensor:
    arrays = tuple([p._data if isinstance(p, Tensor) else p for p in (x, W, b)])
    of_x, of_W, of_b = (getattr(p, "dtype", type(p)) for p in arrays)
    if not of_x == of_W == of_b:
        raise TypeError(
            f"dense expects x, W and b of one dtype, got {of_x}, {of_W} and {of_b}: convert them with astype"
        )
    return _record(dense_op, (x, W, b), arrays, activation, room)


def mean_squared_error(predicted: Tensor, target: Array) -> Tensor:
    """Average the squared errors; see :func:`dlcourse.learning.loss.mean_squared_error`."""
    return _unary(predicted, mean_squared_error_op(predicted._data, target))


def cross_entropy(logits: Tensor, labels: Array) -> Tensor:
    """Average the surprise of class indices, from logits; see :func:`dlcourse.learning.loss.cross_entropy`."""
    return _unary(logits, cross_entropy_op(logits._data, labels))
