"""The same training in each framework, each in a process of its own: what the chapters and the tests compare.

TensorFlow must not share a process with Triton, JAX must not share one that forks, and Keras can change its backend in a
new process only. So ``compare`` starts a process for each, and reads what it found from a file.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dlcourse.data import digits
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.autodiff import TensorMLP
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP
from dlcourse.training.optimizers import SGD

STEPS = 50
BATCH = 64
SIZES = (784, 32, 10)
RATE, MOMENTUM = 1 / 8, 7 / 8
"""Keras rounds both to float32, whatever the dtype of the weights; these are the same in each dtype."""


class Run(NamedTuple):
    """What one framework found.

    Attributes:
        losses: the loss before each step [nats], ``(steps,)``.
        gradients: after the last step, of the first batch: ``d_W1, d_b1, d_W2, d_b2``.
        seconds: of a processor, on importing the framework, on its first step, and on each step after the first 50.
    """

    losses: Array
    gradients: tuple[Array, ...]
    seconds: tuple[float, float, float]


Batch: TypeAlias = tuple[Any, Any]
Watch: TypeAlias = Callable[[Iterable[Batch]], Iterable[Batch]]
Outcome: TypeAlias = tuple[list[float], Callable[[], tuple[Array, ...]]]
"""The losses of a training, and how to get the gradients after it."""
Way: TypeAlias = Callable[[str, list[Batch], Watch], Outcome]
"""Trains in a dtype on batches, which it draws through the watch when it needs them."""


def start(dtype: str) -> MLP:
    """Draw the network that all begin with."""
    return MLP.draw(SIZES, output="class", rng=np.random.default_rng(0), dtype=np.dtype(dtype))


def batches(dtype: str) -> list[Batch]:
    """Cut the batches that all see, in the same order: ``(batch, n_in)`` and ``(batch,)``."""
    x, labels, _, _ = digits.split()
    rows = [slice(i * BATCH, (i + 1) * BATCH) for i in range(STEPS)]
    return [(x[each].astype(dtype), labels[each]) for each in rows]


def in_numpy(make: Callable[[MLP], Trainable]) -> Way:
    """Return how to train with the optimizer of the NumPy half."""

    def train(dtype: str, data: list[Batch], watch: Watch) -> Outcome:
        model = make(start(dtype))
        optimizer = SGD(model.parameters, rate=RATE, momentum=MOMENTUM)
        losses = []
        for x, labels in watch(data):
            loss, gradients = model.loss_and_gradients(x, labels)
            optimizer.step(gradients)
            losses.append(loss)
        return losses, lambda: model.loss_and_gradients(*data[0])[1]

    return train


def in_torch(dtype: str, data: list[Batch], watch: Watch) -> Outcome:
    """Train with PyTorch."""
    import torch

    from dlcourse.frameworks import pytorch

    torch.set_num_threads(1)
    network = pytorch.from_numpy(start(dtype))
    tensors = [(torch.from_numpy(x), torch.from_numpy(labels)) for x, labels in data]
    losses = pytorch.train(network, watch(tensors), rate=RATE, momentum=MOMENTUM)
    return losses, lambda: pytorch.gradients(network, *tensors[0])


def in_jax(dtype: str, data: list[Batch], watch: Watch) -> Outcome:
    """Train with JAX, which the environment must allow to use float64."""
    import jax.numpy as jnp

    from dlcourse.frameworks import jax as chapter

    arrays = [(jnp.asarray(x), jnp.asarray(labels)) for x, labels in data]
    parameters = chapter.from_numpy(start(dtype))
    parameters, losses = chapter.train(parameters, watch(arrays), rate=RATE, momentum=MOMENTUM)

    def gradients() -> tuple[Array, ...]:
        return tuple(np.asarray(d) for layer in chapter.gradients(parameters, *arrays[0]) for d in layer)

    return losses, gradients


def in_tensorflow(dtype: str, data: list[Batch], watch: Watch) -> Outcome:
    """Train with TensorFlow, each step written down."""
    from dlcourse.frameworks import tensorflow as chapter

    one_thread_of_tensorflow(chapter.tf)
    model = chapter.from_numpy(start(dtype))
    tensors = [(chapter.tf.constant(x), chapter.tf.constant(labels)) for x, labels in data]
    losses = chapter.train(model, watch(tensors), rate=RATE, momentum=MOMENTUM)
    return losses, lambda: chapter.gradients(model, *tensors[0])


def in_keras(dtype: str, data: list[Batch], watch: Watch) -> Outcome:
    """Train with what Keras brings, on the backend that the environment names; it gives no gradients out."""
    from dlcourse.frameworks import tensorflow as chapter

    if chapter.keras.backend.backend() == "tensorflow":
        one_thread_of_tensorflow(chapter.tf)
    model = chapter.from_numpy(start(dtype))
    model.compile(
        chapter.keras.optimizers.SGD(RATE, momentum=MOMENTUM),
        chapter.cross_entropy(model),
    )
    return [float(model.train_on_batch(x, labels)) for x, labels in watch(data)], tuple


def one_thread_of_tensorflow(tf: Any) -> None:
    """Have TensorFlow compute on one thread, as the others do."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


