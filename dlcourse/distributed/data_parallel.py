"""Train one network on many processes: each has all of the network and a share of every batch.

Each process (a *rank*) computes the gradient of its own samples. The gradients are averaged over all ranks, and then
every rank takes the same step, so that their networks stay equal without ever being sent. First by hand, in one message
(:class:`DataParallelMLP`), then with PyTorch's own ``DistributedDataParallel`` (:class:`DDPMLP`). Both can be trained by
:func:`dlcourse.training.fit`, on any number of ranks, with the result of one.
Chapter: book/distributed/data_parallel.md. Sources: Li et al. (2020); Goyal et al. (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from dlcourse.gpus import _device
from dlcourse.gpus._device import torch
from dlcourse.gpus._expect import Scalar
from dlcourse.gpus._torch_mlp import TorchMLP
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import MLP
from dlcourse.training._schedules import Schedule, expect_rate

distributed: Any = torch.distributed
DistributedDataParallel = torch.nn.parallel.DistributedDataParallel


def world() -> tuple[int, int]:
    """Return the number of this process, its rank, and how many processes there are: ``(0, 1)`` if it is alone."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def epoch_order(n: int, *, epoch: int, seed: int = 0) -> Int[np.ndarray, " n"]:
    """Draw the order of all samples in an epoch: the same on each rank, another one in each epoch.

    Nothing is sent for that. All ranks draw from the same seed.

    Args:
        n: how many samples there are.
        epoch: number of the epoch, from 0. Whoever forgets to count it has the same batches in every epoch.
        seed: of the whole run, the same on all ranks.

    Example:
        >>> epoch_order(5, epoch=0).tolist(), epoch_order(5, epoch=1).tolist()
        ([2, 4, 3, 0, 1], [1, 4, 3, 0, 2])
    """
    if n < 1 or epoch < 0:
        raise ValueError(
            f"epoch_order expects at least one sample and an epoch from 0 on, got n={n}, epoch={epoch}"
        )
    return np.random.default_rng((seed, epoch)).permutation(n)


def shard(
    order: Shaped[np.ndarray, " n"],
    rank: int,
    count: int,
) -> Shaped[np.ndarray, " share"]:
    r"""Return one rank's samples of an epoch: each rank gets equally many.

    .. math:: \text{share} = \lceil n / \text{count} \rceil

    Where the samples do not come out even, the first ones are given twice. This is the rule of PyTorch's
    ``DistributedSampler``. All ranks then take the same number of steps; one that took more would wait for ever.

    Args:
        order: the samples of the epoch, in the order that all ranks have.
        rank: which process asks, from 0.
        count: how many processes there are.

    Returns:
        Every ``count``-th sample, beginning with number ``rank``.

    Raises:
        ValueError: if there is no sample or no such rank.

    Example:
        >>> [shard(np.arange(5), rank, 2).tolist() for rank in range(2)]
        [[0, 2, 4], [1, 3, 0]]
    """
    _expect_rank("shard", rank, count)
    if len(order) == 0:
        raise ValueError("shard expects at least one sample, got none")
    each = -(-len(order) // count)
    even = np.resize(order, each * count)  # repeats from the beginning
    return even[rank::count]


def share(batch: Shaped[np.ndarray, "batch ..."], rank: int, count: int) -> Shaped[np.ndarray, "share ..."]:
    """Return one rank's rows of a batch, each row on one rank only: the last batch may give some ranks less, or nothing.

    Args:
        batch: one sample a row, ``(batch, ...)``.
        rank: which process asks, from 0.
        count: how many processes there are.

    Example:
        >>> [share(np.arange(5), rank, 2).tolist() for rank in range(2)]
        [[0, 2, 4], [1, 3]]
    """
    _expect_rank("share", rank, count)
    return batch[rank::count]


def mean_gradient(
    gradients: Float[np.ndarray, " count *shape"],
    sizes: Int[np.ndarray, " count"],
) -> Float[np.ndarray, "*shape"]:
    r"""Put the gradients of all ranks together: the gradient of the mean loss over the whole batch.

    .. math:: \bar g = \sum_r \frac{m_r}{m} \, g_r, \qquad m = \sum_r m_r

    With shares of equal size it is the plain mean. The sum, without the division, would make the steps longer with each
    rank that helps.

    Args:
        gradients: one a rank, each of the mean loss over this rank's samples.
        sizes: how many samples each rank had, :math:`m_r`.

    Returns:
        One gradient, ``(*shape)``.

    Raises:
        ValueError: if there is not one size a gradient, or no sample at all.

    Example:
        >>> mean_gradient(np.array([[1.0, 2.0], [4.0, 8.0]]), np.array([2, 1]))
        array([2., 4.])
    """
    if sizes.shape != gradients.shape[:1] or (sizes < 0).any() or sizes.sum() == 0:
        raise ValueError(
            f"mean_gradient expects one number of samples for each gradient, and at least one sample in all, got "
            f"{len(gradients)} gradients and sizes {sizes.tolist()}"
        )
    weights = (sizes / sizes.sum()).astype(gradients.dtype)
    return np.tensordot(weights, gradients, axes=1)


def average_gradients(
    tensors: Sequence[torch.Tensor],
    weight: float | None = None,
) -> None:
    r"""Replace this rank's gradients by the mean of all ranks', in one message.

    All ranks must call it, with tensors of the same shapes. Without torch.distributed, one rank is alone and its
    gradients stay as they are.

    Args:
        tensors: this rank's gradients, changed in place.
        weight: this rank's share :math:`m_r / m` of the batch; an equal share if left out. All weights add up to 1.

    Example:
        >>> d_W = torch.tensor([[1.0, 2.0]])
        >>> average_gradients([d_W])
        >>> d_W
        tensor([[1., 2.]])
    """
    count = world()[1]
    if count == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one message
    flat *= 1 / count if weight is None else weight
    distributed.all_reduce(flat)  # the sum over all ranks, on each of them
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def broadcast_parameters(tensors: Sequence[torch.Tensor]) -> None:
    """Give all ranks the parameters of rank 0, in place: equal steps keep networks equal only if they begin equal."""
    if world()[1] > 1:
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)


