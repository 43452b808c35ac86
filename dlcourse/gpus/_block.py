"""One block of a transformer, as far as its memory is concerned: the shapes of GPT-2, without dropout.

What attention is, a later part of the course explains. Here it is a layer that keeps arrays for the way back.
Chapter: book/gpus/memory.md. Source: Vaswani et al. (2017).
"""

from __future__ import annotations

from jaxtyping import Float

from dlcourse.gpus._device import torch


class Block(torch.nn.Module):
    """Attention and two layers, each behind a norm and beside a way around.

    Args:
        width: numbers for each token.
        heads: how many times attention is done, with a part of the width each.
        fused: whether attention is one kernel, which never holds the table of probabilities.
    """

    def __init__(self, width: int, heads: int, *, fused: bool = True):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.before = torch.nn.LayerNorm(width)
        self.asked = torch.nn.Linear(width, 3 * width)  # query, key and value
        self.mixed = torch.nn.Linear(width, width)
        self.between = torch.nn.LayerNorm(width)
        self.wide = torch.nn.Linear(width, 4 * width)
        self.narrow = torch.nn.Linear(4 * width, width)

    def forward(self, x: Float[torch.Tensor, "batch time width"]) -> Float[torch.Tensor, "batch time width"]:
        """Return as many numbers for each token as came in."""
        x = x + self.mixed(self._attention(self.before(x)))
        return x + self.narrow(torch.nn.functional.gelu(self.wide(self.between(x))))

    def _attention(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        split = self.asked(x).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width / heads) each
        if self.fused:
            found = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        else:
            scores = query @ key.transpose(2, 3) / key.shape[3] ** 0.5  # (batch, heads, time, time)
            found = scores.softmax(dim=3) @ value
        return found.transpose(1, 2).reshape(batch, time, width)
