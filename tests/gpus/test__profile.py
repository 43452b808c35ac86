"""What the profiler is asked for."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dlcourse.gpus._profile import REST, _each, operations  # noqa: E402  (where torch is missing, all this is skipped)

torch.set_num_threads(1)
HERE = torch.device("cpu")


def test_operations_are_counted_for_one_round_and_the_longest_comes_first():
    a, small = torch.ones(300, 300), torch.ones(3)
    found = operations(lambda: (a @ a, small + 1, small + 2), HERE, rounds=5)
    assert {one.name: one.calls for one in found if one.name in ("mm", "add")} == {"mm": 1, "add": 2}
    assert [one.seconds for one in found] == sorted((one.seconds for one in found), reverse=True)
    assert found[0].name == "mm"
    assert all(one.seconds >= 0 for one in found)


def test_what_is_not_listed_is_put_together():
    a = torch.ones(10)
    work = lambda: a.exp().log().sin().cos()  # noqa: E731
    everything, few = operations(work, HERE), operations(work, HERE, first=2)
    assert {one.name for one in everything} == {"exp", "log", "sin", "cos"}
    assert len(few) == 3
    assert few[-1].name == REST
    assert few[-1].calls == 2


def test_the_way_back_is_seen_too():
    w = torch.ones(4, 4, requires_grad=True)
    names = {one.name for one in operations(lambda: torch.relu(w @ w).sum().backward(), HERE, rounds=2)}
    assert {"mm", "threshold_backward"} <= names


def test_a_program_that_came_between_in_one_round_does_not_count():
    assert _each([1.0, 5.0, 1.0, 5.0, 100.0, 5.0], 3) == 6.0
    assert _each([1.0, 2.0, 3.0], 2) == 3.0  # rounds that are not alike: the mean


def test_nothing_is_said_on_standard_error(capfd):
    operations(lambda: torch.ones(2) + 1, HERE, rounds=1)
    assert capfd.readouterr() == ("", "")


def test_at_least_one_round_is_watched():
    with pytest.raises(ValueError, match="at least 1 round"):
        operations(lambda: None, HERE, rounds=0)
