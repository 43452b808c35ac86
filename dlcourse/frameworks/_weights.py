"""Weights in a file that every framework reads: names, shapes and numbers, and no code.

A safetensors file cannot run anything when it is opened, which a pickled one can. It says nothing about what an axis
means: here a matrix has one unit a column, ``(n_in, n_out)``, as in the NumPy half.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from dlcourse.frameworks._present import required
from dlcourse.neurons.network import MLP


def expect_classifier(net: MLP) -> None:
    """Refuse a network that the three frameworks of this part do not compute.

    Args:
        net: any network.

    Raises:
        ValueError: if it has another output or activation.
    """
    if net.output != "class" or net.activation != "relu":
        raise ValueError(
            f"expected a network for a class with relu, got {net}: build it with "
            "MLP.draw(sizes, output='class', rng=rng)"
        )


def save(net: MLP, path: str | os.PathLike[str]) -> None:
    """Write the weights of a network.

    Args:
        net: its matrices are called ``layers.0.W``, its biases ``layers.0.b``, and so on.
        path: where to.

    Raises:
        MissingFrameworkError: if the package safetensors is not installed.
    """
    numpy = required("safetensors.numpy")
    named: dict[str, np.ndarray[Any, Any]] = {}
    for number, (W, b, _) in enumerate(net.layers):
        # Row by row, whatever the order it has in memory.
        named[f"layers.{number}.W"] = np.ascontiguousarray(W)
        named[f"layers.{number}.b"] = np.ascontiguousarray(b)
    about = {"output": net.output, "activation": net.activation}
    numpy.save_file(named, path, metadata=about)


def load(path: str | os.PathLike[str]) -> MLP:
    """Read what :func:`save` wrote.

    Args:
        path: the file.

    Raises:
        MissingFrameworkError: if the package safetensors is not installed.
        ValueError: if the file holds other names.
    """
    safetensors = required("safetensors")
    with safetensors.safe_open(path, framework="numpy") as file:
        about, names = file.metadata() or {}, set(file.keys())
        expected = [f"layers.{number}.{name}" for number in range(len(names) // 2) for name in ("W", "b")]
        if not names or names != set(expected) or not {"output", "activation"} <= set(about):
            raise ValueError(
                f"{os.fspath(path)} holds {', '.join(sorted(names)) or 'nothing'}: expected layers.0.W, layers.0.b, ... "
                "as save writes them; rename and transpose what another program wrote"
            )
        return MLP(about["output"], *map(file.get_tensor, expected), activation=about["activation"])
