"""A GPT for `gpu.py`, as one writes it today, and two loops that train it: ours, and one as nanoGPT's train.py has it.

Both loops train the same network from the same weights on the same tokens. The plain one keeps all weights in float32
and lets autocast choose for each operation. Ours keeps float32 for the optimizer alone: the network has a copy in
bfloat16, made once a step, so that what flows between its layers has 2 bytes a number, not 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from torch.nn.attention import SDPBackend, sdpa_kernel

from dlcourse.gpus._device import seconds, torch

nn, F = torch.nn, torch.nn.functional

BETAS, DECAY, CLIP = (0.9, 0.95), 0.1, 1.0


class Shape(NamedTuple):
    """The sizes of a GPT; those of GPT-2 with 124 million parameters, its vocabulary rounded up to a multiple of 64."""

    layers: int = 12
    heads: int = 12
    width: int = 768
    vocabulary: int = 50304
    time: int = 1024

    @property
    def parameters(self) -> int:
        """Count the parameters, without those of the places: they are added, and multiply nothing."""
        return self.vocabulary * self.width + self.layers * (12 * self.width**2 + 2 * self.width) + self.width

    def flops(self, *, causal: bool = False) -> int:
        """Count the operations of training on one token: 6 for each parameter, and those of attention.

        Args:
            causal: count for attention what has to be computed, half of the table; else all of it, as nanoGPT does.
        """
        attention = 12 * self.layers * self.width * self.time
        return 6 * self.parameters + (attention // 2 if causal else attention)


TINY = Shape(layers=2, heads=2, width=32, vocabulary=96, time=24)
FORMULA = (
    "6 N + 12 · layers · width · time a token, N without the parameters of the places (as nanoGPT counts)"
)


class Block(nn.Module):
    """Attention and two layers, each behind a norm and beside a way around."""

    def __init__(self, shape: Shape):
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.before = nn.LayerNorm(width, bias=False)
        self.asked = nn.Linear(width, 3 * width, bias=False)  # query, key and value
        self.mixed = nn.Linear(width, width, bias=False)
        self.between = nn.LayerNorm(width, bias=False)
        self.wide = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return as many numbers for each token as came in, ``(batch, time, width)``."""
        x = x + self.mixed(self._attention(self.before(x)))
        return x + self.narrow(F.gelu(self.wide(self.between(x))))

    def _attention(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        split = self.asked(x).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width / heads) each
        found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return found.transpose(1, 2).reshape(batch, time, width)


