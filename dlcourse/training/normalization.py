"""Numbers of mean 0 and spread 1 inside a network: batch norm, layer norm, and how they behave when nobody learns.

Both subtract a mean and divide by a spread; they differ in the axis along which these are taken. Batch norm compares a
sample with the others of its batch, so it needs a second way to compute for the time after training: running statistics.
Chapter: book/training/normalization.md. Sources: Ioffe and Szegedy (2015); Ba et al. (2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from dlcourse.neurons._arrays import Floats
from dlcourse.neurons._expect import expect_floating, expect_gradient, expect_positive
from dlcourse.training._normalized import NormalizedMLP
from dlcourse.training._standardize import EPS, WHY_EPS, moments, standardize, standardize_op

__all__ = [
    "EPS",
    "BatchNorm",
    "LayerNorm",
    "NormalizedMLP",
    "batch_norm",
    "batch_norm_op",
    "layer_norm",
    "layer_norm_op",
    "moments",
    "standardize",
    "standardize_op",
]

Units: TypeAlias = Float[np.ndarray, " n_in"]
Rows: TypeAlias = Float[np.ndarray, "*batch n_in"]
Batch: TypeAlias = Float[np.ndarray, "batch n_in"]
Pullback: TypeAlias = Callable[[Floats], tuple[Floats, Units, Units]]


def batch_norm(x: Batch, gamma: Units, beta: Units, *, eps: float = EPS) -> Batch:
    """Return the value of :func:`batch_norm_op`."""
    return batch_norm_op(x, gamma, beta, eps=eps)[0]


def batch_norm_op(x: Batch, gamma: Units, beta: Units, *, eps: float = EPS) -> tuple[Batch, Pullback]:
    r"""Standardize each unit over the samples of its batch, then give it a spread and a mean that can be learned.

    .. math:: y_{ik} = \gamma_k \, \frac{x_{ik} - \mu_k}{\sqrt{\sigma_k^2 + \varepsilon}} + \beta_k

    Source: Ioffe and Szegedy (2015), section 3.

    Args:
        x: one sample a row, ``(batch, n_in)``, at least two.
        gamma: the new spread of each unit, ``(n_in,)``.
        beta: the new mean of each unit, ``(n_in,)``.
        eps: added to each variance.

    Returns:
        ``y`` in the dtype of ``x``, ``(batch, n_in)``, and the pullback, which returns the gradients of ``x``, ``gamma``
        and ``beta``.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes do not fit, or there is one sample only.

    Example:
        >>> y, _ = batch_norm_op(np.array([[1.0, 5.0], [3.0, 9.0]]), np.array([1.0, 10.0]), np.array([0.0, 2.0]))
        >>> y.round(3)
        array([[-1., -8.],
               [ 1., 12.]])
    """
    _expect_units("batch_norm", x, gamma, beta)
    if len(x) < 2:
        raise ValueError(
            f"batch_norm expects at least two samples to compare, got x of shape {x.shape}: train on larger batches "
            "(drop a last batch of one), predict with the running statistics, or use layer_norm"
        )
    return _scaled_op(x, gamma, beta, 0, eps)


def layer_norm(x: Rows, gamma: Units, beta: Units, *, eps: float = EPS) -> Rows:
    """Return the value of :func:`layer_norm_op`."""
    return layer_norm_op(x, gamma, beta, eps=eps)[0]


def layer_norm_op(x: Rows, gamma: Units, beta: Units, *, eps: float = EPS) -> tuple[Rows, Pullback]:
    r"""Standardize each sample over its units, then give each unit a spread and a mean that can be learned.

    .. math:: y_{ik} = \gamma_k \, \frac{x_{ik} - \mu_i}{\sqrt{\sigma_i^2 + \varepsilon}} + \beta_k

    Source: Ba et al. (2016), section 3.

    Args:
        x: one sample a row, ``(*batch, n_in)``, at least two units.
        gamma: the new spread of each unit, ``(n_in,)``.
        beta: the new mean of each unit, ``(n_in,)``.
        eps: added to each variance.

    Returns:
        ``y`` in the dtype of ``x``, ``(*batch, n_in)``, and the pullback, which returns the gradients of ``x``, ``gamma``
        and ``beta``.

    Raises:
        TypeError: if an array does not hold floating-point numbers.
        ValueError: if the shapes do not fit, or there is one unit only.

    Example:
        >>> y, _ = layer_norm_op(np.array([[1.0, 3.0], [5.0, 9.0]]), np.array([1.0, 10.0]), np.array([0.0, 2.0]))
        >>> y.round(3)
        array([[-1., 12.],
               [-1., 12.]])
    """
    _expect_units("layer_norm", x, gamma, beta)
    if x.shape[-1] < 2:
        raise ValueError(
            f"layer_norm expects at least two units to compare, got x of shape {x.shape}: the answer would be beta "
            "whatever comes in, so leave a layer of one unit as it is"
        )
    return _scaled_op(x, gamma, beta, -1, eps)


def _scaled_op(x: Rows, gamma: Units, beta: Units, axis: int, eps: float) -> tuple[Rows, Pullback]:
    """Standardize along an axis, then scale and shift each unit."""
    y, standardize_pullback = standardize_op(x, axis, eps)

    def pullback(d_value: Rows) -> tuple[Rows, Units, Units]:
        expect_gradient("batch_norm" if axis == 0 else "layer_norm", d_value, y)
        d_gamma, d_beta = _unit_gradients(d_value, y)
        return standardize_pullback(d_value * gamma), d_gamma, d_beta

    return gamma * y + beta, pullback


def _unit_gradients(d_value: Rows, y: Rows) -> tuple[Units, Units]:
    """Sum over all samples: each of them used the same gamma and beta."""
    samples = tuple(range(y.ndim - 1))
    return (d_value * y).sum(axis=samples), d_value.sum(axis=samples)


class BatchNorm:
    r"""Batch norm with a memory, so that a sample can be answered alone after training.

    Training mode compares the samples of the batch, and moves the running statistics a step towards those of the batch:

    .. math:: \mu_\text{run} \leftarrow (1 - m) \, \mu_\text{run} + m \, \mu, \qquad
              \sigma^2_\text{run} \leftarrow (1 - m) \, \sigma^2_\text{run} + m \, \tfrac{n}{n-1} \, \sigma^2

    Evaluation mode uses the running statistics, and changes nothing. As in PyTorch, the variance of the batch is the
    biased one (divided by :math:`n`) and the running one is unbiased (divided by :math:`n - 1`).

    Source: Ioffe and Szegedy (2015), section 3.1.

    Args:
        n_in: number of units.
        momentum: how far one batch moves the running statistics, above 0 and up to 1.
        eps: added to each variance.
        dtype: dtype of all arrays.

    Attributes:
        gamma: spread of each unit, learned, ``(n_in,)``; 1 at first.
        beta: mean of each unit, learned, ``(n_in,)``; 0 at first.
        running_mean: for evaluation, ``(n_in,)``, changed in place; 0 at first.
        running_var: for evaluation, ``(n_in,)``, changed in place; 1 at first.

    Raises:
        ValueError: if there is no unit, or ``momentum`` or ``eps`` is out of its range.

    Example:
        >>> norm = BatchNorm(1, momentum=0.5)
        >>> norm.forward(np.array([[4.0], [8.0]]), training=True).round(3).ravel()
        array([-1.,  1.])
        >>> norm.running_mean, norm.running_var
        (array([3.]), array([4.5]))
    """

    def __init__(self, n_in: int, *, momentum: float = 0.1, eps: float = EPS, dtype: Any = np.float64):
        if n_in < 1:
            raise ValueError(f"BatchNorm expects at least one unit, got {n_in}: pass the width of the layer")
        if not 0 < momentum <= 1:
            raise ValueError(
                f"BatchNorm expects a momentum above 0 and up to 1, got {momentum}: 0.1 moves the running statistics "
                "a tenth of the way to each batch"
            )
        expect_positive("BatchNorm", eps=eps, remedy=WHY_EPS)
        self.momentum = momentum
        self.eps = eps
        self.gamma = np.ones(n_in, dtype)
        self.beta = np.zeros(n_in, dtype)
        self.running_mean = np.zeros(n_in, dtype)
        self.running_var = np.ones(n_in, dtype)

    def forward(self, x: Batch, training: bool) -> Batch:
        """Return the value of :meth:`forward_op`."""
        return self.forward_op(x, training)[0]

    def forward_op(self, x: Batch, training: bool) -> tuple[Batch, Pullback]:
        """Normalize a batch in training or in evaluation mode.

        Args:
            x: one sample a row, ``(batch, n_in)``; at least two to train on, any number to evaluate.
            training: whether to use, and remember, the statistics of this batch.

        Returns:
            The value, ``(batch, n_in)``, and the pullback, which returns the gradients of ``x``, ``gamma`` and ``beta``.
        """
        if training:
            value, pullback = batch_norm_op(x, self.gamma, self.beta, eps=self.eps)
            self._remember(x)
            return value, pullback
        return self._evaluate_op(x)

    def state(self) -> dict[str, Units]:
        """Return what a checkpoint needs beside the parameters: copies of the running statistics."""
        return {"running_mean": self.running_mean.copy(), "running_var": self.running_var.copy()}

    def load(self, state: Mapping[str, Units]) -> None:
        """Continue from the running statistics of a :meth:`state`."""
        for name, running in (("running_mean", self.running_mean), ("running_var", self.running_var)):
            if name not in state or state[name].shape != running.shape:
                raise ValueError(
                    f"BatchNorm expects {name} of shape {running.shape} in a state, got "
                    f"{state[name].shape if name in state else 'none'}: load what state() of the same network gave"
                )
            running[:] = state[name]

    def _remember(self, x: Batch) -> None:
        """Move the running statistics a step towards those of a batch."""
        mean, variance = moments(x, 0)  # (1, n_in) each
        unbiased = variance[0] * (len(x) / (len(x) - 1))
        self.running_mean += self.momentum * (mean[0] - self.running_mean)
        self.running_var += self.momentum * (unbiased - self.running_var)

    def _evaluate_op(self, x: Batch) -> tuple[Batch, Pullback]:
        """Normalize each sample for itself: mean and spread are fixed numbers here, and nothing flows through them."""
        _expect_units("BatchNorm", x, self.gamma, self.beta)
        spread = np.sqrt(self.running_var + self.eps)
        y = (x - self.running_mean) / spread

        def pullback(d_value: Batch) -> tuple[Batch, Units, Units]:
            expect_gradient("BatchNorm", d_value, y)
            return d_value * self.gamma / spread, *_unit_gradients(d_value, y)

        return self.gamma * y + self.beta, pullback


class LayerNorm:
    """Layer norm with its gamma and beta. It looks at one sample at a time, so both modes are the same.

    Args:
        n_in: number of units, at least two.
        eps: added to each variance.
        dtype: dtype of both arrays.

    Attributes:
        gamma: spread of each unit, learned, ``(n_in,)``; 1 at first.
        beta: mean of each unit, learned, ``(n_in,)``; 0 at first.

    Example:
        >>> LayerNorm(2).forward(np.array([[1.0, 3.0]]), training=False).round(3)
        array([[-1.,  1.]])
    """

    def __init__(self, n_in: int, *, eps: float = EPS, dtype: Any = np.float64):
        if n_in < 2:
            raise ValueError(f"LayerNorm expects at least two units to compare, got {n_in}")
        expect_positive("LayerNorm", eps=eps, remedy=WHY_EPS)
        self.eps = eps
        self.gamma = np.ones(n_in, dtype)
        self.beta = np.zeros(n_in, dtype)

    def forward(self, x: Rows, training: bool) -> Rows:
        """Return the value of :meth:`forward_op`."""
        return self.forward_op(x, training)[0]

    def forward_op(self, x: Rows, training: bool) -> tuple[Rows, Pullback]:
        """Return :func:`layer_norm_op` of a batch, in either mode."""
        return layer_norm_op(x, self.gamma, self.beta, eps=self.eps)


def _expect_units(function: str, x: Rows, gamma: Units, beta: Units) -> None:
    """Hold x, gamma and beta to one number a unit."""
    expect_floating(function, x=x, gamma=gamma, beta=beta)
    least, shape = (1, "(..., n_in)") if function == "layer_norm" else (2, "(batch, n_in)")
    if x.ndim < least or (least == 2 and x.ndim != 2):
        raise ValueError(
            f"{function} expects x of shape {shape}, got {x.shape}: put one sample into each row, "
            "with x.reshape(len(x), -1) if it has more axes"
        )
    if not gamma.shape == beta.shape == x.shape[-1:]:
        raise ValueError(
            f"{function} expects one gamma and one beta for each unit, of shape (n_in,) = {x.shape[-1:]}, got "
            f"{gamma.shape} and {beta.shape}: they belong to the units, not to the samples"
        )
