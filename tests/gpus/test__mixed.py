"""Mixed precision in PyTorch: what autocast does, and where NaN comes from."""

import numpy as np
import pytest

from dlcourse import gpus

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

from dlcourse.gpus._mixed import (  # noqa: E402  (where torch is missing, all this is skipped)
    first_not_finite,
    mixed_train_step,
    op_dtypes,
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def batch(rng):
    x = torch.from_numpy(rng.standard_normal((12, 5)).astype(np.float32))
    return x, torch.arange(12) % 3


def network(between=torch.nn.ReLU):
    made = torch.nn.Sequential(torch.nn.Linear(5, 8), between(), torch.nn.Linear(8, 3))
    for k, parameter in enumerate(made.parameters()):
        drawn = np.random.default_rng(k).standard_normal(tuple(parameter.shape))
        parameter.data = torch.from_numpy(drawn.astype(np.float32))
    return made


def flat(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_a_step_in_float32_is_the_plain_one(batch):
    x, labels = batch
    one, other = network(), network()
    loss = mixed_train_step(one, torch.optim.SGD(one.parameters(), lr=0.1), x, labels)
    want = torch.nn.functional.cross_entropy(other(x), labels)
    want.backward()
    torch.optim.SGD(other.parameters(), lr=0.1).step()
    assert loss == want.item()
    torch.testing.assert_close(flat(one), flat(other), rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "close"), [(torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_a_step_in_16_bits_is_nearly_the_same_and_keeps_its_weights_in_float32(batch, dtype, close):
    steps = []
    for kind in (None, dtype):
        net = network(torch.nn.Tanh)  # ReLU jumps, where a sum changes its sign
        start = flat(net)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, enabled=kind is torch.float16)
        mixed_train_step(
            net, torch.optim.SGD(net.parameters(), lr=0.1), *batch, dtype=kind, scaler=scaler, weight=0.5
        )
        steps.append(flat(net) - start)
        assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert 0 < (steps[0] - steps[1]).abs().max() < close * steps[0].abs().max()


def test_an_overflow_leaves_the_step_out_and_halves_the_scale(batch):
    net = network()
    before = flat(net)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    mixed_train_step(
        net, torch.optim.SGD(net.parameters(), lr=0.1), *batch, dtype=torch.float16, scaler=scaler
    )
    assert scaler.get_scale() == 2.0**39
    torch.testing.assert_close(flat(net), before, rtol=0, atol=0)


def test_autocast_multiplies_in_16_bits_and_takes_the_loss_in_32(batch):
    x, labels = batch
    net = network()
    seen = op_dtypes(lambda: torch.nn.functional.cross_entropy(net(x), labels), torch.bfloat16)
    named = dict(seen)
    assert named["addmm"] == named["relu"] == "bfloat16"
    assert named["_log_softmax"] == named["nll_loss_forward"] == "float32"


def test_a_view_is_not_listed():
    a = torch.ones(2, 3)
    assert [op for op, _ in op_dtypes(lambda: a.T, torch.bfloat16)] == []


def test_the_part_that_overflows_is_named():
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(2, 2))
    )
    for parameter in net.parameters():
        parameter.data.fill_(300.0)
    x = torch.full((1, 2), 100.0)
    assert first_not_finite(net, x) == ""
    assert first_not_finite(net.half(), x.half()) == "1.1"
    assert not any(part._forward_hooks for part in net.modules())
