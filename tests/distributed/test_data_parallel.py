"""Many processes against one: the same losses, the same gradients, the same network at the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch._dynamo  # noqa: E402, F811  (DDP imports it in each process whose parent has not)

from dlcourse.distributed import data_parallel  # noqa: E402  (where torch is missing, all this is skipped)
from dlcourse.distributed._processes import ProcessError, run_processes  # noqa: E402
from dlcourse.distributed.data_parallel import (  # noqa: E402
    DDPMLP,
    DataParallelMLP,
    average_gradients,
    backend,
    broadcast_parameters,
    epoch_order,
    mean_gradient,
    overlapped,
    rank_device,
    scaled_rate,
    shard,
    share,
    spread,
    world,
)
from dlcourse.gpus._torch_mlp import TorchMLP  # noqa: E402
from dlcourse.learning._trainable import Trainable  # noqa: E402
from dlcourse.training import fit  # noqa: E402
from dlcourse.training.initialization import initialize  # noqa: E402
from dlcourse.training.optimizers import AdamW  # noqa: E402

torch.set_num_threads(1)

counts = st.integers(1, 9)


def draw(seed=0, output="class", dtype=np.float64):
    """Draw a network and samples; the last batch of 8 has 3 of 27, and the last of 13 has 1."""
    rng = np.random.default_rng(seed)
    net = initialize((5, 7, 3), "he", output=output, rng=rng, activation="tanh", dtype=dtype)
    x = rng.standard_normal((27, 5)).astype(dtype)
    y = rng.integers(0, 3, 27) if output == "class" else rng.standard_normal((27, 3)).astype(dtype)
    return net, x, y


def trained(kind, output="class", dtype=np.float64, batch=8, apart=False):
    """Train from the beginning, and return all that came of it."""
    rank, _ = world()
    net, x, y = draw(rank if apart else 0, output, dtype)
    if apart:
        _, x, y = draw(0, output, dtype)
    model = kind(net, device="cpu")
    optimizer = AdamW(model.parameters, rate=0.01)
    history = fit(
        model,
        x,
        y,
        optimizer=optimizer,
        epochs=3,
        batch=batch,
        rng=np.random.default_rng(1),
        validation=(x, y),
    )
    there = list(model.module.parameters())
    return history.steps, history.validation_loss, [p.copy() for p in model.parameters], spread(there)


# The shares of a rank


@given(n=st.integers(1, 60), count=counts, epoch=st.integers(0, 5), seed=st.integers(0, 3))
def test_each_rank_gets_what_the_sampler_of_pytorch_gives(n, count, epoch, seed):
    for rank in range(count):
        sampler = torch.utils.data.DistributedSampler(range(n), count, rank, shuffle=False)
        assert shard(np.arange(n), rank, count).tolist() == list(sampler)
        sampler = torch.utils.data.DistributedSampler(range(n), count, rank, seed=seed)
        sampler.set_epoch(epoch)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch)).numpy()
        assert shard(order, rank, count).tolist() == list(sampler)


@given(n=st.integers(1, 60), count=counts)
def test_all_ranks_together_have_every_sample_and_all_have_equally_many(n, count):
    shards = [shard(np.arange(n), rank, count) for rank in range(count)]
    assert len({len(each) for each in shards}) == 1
    assert set(np.concatenate(shards)) == set(range(n))
    assert sum(map(len, shards)) < n + count


@given(n=st.integers(0, 60), count=counts)
def test_the_shares_of_a_batch_have_each_row_once(n, count):
    shares = [share(np.arange(n), rank, count) for rank in range(count)]
    assert sorted(np.concatenate(shares)) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_order_is_the_same_on_each_rank_and_another_in_each_epoch():
    first = epoch_order(50, epoch=0, seed=3)
    assert sorted(first) == list(range(50))
    np.testing.assert_array_equal(first, epoch_order(50, epoch=0, seed=3))
    assert (first != epoch_order(50, epoch=1, seed=3)).any()
    assert (first != epoch_order(50, epoch=0, seed=4)).any()


@pytest.mark.parametrize("function", [shard, share])
@pytest.mark.parametrize(("rank", "count"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_there_is_not_is_refused(function, rank, count):
    with pytest.raises(ValueError, match=rf"{function.__name__} expects a rank .*got rank {rank} of {count}"):
        function(np.arange(4), rank, count)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one sample, got none"):
        shard(np.arange(0), 0, 2)
    with pytest.raises(ValueError, match="n=0, epoch=0"):
        epoch_order(0, epoch=0)
    with pytest.raises(ValueError, match="epoch=-1"):
        epoch_order(3, epoch=-1)


# The mean


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any), seed=st.integers(0, 99))
def test_the_mean_gradient_is_that_of_the_whole_batch(sizes, seed):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(4)
    parts = [(rng.standard_normal((m, 4)), rng.standard_normal(m)) for m in sizes]

    def gradient(x, y):
        return 2 * x.T @ (x @ w - y) / max(1, len(x))

    whole = gradient(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))
    np.testing.assert_allclose(
        mean_gradient(np.stack([gradient(*part) for part in parts]), np.array(sizes)), whole, atol=1e-12
    )


def test_the_mean_gradient_keeps_its_dtype():
    assert mean_gradient(np.ones((3, 2), np.float32), np.array([1, 2, 3])).dtype == np.float32


@pytest.mark.parametrize("sizes", [[1], [0, 0], [2, -1], []])
def test_sizes_that_do_not_fit_are_refused(sizes, no_shape_check):
    with pytest.raises(ValueError, match="one number of samples for each gradient"):
        mean_gradient(np.ones((2, 3)), np.array(sizes, int))


def test_average_gradients_is_the_mean_over_real_processes():
    def work():
        rank, _ = world()
        equal = [torch.full((2, 3), float(rank)), torch.full((4,), 10.0 * rank)]
        average_gradients(equal)
        weighted = [torch.tensor([1.0 + rank])]
        average_gradients(weighted, [0.5, 0.3, 0.2][rank])
        return [t.tolist() for t in (*equal, *weighted)]

    answers = run_processes(work, 3)
    assert answers[0] == answers[1] == answers[2]
    matrix, vector, weighted = answers[0]
    np.testing.assert_allclose(matrix, np.ones((2, 3)))
    np.testing.assert_allclose(vector, 10 * np.ones(4))
    np.testing.assert_allclose(weighted, [0.5 + 0.6 + 0.6])


def test_broadcast_and_spread():
    def work():
        tensors = [torch.full((3,), float(world()[0])), torch.zeros(2)]
        before = spread(tensors)
        broadcast_parameters(tensors)
        return before, spread(tensors), tensors[0].tolist()

    assert run_processes(work, 3) == [(2.0, 0.0, [0.0] * 3)] * 3


def test_alone_nothing_is_sent():
    assert world() == (0, 1)
    tensor = torch.ones(3)
    average_gradients([tensor], 0.25)
    broadcast_parameters([tensor])
    assert spread([tensor]) == 0
    assert tensor.tolist() == [1, 1, 1]


# The networks


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DataParallelMLP, DDPMLP])
@pytest.mark.parametrize(
    ("count", "output", "dtype", "batch"),
    [
        (2, "class", np.float64, 8),
        (2, "value", np.float32, 13),  # one rank has nothing in the last batch
        (3, "value", np.float64, 13),
    ],
)
def test_training_on_many_ranks_is_training_on_one(kind, count, output, dtype, batch):
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    steps, validation, parameters, _ = trained(TorchMLP, output, dtype, batch)
    answers = run_processes(trained, count, kind, output, dtype, batch)
    for rank_steps, rank_validation, rank_parameters, apart in answers:
        assert apart == 0
        np.testing.assert_allclose(rank_steps, steps, rtol=tolerance)
        np.testing.assert_allclose(rank_validation, validation, rtol=tolerance)
        for mine, alone in zip(rank_parameters, parameters, strict=True):
            assert mine.dtype == dtype
            np.testing.assert_allclose(mine, alone, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DataParallelMLP, DDPMLP])
def test_ranks_that_drew_other_weights_begin_with_those_of_rank_0(kind):
    _, _, parameters, _ = trained(TorchMLP)
    for _, _, mine, apart in run_processes(trained, 2, kind, "class", np.float64, 8, True):
        assert apart == 0
        for p, alone in zip(mine, parameters, strict=True):
            np.testing.assert_allclose(p, alone, atol=1e-10)


def test_memory_beside_that_of_numpy_gets_the_parameters_of_rank_0(monkeypatch):
    monkeypatch.setattr(TorchMLP, "_SHARES", ())  # as on a GPU; the processes are forks, or it is not tested
    _, _, parameters, _ = trained(TorchMLP)
    for _, _, mine, _ in run_processes(trained, 2, DataParallelMLP, "class", np.float64, 8, True):
        for p, alone in zip(mine, parameters, strict=True):
            np.testing.assert_allclose(p, alone, atol=1e-10)


def test_a_step_leaves_the_networks_equal_and_the_loss_is_that_of_the_whole_batch():
    net, x, y = draw()
    alone = TorchMLP(net, device="cpu")
    loss, gradients = alone.loss_and_gradients(x, y)
    model = DataParallelMLP(net, device="cpu")  # a world of one
    assert isinstance(model, Trainable)
    again, same = model.loss_and_gradients(x, y)
    assert again == loss
    for one, other in zip(gradients, same, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bad_batches_are_refused_as_by_one_process():
    net, x, y = draw()
    model = DataParallelMLP(net, device="cpu")
    with pytest.raises(ValueError, match="at least one sample"):
        model.loss_and_gradients(x[:0], y[:0])
    with pytest.raises(ValueError, match="pass class indices"):
        model.loss_and_gradients(x, y[:, None])


def test_ddp_without_ranks_says_how_to_get_them():
    with pytest.raises(RuntimeError, match="start the program with torchrun"):
        DDPMLP(draw()[0], device="cpu")


def test_a_rank_that_fails_ends_all():
    def work():
        if world()[0] == 1:
            raise ValueError("no data here")
        average_gradients([torch.ones(2)])

    with pytest.raises(ProcessError, match="no data here"):
        run_processes(work, 2)


# Mistakes that change the result


def one_step(mistake):
    """Take the gradient of a batch of 5 on two ranks, rightly or with a mistake; return it, and that of one process."""
    rank, count = world()
    net, x, y = draw()
    x, y = x[:5], y[:5]
    alone = TorchMLP(net, device="cpu").loss_and_gradients(x, y)[1]
    mine = share(np.arange(5), 0 if mistake == "same shard" else rank, count)
    part = TorchMLP(net, device="cpu").loss_and_gradients(x[mine], y[mine])[1]
    tensors = [torch.from_numpy(g.copy()) for g in part]
    weight = {"sum": 1.0, "equal weights": None}.get(mistake, len(mine) / 5)
    average_gradients(tensors, weight)
    return max(float(np.abs(t.numpy() - g).max()) for t, g in zip(tensors, alone, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["", "same shard", "sum", "equal weights"])
def test_only_the_right_share_and_the_right_weight_give_the_gradient_of_the_batch(mistake):
    apart = run_processes(one_step, 2, mistake)
    assert (max(apart) < 1e-12) == (mistake == "")
    assert mistake == "" or min(apart) > 1e-3


# The rate, the messages, the device


def test_the_rate_rises_to_its_multiple():
    schedule = scaled_rate(0.1, 8, warmup=10)
    assert schedule(0) == 0.1
    assert schedule(5) == pytest.approx(0.45)
    assert schedule(10) == schedule(1000) == pytest.approx(0.8)
    assert scaled_rate(0.1, 8)(0) == pytest.approx(0.8)
    assert scaled_rate(0.1, 1, warmup=5)(3) == 0.1


@pytest.mark.parametrize(("count", "warmup"), [(0, 0), (2, -1)])
def test_a_rate_that_makes_no_sense_is_refused(count, warmup):
    with pytest.raises(ValueError, match=f"count={count}, warmup={warmup}"):
        scaled_rate(0.1, count, warmup=warmup)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=8))
def test_overlapping_is_never_slower_than_one_after_the_other_and_never_faster_than_the_longer_one(times):
    computing, sending = zip(*times, strict=True)
    end = overlapped(computing, sending)
    assert end <= sum(computing) + sum(sending) + 1e-9
    assert end >= max(sum(computing) + sending[0], sum(sending) + computing[-1]) - 1e-9


def test_overlapped_by_hand():
    assert overlapped([1, 1, 1], [5, 5, 5]) == 1 + 15  # the network is the limit
    assert overlapped([5, 5, 5], [1, 1, 1]) == 15 + 1  # the arithmetic is
    assert overlapped([], []) == 0
    with pytest.raises(ValueError, match="overlapped expects a time"):
        overlapped([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="overlapped expects a time"):
        overlapped([1.0], [-1.0])


def test_each_rank_takes_its_own_gpu(monkeypatch):
    assert rank_device("cpu") == "cpu"
    assert backend("cpu") == "gloo"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert rank_device() == rank_device("cuda") == "cuda:1"
    assert backend("cuda:1") == "nccl"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="no GPU of its own, there are 2"):
        rank_device()


def test_without_a_gpu_it_computes_on_the_cpu_and_says_what_cannot_be(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert rank_device() == "cpu"
    with pytest.raises(ValueError, match="finds none here"):
        rank_device("cuda")
    with pytest.raises(ValueError, match="GPUs of Apple"):
        data_parallel.rank_device("mps")
