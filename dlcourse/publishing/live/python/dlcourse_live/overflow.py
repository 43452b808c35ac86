"""The floating-point warnings of NumPy, which WebAssembly keeps to itself.

A processor notes "overflow", "divide by zero" and "invalid value" in flags. WebAssembly has none, so NumPy, which asks
the C library for them after each operation, was compiled to take 0 for an answer. Two things make it warn again, with its
own words, and as :func:`numpy.errstate` says: its question is made to count, and its inner loops are watched by
``source/floats.ts``, which answers. What is not watched stays silent: complex and half precision, casts, ``np.dot``,
``np.einsum``, and underflow, of which NumPy tells nobody who does not ask.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

# How NumPy's functions ask, in WebAssembly: they call, drop (1a) what that says, put the stack back, and return 0
# (41 00). Without the drop and the 0, what was said stays on the stack, and is what they return. `%` is a number
# of any length.
_ASKS = {
    "npy_get_floatstatus_barrier": (
        "(41 00 10 %) 1a (20 00 04 40 20 01 20 00 2d 00 00 3a 00 0f 0b 20 01 41 10 6a 24 %) 41 00 0b"
    ),
    "npy_get_floatstatus": "(20 00 41 00 3a 00 0f 20 00 41 0f 6a 10 %) 1a (20 00 41 10 6a 24 %) 41 00 0b",
    # It stands behind the first, whose 0 is gone by now.
    "npy_clear_floatstatus_barrier": "(01 01 0b 0a 00 20 00 10 %) 1a () 41 00 0b",
}
_ANSWERS = rb"\1" + bytes.fromhex("01") + rb"\2" + bytes.fromhex("01 01 0b")
# In linear algebra, feraiseexcept(0) is about an invalid value alone: a matrix that is singular.
_RAISES = "(20 00 04 40 41) 00 (10 % 1a 0c 01 0b 20 01 41 0c)"
_INVALID = rb"\1" + bytes.fromhex("08") + rb"\2"

# The functions whose result may be infinite or not a number though their inputs are neither.
_OPERATORS = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "remainder",
    "divmod",
    "fmod",
    "matmul",
)
_POWERS = ("power", "float_power", "square", "reciprocal", "exp", "exp2", "expm1", "sqrt", "hypot", "ldexp")
_LOGARITHMS = ("log", "log2", "log10", "log1p", "logaddexp", "logaddexp2")
_ANGLES = (
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "sinh",
    "cosh",
    "arccosh",
    "arctanh",
    "degrees",
    "nextafter",
)


def install() -> None:
    """Prepare NumPy's files; called before NumPy is imported."""
    found = importlib.util.find_spec("numpy")
    if found is None or found.origin is None or "numpy" in sys.modules:
        return
    folder = Path(found.origin).parent
    asks = [(code, _ANSWERS) for code in _ASKS.values()]
    _rewrite(folder / "linalg", "_umath_linalg", [*asks[:1], (_RAISES, _INVALID)])
    _rewrite(folder / "_core", "_multiarray_umath", asks)


def watch() -> None:
    """Make NumPy warn as it does elsewhere; called once nothing else changes its loops any more."""
    try:
        import dlcourse_floats as floats  # type: ignore[import-not-found]
    except ImportError:  # outside of the worker
        return
    import numpy as np

    for name in (*_OPERATORS, *_POWERS, *_LOGARITHMS, *_ANGLES):
        floats.ufunc(id(getattr(np, name)), name)
    for kind in (np.float32, np.float64, np.intc, np.int_, np.longlong):
        floats.scalar(id(kind), f"numpy.{kind.__name__}", np.dtype(kind).str[1:], True)
    for plain in (float, int, bool):
        floats.scalar(id(plain), plain.__name__, "f8" if plain is float else "int", False)


def _pattern(code: str) -> re.Pattern[bytes]:
    number = rb"[\x80-\xff]*[\x00-\x7f]"
    parts = re.findall(r"[0-9a-f]{2}|[()%]", code)
    return re.compile(
        b"".join(
            number if p == "%" else p.encode() if p in "()" else re.escape(bytes.fromhex(p)) for p in parts
        ),
        re.DOTALL,
    )


def _rewrite(folder: Path, name: str, changes: list[tuple[str, bytes]]) -> None:
    """Change compiled code in places that must be there exactly once, else leave all as it is."""
    for path in folder.glob(f"{name}.*.so"):
        code = path.read_bytes()
        for old, new in changes:
            code, count = _pattern(old).subn(new, code)
            if count != 1:
                return
        path.write_bytes(code)
