"""Products of matrices by the worker's own code, which ``products.ts`` puts into NumPy: do they agree with NumPy's?"""

from __future__ import annotations

from typing import Any

import numpy as np


def agree() -> bool:
    """Compare products with the sums that define them, for matrices that fill no tile and no block exactly."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x = rng.normal(size=(9, 300)).astype(dtype)
        W = rng.normal(size=(11, 300)).astype(dtype)
        pairs: list[tuple[Any, Any]] = [(x, W.T), (x[:, ::2], W[:, ::-2].T), (x[0], W.T), (W, x[1])]
        for a, b in pairs:
            terms = a[..., None] * b if b.ndim > 1 else a * b
            expected = terms.sum(axis=a.ndim - 1)
            if not np.allclose(a @ b, expected, rtol=1e-4, atol=1e-4):
                return False
    return True
