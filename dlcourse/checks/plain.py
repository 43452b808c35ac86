"""Values as plain data, whatever the learner's code made of them.

A value of the learner's may be an object that answers falsely when asked what it is. So its real type is asked, and its
content is read by the methods of NumPy's and Python's own types.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from dlcourse.checks.inputs import Tensor

DEPTH = 32
"""How deep lists may be nested."""

_MOST = 1_000_000
_NO_NUMBERS = (
    "a stand-in for an array came back, which holds no numbers; it has left the function that is being compiled or "
    "differentiated, so return what is computed from it"
)
_LONGEST = 300


class NotDataError(TypeError):
    """The learner's value is not made of numbers, strings, arrays and lists."""


def plain(result: Any) -> Any:
    """Turn a result into plain data.

    Args:
        result: number, string, array, tensor, or a list, tuple or dictionary of these.

    Returns:
        The same with arrays of kind b, i, u or f; tuples become lists, tensors arrays.

    Raises:
        NotDataError: if something else is inside, since only data can be compared; or no end of it.
    """
    left = [_MOST]
    return _plain(result, [], left)


def _plain(result: Any, above: list[int], left: list[int]) -> Any:
    kind = type(result)
    left[0] -= 1
    if left[0] < 0:
        raise NotDataError(f"more than {_MOST:,} items came back; return them as one array")
    if result is None or kind in (bool, int, float, str):
        return result
    if issubclass(kind, np.ndarray | np.generic):
        return _array(np.array(result, subok=False))
    if issubclass(kind, str):
        return str.__str__(result)
    if issubclass(kind, int):
        return int.__int__(result)
    if issubclass(kind, float):
        return float.__float__(result)
    if issubclass(kind, list | tuple | dict):
        return _container(result, above, left)
    torch: Any = sys.modules.get("torch")  # who has a tensor has torch
    if torch is not None and issubclass(kind, torch.Tensor):
        return _array(_from_torch(result, torch))
    if _is_of(kind, "jax.core", "Tracer"):
        raise NotDataError(_NO_NUMBERS)
    if _is_of(kind, "jax", "Array") and hasattr(result, "__array__"):
        return _array(_from_jax(result))
    if _is_of(kind, "tensorflow", "Tensor", "Variable") or _is_of(kind, "keras", "Variable"):
        return _array(_from_tensorflow(result))
    if issubclass(kind, types.GeneratorType) or "__next__" in dir(kind):
        raise NotDataError(
            f"a {kind.__name__} came back, which has not computed its values yet; put list(...) around it"
        )
    raise NotDataError(f"a {kind.__name__} came back; a number, an array or a list of them was expected")


def _container(result: Any, above: list[int], left: list[int]) -> Any:
    if id(result) in above:
        raise NotDataError("a list that contains itself came back; return a list of numbers or arrays")
    if len(above) >= DEPTH:
        raise NotDataError(f"lists nested more than {DEPTH} deep came back; return one list or one array")
    inside = [*above, id(result)]
    if not issubclass(type(result), dict):
        items: Iterable[Any] = (list if issubclass(type(result), list) else tuple).__iter__(result)
        return [_plain(item, inside, left) for item in items]
    found = {}
    for key, item in dict.items(result):
        if not issubclass(type(key), str | int | float | np.number):
            raise NotDataError(
                f"a dictionary with a {type(key).__name__} as key came back; use strings as keys"
            )
        found[str(_plain(key, inside, left))] = _plain(item, inside, left)
    return found


def _array(result: Any) -> np.ndarray[Any, Any]:
    if type(result) is not np.ndarray or result.dtype.kind not in "biuf":
        raise NotDataError(
            f"an array of dtype {getattr(result, 'dtype', type(result).__name__)} came back; "
            "numbers were expected, so build it from lists of equal length"
        )
    # A float wider than 64 bits is not the same on every machine.
    return result.astype(np.float64) if result.dtype.itemsize > 8 else result


def _is_of(kind: type, library: str, *names: str) -> bool:
    """Tell whether a type is one of a library's; who has an object of it has imported the library."""
    module = sys.modules.get(library)
    types_ = [getattr(module, name, None) for name in names]
    return any(isinstance(one, type) and issubclass(kind, one) for one in types_)


def _from_jax(result: Any) -> Any:
    try:
        return _wide(np.array(result, subok=False))
    except (RuntimeError, TypeError) as error:  # a key; an array that was given away
        raise NotDataError(f"an array without numbers came back: {clean(str(error))}") from error


def _from_tensorflow(result: Any) -> Any:
    if not hasattr(result, "numpy"):
        raise NotDataError(_NO_NUMBERS)
    return _wide(np.array(result.numpy(), subok=False))


def _wide(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return bfloat16, which NumPy does not know, as float32."""
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def _from_torch(result: Any, torch: Any) -> Any:
    with torch.no_grad():
        values = torch.Tensor.detach(result)
        values = values.to_dense() if values.layout is not torch.strided else values
        values = values.resolve_conj().resolve_neg().to("cpu")
        if values.is_floating_point() and values.dtype not in (torch.float16, torch.float32, torch.float64):
            values = values.float()  # NumPy has no bfloat16
        return np.array(values.numpy(), subok=False)


def ready(value: Any, device: str = "cpu") -> Any:
    """Turn a declared argument into what the learner's code is called with; only tensors change.

    Args:
        value: number, array, tensor or the like, or a list or tuple of these.
        device: where tensors are made.

    Raises:
        ImportError: if a tensor is declared, and torch is not installed.
    """
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(ready(item, device) for item in value)
    if isinstance(value, Tensor):
        torch = importlib.import_module("torch")  # by name: the checks themselves need NumPy alone
        return torch.tensor(np.asarray(value.value), dtype=getattr(torch, value.dtype), device=device)
    return value


def clean(text: Any) -> str:
    """Return a text of the learner's as it can be shown: on one line, printable, and not too long."""
    if type(text) is not str:
        return ""
    shown = "".join(c if c.isprintable() else " " for c in text[: 2 * _LONGEST])
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONGEST and len(text) <= 2 * _LONGEST else shown[: _LONGEST - 3] + "..."
