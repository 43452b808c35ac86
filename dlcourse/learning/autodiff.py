"""Gradients without deriving them by hand: a program is recorded while it computes, and then walked backwards.

:class:`Value` does it for single numbers and fits on one screen. :class:`Tensor` does it for whole arrays: it records
ops, each a function of arrays that returns its value and its pullback. Both give first derivatives.
Chapter: book/learning/autodiff.md. Sources: Linnainmaa (1976); Griewank and Walther (2008), chapter 3. What ``Value``
can do is modelled on micrograd (Karpathy, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, tanh
from numbers import Real
from typing import ClassVar, TypeAlias

from dlcourse.learning._tensor import Tensor, cross_entropy, dense, linear, mean_squared_error
from dlcourse.learning._tensor_mlp import TensorMLP

__all__ = [
    "Tensor",
    "TensorMLP",
    "Value",
    "cross_entropy",
    "dense",
    "gradients",
    "linear",
    "mean_squared_error",
]

Number: TypeAlias = float | int


def gradients(parents: Sequence[Sequence[int]], slopes: Sequence[Sequence[float]]) -> list[float]:
    r"""Find the gradients of a recorded program: the whole idea, without an engine around it.

    .. math:: \bar v_p \leftarrow \bar v_p + \bar v_k\, \frac{\partial v_k}{\partial v_p}, \qquad k = n - 1, \dots, 0

    Source: Linnainmaa (1976); Griewank and Walther (2008), section 3.2.

    Args:
        parents: for each number, in the order of computing, the positions of those it was computed from.
        slopes: for each number, the slopes with respect to these, in the same order.

    Returns:
        The gradient of the last number with respect to each.

    Example:
        For x = 3, y = x * x and z = y + x:

        >>> gradients([[], [0, 0], [1, 0]], [[], [3.0, 3.0], [1.0, 1.0]])
        [7.0, 1.0, 1.0]
    """
    grads = [0.0] * len(parents)
    grads[-1] = 1.0
    for k in reversed(range(len(parents))):
        for parent, slope in zip(parents[k], slopes[k], strict=True):
            grads[parent] += grads[k] * slope
    return grads


_tape: list[
    Value
] = []  # a name of the module: looked up for each result, it is found sooner than one of the class


class Value:
    r"""A number that remembers how it was computed.

    .. math:: \bar a \leftarrow \bar a + \bar y\, \frac{\partial y}{\partial a}

    Each result keeps the one or two values it came from, and its slopes with respect to them. It is written on a tape,
    behind all that it came from: so :meth:`backward` need only read the tape from its end.

    Source: Linnainmaa (1976); Griewank and Walther (2008), section 3.2.

    Args:
        data: the number.
        op: how it was computed; nothing, if it was given.
        a: the first value it came from.
        d_a: the slope with respect to ``a``.
        b: the second value it came from.
        d_b: the slope with respect to ``b``.

    Attributes:
        grad: the slope of the last number with respect to this one, summed over the calls of :meth:`backward`.
        tape: all results since the last :meth:`backward`. Who only predicts empties it: ``Value.tape.clear()``.

    Raises:
        TypeError: if ``data`` is no real number.

    Example:
        >>> w, x = Value(3.0), Value(2.0)
        >>> y = (w * x + 1.0) ** 2
        >>> y.backward()
        >>> y.data, w.grad, x.grad
        (49.0, 28.0, 42.0)
    """

    __slots__ = ("a", "b", "d_a", "d_b", "data", "grad", "op")
    __array_ufunc__ = None  # an array leaves what to do to us
    tape: ClassVar[list[Value]] = _tape

    def __init__(
        self,
        data: Number,
        op: str = "",
        a: Value | None = None,
        d_a: Number = 0.0,
        b: Value | None = None,
        d_b: Number = 0.0,
    ):
        self.data = data
        self.grad = 0.0
        self.op = op
        self.a = a
        self.d_a = d_a
        self.b = b
        self.d_b = d_b
        if op:
            _tape.append(self)
        elif not isinstance(data, Real):
            raise TypeError(
                f"Value expects one real number, got {type(data).__name__}: use Tensor for arrays"
            )

    def __add__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value):
            other = Value(other)
        return Value(self.data + other.data, "+", self, 1.0, other, 1.0)

    def __mul__(self, other: Value | Number) -> Value:
        if not isinstance(other, Value):
            other = Value(other)
        return Value(self.data * other.data, "*", self, other.data, other, self.data)

    def __pow__(self, n: Number) -> Value:
        x = self.data
        if not isinstance(n, Real) or (x < 0 and n % 1) or (x == 0 and n < 1):
            raise ValueError(
                f"** expects a number above as exponent, and a slope to exist, got {x} ** {n}: "
                "exponents that are not whole need a number above 0"
            )
        return Value(x**n, f"**{n:g}", self, n * x ** (n - 1))

    def relu(self) -> Value:
        """Pass a positive number on, block the rest."""
        return Value(self.data, "relu", self, 1.0) if self.data > 0 else Value(0.0, "relu", self, 0.0)

    def tanh(self) -> Value:
        """Squeeze the number between -1 and 1."""
        y = tanh(self.data)
        return Value(y, "tanh", self, 1 - y * y)

    def exp(self) -> Value:
        """Raise e to the number."""
        y = exp(self.data)
        return Value(y, "exp", self, y)

    def log(self) -> Value:
        """Take the natural logarithm."""
        if self.data <= 0:
            raise ValueError(
                f"log expects a number above 0, got {self.data}: add something small, or clip it"
            )
        return Value(log(self.data), "log", self, 1 / self.data)

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Value | Number) -> Value:
        return self + -other

    def __rsub__(self, other: Number) -> Value:
        return -self + other

    def __truediv__(self, other: Value | Number) -> Value:
        return self * (other**-1 if isinstance(other, Value) else 1 / other)

    def __rtruediv__(self, other: Number) -> Value:
        return self**-1 * other

    __radd__ = __add__
    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"Value({self.data:g}, grad={self.grad:g})"

    def backward(self) -> None:
        """Add to the ``grad`` of each value how fast this number grows with it.

        Raises:
            RuntimeError: if the tape was emptied since this number was computed.
        """
        if self.op and self not in reversed(self.tape):
            raise RuntimeError(
                "backward expects a result that is still on the tape, but the last backward has emptied it: "
                "compute the result again"
            )
        self.grad = 1.0
        for y in reversed(self.tape):
            if grad := y.grad:  # 0 for what does not lead here
                y.a.grad += grad * y.d_a  # type: ignore[union-attr]  # what is on the tape came from something
                if y.b is not None:
                    y.b.grad += grad * y.d_b
        self.tape.clear()