class GPT(nn.Module):
    """Tokens in, loss out; one table turns tokens into numbers and numbers into scores of tokens."""

    def __init__(self, shape: Shape, *, seed: int = 0):
        super().__init__()
        self.table = nn.Parameter(torch.empty(shape.vocabulary, shape.width))
        self.places = nn.Parameter(torch.empty(shape.time, shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.width, bias=False)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 2:  # what adds to the way around starts smaller
                    into = name.endswith(("mixed.weight", "narrow.weight"))
                    scale = 0.02 / (2 * shape.layers) ** 0.5 if into else 0.02
                    parameter.normal_(0, scale, generator=generator)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss [nats] of predicting ``targets``, both ``(batch, time)``."""
        x = F.embedding(tokens, self.table) + self.places[: tokens.shape[1]]  # (batch, time, width)
        for block in self.blocks:
            x = block(x)
        scores = F.linear(self.last(x), self.table)  # (batch, time, vocabulary)
        return F.cross_entropy(scores.flatten(0, 1).float(), targets.flatten())


def adamw(model: nn.Module, weights: list[torch.Tensor], *, rate: float) -> torch.optim.AdamW:
    """Make the optimizer of both loops: fused, and matrices alone decay."""
    groups = [
        {
            "params": [w for w, p in zip(weights, model.parameters(), strict=True) if (p.ndim > 1) == matrix],
            "weight_decay": DECAY * matrix,
        }
        for matrix in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True)


class Plain:
    """A training loop as nanoGPT's: weights in float32, autocast, `torch.compile`, batches from pinned memory.

    Args:
        shape: of the network.
        where: the device.
        micro: how many texts are computed at once; the gradients of the others are added up.
        compiled: how to compile the network; the identity for not at all.
        wrap: what is put around the compiled network, such as DDP.
        rate: of the optimizer.
    """

    def __init__(
        self,
        shape: Shape,
        where: torch.device,
        *,
        micro: int,
        compiled: Callable[[nn.Module], nn.Module] = torch.compile,
        wrap: Callable[[nn.Module], nn.Module] = lambda model: model,
        rate: float = 6e-4,
    ):
        self.where, self.micro = where, micro
        model = GPT(shape).to(where)
        self.weights = list(model.parameters())
        self.optimizer = adamw(model, self.weights, rate=rate)
        self.run = wrap(compiled(model))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Train on texts, ``(batch, time + 1)``; return the loss before, without its record."""
        total = torch.zeros((), device=self.where)
        for part in tokens.split(self.micro):
            x, y = (self._bring(half) for half in (part[:, :-1], part[:, 1:]))
            with torch.autocast(self.where.type, dtype=torch.bfloat16):
                loss = self.run(x, y) * (len(part) / len(tokens))
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.weights, CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def _bring(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens.contiguous()
        if self.where.type != "cuda":
            return tokens.to(self.where)
        return tokens.pin_memory().to(self.where, non_blocking=True)


class Ours:
    """Our loop: a network in bfloat16, its weights kept in float32 beside it, the texts on the device from the start.

    Args:
        shape: of the network.
        where: the device.
        micro: how many texts are computed at once; the gradients of the others are added up.
        compiled: how to compile the network.
        rate: of the optimizer.
    """

    def __init__(
        self,
        shape: Shape,
        where: torch.device,
        *,
        micro: int,
        compiled: Callable[[nn.Module], nn.Module] = torch.compile,
        rate: float = 6e-4,
    ):
        self.micro = micro
        model = GPT(shape).to(where)
        self.masters = [p.detach().clone() for p in model.parameters()]
        for master in self.masters:
            master.grad = torch.empty_like(master)
        self.optimizer = adamw(model, self.masters, rate=rate)
        self.weights = list(model.bfloat16().parameters())
        self.run = compiled(model)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Train on texts, ``(batch, time + 1)``; return the loss before, without its record."""
        total = torch.zeros((), device=tokens.device)
        for part in tokens.split(self.micro):
            loss = self.run(part[:, :-1].contiguous(), part[:, 1:].contiguous()) * (len(part) / len(tokens))
            loss.backward()
            total += loss.detach()
        with torch.no_grad():
            torch._foreach_copy_([m.grad for m in self.masters], [w.grad for w in self.weights])
            nn.utils.clip_grad_norm_(self.masters, CLIP)
            self.optimizer.step()
            torch._foreach_copy_(self.weights, self.masters)
        for weight in self.weights:
            weight.grad = None
        return total


def draw_texts(shape: Shape, batch: int, *, rng: np.random.Generator) -> torch.Tensor:
    """Draw texts whose tokens are as unequally frequent as words, ``(batch, time + 1)``; speed needs no better."""
    shares = 1 / (np.arange(shape.vocabulary) + 3.0)
    drawn = rng.choice(shape.vocabulary, (batch, shape.time + 1), p=shares / shares.sum())
    return torch.from_numpy(drawn)


@contextmanager
def attention_by(kernel: SDPBackend | None) -> Iterator[None]:
    """Let PyTorch take one kernel for attention, or choose one itself; a compiled network keeps what it began with."""
    if kernel is None:
        yield
        return
    with sdpa_kernel(kernel):
        yield


def fastest_attention(shape: Shape, batch: int, where: torch.device) -> SDPBackend | None:
    """Measure PyTorch's kernels for attention, there and back; return the fastest, or ``None`` on a CPU."""
    if where.type != "cuda":
        return None
    sizes = (batch, shape.heads, shape.time, shape.width // shape.heads)
    heads = [torch.randn(sizes, device=where, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
    towards = torch.randn(sizes, device=where, dtype=torch.bfloat16)
    found: dict[SDPBackend, float] = {}
    for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):

        def work(kernel: SDPBackend = kernel) -> None:
            with sdpa_kernel(kernel):
                answer = F.scaled_dot_product_attention(*heads, is_causal=True)
            torch.autograd.grad(answer, heads, towards)

        try:
            found[kernel] = seconds(work, where, at_most=1.0)
        except RuntimeError:  # not for this GPU, or not in this PyTorch
            continue
    return min(found, key=found.__getitem__, default=None)
