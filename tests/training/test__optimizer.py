import numpy as np
import pytest
import torch

from dlcourse.training.optimizers import SGD, Adam, RMSProp

KINDS = {
    "SGD": lambda p: SGD(p, rate=0.1, momentum=0.9),
    "RMSProp": lambda p: RMSProp(p, rate=0.1, alpha=0.9),
    "Adam": lambda p: Adam(p, rate=0.1, betas=(0.9, 0.9)),
}


def subnormal(array):
    return (array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_what_has_no_gradient_end_at_zero_and_not_among_the_subnormal_numbers(kind, dtype):
    p = np.ones(4, dtype)
    optimizer = KINDS[kind]([p])
    g = np.array([1, -1e-3, 1, 1e-3], dtype)
    for step in range(9000 if dtype is np.float64 else 1300):
        optimizer.step([g])
        if step == 3:
            g[2:] = 0
        assert not any(subnormal(optimizer._moments[name]).any() for name in optimizer.MOMENTS)
    for name in optimizer.MOMENTS:
        np.testing.assert_array_equal(optimizer._moments[name] == 0, [False, False, True, True])


@pytest.mark.usefixtures("many_steps")
def test_tiny_gradients_are_still_followed_as_torch_follows_them(rng):
    # The squares of these are 1e-24: far above what is swept away, far below any rounding of the parameters.
    p = rng.standard_normal(20)
    peer = torch.tensor(p, requires_grad=True)
    optimizer, other = Adam([p], rate=1e-2), torch.optim.Adam([peer], lr=1e-2)
    for _ in range(200):
        g = 1e-12 * rng.standard_normal(20)
        optimizer.step([g])
        peer.grad = torch.from_numpy(g)
        other.step()
    np.testing.assert_allclose(p, peer.detach().numpy(), rtol=0, atol=1e-10)
