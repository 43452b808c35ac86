"""The networks that can be trained, and the optimizers that train them: all of the course's, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dlcourse.experiments.errors import ExperimentError
from dlcourse.learning._fused import IN_PLACE, FusedMLP
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.autodiff import TensorMLP
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.neurons.network import MLP
from dlcourse.training._normalized import NormalizedMLP
from dlcourse.training._optimizer import Optimizer
from dlcourse.training._schedules import Schedule
from dlcourse.training.initialization import initialize
from dlcourse.training.normalization import BatchNorm, LayerNorm
from dlcourse.training.optimizers import SGD, Adam, AdamW, RMSProp, constant, cosine, step_decay, warmup
from dlcourse.training.regularization import RegularizedMLP

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu")
Make: TypeAlias = Callable[..., Trainable]


@dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes:
        about: what it is, in a few words.
        make: makes it from an MLP, ``make(net, dropout=, rng=, device=)``.
        activations: which ones its hidden layers can have; none if it has no hidden layers.
    """

    about: str
    make: Make
    activations: tuple[str, ...] = ACTIVATIONS


def _alone(kind: Callable[[MLP], Trainable]) -> Make:
    return lambda net, **_: kind(net)


def _normalized(norm: Any) -> Make:
    return lambda net, **_: NormalizedMLP(net, norm)


def _dropped(net: MLP, *, dropout: float, rng: np.random.Generator, **_: Any) -> Trainable:
    return RegularizedMLP(net, dropout=dropout, rng=rng)


def _in_torch(net: MLP, *, device: str, **_: Any) -> Trainable:
    """Make the one network that needs PyTorch, which is imported only now."""
    try:
        from dlcourse.gpus._torch_mlp import TorchMLP

        return TorchMLP(net, device=device)
    except (ImportError, ValueError) as error:
        raise ExperimentError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


_FAST = tuple(name for name in ACTIVATIONS if name in IN_PLACE)
NETWORKS: dict[str, Network] = {
    "fused": Network("layers, gradients written for speed", _alone(FusedMLP), _FAST),
    "plain": Network("layers, gradients as in the chapter on backpropagation", _alone(TrainableMLP)),
    "tensor": Network("layers, gradients by automatic differentiation", _alone(TensorMLP), _FAST),
    "linear": Network("no hidden layer: softmax or linear regression", _alone(FusedMLP), ()),
    "batchnorm": Network("layers with batch normalization", _normalized(BatchNorm)),
    "layernorm": Network("layers with layer normalization", _normalized(LayerNorm)),
    "dropout": Network("layers of which some units are dropped at each step", _dropped),
    "torch": Network("layers, gradients by PyTorch, on the device of --device", _in_torch),
}
"""All of them, by name."""


@dataclass(frozen=True)
class Method:
    """A kind of optimizer.

    Attributes:
        make: makes it, ``make(parameters, rate=, weight_decay=)``.
        rate: one that is worth a first try.
    """

    make: Callable[..., Optimizer]
    rate: float


OPTIMIZERS: dict[str, Method] = {
    "adamw": Method(AdamW, 0.001),
    "adam": Method(Adam, 0.001),
    "rmsprop": Method(RMSProp, 0.001),
    "sgd": Method(SGD, 0.1),
    "momentum": Method(lambda parameters, **how: SGD(parameters, momentum=0.9, **how), 0.02),
    "nesterov": Method(lambda parameters, **how: SGD(parameters, momentum=0.9, nesterov=True, **how), 0.02),
}
"""All of them, by name."""

SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, steps: constant(rate),
    "cosine": lambda rate, steps: cosine(rate, steps=steps),
    "step": lambda rate, steps: step_decay(rate, every=max(1, steps // 3)),
    "warmup": lambda rate, steps: warmup(
        cosine(rate, steps=max(1, steps - steps // 10)), max(1, steps // 10)
    ),
}
"""How the rate changes from step to step; all but the first depend on how many steps there are in all."""


def build(
    kind: str,
    sizes: tuple[int, ...],
    *,
    output: str,
    activation: str,
    dropout: float,
    device: str,
    rng: np.random.Generator,
    chance: np.random.Generator,
) -> Trainable:
    """Make an untrained network in float32.

    Args:
        kind: a name in :data:`NETWORKS`.
        sizes: number of units a layer, the input layer first.
        output: ``"class"`` or ``"value"``.
        activation: of the hidden layers.
        dropout: share of the hidden units that is dropped at each step.
        device: where the network of PyTorch computes; the others compute on the CPU.
        rng: draws the weights.
        chance: draws what is dropped.

    Returns:
        The network.

    Raises:
        ExperimentError: if PyTorch is asked for and is not there, or has no such device.
    """
    net = initialize(sizes, "he", output=output, rng=rng, activation=activation, dtype=np.float32)
    return NETWORKS[kind].make(net, dropout=dropout, rng=chance, device=device)
