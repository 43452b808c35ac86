"""The network of the course in TensorFlow: layers of Keras, a tape that records, and functions that become graphs.

It is written twice. ``step`` writes down what happens with ``GradientTape``, and ``fit`` leaves it to Keras. TensorFlow
is imported when one of them is first called: it takes seconds, and the process must not use Triton or
``torch.compile`` afterwards. Chapter: book/frameworks/tensorflow.md. Sources: Abadi et al. (2016); Chollet et al. (2015).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from dlcourse.frameworks._present import Lazy
from dlcourse.frameworks._weights import expect_classifier
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP

Batch: TypeAlias = tuple[Array, Array]
Model: TypeAlias = Any
"""A ``keras.Model``. TensorFlow and Keras ship no types that a checker can use."""


def _quietly() -> None:
    """Have TensorFlow say only what is wrong: its greetings would stand in the book."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


tf: Any = Lazy("tensorflow", _quietly)
keras: Any = Lazy("keras", _quietly)


def build(sizes: Sequence[int], *, dtype: str = "float32", seed: int | None = None) -> Model:
    """Build a multi-layer perceptron for classes: ReLU between its layers, logits at its end.

    Args:
        sizes: number of units a layer, the input layer first.
        dtype: dtype of the parameters.
        seed: draws the weights; without one they differ each time.

    Returns:
        A ``keras.Sequential``, which holds kernels of shape ``(n_in, n_out)`` and biases of shape ``(n_out,)``.

    Example:
        >>> model = build([4, 3, 2])
        >>> [tuple(v.shape) for v in model.trainable_variables]
        [(4, 3), (3,), (3, 2), (2,)]
    """
    model = keras.Sequential([keras.Input((sizes[0],), dtype=dtype)])
    for number, n_out in enumerate(sizes[1:], start=1):
        last = number == len(sizes) - 1
        draws = "he_normal" if seed is None else keras.initializers.HeNormal(seed + number)
        model.add(
            keras.layers.Dense(
                n_out, activation=None if last else "relu", kernel_initializer=draws, dtype=dtype
            )
        )
    return model


def cross_entropy(model: Model) -> Any:
    """Return the loss as an object of Keras: from logits, and in the dtype of the model.

    Left to themselves, Keras's losses expect probabilities, and compute in float32 whatever the model does.

    Args:
        model: whose loss it is.

    Returns:
        A function of labels ``(batch,)`` and logits ``(batch, classes)``, in this order.
    """
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, dtype=model.trainable_variables[0].dtype
    )


def step(model: Model, optimizer: Any) -> Callable[[Any, Any], Any]:
    """Make the function that takes one step of training; its first call turns it into a graph.

    Args:
        model: gives the logits of a batch.
        optimizer: a ``keras.optimizers.Optimizer``, which changes the model's variables in place.

    Returns:
        A function of samples ``(batch, n_in)`` and labels ``(batch,)`` that returns the loss before the step [nats].
    """
    loss_of = cross_entropy(model)

    def take(x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(x, training=True))
        found = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
        return loss

    return tf.function(take)


def train(model: Model, batches: Iterable[Batch], *, rate: float, momentum: float = 0.9) -> list[float]:
    """Train with stochastic gradient descent, a step on each batch.

    Args:
        model: changed in place.
        batches: samples and labels, such as a ``tf.data.Dataset`` gives.
        rate: size of a step.
        momentum: how much of the velocity is kept, from 0 to below 1.

    Returns:
        The loss before each step [nats].

    Example:
        >>> batch = (np.ones((5, 4), np.float32), np.zeros(5, np.int64))
        >>> losses = train(build([4, 3, 2], seed=0), [batch] * 10, rate=0.1)
        >>> losses[-1] < losses[0]
        True
    """
    take = step(model, keras.optimizers.SGD(rate, momentum=momentum))
    losses = [take(tf.convert_to_tensor(x), tf.convert_to_tensor(labels)) for x, labels in batches]
    return [float(loss) for loss in losses]


def fit(model: Model, x: Array, labels: Array, *, epochs: int, batch: int, rate: float) -> list[float]:
    """Train the way Keras does it: say what to train with, and call ``fit``. It runs on each backend of Keras.

    Args:
        model: changed in place.
        x: one sample a row, ``(n, n_in)``.
        labels: class indices, ``(n,)``.
        epochs: how often each sample is seen.
        batch: samples a step.
        rate: size of a step.

    Returns:
        The mean loss of each epoch [nats].
    """
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        loss=cross_entropy(model),
        metrics=["accuracy"],
    )
    history = model.fit(x, labels, epochs=epochs, batch_size=batch, verbose=0)
    return [float(loss) for loss in history.history["loss"]]


def gradients(model: Model, x: Array, labels: Array) -> tuple[Array, ...]:
    """Return the gradients of the loss of a batch in the order of the model's variables.

    Args:
        model: stays as it is.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.

    Returns:
        ``d_W`` of shape ``(n_in, n_out)`` and ``d_b`` of shape ``(n_out,)`` of each layer in turn.
    """
    with tf.GradientTape() as tape:
        loss = cross_entropy(model)(labels, model(x, training=True))
    return tuple(d.numpy() for d in tape.gradient(loss, model.trainable_variables))


def from_numpy(net: MLP) -> Model:
    """Make a model with the weights of a network of the NumPy half; both hold one unit a column.

    Args:
        net: for a class, with ReLU.

    Returns:
        The model, with copies of the weights in their dtype.

    Raises:
        ValueError: if ``net`` is another kind of network.
    """
    expect_classifier(net)
    model = build(net.sizes, dtype=str(net.layers[0].W.dtype))
    model.set_weights(list(net.parameters))
    return model


def to_numpy(model: Model) -> MLP:
    """Make a network of the NumPy half with copies of these weights.

    Args:
        model: made by :func:`build`.

    Example:
        >>> to_numpy(build([4, 3, 2]))
        MLP(4-3-2, relu, class: 23 parameters)
    """
    return MLP("class", *[np.array(w) for w in model.get_weights()])
