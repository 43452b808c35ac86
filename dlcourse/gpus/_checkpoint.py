"""Activation checkpointing by hand: forget what lies inside a part of a network, and compute it again on the way back.

Chapter: book/gpus/memory.md. Source: Chen et al. (2016); torch.utils.checkpoint does the same and more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dlcourse.gpus._device import torch
from dlcourse.gpus._expect import expect_positive


class Checkpoint(torch.autograd.Function):
    """One part of a network, of which only the input is kept.

    The parameters are handed over besides, so that PyTorch knows whose gradients come back.
    """

    @staticmethod
    def forward(
        ctx: Any,
        part: torch.nn.Module,
        x: torch.Tensor,
        *parameters: torch.nn.Parameter,
    ) -> torch.Tensor:
        """Compute the answers; inside of a Function nothing is recorded."""
        ctx.part, ctx.parameters = part, parameters
        ctx.random = random_state(x.device)
        ctx.save_for_backward(x)
        answers: torch.Tensor = part(x)
        return answers

    @staticmethod
    def backward(
        ctx: Any,
        *d_answers: torch.Tensor,
    ) -> tuple[torch.Tensor | None, ...]:
        """Compute the answers again, with a record this time, and go back through it."""
        (x,) = ctx.saved_tensors
        x = x.detach().requires_grad_(ctx.needs_input_grad[1])
        with torch.enable_grad(), as_it_was(ctx.random, x.device):
            answers = ctx.part(x)
        tensors = (x, *ctx.parameters)
        asked = [tensor for tensor in tensors if tensor.requires_grad]
        found = iter(torch.autograd.grad(answers, asked, d_answers))
        return None, *(next(found) if t.requires_grad else None for t in tensors)


def random_state(where: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return how far the random numbers are, here and on the device: dropout must drop the same units again."""
    return torch.get_rng_state(), torch.cuda.get_rng_state(where) if where.type == "cuda" else None


@contextmanager
def as_it_was(state: tuple[torch.Tensor, torch.Tensor | None], where: torch.device) -> Iterator[None]:
    """Draw random numbers from where they were, and go on afterwards as if nothing had been drawn."""
    here, there = state
    with torch.random.fork_rng([where] if there is not None else []):
        torch.set_rng_state(here)
        if there is not None:
            torch.cuda.set_rng_state(there, where)
        yield


def checkpoint(part: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Send a batch through a part of a network, and keep nothing but the batch for the way back.

    Args:
        part: layers that give the same answers when they are asked again.
        x: samples, ``(batch, ...)``.

    Returns:
        The same answers, and the same gradients later, as those of ``part(x)``.
    """
    answers: torch.Tensor = Checkpoint.apply(part, x, *part.parameters())
    return answers


def checkpointed(layers: Iterable[torch.nn.Module], x: torch.Tensor, *, segment: int) -> torch.Tensor:
    """Send a batch through layers of which only every ``segment``-th input is kept.

    Args:
        layers: the layers in order, such as a ``torch.nn.Sequential``.
        x: samples, ``(batch, ...)``.
        segment: layers of one part.
    """
    expect_positive("checkpointed", segment=segment)
    parts = list(layers)
    for start in range(0, len(parts), segment):
        x = checkpoint(torch.nn.Sequential(*parts[start : start + segment]), x)
    return x
