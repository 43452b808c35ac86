"""One network, five times: the same losses and the same gradients."""

import numpy as np
import pytest

from dlcourse.frameworks import _side_by_side
from dlcourse.frameworks._present import missing
from dlcourse.frameworks._side_by_side import WAYS, compare, furthest

FIVE = ["NumPy", "Tensor", "PyTorch", "JAX", "TensorFlow"]
KERAS = [name for name in WAYS if name.startswith("Keras")]
needs_all = pytest.mark.skipif(
    bool(missing("torch", "jax", "tensorflow", "keras")), reason="a framework is missing"
)


@pytest.mark.slow
@needs_all
@pytest.mark.parametrize(("dtype", "apart"), [("float32", 1e-5), ("float64", 1e-10)])
def test_all_find_the_same_losses_and_gradients(dtype, apart):
    runs = compare(FIVE, dtype=dtype)
    assert list(runs) == FIVE
    for name, (losses, gradients) in furthest(runs, "NumPy").items():
        assert losses < apart, name
        assert gradients < apart, name
    assert runs["NumPy"].losses.shape == (50,)
    assert runs["NumPy"].losses[-1] < 0.5 * runs["NumPy"].losses[0]
    assert [d.shape for d in runs["JAX"].gradients] == [(784, 32), (32,), (32, 10), (10,)]
    assert {d.dtype.name for run in runs.values() for d in run.gradients} == {dtype}
    # Equal to the last bit they are not: each adds up in an order of its own.
    assert any(losses > 0 for losses, _ in furthest(runs, "NumPy").values())


@pytest.mark.slow
@needs_all
@pytest.mark.parametrize("name", KERAS)
def test_keras_finds_the_same_losses_on_each_backend(name):
    runs = compare(["NumPy", name])
    assert furthest(runs, "NumPy")[name][0] < 1e-5


def test_the_numpy_half_agrees_with_itself():
    assert max(furthest(compare(["NumPy", "Tensor"], dtype="float64"), "NumPy")["Tensor"]) < 1e-12


def test_a_difference_is_seen():
    run = _side_by_side.Run(np.array([2.0, 1.0]), (np.array([1.0, -4.0]),), (0.0, 0.0, 0.0))
    other = run._replace(losses=np.array([2.0, 1.1]), gradients=(np.array([1.0, -3.0]),))
    assert furthest({"one": run, "other": other}, "one")["other"] == pytest.approx((0.05, 0.25))


def test_what_went_wrong_in_the_other_process_is_said():
    with pytest.raises(RuntimeError, match=r"NumPy failed.*data type 'float99' not understood"):
        compare(["NumPy"], dtype="float99")
