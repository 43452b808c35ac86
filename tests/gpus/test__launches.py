"""How often a GPU would be started."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.gpus._launches import launches  # noqa: E402  (where torch is missing, all this is skipped)


def test_what_computes_is_counted_and_a_view_is_not():
    x = torch.ones(2, 3)
    assert launches(lambda: None) == 0
    assert launches(lambda: x.T.reshape(6)) == 1  # the numbers have to be put into another order
    assert launches(lambda: x.T.reshape(3, 2)) == 0
    assert launches(lambda: (x + 1).relu_().sum()) == 3


def test_the_way_back_is_counted_too():
    W = torch.ones(3, 4, requires_grad=True)
    x = torch.ones(2, 3)
    forward = launches(lambda: (x @ W).sum())
    both = launches(lambda: (x @ W).sum().backward())
    assert forward == 2
    assert both > forward


def test_work_is_done_once_and_its_error_is_kept():
    done = []
    launches(lambda: done.append(1))
    assert done == [1]
    with pytest.raises(ZeroDivisionError):
        launches(lambda: 1 / 0)
    assert launches(lambda: torch.ones(2) + 1) == 2
