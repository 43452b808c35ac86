import numpy as np
import pytest


@pytest.fixture(scope="session")
def clouds():
    """60 examples around three centres, with their classes and with two values each."""
    rng = np.random.default_rng(7)
    classes = np.tile(np.arange(3), 20)
    x = 2 * np.eye(3, 4)[classes] + rng.standard_normal((60, 4))
    return x, classes, np.stack([x.sum(axis=1), 100 + 5 * x[:, 0]], axis=1)


@pytest.fixture
def saved(tmp_path):
    """Write arrays to a file."""

    def save(name="mine.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return save


@pytest.fixture
def mine(clouds, saved):
    x, classes, _ = clouds
    return saved(x=x, y=classes)