def spread(tensors: Sequence[torch.Tensor]) -> float:
    """Return how far the ranks' parameters are apart at most, 0 if they are equal: a test worth having in any run."""
    if world()[1] == 1:
        return 0.0
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    low, high = flat.clone(), flat.clone()
    distributed.all_reduce(low, distributed.ReduceOp.MIN)
    distributed.all_reduce(high, distributed.ReduceOp.MAX)
    return float((high - low).max())


class DataParallelMLP(TorchMLP):
    """A network on many ranks, by hand: each one is given the whole batch, takes its share, and all average.

    Each rank makes one, and calls it with the same batches. What it returns is the loss and the gradients of the whole
    batch, as if one process had done all the work. So the training loop, the optimizers and the checkpoints need not know
    that there are others.

    Args:
        net: the network to train; it gets the parameters of rank 0.
        device: where this rank computes; see :func:`rank_device`.

    Example:
        >>> model = DataParallelMLP(MLP("value", np.array([[2.0]]), np.array([0.0])), device="cpu")
        >>> model.loss_and_gradients(np.array([[1.0]]), np.array([[5.0]]))
        (9.0, (array([[-6.]]), array([-6.])))
    """

    def __init__(self, net: MLP, *, device: str = "auto"):
        super().__init__(net, device=rank_device(device))
        with torch.no_grad():
            broadcast_parameters(self._there)
        self._take_over()

    def loss_and_gradients(
        self,
        x: Float[np.ndarray, "batch n_in"],
        y: Shaped[np.ndarray, "batch ..."],
    ) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``."""
        mine, weight = self._mine(x, y)
        gradients = torch.autograd.grad(mine, self._there)
        averaged = [mine.detach(), *gradients]
        average_gradients(averaged, weight)
        return averaged[0].item(), tuple(gradient.numpy(force=True) for gradient in gradients)

    def _mine(self, x: Array, y: Array) -> tuple[torch.Tensor, float]:
        """Return the mean loss of this rank's share of a batch, and which part of the batch that is."""
        rank, count = world()
        x_mine, y_mine = share(x, rank, count), share(y, rank, count)
        if len(x) and not len(x_mine):  # nothing to do, but the others wait
            return self._answers_of_none(x), 0.0
        return self._loss(x_mine, y_mine), len(x_mine) / max(1, len(x))

    def _answers_of_none(self, x: Array) -> torch.Tensor:
        """Return a loss of 0 that still has gradients, all of them 0."""
        answers: torch.Tensor = self.module(torch.from_numpy(x[:0]).to(self.device))  # (0, n_out)
        return answers.sum()

    def _take_over(self) -> None:
        """Bring the parameters of rank 0 back to NumPy, where the device has a memory of its own."""
        with torch.no_grad():
            for here, there in zip(self._here, self._there, strict=True):
                here.copy_(there)


