"""The network of the course in PyTorch: a module holds the parameters, and autograd records what is done with them.

Each function here has its counterpart in the two other modules of this part, and in the NumPy half. Equal weights and
equal batches give equal losses and gradients, which a test holds them to. Chapter: book/frameworks/pytorch.md. Source:
Paszke et al. (2019).
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from dlcourse.frameworks._present import required
from dlcourse.frameworks._weights import expect_classifier
from dlcourse.gpus._device import torch
from dlcourse.neurons.network import MLP

nn, F = torch.nn, torch.nn.functional
Tensor: TypeAlias = torch.Tensor
Batch: TypeAlias = tuple[Float[Tensor, "batch n_in"], Int[Tensor, " batch"]]


class Network(nn.Module):
    """A multi-layer perceptron for classes: ReLU between its layers, logits at its end.

    Args:
        sizes: number of units a layer, the input layer first.
        dtype: dtype of the parameters.
        generator: draws the weights; without one, torch's own generator does.

    Example:
        >>> network = Network([4, 3, 2])
        >>> network(torch.zeros(5, 4)).shape, sum(p.numel() for p in network.parameters())
        (torch.Size([5, 2]), 23)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        layers = [nn.Linear(n_in, n_out, dtype=dtype) for n_in, n_out in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        if generator is not None:
            for layer in layers:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch n_in"]) -> Float[Tensor, "batch classes"]:
        """Return the logits of each sample."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))  # (batch, n_in) -> (batch, n_out)
        return self.layers[-1](x)  # (batch, n_in) -> (batch, classes)


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Float[Tensor, "batch n_in"],
    labels: Int[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Take one step of training.

    Args:
        network: gives the logits of a batch.
        optimizer: made from the network's parameters, which it changes in place.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.

    Returns:
        The loss before the step [nats], without its record.

    Example:
        >>> network = Network([4, 3, 2])
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> x, labels = torch.ones(5, 4), torch.zeros(5, dtype=torch.int64)
        >>> bool(step(network, optimizer, x, labels) > step(network, optimizer, x, labels))
        True
    """
    optimizer.zero_grad()
    loss = F.cross_entropy(network(x), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def train(network: nn.Module, batches: Iterable[Batch], *, rate: float, momentum: float = 0.9) -> list[float]:
    """Train with stochastic gradient descent, a step on each batch.

    Args:
        network: changed in place.
        batches: samples and labels, such as a ``DataLoader`` gives.
        rate: size of a step.
        momentum: how much of the velocity is kept, from 0 to below 1.

    Returns:
        The loss before each step [nats].
    """
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)
    losses = [step(network, optimizer, x, labels) for x, labels in batches]
    return torch.stack(losses).tolist() if losses else []


def gradients(
    network: Network, x: Float[Tensor, "batch n_in"], labels: Int[Tensor, " batch"]
) -> tuple[np.ndarray[Any, np.dtype[Any]], ...]:
    """Return the gradients of the loss of a batch in the order and the shapes of the NumPy half.

    Args:
        network: stays as it is; its own gradients too.
        x: one sample a row, ``(batch, n_in)``.
        labels: class indices, ``(batch,)``.

    Returns:
        ``d_W`` of shape ``(n_in, n_out)`` and ``d_b`` of shape ``(n_out,)`` of each layer in turn.
    """
    found = torch.autograd.grad(F.cross_entropy(network(x), labels), list(network.parameters()))
    return tuple(d.T.numpy(force=True) if d.ndim == 2 else d.numpy(force=True) for d in found)


def from_numpy(net: MLP) -> Network:
    """Make a network with the weights of one of the NumPy half.

    ``nn.Linear`` holds one unit a row, so each matrix is transposed.

    Args:
        net: for a class, with ReLU.

    Returns:
        The network, with copies of the weights in their dtype.

    Raises:
        ValueError: if ``net`` is another kind of network.

    Example:
        >>> net = MLP.draw([4, 3, 2], output="class", rng=np.random.default_rng(0), dtype=np.float32)
        >>> [tuple(p.shape) for p in from_numpy(net).parameters()]
        [(3, 4), (3,), (2, 3), (2,)]
    """
    expect_classifier(net)
    network = Network(net.sizes, dtype=torch.from_numpy(net.layers[0].W).dtype)
    with torch.no_grad():
        for parameter, array in zip(network.parameters(), net.parameters, strict=True):
            parameter.copy_(torch.from_numpy(array.T))  # (n_in, n_out) -> (n_out, n_in), a bias as it is
    return network


def to_numpy(network: Network) -> MLP:
    """Make a network of the NumPy half with the weights of this one; see :func:`from_numpy`.

    Args:
        network: on any device.

    Returns:
        The network, with copies of the weights.
    """
    parameters = [p.numpy(force=True) for p in network.parameters()]
    return MLP("class", *[np.array(p.T, order="C") for p in parameters])  # .T leaves a bias as it is


class Rounded(torch.autograd.Function):
    """Round to whole numbers on the way there, and let the gradient through on the way back.

    Rounding has the derivative 0, with which nothing before it would learn. Pretending that it is 1 is called the
    straight-through estimator. Source: Bengio et al. (2013), section 5. What :mod:`dlcourse.learning` writes as an op
    that returns its pullback, PyTorch writes as a pair of static methods.

    Example:
        >>> x = torch.tensor([0.2, 1.7], requires_grad=True)
        >>> y = Rounded.apply(x)
        >>> (y * torch.tensor([3.0, 5.0])).sum().backward()
        >>> y.tolist(), x.grad.tolist()
        ([0.0, 2.0], [3.0, 5.0])
    """

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the nearest whole numbers."""
        return x.round()

    @staticmethod
    def backward(ctx: Any, d_y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the gradient as it comes."""
        return d_y


def export_onnx(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network as an ONNX file, which needs neither PyTorch nor Python to run, for any number of samples.

    Its input is called ``x``, ``(batch, n_in)``, its output ``logits``, ``(batch, classes)``.

    Args:
        network: what to write.
        path: where to.

    Raises:
        MissingFrameworkError: if the packages that translate it are not installed.
    """
    required("onnxscript")
    W = next(network.parameters())  # (n_out, n_in)
    x = W.new_zeros(2, W.shape[1])
    # It reports each op of libraries that are not installed here.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, about itself
        torch.onnx.export(
            network.eval(),
            (x,),
            os.fspath(path),
            input_names=["x"],
            output_names=["logits"],
            dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
