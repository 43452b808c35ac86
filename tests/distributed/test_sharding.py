"""Shares and bytes counted, layers divided in one process, and the same in several."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from dlcourse.checks import check_gradients
from dlcourse.distributed import _graded_layers, _pieces
from dlcourse.distributed._processes import run_processes
from dlcourse.distributed.sharding import (
    ShardedMLP,
    State,
    all_sum,
    column_linear_op,
    column_part,
    fully_sharded,
    load_checkpoint,
    mlp_op,
    mlp_part,
    pieces_to_read,
    row_linear_op,
    row_part,
    save_checkpoint,
    share,
    state_bytes,
    state_held,
    traffic_bytes,
)
from dlcourse.gpus._device import torch
from dlcourse.gpus._recorded import Recording

counts, few = st.integers(1, 200), st.integers(1, 9)


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def alone(part):
    return part


@given(counts, few)
def test_shares_are_those_of_torchs_chunk_and_lie_side_by_side(count, ranks):
    numbers = torch.arange(count)
    shares = [share(count, rank, ranks) for rank in range(ranks)]
    chunks = [chunk.tolist() for chunk in numbers.chunk(ranks)]
    assert [numbers[slice(*s)].tolist() for s in shares if s[0] < s[1]] == chunks
    assert (shares[0][0], shares[-1][1]) == (0, count)
    assert all(a[1] == b[0] for a, b in pairwise(shares))


@given(counts, few, few)
def test_a_checkpoint_is_read_whole_and_each_number_once(count, saved, ranks):
    numbers = list(range(count))
    files = [numbers[slice(*share(count, file, saved))] for file in range(saved)]
    for rank in range(ranks):
        pieces = pieces_to_read(count, saved, rank, ranks)
        read = [number for file, start, stop in pieces for number in files[file][start:stop]]
        assert read == numbers[slice(*share(count, rank, ranks))]
        assert all(start < stop for _, start, stop in pieces)


@given(st.integers(1, 10**9), few, st.sampled_from([2, 4, 8]), st.integers(0, 2))
def test_each_stage_divides_one_kind_more(parameters, ranks, itemsize, moments):
    part = -(-parameters // ranks)
    held = [state_bytes(parameters, ranks, stage, itemsize, moments) for stage in range(4)]
    assert held[0] == State(itemsize * parameters, itemsize * parameters, itemsize * moments * parameters)
    assert held[1] == held[0]._replace(optimizer=itemsize * moments * part)
    assert held[2] == held[1]._replace(gradients=itemsize * part)
    assert held[3] == held[2]._replace(parameters=itemsize * part)
    assert held[3].total == itemsize * (2 + moments) * part


def test_the_table_of_the_zero_paper():
    """Rajbhandari et al. (2020), figure 1: 7.5e9 parameters, 64 ranks; 2 + 2 + 12 bytes with mixed precision."""
    parameters = 7_500_000_000
    found = []
    for stage in range(4):
        half = state_bytes(parameters, 64, stage, itemsize=2, moments=6)
        found.append(round(half.total / 1e9, 1))
    assert found == [120.0, 31.4, 16.6, 1.9]


@given(counts, few)
def test_stage_3_sends_half_as_much_again(parameters, ranks):
    sent = [traffic_bytes(parameters, ranks, stage) for stage in range(4)]
    assert sent[0] == sent[1] == sent[2] == pytest.approx(2 * (ranks - 1) / ranks * 4 * parameters)
    assert sent[3] == pytest.approx(1.5 * sent[0])


@pytest.mark.parametrize("ranks", [1, 2, 3, 6])
def test_columns_and_rows_put_together_are_the_whole_layer(ranks):
    W, b = drawn(12, 18), drawn(18, seed=1)
    columns = [column_part(W, b, rank, ranks) for rank in range(ranks)]
    assert torch.equal(torch.cat([part for part, _ in columns], dim=1), W)
    assert torch.equal(torch.cat([part for _, part in columns]), b)
    assert torch.equal(torch.cat([row_part(W, rank, ranks) for rank in range(ranks)]), W)
    assert columns[0][0].untyped_storage().nbytes() == W.untyped_storage().nbytes() / ranks


@pytest.mark.parametrize("ranks", [1, 2, 3, 6])
def test_the_parts_of_a_column_layer_are_the_undivided_one(ranks):
    x, W, b, d_z = drawn(5, 4), drawn(4, 6, seed=1), drawn(6, seed=2), drawn(5, 6, seed=3)
    parts = [column_linear_op(x, *column_part(W, b, rank, ranks), alone) for rank in range(ranks)]
    close(torch.cat([z for z, _ in parts], dim=1), x @ W + b)
    backs = [pullback(d) for (_, pullback), d in zip(parts, d_z.chunk(ranks, dim=1), strict=True)]
    close(sum(d_x for d_x, _, _ in backs), d_z @ W.T)
    close(torch.cat([d_W for _, d_W, _ in backs], dim=1), x.T @ d_z)
    close(torch.cat([d_b for _, _, d_b in backs]), d_z.sum(0))


@pytest.mark.parametrize("ranks", [1, 2, 3, 6])
def test_the_parts_of_a_row_layer_are_the_undivided_one(ranks):
    x, W, b, d_z = drawn(5, 6), drawn(6, 4, seed=1), drawn(4, seed=2), drawn(5, 4, seed=3)
    mine = list(zip(x.chunk(ranks, dim=1), [row_part(W, rank, ranks) for rank in range(ranks)], strict=True))
    whole = sum(part @ rows for part, rows in mine)
    for rank, (part, rows) in enumerate(mine):
        z, pullback = row_linear_op(part, rows, b, lambda own: whole)
        close(z, x @ W + b)
        d_x, d_W, d_b = pullback(d_z)
        close(d_x, (d_z @ W.T).chunk(ranks, dim=1)[rank])
        close(d_W, (x.T @ d_z).chunk(ranks)[rank])
        close(d_b, d_z.sum(0))


def test_one_rank_alone_has_the_right_gradients(rng):
    parts = (drawn(4, 6, seed=1), drawn(6, seed=2), drawn(6, 3, seed=3), drawn(3, seed=4))

    def op(x, *parts):
        value, pullback = mlp_op(torch.from_numpy(x), tuple(map(torch.from_numpy, parts)), alone)
        return value.numpy(), lambda d: tuple(g.numpy() for g in pullback(torch.from_numpy(np.asarray(d))))

    check_gradients(op, drawn(5, 4).numpy(), *(part.numpy() for part in parts), rng=rng)


@given(few, few, few, few)
def test_the_pieces_in_one_process_are_the_whole(ranks, batch, n_part, n_out):
    rng = np.random.default_rng([ranks, batch, n_part, n_out])
    x, W, b = (
        rng.normal(size=(batch, ranks * n_part)),
        rng.normal(size=(ranks * n_part, n_out)),
        rng.normal(size=n_out),
    )
    parts, z = _pieces.row_linear(x, W, b, ranks)
    np.testing.assert_allclose(z, x @ W + b, atol=1e-12)
    assert parts.shape == (ranks, batch, n_out)
    columns = np.stack(np.split(W.T, ranks, axis=1))  # (ranks, n_out, n_part)
    d_z = rng.normal(size=(batch, ranks * n_part))
    d_x, d_W = _pieces.column_backward(z, columns, np.stack(np.split(d_z, ranks, axis=1)))
    np.testing.assert_allclose(d_x, d_z @ W, atol=1e-12)
    np.testing.assert_allclose(np.concatenate(list(d_W), axis=1), z.T @ d_z, atol=1e-12)


def parts_of_layers(rng):
    shapes = (4, 3), (2, 3, 5), (2, 5), (2, 5, 2), (2,)
    return [rng.standard_normal(shape) for shape in shapes]


def test_answers_of_divided_layers_are_those_of_the_whole_ones(rng):
    x, W, b, V, c = parts_of_layers(rng)
    whole = np.maximum(x @ np.concatenate(W, axis=1) + b.ravel(), 0) @ np.concatenate(V) + c
    np.testing.assert_allclose(_pieces.mlp_answers(x, W, b, V, c), [whole, whole], rtol=1e-12)


@pytest.mark.slow
def test_a_learners_layers_are_called_with_the_parts_of_each_rank(rng):
    parts = parts_of_layers(rng)
    right = _graded_layers.mlp_on_ranks(lambda x, *own: mlp_op(x, own)[0], *parts)
    np.testing.assert_allclose(right, _pieces.mlp_answers(*parts), rtol=1e-12)
    assert _graded_layers.mlp_on_ranks(lambda *own: None, *parts) is None


@given(few, few)
def test_a_step_in_shares_is_the_step_with_the_average(ranks, size):
    rng = np.random.default_rng([ranks, size])
    p, g = rng.normal(size=ranks * size), rng.normal(size=(ranks, ranks * size))
    found = _pieces.sharded_step(p.reshape(ranks, size), g, 0.1)
    np.testing.assert_allclose(found.ravel(), p - 0.1 * g.mean(axis=0), atol=1e-12)


@pytest.mark.usefixtures("no_shape_check")
@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda: column_part(torch.ones(3, 10), torch.ones(10), 0, 4), "the 4 ranks, got 10: make the layer 8 or 12"),
        (lambda: row_part(torch.ones(3, 10), 0, 4), "n_in to be a multiple of the 4 ranks, got 3: make the layer 4"),
        (lambda: mlp_part((torch.ones(2, 5), torch.ones(5), torch.ones(5, 2), torch.ones(2)), 1, 2), "got 5"),
        (lambda: column_part(torch.ones(3, 8), torch.ones(8), 4, 4), "a rank from 0 to 3, got 4"),
        (lambda: share(10, -1, 4), "ranks are counted from 0"),
        (lambda: share(10, 0, 0), "ranks"),
        (lambda: state_bytes(10, 2, 4), "a stage from 0 to 3, got 4"),
        (lambda: state_bytes(10, 2, 3, 4, -1), "moments from 0 on"),
        (lambda: traffic_bytes(10, 2, -1), "a stage from 0 to 3, got -1"),
        (lambda: ShardedMLP([], stage=5), "ShardedMLP expects a stage from 0 to 3, got 5"),
        (lambda: row_linear_op(torch.ones(2, 6), torch.ones(3, 4), torch.ones(4)), "the inputs of this rank alone"),
        (lambda: column_linear_op(torch.ones(2, 3), torch.ones(6, 4), torch.ones(4)), "give it all inputs"),
        (lambda: _pieces.row_linear(np.ones((2, 5)), np.ones((5, 3)), np.ones(3), 2), "n_in to be a multiple"),
        (lambda: _pieces.sharded_step(np.ones((2, 3)), np.ones((2, 3)), 0.1), "for each rank, (2, 6)"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(work, said):
    with pytest.raises(ValueError, match="expects") as found:
        work()
    assert said in str(found.value)


@pytest.mark.parametrize(
    "work", [lambda: all_sum(torch.ones(2)), lambda: fully_sharded(torch.nn.Linear(2, 2))]
)
def test_a_process_alone_is_told_so(work):
    with pytest.raises(RuntimeError, match="run_processes or"):
        work()


def test_a_checkpoint_that_is_not_there_is_missed(tmp_path):
    module = torch.nn.Linear(2, 2)
    with pytest.raises(FileNotFoundError, match="save one with save_checkpoint on all ranks"):
        load_checkpoint(tmp_path, module, torch.optim.SGD(module.parameters()))


SIZES = (20, 32, 16, 7)
STEPS = 4


def samples():
    return drawn(24, SIZES[0], seed=5), torch.arange(24) % SIZES[-1]


def layers():
    return [(drawn(a, b, seed=a) / a**0.5, drawn(b, seed=b)) for a, b in pairwise(SIZES)]


def network():
    """The same layers as a module, which keeps one unit a row."""
    module = torch.nn.Sequential()
    for number, (W, b) in enumerate(layers()):
        linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
        linear.weight.data, linear.bias.data = W.T.contiguous(), b
        module.extend([linear] if number == 2 else [linear, torch.nn.ReLU()])
    return module


def adam(module):
    return torch.optim.Adam(module.parameters(), lr=1e-3)


def train(module, optimizer, steps, x, labels):
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), labels).backward()
        optimizer.step()


def of_this_rank(*arrays):
    ranks = torch.distributed.get_world_size()
    return [array.chunk(ranks)[torch.distributed.get_rank()] for array in arrays]


def divided_layers(dtype):
    """Two layers divided among the ranks, against the undivided ones: the largest difference."""
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    whole = tuple(drawn(*s, seed=k, dtype=dtype) for k, s in enumerate([(5, 8), (8,), (8, 3), (3,)]))
    x, d = drawn(6, 5, seed=9, dtype=dtype), drawn(6, 3, seed=8, dtype=dtype)
    answers, pullback = mlp_op(x, mlp_part(whole, rank, ranks))
    expected, back = mlp_op(x, whole, alone)
    d_x, *d_whole = back(d)
    found = [answers, *pullback(d)]
    wanted = [expected, d_x, *mlp_part(tuple(d_whole), rank, ranks)]
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, wanted, strict=True))


def stages():
    """Train in each stage of ZeRO: the layers, what is held, and the same as recorded, before it is taken apart."""
    found = []
    x, labels = of_this_rank(*samples())
    for stage in range(4):
        with Recording() as recording:
            model = ShardedMLP(layers(), stage=stage)
            for _ in range(STEPS):
                model.step(x, labels)
        found.append((model.whole(), model.held(), recording.totals))
    return found


def fsdp_saved(folder):
    module = fully_sharded(network())
    optimizer = adam(module)
    train(module, optimizer, STEPS, *of_this_rank(*samples()))
    held = state_held(module, optimizer)
    save_checkpoint(folder, module, optimizer)
    with torch.no_grad():
        return module(samples()[0]), held


def fsdp_loaded(folder):
    module = network()
    for parameter in module.parameters():
        parameter.data.zero_()
    optimizer = adam(fully_sharded(module))
    load_checkpoint(folder, module, optimizer)
    with torch.no_grad():
        loaded = module(samples()[0])
    train(module, optimizer, STEPS, *of_this_rank(*samples()))
    with torch.no_grad():
        return loaded, module(samples()[0]), state_held(module, optimizer)


def all_on_four(folder):
    return divided_layers(torch.float64), divided_layers(torch.float32), stages(), fsdp_saved(folder)


def with_torchs_own():
    """The two layers by hand against the two plans of PyTorch."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    module = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    whole = tuple(drawn(*s, seed=k) for k, s in enumerate([(5, 8), (8,), (8, 3), (3,)]))
    for parameter, part in zip(module.parameters(), whole, strict=True):
        parameter.data = part.T.contiguous() if part.ndim == 2 else part
    mesh = init_device_mesh("cpu", (ranks,))
    parallelize_module(module, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    x = drawn(6, 5, seed=9).requires_grad_()
    answers = module(x)
    answers.backward(drawn(6, 3, seed=8))
    z, pullback = mlp_op(x.detach(), mlp_part(whole, rank, ranks))
    d_x, d_W1, d_b1, d_W2, _ = pullback(drawn(6, 3, seed=8))
    theirs = [p.grad.to_local() for p in module.parameters()]
    pairs = zip([answers, x.grad, *theirs[:3]], [z, d_x, d_W1.T, d_b1, d_W2.T], strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint")


@pytest.fixture(scope="module")
def on_four(folder):
    return run_processes(all_on_four, 4, folder)


@pytest.fixture(scope="module")
def on_one():
    module = network()
    optimizer = adam(module)
    train(module, optimizer, STEPS, *samples())
    with torch.no_grad():
        answers = module(samples()[0])
        weights = [p.detach().clone() for p in module.parameters()]
    train(module, optimizer, STEPS, *samples())
    with torch.no_grad():
        return answers, weights, module(samples()[0])


@pytest.mark.slow
def test_layers_on_four_ranks_are_the_undivided_ones(on_four):
    for in_float64, in_float32, _, _ in on_four:
        assert in_float64 < 1e-12
        assert in_float32 < 1e-6


@pytest.mark.slow
def test_layers_on_two_ranks_are_those_of_torch():
    assert max(run_processes(with_torchs_own, 2)) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("stage", range(4))
def test_each_stage_trains_the_same_network_and_holds_what_was_predicted(on_four, on_one, stage):
    _, weights, _ = on_one
    for _, _, found, _ in on_four:
        trained, held, curve = found[stage]
        for (W, b), weight, bias in zip(trained, weights[::2], weights[1::2], strict=True):
            torch.testing.assert_close(W, weight.T, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(b, bias, rtol=1e-10, atol=1e-12)
        rows = [4 * -(-(a + 1) * b // 4) for a, b in pairwise(SIZES)]
        predicted = [state_bytes(row, 4, stage, itemsize=8) for row in rows]
        assert held == tuple(map(sum, zip(*predicted, strict=True)))
        # The batch is looked at, too, and gloo's own threads may hold a moment longer what was sent.
        assert 0 <= curve[-1] - held.total - samples()[0].nbytes <= 8 * sum(rows)


@pytest.mark.slow
def test_fsdp_trains_the_same_network_and_holds_its_rows(on_four, on_one):
    answers, _, _ = on_one
    shapes = [shape for a, b in pairwise(SIZES) for shape in ((b, a), (b,))]
    for rank, (_, _, _, (found, held)) in enumerate(on_four):
        torch.testing.assert_close(found, answers, rtol=1e-10, atol=1e-12)
        rows = [share(shape[0], rank, 4) for shape in shapes]
        parameters = sum(
            (b - a) * 8 * int(np.prod(shape[1:])) for (a, b), shape in zip(rows, shapes, strict=True)
        )
        assert held.optimizer == 2 * parameters
        assert parameters <= held.parameters == held.gradients


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2])
def test_a_checkpoint_of_four_ranks_goes_on_with_two(on_four, on_one, folder, ranks):
    answers, _, later = on_one
    assert len(list(folder.glob("*.distcp"))) == len(on_four)
    for loaded, trained, held in run_processes(fsdp_loaded, ranks, folder):
        torch.testing.assert_close(loaded, answers, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(trained, later, rtol=1e-10, atol=1e-12)
        assert held.total > on_four[0][3][1].total


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