class DDPMLP(DataParallelMLP):
    """The same with PyTorch's ``DistributedDataParallel``, which sends while the way back is still going on.

    DDP collects the gradients in buckets, from the last layer to the first, and averages a bucket as soon as it is full.
    Its mean gives each rank the same weight, so the loss is scaled where the shares differ.

    Args:
        net: the network to train; it gets the parameters of rank 0.
        device: where this rank computes; see :func:`rank_device`.

    Raises:
        RuntimeError: if there are no ranks.
    """

    def __init__(self, net: MLP, *, device: str = "auto"):
        if not distributed.is_initialized():
            raise RuntimeError(
                "DDPMLP expects torch.distributed to be initialised: start the program with torchrun, or the function "
                "with run_processes"
            )
        super().__init__(net, device=device)
        of_rank = [self.device] if self.device.type == "cuda" else None
        ddp = DistributedDataParallel(self.module, device_ids=of_rank, gradient_as_bucket_view=True)
        self.module = ddp  # type: ignore[assignment]  # called as the module that it wraps

    def loss_and_gradients(
        self,
        x: Float[np.ndarray, "batch n_in"],
        y: Shaped[np.ndarray, "batch ..."],
    ) -> tuple[float, tuple[Array, ...]]:
        """Return the loss of a batch, and one gradient a parameter, in the order of ``parameters``."""
        self.module.zero_grad()
        mine, weight = self._mine(x, y)
        (mine * weight * world()[1]).backward()  # DDP divides by the number of ranks
        loss = mine.detach()
        average_gradients([loss], weight)
        return loss.item(), tuple(p.grad.numpy(force=True) for p in self._there if p.grad is not None)


def rank_device(asked: str = "auto") -> str:
    """Choose the device of this rank: the CPU, or the GPU whose number the rank has on its machine.

    Args:
        asked: ``"cpu"``, ``"cuda"``, or ``"auto"`` for GPUs if there are any.

    Returns:
        What :class:`~dlcourse.gpus._torch_mlp.TorchMLP` understands, such as ``"cpu"`` or ``"cuda:1"``.

    Raises:
        ValueError: if there is no such device, or it cannot talk to other ranks.

    Example:
        >>> rank_device("cpu")
        'cpu'
    """
    if asked == "mps":
        raise ValueError(
            "torch.distributed has no messages between GPUs of Apple: take cpu, or cuda on another machine"
        )
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda":
        _device.device(asked)  # says so if there is none
        local = distributed.get_node_local_rank(fallback_rank=world()[0])
        asked = f"cuda:{local}"
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"rank {local} of this machine has no GPU of its own, there are {torch.cuda.device_count()}: start one "
                "process a GPU (torchrun --nproc-per-node gpu)"
            )
    return asked


def backend(device: str) -> str:
    """Return what carries the messages: ``"nccl"`` between GPUs, ``"gloo"`` between CPUs."""
    return "nccl" if device.startswith("cuda") else "gloo"


def scaled_rate(rate: float, count: int, *, warmup: int = 0) -> Schedule:
    r"""Make the rate larger with the batch: ``count`` times the samples, ``count`` times the rate, after a gentle start.

    .. math:: \eta_t = \eta \Bigl( 1 + (k - 1) \min\bigl(1, \tfrac{t}{n}\bigr) \Bigr)

    Source: Goyal et al. (2017), sections 2.1 and 2.2.

    Args:
        rate: what is right for one rank's batch, :math:`\eta`.
        count: how many times as large the batch is, :math:`k`.
        warmup: over how many steps the rate rises, :math:`n`; 0 to begin with the large rate.

    Example:
        >>> schedule = scaled_rate(0.1, 4, warmup=3)
        >>> [round(schedule(step), 3) for step in range(5)]
        [0.1, 0.2, 0.3, 0.4, 0.4]
    """
    expect_rate("scaled_rate", rate)
    if count < 1 or warmup < 0:
        raise ValueError(
            f"scaled_rate expects count from 1 and warmup from 0 on, got count={count}, warmup={warmup}"
        )
    return lambda step: rate * (1 + (count - 1) * (min(1, step / warmup) if warmup else 1))


def overlapped(
    computing: Sequence[Scalar | int],
    sending: Sequence[Scalar | int],
) -> float:
    r"""Return when the last gradient has arrived, if each layer's is sent as soon as it is known.

    .. math:: s_l = \max(b_l, \, s_{l+1}) + t_l, \qquad b_l = \sum_{k \ge l} c_k

    The way back goes from the last layer to the first. Messages leave in the same order, one after the other. It is what
    DDP does, with a bucket in the place of a layer.

    Args:
        computing: how long the way back through each layer takes, first layer first, :math:`c_l`.
        sending: how long its gradient is on the way, :math:`t_l`.

    Returns:
        Time from the start of the way back, :math:`s_1`; one message at the end would take the sum of all.

    Example:
        >>> overlapped([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
        7.0
    """
    if len(computing) != len(sending) or min([*computing, *sending, 0]) < 0:
        raise ValueError(
            f"overlapped expects a time of 0 or more for computing and for sending each layer, got {list(computing)} "
            f"and {list(sending)}"
        )
    known = sent = 0.0
    for c, t in zip(reversed(computing), reversed(sending), strict=True):
        known += float(c)
        sent = max(known, sent) + float(t)
    return sent


def _expect_rank(function: str, rank: int, count: int) -> None:
    if not 0 <= rank < count:
        raise ValueError(
            f"{function} expects a rank from 0 to count - 1, got rank {rank} of {count}: ranks count from 0"
        )
