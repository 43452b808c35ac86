"""With what a network is trained: all that must be the same for a run to be repeated, or to go on.

What is not asked for is chosen: by the data set, by the kind of network or optimizer, or by what the interrupted run had.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.networks import NETWORKS, OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class Settings:
    """What decides how a run goes.

    Attributes:
        data: name of a shipped data set, or the path of a file.
        network: a name in `NETWORKS`.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        dropout: share of the hidden units that is dropped at each step.
        device: where the network of PyTorch computes.
        optimizer: a name in `OPTIMIZERS`.
        rate: of the first step, or the largest one.
        schedule: a name in `SCHEDULES`.
        weight_decay: how strongly weights are kept small.
        epochs: how often each example is seen at most.
        batch: examples a step.
        patience: epochs without a smaller validation loss that are waited for; 0 for all.
        seed: of all that is drawn.
    """

    data: str
    network: str = "fused"
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    dropout: float = 0.0
    device: str = "auto"
    optimizer: str = "adamw"
    rate: float = 0.001
    schedule: str = "constant"
    weight_decay: float = 0.01
    epochs: int = 30
    batch: int = 64
    patience: int = 10
    seed: int = 0

    def command(self, folder: Path | None = None) -> str:
        """Return what to type to have this run again.

        Args:
            folder: where it was saved, if not where it would be by itself.
        """
        words = ["dlcourse", "train", self.data]
        for name, value in asdict(self).items():
            if name == "data" or (name == "hidden" and not value) or (name == "dropout" and not value):
                continue
            if (name == "activation" and not self.hidden) or (name == "device" and self.network != "torch"):
                continue
            text = ",".join(map(str, value)) if name == "hidden" else str(value)
            words += [option(name), text]
        return shlex.join([*words, *([] if folder is None else ["--out", str(folder)])])


def option(name: str) -> str:
    """Return how a setting is called on the command line."""
    return "--" + name.replace("_", "-")


def choose(data: str, given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Settings:
    """Complete settings.

    Args:
        data: what to train on.
        given: what was asked for, by name.
        defaults: what suits the data, by name.

    Returns:
        The settings.

    Raises:
        ExperimentError: if something asked for does not exist or does not go with the rest.

    Example:
        >>> choose("digits", {"optimizer": "sgd", "hidden": (32,)}).rate
        0.1
    """
    chosen = dict(defaults or {}) | dict(given)
    for name in ("rate", "weight_decay", "dropout"):
        if not isfinite(chosen.get(name, 0)):
            raise ExperimentError(f"{option(name)} is {chosen[name]}; give a finite number, such as 0.001.")
    if "device" in given and "network" not in given:
        chosen["network"] = "torch"
    if given.get("device", "auto") != "auto" and chosen["network"] != "torch":
        raise ExperimentError(
            f"The network {given['network']} computes with NumPy, on the CPU; choose --network torch, or leave out "
            "--device."
        )
    network = NETWORKS[chosen.setdefault("network", Settings.network)]
    method = OPTIMIZERS[chosen.setdefault("optimizer", Settings.optimizer)]
    chosen.setdefault("rate", method.rate)
    if chosen["optimizer"] != "adamw" and "weight_decay" not in given:
        chosen["weight_decay"] = 0.0  # of AdamW it is a part; the others are plain unless asked
    if chosen["network"] == "dropout":
        chosen.setdefault("dropout", 0.5)
    elif "dropout" not in given:
        chosen["dropout"] = 0.0
    elif given["dropout"]:
        raise ExperimentError(
            f"The network {chosen['network']} drops no units; add --network dropout, or leave out --dropout."
        )
    if not network.activations:
        for name in ("hidden", "activation"):
            if name in given:
                raise ExperimentError(
                    f"The network {chosen['network']} has no hidden layer; leave out {option(name)}, or choose "
                    "another network, such as --network fused."
                )
        chosen["hidden"] = ()
    elif not chosen.get("hidden", Settings.hidden):
        raise ExperimentError("This network needs a hidden layer; for none choose --network linear.")
    activation = chosen.get("activation", Settings.activation)
    if network.activations and activation not in network.activations:
        raise ExperimentError(
            f"The network {chosen['network']} has no activation {activation}; choose "
            f"{', '.join(network.activations)}, or another network, such as --network plain."
        )
    return Settings(data, **chosen)


def go_on(saved: Settings, data: str, given: Mapping[str, Any], done: int) -> Settings:
    """Take up the settings of an earlier run; of what is asked for now, only more epochs and the device may differ.

    Args:
        saved: what the earlier run had.
        data: what to train on now.
        given: what is asked for now, by name.
        done: how many epochs are done.

    Returns:
        The settings.

    Raises:
        ExperimentError: if something else is asked for.
    """
    for name, now in {"data": data, **given}.items():
        before = getattr(saved, name)
        if name in ("epochs", "device") or now == before:
            continue
        what = "the data" if name == "data" else option(name)
        raise ExperimentError(
            f"The run that is to go on had {_said(before)} as {what}, not {_said(now)}; leave {what} as it was, or start "
            "another run without --resume, in another folder (--out)."
        )
    epochs = given.get("epochs", saved.epochs)
    if epochs < done:
        raise ExperimentError(
            f"The run that is to go on has {done} epochs behind it; ask for as many or more, not for {epochs}."
        )
    if epochs != saved.epochs and saved.schedule != "constant":
        raise ExperimentError(
            f"The schedule {saved.schedule} was laid out for {saved.epochs} epochs; leave --epochs at that, or start "
            "another run with more, without --resume, in another folder (--out)."
        )
    if given.get("device", "auto") != "auto" and saved.network != "torch":
        raise ExperimentError(
            f"The run that is to go on has the network {saved.network}, which computes with NumPy, on the CPU; leave out "
            "--device."
        )
    return replace(saved, epochs=epochs, device=given.get("device", saved.device))


def read(saved: Mapping[str, Any]) -> Settings:
    """Read settings that were written as JSON.

    Raises:
        ValueError: if they are none.
    """
    names = {field.name for field in fields(Settings)}
    if set(saved) != names:
        raise ValueError(f"settings other than {', '.join(sorted(names))}")
    if saved["network"] not in NETWORKS or saved["optimizer"] not in OPTIMIZERS:
        raise ValueError("a network or an optimizer that does not exist")
    if saved["schedule"] not in SCHEDULES:
        raise ValueError("a schedule that does not exist")
    return Settings(**{**saved, "hidden": tuple(saved["hidden"])})


def _said(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
