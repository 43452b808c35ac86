"""What `engine.py` measures, one peer a process: `python benchmarks/_engine_peers.py CASE PEER`.

A peer is a function that prepares its work and returns one round of it. The round returns the numbers that must come out
the same for every peer, or none for work that computes no loss. Each runs in a process of its own, since TensorFlow and
`torch.compile` do not live in one, and waits there for its turn.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise

import numpy as np

Round = Callable[[], list[float]]

SIZES, BATCH, RATE = (784, 256, 128, 10), 128, 1e-3
SMALL, MIDDLE = (8, (16, 32, 10)), (1024, (256, 256, 10))
POINTS, UNITS = 100, (2, 16, 16, 1)


def parameters(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Draw weights and biases, the same for every peer."""
    rng = np.random.default_rng(0)
    found = []
    for n_in, n_out in pairwise(sizes):
        found += [rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in), np.zeros(n_out)]
    return [p.astype(np.float32) for p in found]


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide the digits to train on into whole batches; torch.compile and JAX would compile a smaller one anew."""
    from dlcourse.data import digits

    x, y, _, _ = digits.split()
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x) - BATCH + 1, BATCH)]


def one_batch(size: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a batch, the same for every peer."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((size, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], size)


# One epoch of the digits with Adam.


def _epoch_of(kind: str, *, dtype: type = np.float32, adam: str = "in blocks") -> Round:
    """Train one of the course's own networks; Adam works as its formula says, in place, or in place and in blocks."""
    from dlcourse.neurons.network import MLP
    from dlcourse.training import _optimizer
    from dlcourse.training.optimizers import Adam

    where = {"FusedMLP": "_fused", "TrainableMLP": "backpropagation", "TensorMLP": "autodiff"}[kind]
    module = import_module(f"dlcourse.learning.{where}")
    model = getattr(module, kind)(MLP("class", *(p.astype(dtype) for p in parameters(SIZES))))
    if adam == "in place":
        _optimizer.BLOCK = sys.maxsize
    optimizer = _TextbookAdam(model.parameters) if adam == "formula" else Adam(model.parameters, rate=RATE)
    data = [(x.astype(dtype, copy=False), y) for x, y in batches()]

    def epoch() -> list[float]:
        total = 0.0
        for x, y in data:
            loss, gradients = model.loss_and_gradients(x, y)
            optimizer.step(gradients)
            total += loss
        return [total / len(data)]

    return epoch


class _TextbookAdam:
    """The formula of the chapter, with new arrays at each line."""

    def __init__(self, parameters: tuple[np.ndarray, ...]):
        self.parameters, self.steps = parameters, 0
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]

    def step(self, gradients: tuple[np.ndarray, ...]) -> None:
        """Change the parameters."""
        from dlcourse.training.optimizers import adam_step

        self.steps += 1
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            p[...], *self.moments[i] = adam_step(p, g, *self.moments[i], self.steps, RATE)


def epoch_fused() -> Round:
    """FusedMLP, the hand-written network."""
    return _epoch_of("FusedMLP")


def epoch_tensor() -> Round:
    """TensorMLP, the same through our automatic differentiation."""
    return _epoch_of("TensorMLP")


def epoch_plain() -> Round:
    """TrainableMLP, as the chapter writes it."""
    return _epoch_of("TrainableMLP")


def _epoch_products(*, adam: bool) -> Round:
    from dlcourse.learning._flat import flat_views
    from dlcourse.training.optimizers import Adam

    shapes = [p.shape for p in parameters(SIZES)]
    (_, weights), (_, gradients) = flat_views(shapes, np.float32), flat_views(shapes, np.float32)
    for view, p in zip(weights, parameters(SIZES), strict=True):
        view[...] = p
    # At so small a rate the weights stay as they are: without a loss nothing would keep them from growing.
    optimizer, data = Adam(weights, rate=1e-12), batches()
    (W1, W2, W3), (d_W1, d_W2, d_W3) = weights[::2], gradients[::2]
    h1, h2, h3, d_1, d_2 = (np.empty((BATCH, n), np.float32) for n in (*SIZES[1:], *SIZES[1:3]))

    def epoch() -> list[float]:
        for x, _ in data:
            np.matmul(x, W1, out=h1)
            np.matmul(h1, W2, out=h2)
            np.matmul(h2, W3, out=h3)
            np.matmul(h2.T, h3, out=d_W3)
            np.matmul(h3, W3.T, out=d_2)
            np.matmul(h1.T, d_2, out=d_W2)
            np.matmul(d_2, W2.T, out=d_1)
            np.matmul(x.T, d_1, out=d_W1)
            if adam:
                optimizer.step(gradients)
        return []

    return epoch


