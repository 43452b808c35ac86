"""What all networks of the course have in common, however they compute their gradients.

An optimizer and a training loop need no more than this, so the same few lines train each of them.
Chapters: book/learning/backpropagation.md, book/training/optimizers.md.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dlcourse.neurons._arrays import Array


@runtime_checkable
class Trainable(Protocol):
    """Something with parameters whose loss has gradients.

    Attributes:
        parameters: the arrays that training finds; an optimizer changes them in place.
    """

    parameters: tuple[Array, ...]

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch and its gradients, as it is while training.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            y: class indices, ``(batch,)``, or values, ``(batch, n_out)``.

        Returns:
            The loss, and one gradient a parameter, in the order of ``parameters``. The next call may write into the
            same arrays: copy what is to be kept.
        """
        ...

    def loss(self, x: Array, y: Array) -> float:
        """Return the loss of a batch, as it is when training is over.

        Args:
            x: one sample a row, ``(batch, n_in)``.
            y: class indices, ``(batch,)``, or values, ``(batch, n_out)``.
        """
        ...

    def predict(self, x: Array) -> Array:
        """Return the most probable class of each sample, ``(batch,)``, or the values, ``(batch, n_out)``.

        Args:
            x: one sample a row, ``(batch, n_in)``.
        """
        ...
