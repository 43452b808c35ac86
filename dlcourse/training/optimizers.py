"""What to do with a gradient: SGD, momentum, RMSProp, Adam and AdamW, with schedules for the rate and clipping.

Each method comes twice. ``adam_step`` is the formula as it is written in the paper: a pure function from the old values
to the new ones. ``Adam`` does the same to the parameters of a network, in place and in blocks that fit into the cache;
a test holds the two equal. Chapter: book/training/optimizers.md. Sources: Sutskever et al. (2013); Tieleman and Hinton
(2012); Kingma and Ba (2015); Loshchilov and Hutter (2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, sqrt

import numpy as np

from dlcourse.neurons._arrays import FloatArrays, Floats
from dlcourse.neurons._expect import expect_positive
from dlcourse.training._optimizer import Block, Optimizer, expect_in
from dlcourse.training._schedules import Schedule, constant, cosine, step_decay, warmup

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "adam_step",
    "adamw_step",
    "clip_by_norm",
    "constant",
    "cosine",
    "rmsprop_step",
    "sgd_step",
    "step_decay",
    "warmup",
]


def sgd_step(
    x: Floats,
    g: Floats,
    velocity: Floats,
    rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Floats, Floats]:
    r"""Take one step of stochastic gradient descent, with momentum.

    .. math:: v \leftarrow \mu v + g, \qquad x \leftarrow x - \eta v \quad
              \text{(Nesterov: } x \leftarrow x - \eta (g + \mu v)\text{)}

    Source: Sutskever et al. (2013), section 2, in the form of PyTorch, where the rate stands outside of ``v``.

    Args:
        x: parameters, any shape.
        g: gradient of the loss, same shape.
        velocity: sum of the earlier gradients, 0 at the start, same shape.
        rate: size of the step.
        momentum: how much of the velocity is kept, from 0 to below 1.
        nesterov: look ahead along the new velocity.
        weight_decay: how much of ``x`` is added to ``g``.

    Returns:
        The new parameters and the new velocity.

    Example:
        >>> x, v = sgd_step(np.array([1.0]), np.array([2.0]), np.array([10.0]), rate=0.1, momentum=0.5)
        >>> x.round(6), v
        (array([0.3]), array([7.]))
    """
    g = g + weight_decay * x
    velocity = momentum * velocity + g
    direction = g + momentum * velocity if nesterov else velocity
    return x - rate * direction, velocity


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked; see :func:`sgd_step`.

    Args:
        parameters: contiguous arrays, changed in place.
        rate: one number, or a schedule.
        momentum: how much of the velocity is kept, from 0 to below 1.
        nesterov: look ahead along the new velocity.
        weight_decay: how much of each parameter is added to its gradient.

    Example:
        >>> w = np.array([1.0, 2.0])
        >>> SGD([w], rate=0.1).step([np.array([10.0, 0.0])])
        >>> w
        array([0., 2.])
    """

    MOMENTS = ("velocity",)

    def __init__(
        self,
        parameters: FloatArrays,
        rate: float | Schedule,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        expect_in("SGD", 0.0, 1.0, momentum=momentum)
        if nesterov and not momentum:
            raise ValueError("SGD expects momentum above 0 for nesterov, got 0: pass momentum=0.9 too")
        super().__init__(parameters, rate=rate, weight_decay=weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    def _update(self, blocks: Iterable[Block], rate: float) -> None:
        for x, g, s, (velocity,) in blocks:
            if self.momentum:
                velocity *= self.momentum
                velocity += g
                if self.nesterov:
                    np.multiply(velocity, self.momentum, out=s)
                    s += g
                    g = s
                else:
                    g = velocity
            np.multiply(g, rate, out=s)
            x -= s


def rmsprop_step(
    x: Floats,
    g: Floats,
    square: Floats,
    rate: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Floats, Floats]:
    r"""Take one step of RMSProp: each parameter's step is divided by the usual size of its own gradient.

    .. math:: s \leftarrow \alpha s + (1 - \alpha) g^2, \qquad x \leftarrow x - \eta \frac{g}{\sqrt s + \epsilon}

    Source: Tieleman and Hinton (2012), lecture 6.5.

    Args:
        x: parameters, any shape.
        g: gradient of the loss, same shape.
        square: running mean of the squared gradients, 0 at the start, same shape.
        rate: size of the step, in the unit of the parameters.
        alpha: how much of the mean is kept.
        eps: keeps the division from 0.
        weight_decay: how much of ``x`` is added to ``g``.

    Returns:
        The new parameters and the new mean.

    Example:
        >>> x, s = rmsprop_step(np.zeros(2), np.array([1.0, 1000.0]), np.zeros(2), rate=0.1)
        >>> x.round(6)  # as far for a gradient of 1 as for one of 1000
        array([-1., -1.])
    """
    g = g + weight_decay * x
    square = alpha * square + (1 - alpha) * g**2
    return x - rate * g / (np.sqrt(square) + eps), square


class RMSProp(Optimizer):
    """RMSProp; see :func:`rmsprop_step`.

    What is kept is the sum of the squares and not their mean, which is ``1 - alpha`` times that sum: one pass less.

    Args:
        parameters: contiguous arrays, changed in place.
        rate: one number, or a schedule.
        alpha: how much of the mean square is kept, from 0 to below 1.
        eps: keeps the division from 0.
        weight_decay: how much of each parameter is added to its gradient.

    Example:
        >>> w = np.zeros(2)
        >>> RMSProp([w], rate=0.1).step([np.array([1.0, 1000.0])])
        >>> w.round(6)
        array([-1., -1.])
    """

    MOMENTS = ("squares",)

    def __init__(
        self,
        parameters: FloatArrays,
        rate: float | Schedule,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        expect_in("RMSProp", 0.0, 1.0, alpha=alpha)
        expect_positive("RMSProp", eps=eps)
        super().__init__(parameters, rate=rate, weight_decay=weight_decay)
        self.alpha, self.eps = alpha, eps

    def _update(self, blocks: Iterable[Block], rate: float) -> None:
        root = sqrt(1 - self.alpha)
        for x, g, s, (squares,) in blocks:
            np.multiply(g, g, out=s)
            squares *= self.alpha
            squares += s
            np.sqrt(squares, out=s)
            s += self.eps / root
            np.divide(g, s, out=s)
            s *= rate / root
            x -= s


def adam_step(
    x: Floats,
    g: Floats,
    mean: Floats,
    square: Floats,
    step: int,
    rate: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Floats, Floats, Floats]:
    r"""Take one step of Adam: momentum, divided by the usual size of the gradient, both corrected for their start at 0.

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g, & \hat m &= m / (1 - \beta_1^t) \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2, & \hat v &= v / (1 - \beta_2^t) \\
        x &\leftarrow x - \eta \, \hat m / (\sqrt{\hat v} + \epsilon)

    Source: Kingma and Ba (2015), algorithm 1.

    Args:
        x: parameters, any shape.
        g: gradient of the loss, same shape.
        mean: running mean of the gradients, 0 at the start, same shape.
        square: running mean of their squares, 0 at the start, same shape.
        step: number of this step, from 1.
        rate: size of the step, in the unit of the parameters.
        betas: how much of the two means is kept.
        eps: keeps the division from 0.
        weight_decay: how much of ``x`` is added to ``g``.

    Returns:
        The new parameters and the two new means.

    Example:
        >>> x, m, v = adam_step(np.zeros(2), np.array([1.0, -1000.0]), np.zeros(2), np.zeros(2), 1, rate=0.1)
        >>> x.round(6)
        array([-0.1,  0.1])
    """
    g = g + weight_decay * x
    mean = betas[0] * mean + (1 - betas[0]) * g
    square = betas[1] * square + (1 - betas[1]) * g**2
    mean_hat = mean / (1 - betas[0] ** step)
    square_hat = square / (1 - betas[1] ** step)
    return x - rate * mean_hat / (np.sqrt(square_hat) + eps), mean, square


class Adam(Optimizer):
    r"""Adam; see :func:`adam_step`.

    What is kept are the sums :math:`M = \beta_1 M + g` and :math:`V = \beta_2 V + g^2`. The corrected means are these
    sums divided by the sums of their weights: :math:`\hat m = w_1 M` with
    :math:`w_1 = (1 - \beta_1) / (1 - \beta_1^t)`, and :math:`\hat v = w_2 V` in the same way. So both corrections
    are folded into the rate and into epsilon, once a step:

    .. math:: x \leftarrow x - \frac{\eta w_1}{\sqrt{w_2}} \, \frac{M}{\sqrt V + \epsilon / \sqrt{w_2}}

    Args:
        parameters: contiguous arrays, changed in place.
        rate: one number, or a schedule.
        betas: how much of the two means is kept, each from 0 to below 1.
        eps: keeps the division from 0.
        weight_decay: how much of each parameter is added to its gradient; rather use :class:`AdamW`.

    Example:
        >>> w = np.zeros(2)
        >>> Adam([w], rate=0.1).step([np.array([1.0, -1000.0])])
        >>> w.round(6)
        array([-0.1,  0.1])
    """

    MOMENTS = ("sums", "squares")

    def __init__(
        self,
        parameters: FloatArrays,
        rate: float | Schedule,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        name = type(self).__name__
        expect_in(name, 0.0, 1.0, beta_1=betas[0], beta_2=betas[1])
        expect_positive(name, eps=eps)
        super().__init__(parameters, rate=rate, weight_decay=weight_decay)
        self.betas, self.eps = (float(betas[0]), float(betas[1])), eps

    def _update(self, blocks: Iterable[Block], rate: float) -> None:
        beta_1, beta_2 = self.betas
        weight = (1 - beta_1) / (1 - beta_1**self.steps)
        root = sqrt((1 - beta_2) / (1 - beta_2**self.steps))
        # Numbers of Python would be converted to the dtype of the arrays anew in each line.
        number = self.parameters[0].dtype.type
        beta_1, beta_2, eps, rate = map(number, (beta_1, beta_2, self.eps / root, rate * weight / root))
        for x, g, s, (sums, squares) in blocks:
            sums *= beta_1
            sums += g
            np.multiply(g, g, out=s)
            squares *= beta_2
            squares += s
            np.sqrt(squares, out=s)
            s += eps
            np.divide(sums, s, out=s)
            s *= rate
            x -= s


def adamw_step(
    x: Floats,
    g: Floats,
    mean: Floats,
    square: Floats,
    step: int,
    rate: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Floats, Floats, Floats]:
    r"""Take one step of AdamW: shrink the parameters, then take a step of Adam that knows nothing of it.

    .. math:: x \leftarrow (1 - \eta \lambda) \, x

    Source: Loshchilov and Hutter (2019), algorithm 2.

    Args:
        x: parameters, any shape.
        g: gradient of the loss, same shape.
        mean: running mean of the gradients, 0 at the start, same shape.
        square: running mean of their squares, 0 at the start, same shape.
        step: number of this step, from 1.
        rate: size of the step.
        betas: how much of the two means is kept.
        eps: keeps the division from 0.
        weight_decay: what share of ``x`` a step of rate 1 would take away.

    Returns:
        The new parameters and the two new means.

    Example:
        >>> x, m, v = adamw_step(np.ones(1), np.zeros(1), np.zeros(1), np.zeros(1), 1, rate=0.1, weight_decay=0.5)
        >>> x
        array([0.95])
    """
    x = (1 - rate * weight_decay) * x
    return adam_step(x, g, mean, square, step, rate, betas, eps)


class AdamW(Adam):
    """Adam with weight decay beside the gradient instead of inside; see :func:`adamw_step`.

    Args:
        parameters: contiguous arrays, changed in place.
        rate: one number, or a schedule.
        betas: how much of the two means is kept, each from 0 to below 1.
        eps: keeps the division from 0.
        weight_decay: what share of each parameter a step of rate 1 would take away.

    Example:
        >>> w = np.ones(1)
        >>> AdamW([w], rate=0.1, weight_decay=0.5).step([np.zeros(1)])
        >>> w
        array([0.95])
    """

    DECOUPLED = True

    def __init__(
        self,
        parameters: FloatArrays,
        rate: float | Schedule,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(parameters, rate=rate, betas=betas, eps=eps, weight_decay=weight_decay)


def clip_by_norm(gradients: FloatArrays, limit: float) -> float:
    r"""Shorten the gradient in place if it is longer than a limit; keep its direction.

    .. math:: g \leftarrow g \cdot \min\Bigl(1, \frac{c}{\lVert g \rVert + 10^{-6}}\Bigr), \qquad
              \lVert g \rVert = \sqrt{\textstyle\sum_i g_i^2} \text{ over all parameters together}

    Source: Pascanu et al. (2013), algorithm 1.

    Args:
        gradients: one array a parameter, changed in place.
        limit: the largest length ``c``.

    Returns:
        The length before.

    Raises:
        ValueError: if the limit is not positive, or a gradient holds NaN or inf.

    Example:
        >>> g = [np.array([3.0]), np.array([4.0])]
        >>> clip_by_norm(g, 1.0)
        5.0
        >>> [float(part[0].round(6)) for part in g]
        [0.6, 0.8]
    """
    expect_positive("clip_by_norm", limit=limit)
    norm = _length("clip_by_norm", gradients)
    if norm + 1e-6 > limit:
        for g in gradients:
            np.multiply(g, limit / (norm + 1e-6), out=g)
    return norm


def _length(function: str, gradients: FloatArrays) -> float:
    """Return the length of all gradients together; refuse one that is not finite."""
    flat = [g.reshape(-1) for g in gradients if g.size]
    with np.errstate(over="ignore", invalid="ignore"):
        norm = sqrt(sum(float(np.dot(g, g)) for g in flat))
    if isfinite(norm):
        return norm
    # A square has overflowed, or a number is not finite: divided by the largest one, the squares are 1 at most.
    largest = max(float(np.abs(g).max()) for g in flat)
    if not isfinite(largest):
        raise ValueError(
            f"{function} expects finite gradients, got a length of {largest}: the loss has already left the numbers "
            "that can be written; lower the rate, or look for a division by 0 or a logarithm of 0"
        )
    return largest * sqrt(sum(float(np.dot(h, h)) for h in (g / largest for g in flat)))