def epoch_products() -> Round:
    """The matrix products alone."""
    return _epoch_products(adam=False)


def epoch_products_and_adam() -> Round:
    """The matrix products and our Adam: what no layer or loss could be faster than."""
    return _epoch_products(adam=True)


def _epoch_torch(*, fused: bool = False, compiled: bool = False) -> Round:
    import torch

    torch.set_num_threads(1)
    weights = [torch.tensor(p) for p in parameters(SIZES)]
    modules = [torch.nn.Linear(n, m) for n, m in pairwise(SIZES)]
    with torch.no_grad():
        for module, W, b in zip(modules, weights[::2], weights[1::2], strict=True):
            module.weight.copy_(W.T)
            module.bias.copy_(b)
    relu = torch.nn.ReLU()
    net = torch.nn.Sequential(modules[0], relu, modules[1], relu, modules[2])
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=fused)
    data = [(torch.tensor(x), torch.tensor(y)) for x, y in batches()]

    def loss_of(x, y):
        return torch.nn.functional.cross_entropy(net(x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def epoch() -> list[float]:
        losses = []
        for x, y in data:
            optimizer.zero_grad()
            loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return [float(torch.stack(losses).mean())]

    return epoch


def epoch_torch() -> Round:
    """PyTorch, eager."""
    return _epoch_torch()


def epoch_torch_fused() -> Round:
    """PyTorch, eager, with fused Adam."""
    return _epoch_torch(fused=True)


def epoch_torch_compile() -> Round:
    """PyTorch, torch.compile."""
    return _epoch_torch(compiled=True)


def epoch_jax() -> Round:
    """JAX, the whole epoch one jitted scan."""
    import jax
    import jax.numpy as jnp

    data = batches()
    x, y = jnp.array(np.stack([x for x, _ in data])), jnp.array(np.stack([y for _, y in data]))
    weights = [jnp.array(p) for p in parameters(SIZES)]
    zeros = [jnp.zeros_like(p) for p in weights]
    state = (weights, zeros, zeros, 0)

    def step(state, batch):
        weights, means, squares, t = state
        loss, gradients = jax.value_and_grad(lambda p: _jax_loss(p, *batch))(weights)
        t += 1
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
        squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
        weights = [
            p - RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
            for p, m, v in zip(weights, means, squares, strict=True)
        ]
        return (weights, means, squares, t), loss

    scan = jax.jit(lambda state: jax.lax.scan(step, state, (x, y)))

    def epoch() -> list[float]:
        nonlocal state
        state, losses = scan(state)
        return [float(losses.mean())]

    return epoch


def _jax_loss(weights, x, y):
    import jax
    import jax.numpy as jnp

    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = jax.nn.relu(x @ W + b)
    log_p = jax.nn.log_softmax(x @ weights[-2] + weights[-1])
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def epoch_tinygrad() -> Round:
    """tinygrad, each step jitted; it compiles its kernels with clang."""
    if shutil.which("clang") is None:
        raise ImportError("tinygrad needs clang")
    os.environ.update(DEV="CPU", CPU_COUNT="1", TRAINING="1")
    from tinygrad import Tensor, TinyJit, nn

    weights = [Tensor(p).realize() for p in parameters(SIZES)]
    optimizer = nn.optim.Adam(weights, lr=RATE, eps=1e-8)
    data = [(Tensor(x).realize(), Tensor(y.astype(np.int32)).realize()) for x, y in batches()]

    @TinyJit
    def step(x, y):
        optimizer.zero_grad()
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = (x @ W + b).relu()
        loss = (x @ weights[-2] + weights[-1]).sparse_categorical_crossentropy(y)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def epoch() -> list[float]:
        return [sum(step(x, y).item() for x, y in data) / len(data)]

    return epoch


def epoch_keras() -> Round:
    """Keras on TensorFlow."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras

    layers = [keras.layers.Dense(n, activation="relu") for n in SIZES[1:-1]]
    model = keras.Sequential([keras.Input((SIZES[0],)), *layers, keras.layers.Dense(SIZES[-1])])
    model.set_weights(parameters(SIZES))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(RATE, epsilon=1e-8), loss=loss)
    x, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))

    def epoch() -> list[float]:
        return model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0).history["loss"]

    return epoch


def epoch_sklearn() -> Round:
    """scikit-learn's MLPClassifier."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    x, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
    model = MLPClassifier(SIZES[1:-1], alpha=0, batch_size=BATCH, learning_rate_init=RATE, shuffle=False)
    model.partial_fit(x[:BATCH], y[:BATCH], classes=np.arange(SIZES[-1]))
    for mine, p in zip([*model.coefs_, *model.intercepts_], parameters(SIZES)[::2] + parameters(SIZES)[1::2],
                       strict=True):  # fmt: skip
        mine[...] = p
    model._optimizer = AdamOptimizer(model.coefs_ + model.intercepts_, RATE)

    def epoch() -> list[float]:
        model.partial_fit(x, y)
        return [model.loss_]

    return epoch


def _hips_loss(weights, x, y):
    import autograd.numpy as anp

    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = anp.maximum(anp.dot(x, W) + b, 0)
    z = anp.dot(x, weights[-2]) + weights[-1]
    z = z - anp.max(z, axis=1, keepdims=True)
    log_p = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
    return -anp.mean(log_p[np.arange(len(y)), y])


def epoch_hips() -> Round:
    """HIPS autograd, with our Adam."""
    from autograd import value_and_grad

    from dlcourse.training.optimizers import Adam

    weights, data = parameters(SIZES), batches()
    optimizer, both = Adam(weights, rate=RATE), value_and_grad(_hips_loss)

    def epoch() -> list[float]:
        total = 0.0
        for x, y in data:
            loss, gradients = both(weights, x, y)
            optimizer.step([g.astype(np.float32, copy=False) for g in gradients])
            total += float(loss)
        return [total / len(data)]

    return epoch


# Value and gradient of a network of two layers.


def _checked(loss: float, gradients: list[np.ndarray]) -> list[float]:
    return [float(loss), *(float(np.linalg.norm(np.asarray(g))) for g in gradients)]


def gradient_tensor(case: tuple[int, tuple[int, ...]], calls: int) -> Round:
    """Tensor, our automatic differentiation."""
    from dlcourse.learning.autodiff import Tensor, cross_entropy, dense

    x, y = one_batch(*case)
    weights = [Tensor(p, requires_grad=True) for p in parameters(case[1])]
    W1, b1, W2, b2 = weights

    def work() -> list[float]:
        for _ in range(calls):
            for p in weights:
                p.grad = None
            loss = cross_entropy(dense(dense(x, W1, b1), W2, b2, "linear"), y)
            loss.backward()
        return _checked(float(loss.data), [p.grad for p in weights])

    return work


def gradient_fused(case: tuple[int, tuple[int, ...]], calls: int) -> Round:
    """FusedMLP, the hand-written network."""
    from dlcourse.learning._fused import FusedMLP
    from dlcourse.neurons.network import MLP

    x, y = one_batch(*case)
    model = FusedMLP(MLP("class", *parameters(case[1])))

    def work() -> list[float]:
        for _ in range(calls):
            loss, gradients = model.loss_and_gradients(x, y)
        return _checked(loss, gradients)

    return work


def gradient_hips(case: tuple[int, tuple[int, ...]], calls: int) -> Round:
    """HIPS autograd."""
    from autograd import value_and_grad

    (x, y), weights, both = one_batch(*case), parameters(case[1]), value_and_grad(_hips_loss)

    def work() -> list[float]:
        for _ in range(calls):
            loss, gradients = both(weights, x, y)
        return _checked(loss, gradients)

    return work


def gradient_torch(case: tuple[int, tuple[int, ...]], calls: int) -> Round:
    """PyTorch, eager."""
    import torch

    torch.set_num_threads(1)
    x, y = (torch.tensor(a) for a in one_batch(*case))
    W1, b1, W2, b2 = weights = [torch.tensor(p, requires_grad=True) for p in parameters(case[1])]

    def work() -> list[float]:
        for _ in range(calls):
            for p in weights:
                p.grad = None
            h = torch.relu(torch.addmm(b1, x, W1))
            loss = torch.nn.functional.cross_entropy(torch.addmm(b2, h, W2), y)
            loss.backward()
        return _checked(loss.item(), [p.grad for p in weights])

    return work


def gradient_jax(case: tuple[int, tuple[int, ...]], calls: int) -> Round:
    """JAX, jitted."""
    import jax
    import jax.numpy as jnp

    x, y = (jnp.array(a) for a in one_batch(*case))
    weights, both = [jnp.array(p) for p in parameters(case[1])], jax.jit(jax.value_and_grad(_jax_loss))

    def work() -> list[float]:
        for _ in range(calls):
            loss, gradients = jax.block_until_ready(both(weights, x, y))
        return _checked(loss, gradients)

    return work


# micrograd's own example: one step on two moons.


def moons() -> tuple[list[list[float]], list[int]]:
    """Draw two half circles that reach into each other."""
    rng = np.random.default_rng(1337)
    angle = rng.uniform(0, np.pi, POINTS)
    upper = np.arange(POINTS) % 2 == 0
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    points = np.stack([x, y], axis=1) + 0.1 * rng.standard_normal((POINTS, 2))
    return points.tolist(), np.where(upper, 1, -1).tolist()


def _moons_step(value: type, *, collect: bool) -> Round:
    """Take micrograd's step with whichever class of numbers: forward, margin loss, backward, descent."""
    points, labels = moons()
    rng = np.random.default_rng(0)
    layers = [
        [([value(float(w)) for w in rng.uniform(-1, 1, n_in)], value(0.0)) for _ in range(n_out)]
        for n_in, n_out in pairwise(UNITS)
    ]
    weights = [w for layer in layers for ws, b in layer for w in (*ws, b)]
    steps = 0
    if not collect:
        gc.disable()

    def predict(x):
        for layer in layers:
            sums = [sum((w * xi for w, xi in zip(ws, x, strict=True)), b) for ws, b in layer]
            x = sums if layer is layers[-1] else [s.relu() for s in sums]
        return x[0]

    def step() -> list[float]:
        nonlocal steps
        scores = [predict([value(number) for number in point]) for point in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in weights)
        for p in weights:
            p.grad = 0.0
        loss.backward()
        for p in weights:
            p.data -= (1.0 - 0.9 * steps / 100) * p.grad
        steps += 1
        return [loss.data]

    return step


def moons_value(*, collect: bool = True) -> Round:
    """Value, our scalar engine."""
    from dlcourse.learning.autodiff import Value

    return _moons_step(Value, collect=collect)


def moons_micrograd(*, collect: bool = True) -> Round:
    """Micrograd."""
    from micrograd.engine import Value

    return _moons_step(Value, collect=collect)


STEPS = "what each step of the fast form gains, the same epoch"
EPOCH = "one epoch of digits, 784-256-128-10, batch 128, Adam"
GRADIENT = "value and gradient, batch {}, {}-{}-{}"
SCALAR = "micrograd's step on two moons"

CASES: dict[str, dict[str, Callable[[], Round]]] = {
    EPOCH: {
        "FusedMLP": epoch_fused,
        "TensorMLP": epoch_tensor,
        "TrainableMLP": epoch_plain,
        "torch eager": epoch_torch,
        "torch, fused Adam": epoch_torch_fused,
        "torch.compile": epoch_torch_compile,
        "JAX scan": epoch_jax,
        "tinygrad": epoch_tinygrad,
        "Keras (TensorFlow)": epoch_keras,
        "scikit-learn": epoch_sklearn,
        "HIPS autograd, our Adam": epoch_hips,
        "matrix products alone": epoch_products,
        "matrix products and our Adam": epoch_products_and_adam,
    },
}
CASES[STEPS] = {
    "as the formulas say, float64": partial(_epoch_of, "TrainableMLP", dtype=np.float64, adam="formula"),
    "... in float32": partial(_epoch_of, "TrainableMLP", adam="formula"),
    "... each array made once, a layer at once": partial(_epoch_of, "FusedMLP", adam="formula"),
    "... Adam in place, all parameters one buffer": partial(_epoch_of, "FusedMLP", adam="in place"),
    "... Adam block by block": partial(_epoch_of, "FusedMLP"),
}
for _case, _calls in ((SMALL, 200), (MIDDLE, 5)):
    CASES[GRADIENT.format(_case[0], *_case[1])] = {
        name: lambda peer=peer, case=_case, calls=_calls: peer(case, calls)
        for name, peer in {
            "Tensor": gradient_tensor,
            "FusedMLP": gradient_fused,
            "HIPS autograd": gradient_hips,
            "torch eager": gradient_torch,
            "JAX jit": gradient_jax,
        }.items()
    }
for _collect, _name in ((True, ""), (False, ", garbage collector off")):
    CASES[SCALAR + _name] = {
        "Value": lambda collect=_collect: moons_value(collect=collect),
        "micrograd": lambda collect=_collect: moons_micrograd(collect=collect),
    }


def main() -> None:
    """Prepare a peer, take a round whose numbers are told, then a timed one for each line that comes in."""
    case, peer = sys.argv[1:]
    # What a library prints goes to standard error; the answers have a way of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        work = CASES[case][peer]()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    print(json.dumps({"numbers": work()}), file=answers)
    for _ in sys.stdin:
        gc.collect()
        started = time.perf_counter()
        work()
        print(json.dumps({"seconds": time.perf_counter() - started}), file=answers)


if __name__ == "__main__":
    main()
