"""From NumPy to PyTorch: the network of the course as a module, trained by the same few lines.

What was written by hand so far, the way back, is recorded by PyTorch while it computes. All else stays as it is: the
parameters are the arrays of the NumPy network, so the optimizers, the training loop and the checkpoints of the course
work on it without a change. Chapter: book/gpus/parallelism.md. Source: Paszke et al. (2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

from dlcourse.gpus import _device
from dlcourse.gpus._device import torch
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
}
"""The activations of hidden layers, by the names of :mod:`dlcourse.neurons.activation`."""


class Dense(torch.nn.Module):
    """One layer.

    ``torch.nn.Linear`` keeps one unit a row. This layer keeps one unit a column, as the course does, so that it can share
    its memory with NumPy.

    Args:
        W: one unit a column, ``(n_in, n_out)``.
        b: one bias a unit, ``(n_out,)``.
        activation: a name in :data:`ACTIVATIONS`.
    """

    def __init__(
        self,
        W: Float[torch.Tensor, "n_in n_out"],
        b: Float[torch.Tensor, " n_out"],
        activation: str,
    ):
        super().__init__()
        self.W, self.b = torch.nn.Parameter(W), torch.nn.Parameter(b)
        self.activation = activation

    def forward(
        self,
        x: Float[torch.Tensor, "batch n_in"],
    ) -> Float[torch.Tensor, "batch n_out"]:
        """Return the answers of the units."""
        z = torch.addmm(self.b, x, self.W)  # b + x @ W, (batch, n_out)
        return ACTIVATIONS[self.activation](z)


class TorchMLP:
    """A multi-layer perceptron whose gradients come from PyTorch, on whatever device there is.

    It shares the parameters of ``net``: what changes them trains ``net``. On a CPU the module uses the same memory. On a
    GPU it has copies: they are brought up to date before each batch, and the gradients are carried back. That keeps one
    optimizer and one checkpoint for all devices, and it costs the way over the bus at each step.

    Args:
        net: the network to train.
        device: where to compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Attributes:
        net: the same.
        parameters: weights and biases in turn, the arrays of ``net`` themselves.
        device: where it computes.
        module: the layers; gives logits for a class, and values for values.

    Raises:
        TypeError: if the device has no numbers of the dtype of the parameters.
        ValueError: if there is no such device or no such activation.

    Example:
        >>> model = TorchMLP(MLP("value", np.array([[2.0]]), np.array([0.0])), device="cpu")
        >>> loss, (d_W, d_b) = model.loss_and_gradients(np.array([[1.0]]), np.array([[5.0]]))
        >>> loss, d_W, d_b
        (9.0, array([[-6.]]), array([-6.]))
    """

    _SHARES = ("cpu",)  # kinds of devices that work in the memory of NumPy

    def __init__(self, net: MLP, *, device: str = "auto"):
        if len(net.layers) > 1 and net.activation not in ACTIVATIONS:
            raise ValueError(
                f"TorchMLP expects a hidden activation of {', '.join(ACTIVATIONS)}, got {net.activation!r}: "
                "train this network with TrainableMLP"
            )
        self.net = net
        self.parameters: tuple[Array, ...] = net.parameters
        self.device = _device.device(device)
        if self.device.type == "mps" and any(p.dtype == np.float64 for p in self.parameters):
            raise TypeError(
                "a GPU of Apple has no float64: draw the network with dtype=np.float32, or take device='cpu'"
            )
        self._here = [torch.from_numpy(p) for p in self.parameters]
        there = self._here if self._shared else [p.to(self.device, copy=True) for p in self._here]
        kinds = [layer.activation for layer in net.layers[:-1]] + ["linear"]
        self.module = torch.nn.Sequential(
            *(Dense(W, b, kind) for W, b, kind in zip(there[::2], there[1::2], kinds, strict=True))
        )
        self._there = list(self.module.parameters())

    def loss_and_gradients(
        self, x: Float[np.ndarray, "batch n_in"], y: Shaped[np.ndarray, "batch ..."]
    ) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``."""
        loss = self._loss(x, y)
        gradients = torch.autograd.grad(loss, self._there)
        return loss.item(), tuple(gradient.numpy(force=True) for gradient in gradients)

    def loss(self, x: Float[np.ndarray, "batch n_in"], y: Shaped[np.ndarray, "batch ..."]) -> float:
        """Return the loss of a batch."""
        with torch.no_grad():
            return self._loss(x, y).item()

    def predict(self, x: Float[np.ndarray, "batch n_in"]) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``."""
        with torch.no_grad():
            answers = self._answers(x)
            found = answers.argmax(dim=1) if self.net.output == "class" else answers
            return np.asarray(found.numpy(force=True))

    @property
    def _shared(self) -> bool:
        return self.device.type in self._SHARES

    def _loss(self, x: Array, y: Array) -> torch.Tensor:
        answers = self._answers(x)
        if self.net.output == "class":
            _expect_labels(y, tuple(answers.shape))
            return torch.nn.functional.cross_entropy(answers, torch.from_numpy(y).long().to(self.device))
        if y.shape != answers.shape:
            raise ValueError(
                f"TorchMLP expects one target for each answer, of shape {tuple(answers.shape)}, got {y.shape}: "
                "numbers in a row of their own with y[:, None]"
            )
        return torch.nn.functional.mse_loss(answers, torch.from_numpy(y).to(answers))

    def _answers(self, x: Array) -> torch.Tensor:
        """Send a batch through the layers, with the parameters as they are now."""
        W = self.parameters[0]
        if x.ndim != 2 or x.shape[1] != W.shape[0] or len(x) == 0:
            raise ValueError(
                f"TorchMLP expects x of shape (batch, {W.shape[0]}) with at least one sample, got {x.shape}: "
                "put one sample into each row"
            )
        if x.dtype != W.dtype:
            raise TypeError(
                f"TorchMLP expects x in the dtype of its parameters, {W.dtype}, got {x.dtype}: convert all samples once, "
                f"before training, with x.astype(np.{W.dtype})"
            )
        if not self._shared:
            with torch.no_grad():
                for there, here in zip(self._there, self._here, strict=True):
                    there.copy_(here)
        answers: torch.Tensor = self.module(torch.from_numpy(x).to(self.device))  # (batch, n_out)
        return answers


def _expect_labels(labels: Array, shape: tuple[int, ...]) -> None:
    """Refuse labels that PyTorch would refuse in its own words, or on a GPU much later and for good."""
    batch, classes = shape
    if labels.shape != (batch,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"TorchMLP expects labels of shape (batch,) = ({batch},), got {labels.shape} of {labels.dtype}: pass class "
            "indices, not one-hot rows"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"TorchMLP expects labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}: the network needs "
            "one output for each class"
        )
