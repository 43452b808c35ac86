"""The network of the course in JAX: pure functions of the parameters, and functions that transform functions.

Nothing has a state. ``grad`` makes of a loss the function of its gradient, ``vmap`` makes of a function of one sample one
of many, and ``jit`` compiles what comes out. Chapter: book/frameworks/jax.md. Source: Bradbury et al. (2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int, Key

from dlcourse.frameworks._present import wanted
from dlcourse.frameworks._weights import expect_classifier
from dlcourse.neurons.network import MLP

with wanted("jax"):
    import jax
    import jax.numpy as jnp
    from jax import Array

Parameters: TypeAlias = list[tuple[Float[Array, "_n_in _n_out"], Float[Array, " _n_out"]]]
"""Weights and biases of each layer; for JAX a tree, whose leaves are arrays."""
Batch: TypeAlias = tuple[Float[Array, "batch n_in"], Int[Array, " batch"]]


def draw(key: Key[Array, ""], sizes: Sequence[int]) -> Parameters:
    r"""Draw an untrained network: weights from :math:`\mathcal N(0, 2 / n_{in})`, biases 0.

    Args:
        key: the source of randomness; the same key gives the same weights.
        sizes: number of units a layer, the input layer first.

    Returns:
        Its parameters.

    Example:
        >>> parameters = draw(jax.random.key(0), [4, 3, 2])
        >>> [(W.shape, b.shape) for W, b in parameters]
        [((4, 3), (3,)), ((3, 2), (2,))]
    """
    parameters = []
    for n_in, n_out in pairwise(sizes):
        key, own = jax.random.split(key)  # a key is used once
        parameters.append((jax.random.normal(own, (n_in, n_out)) * (2 / n_in) ** 0.5, jnp.zeros(n_out)))
    return parameters


def forward(parameters: Parameters, x: Float[Array, "*batch n_in"]) -> Float[Array, "*batch classes"]:
    """Return the logits of a batch, or of one sample.

    Args:
        parameters: weights and biases of each layer.
        x: one sample a row, ``(batch, n_in)``, or one sample, ``(n_in,)``.

    Returns:
        The logits, ``(batch, classes)`` or ``(classes,)``.
    """
    for W, b in parameters[:-1]:
        x = jax.nn.relu(x @ W + b)  # (batch, n_in) -> (batch, n_out)
    W, b = parameters[-1]
    return x @ W + b  # (batch, n_in) -> (batch, classes)


def loss(
    parameters: Parameters, x: Float[Array, "*batch n_in"], labels: Int[Array, "*batch"]
) -> Float[Array, ""]:
    r"""Return the cross-entropy of a batch, or of one sample [nats].

    .. math:: L = -\tfrac{1}{\text{batch}} \sum_i \log \mathrm{softmax}(Z)_{i y_i}

    Args:
        parameters: weights and biases of each layer.
        x: one sample a row, ``(batch, n_in)``, or one sample, ``(n_in,)``.
        labels: class indices, ``(batch,)`` or ``()``.

    Example:
        >>> parameters = [(jnp.zeros((4, 2)), jnp.zeros(2))]
        >>> round(float(loss(parameters, jnp.ones((5, 4)), jnp.zeros(5, int))), 4)
        0.6931
    """
    log_p = jax.nn.log_softmax(forward(parameters, x))  # (batch, classes)
    return -jnp.take_along_axis(log_p, labels[..., None], axis=-1).mean()


gradients = jax.jit(jax.grad(loss))
"""The gradients of :func:`loss` with respect to the parameters, as a tree of the same form."""


@jax.jit
def step(
    parameters: Parameters,
    velocities: Parameters,
    x: Float[Array, "batch n_in"],
    labels: Int[Array, " batch"],
    rate: float | Float[Array, ""],
    momentum: float | Float[Array, ""] = 0.9,
) -> tuple[Parameters, Parameters, Float[Array, ""]]:
    """Take one step of training: new parameters out of the old ones, which stay as they are.

    Args:
        parameters: weights and biases of each layer.
        velocities: a tree of the same form; zeros at the start.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.
        rate: size of a step.
        momentum: how much of the velocity is kept, from 0 to below 1.

    Returns:
        The new parameters, the new velocities, and the loss before the step [nats].
    """
    value, found = jax.value_and_grad(loss)(parameters, x, labels)
    velocities = jax.tree.map(lambda v, g: momentum * v + g, velocities, found)
    parameters = jax.tree.map(lambda p, v: p - rate * v, parameters, velocities)
    return parameters, velocities, value


def train(
    parameters: Parameters, batches: Iterable[Batch], *, rate: float, momentum: float = 0.9
) -> tuple[Parameters, list[float]]:
    """Train with stochastic gradient descent, a step on each batch.

    Args:
        parameters: where to start.
        batches: samples and labels, all of one size: each new size is compiled anew.
        rate: size of a step.
        momentum: how much of the velocity is kept, from 0 to below 1.

    Returns:
        The new parameters, and the loss before each step [nats].

    Example:
        >>> start = draw(jax.random.key(0), [4, 3, 2])
        >>> batch = (jnp.ones((5, 4)), jnp.zeros(5, int))
        >>> end, losses = train(start, [batch] * 10, rate=0.1)
        >>> losses[-1] < losses[0]
        True
    """
    velocities = jax.tree.map(jnp.zeros_like, parameters)
    losses = []
    for x, labels in batches:
        parameters, velocities, value = step(parameters, velocities, x, labels, rate, momentum)
        losses.append(value)  # a promise of a number: who asks for it now waits for it
    return parameters, [float(value) for value in losses]


@jax.jit
def train_in_one(
    parameters: Parameters,
    x: Float[Array, "steps batch n_in"],
    labels: Int[Array, "steps batch"],
    rate: float | Float[Array, ""],
    momentum: float | Float[Array, ""] = 0.9,
) -> tuple[Parameters, Float[Array, " steps"]]:
    """Do what :func:`train` does as one compiled program: the loop itself is in it.

    Args:
        parameters: where to start.
        x: a batch a step, ``(steps, batch, n_in)``.
        labels: class indices, ``(steps, batch)``.
        rate: size of a step.
        momentum: how much of the velocity is kept, from 0 to below 1.

    Returns:
        The new parameters, and the loss before each step [nats], ``(steps,)``.
    """

    def body(
        state: tuple[Parameters, Parameters], batch: Batch
    ) -> tuple[tuple[Parameters, Parameters], Array]:
        parameters, velocities, value = step(*state, *batch, rate, momentum)
        return (parameters, velocities), value

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    (parameters, _), losses = jax.lax.scan(body, (parameters, zeros), (x, labels))
    return parameters, losses


@jax.jit
def gradients_by_sample(
    parameters: Parameters, x: Float[Array, "batch n_in"], labels: Int[Array, " batch"]
) -> list[tuple[Float[Array, "batch _n_in _n_out"], Float[Array, "batch _n_out"]]]:
    """Return the gradients of each sample's own loss, as a tree whose leaves have the batch as first axis.

    Their mean over that axis is the gradient of the batch.

    Args:
        parameters: weights and biases of each layer.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.

    Example:
        >>> parameters = draw(jax.random.key(0), [4, 3, 2])
        >>> (d_W, d_b), _ = gradients_by_sample(parameters, jnp.ones((5, 4)), jnp.zeros(5, int))
        >>> d_W.shape, d_b.shape
        ((5, 4, 3), (5, 3))
    """
    of_one = jax.grad(loss)  # loss takes one sample as well as a batch
    return jax.vmap(of_one, in_axes=(None, 0, 0))(parameters, x, labels)


def from_numpy(net: MLP) -> Parameters:
    """Take the weights of a network of the NumPy half; both hold one unit a column.

    Args:
        net: for a class, with ReLU.

    Returns:
        Its parameters; float64 only where JAX is allowed to use it (``jax.enable_x64``).

    Raises:
        ValueError: if ``net`` is another kind of network.
    """
    expect_classifier(net)
    return [(jnp.asarray(W), jnp.asarray(b)) for W, b, _ in net.layers]


def to_numpy(parameters: Parameters) -> MLP:
    """Make a network of the NumPy half with copies of these weights.

    Args:
        parameters: weights and biases of each layer.

    Example:
        >>> to_numpy(draw(jax.random.key(0), [4, 3, 2]))
        MLP(4-3-2, relu, class: 23 parameters)
    """
    return MLP("class", *[np.array(p) for layer in parameters for p in layer])
