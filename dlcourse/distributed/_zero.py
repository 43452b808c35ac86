"""The three stages of ZeRO by hand: a network trained by several ranks that divide its state among them.

Each rank has its own samples, as in plain data parallelism, and all take the same steps. Only the place where the numbers
lie between two uses changes. Chapter: book/distributed/sharding.md. Source: Rajbhandari et al. (2020), section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from jaxtyping import Float, Int

from dlcourse.distributed._shares import State, expect_stage
from dlcourse.gpus._device import torch
from dlcourse.gpus._recorded import held_bytes

Tensor: TypeAlias = torch.Tensor
Layer: TypeAlias = tuple[Tensor, Tensor]

# Both had another name before PyTorch 2.13, which warns of the old one.
_NAMES = vars(torch.distributed)
all_gather = _NAMES.get("all_gather_single") or _NAMES["all_gather_into_tensor"]
reduce_scatter = _NAMES.get("reduce_scatter_single") or _NAMES["reduce_scatter_tensor"]


class Shared:
    """The weights and biases of one layer in one row of numbers, of which each rank owns a share.

    The row is filled up with zeros, so that all shares are equally long: the collectives need that.

    Args:
        W: weights, ``(n_in, n_out)``, the same on all ranks.
        b: biases, ``(n_out,)``.
        stage: what is divided: 0 nothing, 1 the optimizer, 2 the gradients besides, 3 the parameters, too.

    Attributes:
        own: the share of this rank, ``(size,)``.
        whole: the whole row, ``(ranks * size,)``; in stage 3 only from :meth:`gather` to :meth:`free`.
        gradient: of the share or of the whole row, whatever is held; ``None`` before the first step.
        moments: Adam's two moments, as long as what this rank updates.
    """

    def __init__(self, W: Float[Tensor, "n_in n_out"], b: Float[Tensor, " n_out"], stage: int):
        self.stage, self._shapes = stage, (W.shape, b.shape)
        self._count = W.numel() + b.numel()
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        size = -(-self._count // ranks)
        self._row, self._size = ranks * size, size
        self._mine = slice(rank * size, (rank + 1) * size)
        whole = self._in_a_row(W, b)
        self.whole: Tensor | None = whole
        self.own = whole[self._mine] if stage < 3 else whole[self._mine].clone()
        self.gradient: Tensor | None = None
        updated = whole if stage == 0 else self.own
        self.moments = [torch.zeros_like(updated) for _ in range(2)]
        self.free()

    def gather(self) -> Layer:
        """Bring the whole layer together: in stage 3 from all ranks, else it is there."""
        if self.whole is None:
            self.whole = self.own.new_empty(self._row)
            all_gather(self.whole, self.own)
        weights = self._shapes[0].numel()
        W, b = self.whole[:weights], self.whole[weights : self._count]
        return W.view(self._shapes[0]), b

    def free(self) -> None:
        """Drop what other ranks hold: in stage 3 all but the own share."""
        if self.stage == 3:
            self.whole = None

    def take(self, d_W: Tensor, d_b: Tensor) -> None:
        """Average the gradients over the ranks; from stage 1 on each rank learns its own share only."""
        row = self._in_a_row(d_W, d_b)
        row /= torch.distributed.get_world_size()
        if self.stage == 0:
            torch.distributed.all_reduce(row)
            self.gradient = row
            return
        mine = row.new_empty(self._size)
        reduce_scatter(mine, row)
        if self.stage == 1:
            row[self._mine] = mine  # the rest is held for nothing
        self.gradient = row if self.stage == 1 else mine

    def update(
        self, rate: float, t: int, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        """Take Adam's step number ``t`` for what this rank updates; a row that is held whole is brought together."""
        assert self.gradient is not None
        target, d = self.own, self.gradient
        if self.stage == 0:
            assert self.whole is not None
            target = self.whole
        elif self.stage == 1:
            d = d[self._mine]
        m, v = self.moments
        m.lerp_(d, 1 - betas[0])
        v.lerp_(d * d, 1 - betas[1])
        target -= rate * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)).sqrt() + eps)
        if self.stage in (1, 2):
            assert self.whole is not None
            all_gather(self.whole, self.own.clone())

    def _in_a_row(self, W: Tensor, b: Tensor) -> Tensor:
        row = W.new_zeros(self._row)
        row[: W.numel()] = W.reshape(-1)
        row[W.numel() : self._count] = b
        return row


class ShardedMLP:
    """A classifier trained with Adam, whose parameters, gradients and moments lie where a stage of ZeRO puts them.

    Args:
        layers: weights ``(n_in, n_out)`` and biases ``(n_out,)`` of each layer, the same on all ranks; ReLU between them.
        stage: 0 divides nothing, 1 the optimizer, 2 the gradients besides, 3 the parameters, too.
        rate: Adam's learning rate.

    Raises:
        ValueError: if there is no such stage.
    """

    def __init__(self, layers: Sequence[Layer], *, stage: int, rate: float = 1e-3):
        expect_stage("ShardedMLP", stage)
        self.rate, self.steps = rate, 0
        self.layers = [Shared(W, b, stage) for W, b in layers]

    def step(self, x: Float[Tensor, "batch n_in"], labels: Int[Tensor, " batch"]) -> float:
        """Take one step with the samples of this rank, and return their loss. All ranks have equally many samples."""
        kept = [x]
        for number, layer in enumerate(self.layers, start=1):
            W, b = layer.gather()
            z = torch.addmm(b, kept[-1], W)  # (batch, n_out)
            kept.append(z.relu_() if number < len(self.layers) else z)
            del W, b
            layer.free()
        logits = kept.pop()
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        d_z = logits.softmax(1)
        d_z[torch.arange(len(x), device=x.device), labels] -= 1
        d_z /= len(x)
        for layer in reversed(self.layers):
            h = kept.pop()  # what came into this layer
            d_W, d_b = h.T @ d_z, d_z.sum(0)
            if kept:
                W, _ = layer.gather()
                d_z = (d_z @ W.T) * (h > 0)
                del W
                layer.free()
            layer.take(d_W, d_b)
        self.steps += 1
        for layer in self.layers:
            layer.update(self.rate, self.steps)
        return loss

    def whole(self) -> list[Layer]:
        """Return all layers, brought together on each rank: for tests and small models."""
        found = []
        for layer in self.layers:
            W, b = layer.gather()
            found.append((W.clone(), b.clone()))
            layer.free()
        return found

    def held(self) -> State:
        """Measure the bytes that this rank holds now."""
        rows = [layer.own if layer.whole is None else layer.whole for layer in self.layers]
        gradients = [layer.gradient for layer in self.layers if layer.gradient is not None]
        moments = [moment for layer in self.layers for moment in layer.moments]
        return State(held_bytes(rows), held_bytes(gradients), held_bytes(moments))
