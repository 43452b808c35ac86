"""Training with 16 bits: a loss that is scaled up so that no gradient vanishes, and weights that are kept in float32.

Chapter: book/gpus/precision.md. Source: Micikevicius et al. (2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_LARGEST_SCALE = 2.0**127
"""The largest power of two that float32 holds."""


def next_scale(scale: float, good: int, finite: bool, interval: int = 2000) -> tuple[float, int]:
    """Adapt the scale of the loss after a step.

    After an overflow the scale was too large: halve it, and count from 0. After ``interval`` good steps in a row it may
    be too small: double it, and count from 0.

    Source: Micikevicius et al. (2018), section 3.2; the arithmetic of ``torch.amp.GradScaler``.

    Args:
        scale: by what the loss was multiplied.
        good: how many good steps there were since the scale was last changed.
        finite: whether all gradients of this step are finite.
        interval: good steps until it is doubled.

    Returns:
        The next scale, and the next count.

    Example:
        >>> next_scale(1024.0, 7, False), next_scale(1024.0, 7, True), next_scale(1024.0, 1999, True)
        ((512.0, 0), (1024.0, 8), (2048.0, 0))
    """
    if scale <= 0 or interval < 1 or good < 0:
        raise ValueError(
            f"next_scale expects a scale above 0, an interval from 1 on and a count from 0 on, got {scale}, {interval} "
            f"and {good}: start with 65536.0, 2000 and 0"
        )
    if not finite:
        return scale / 2, 0
    if good + 1 < interval:
        return scale, good + 1
    return min(2 * scale, _LARGEST_SCALE), 0


def mixed_step(
    w: Float[np.ndarray, "*shape"],
    gradient: Float[np.ndarray, "*shape"],
    rate: float,
    scale: float,
    good: int,
    interval: int = 2000,
) -> tuple[Float[np.ndarray, "*shape"], float, int]:
    r"""Take a step of gradient descent from a gradient in float16 that was computed from a scaled loss.

    .. math:: w \leftarrow w - \eta \; \frac{\bar w_\text{scaled}}{\text{scale}}

    The gradient is brought to the dtype of the weights first, and divided then: in float16 it would vanish after all.
    If it is not finite, the weights stay as they are.

    Source: Micikevicius et al. (2018), sections 3.1 and 3.2.

    Args:
        w: master weights in float32, any shape.
        gradient: of the scaled loss, in float16, same shape.
        rate: learning rate, :math:`\eta`.
        scale: by what the loss was multiplied.
        good: good steps since the scale was last changed.
        interval: good steps until it is doubled.

    Returns:
        The next weights in the dtype of ``w``, the next scale and the next count.

    Example:
        >>> w, gradient = np.ones(1, np.float32), np.full(1, 512.0, np.float16)
        >>> mixed_step(w, gradient, 0.5, 1024.0, 0)
        (array([0.75], dtype=float32), 1024.0, 1)
    """
    if w.dtype.itemsize <= gradient.dtype.itemsize < 4:
        raise TypeError(
            f"mixed_step expects weights finer than the gradient, got {w.dtype} and {gradient.dtype}: keep them in "
            "float32, and cast a copy for each forward pass"
        )
    finite = bool(np.isfinite(gradient).all())
    if finite:
        w = w - rate * (gradient.astype(w.dtype) / scale)
    return w, *next_scale(scale, good, finite, interval)


class LossScaler:
    """Keeps the scale of the loss, as ``torch.amp.GradScaler`` does.

    Args:
        scale: the first scale.
        interval: good steps until it is doubled.

    Attributes:
        scale: by what to multiply the loss.
        good: how many good steps there were since it was last changed.

    Example:
        >>> scaler = LossScaler(1024.0)
        >>> scaler.unscale([np.array([512.0, np.inf], np.float16)]) is None, scaler.scale
        (True, 512.0)
    """

    def __init__(self, scale: float = 2.0**16, *, interval: int = 2000):
        self.scale, self.good, self.interval = scale, 0, interval

    def unscale(self, gradients: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """Return the true gradients in float32, or ``None`` if this step has to be left out; then adapt the scale.

        Args:
            gradients: those of the scaled loss.
        """
        finite = all(bool(np.isfinite(g).all()) for g in gradients)
        true = [g.astype(np.float32) / np.float32(self.scale) for g in gradients] if finite else None
        self.scale, self.good = next_scale(self.scale, self.good, finite, self.interval)
        return true
