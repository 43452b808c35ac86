"""What arrays are called in annotations, where more than one module needs the name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""Any array: of numbers whose kind and shape depend on others, or are told elsewhere."""

Floats: TypeAlias = Float[np.ndarray, "*shape"]
"""Floating-point numbers in any shape; all that one signature calls so have the same shape."""

FloatArrays: TypeAlias = Sequence[Float[np.ndarray, "*_"]]
"""Arrays of floating-point numbers, each in a shape of its own, such as the parameters of a network."""
