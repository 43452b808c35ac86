"""What the tests share."""

import os

# Before NumPy is imported: two BLAS threads on a loaded machine can be ten times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jaxtyping
import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator that draws the same numbers in every run."""
    return np.random.default_rng(20261121)


@pytest.fixture
def no_shape_check():
    """Switch off the run-time check of shapes, which would speak before the package's own error."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