WAYS: dict[str, tuple[Way, str, dict[str, str]]] = {
    "NumPy": (in_numpy(TrainableMLP), "numpy", {}),
    "Tensor": (in_numpy(TensorMLP), "numpy", {}),
    "PyTorch": (in_torch, "torch", {}),
    "JAX": (in_jax, "jax", {}),
    "TensorFlow": (in_tensorflow, "tensorflow", {}),
    "Keras on TensorFlow": (in_keras, "keras", {"KERAS_BACKEND": "tensorflow"}),
    "Keras on JAX": (in_keras, "keras", {"KERAS_BACKEND": "jax"}),
    "Keras on PyTorch": (in_keras, "keras", {"KERAS_BACKEND": "torch"}),
}
"""How each is trained, the module that this takes, and the environment it runs in."""


def compare(names: Sequence[str], *, dtype: str = "float32") -> dict[str, Run]:
    """Train the same network on the same batches in several frameworks.

    Args:
        names: keys of ``WAYS``.
        dtype: ``"float32"`` or ``"float64"``.

    Returns:
        What each found, by name.

    Raises:
        RuntimeError: if one of them failed, with what it said.
    """
    alike = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "JAX_ENABLE_X64": str(int(dtype == "float64")),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, "run.npz")
            done = subprocess.run(
                [sys.executable, "-m", __name__, name, dtype, str(path)],
                env=os.environ | alike | WAYS[name][2],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
            with np.load(path) as file:
                gradients = tuple(file[f"gradient{i}"] for i in range(len(file.files) - 2))
                found[name] = Run(file["losses"], gradients, tuple(file["seconds"].tolist()))
    return found


def furthest(runs: dict[str, Run], beside: str) -> dict[str, tuple[float, float]]:
    """Say how far each run is from one of them: the largest difference of the losses, and of the gradients.

    Each is divided by the largest number of its kind.

    Args:
        runs: what ``compare`` found.
        beside: name of the one.
    """
    one = runs[beside]
    return {
        name: (
            _apart([run.losses], [one.losses]),
            _apart(run.gradients, one.gradients) if run.gradients else 0.0,
        )
        for name, run in runs.items()
    }


def _apart(found: Sequence[Array], expected: Sequence[Array]) -> float:
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


def main(name: str, dtype: str, path: str) -> None:
    """Train in this process, and write what was found to a file.

    Args:
        name: a key of ``WAYS``.
        dtype: ``"float32"`` or ``"float64"``.
        path: the file.
    """
    train, module, _ = WAYS[name]
    began = time.process_time()
    importlib.import_module(module)
    imported = time.process_time() - began
    moments: list[float] = []

    def watch(items: Iterable[Batch]) -> Iterable[Batch]:
        for item in items:
            moments.append(time.process_time())
            yield item

    data = batches(dtype)
    losses, gradients = train(dtype, data, watch)
    arrays = {f"gradient{i}": gradient for i, gradient in enumerate(gradients())}
    first = moments[1] - moments[0]
    moments.clear()
    # JAX gives out numbers before they are computed: only the end, when all are there, can be timed.
    train(dtype, data * 4, watch)
    each = (time.process_time() - moments[STEPS]) / (3 * STEPS)
    arrays |= {"losses": np.array(losses), "seconds": np.array([imported, first, each])}
    np.savez(path, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
