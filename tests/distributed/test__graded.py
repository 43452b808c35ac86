"""What a grader compares with is what the package's own functions give in real processes."""

import os

import numpy as np
import pytest

from dlcourse import gpus

torch = pytest.importorskip("torch", reason=gpus.torch_missing())

from dlcourse.checks import Check, given, judge, observe, run_checks  # noqa: E402
from dlcourse.distributed import _expected, _graded, collectives  # noqa: E402

PAIRS = {
    "broadcast": (collectives.broadcast, _expected.broadcast, _expected.broadcast_bytes, (1,)),
    "all_gather": (collectives.all_gather, _expected.all_gather, _expected.all_gather_bytes, ()),
    "ring": (collectives.ring_all_reduce, _expected.all_reduce, _expected.ring_bytes, ()),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(2, 3), (3, 7), (4, 8)])
def test_the_expected_values_are_those_of_processes(name, shape, rng):
    function, expected, expected_bytes, more = PAIRS[name]
    values = rng.standard_normal(shape)
    got = _graded.results_on_ranks(function, values, *more)
    assert [row.dtype for row in got] == [np.float64] * len(values)
    np.testing.assert_allclose(got, expected(values, *more), rtol=1e-12)
    assert _graded.bytes_on_ranks(function, values, *more) == expected_bytes(values, *more)


def check(**more):
    return Check(
        "adds",
        "adds up",
        on=[given([[1.0, 2.0], [3.0, 4.0]])],
        against="dlcourse.distributed.collectives.all_reduce",
        through="dlcourse.distributed._graded.results_on_ranks",
        expects="dlcourse.distributed._expected.all_reduce",
        **more,
    )


def verdict_of(adds, **more):
    (verdict,) = run_checks(check(**more), names={"adds": adds}).verdicts
    return verdict


def test_a_check_calls_the_learners_function_in_processes():
    def adds(x):
        x = x.clone()
        torch.distributed.all_reduce(x)
        return x

    assert verdict_of(adds).passed


@pytest.mark.parametrize("named", [{"through": "a.b"}, {"expects": "a.b"}, {"through": "", "expects": "a.b"}])
def test_a_check_that_goes_through_something_says_what_it_expects(named):
    with pytest.raises(ValueError, match="needs expects= where it has both through= and against="):
        Check("adds", "adds up", on=[given(1)], against="operator.add", **named)


def test_a_wrong_value_is_shown_with_all_ranks():
    verdict = verdict_of(lambda x: x, mistakes={"Nobody sent anything": lambda right, values: list(values)})
    assert verdict.message == "Nobody sent anything"
    assert "expected [[4., 6.], [4., 6.]]" in " ".join(verdict.example.split())


@pytest.mark.slow
def test_ranks_that_wait_are_told():
    def waits(x):
        torch.distributed.recv(x, src=1 - torch.distributed.get_rank())
        return x

    told = {"They wait": lambda right, values: _graded.WAITING}
    assert verdict_of(waits, mistakes=told).message == "They wait"


def test_an_error_in_a_rank_is_told():
    def fails(x):
        if torch.distributed.get_rank() == 1:
            raise KeyError("no")
        return x

    assert "KeyError: " in verdict_of(fails).message
    assert "one of 2 ranks stopped: 'no'" in verdict_of(fails).message


def test_an_error_of_the_learners_own_and_an_end_are_told():
    class OwnError(Exception):
        pass

    def fails(x):
        raise OwnError("not today")

    assert verdict_of(fails).message == "RuntimeError: one of 2 ranks stopped: not today"
    assert "ended without a result (exit status 3)" in verdict_of(lambda x: os._exit(3)).message


def test_nothing_written_or_returned_is_told_as_ever():
    def stub(x):
        raise NotImplementedError

    assert "is not written yet" in verdict_of(stub).message
    assert "is a return missing?" in verdict_of(lambda x: None).message


def test_the_reference_is_never_called_through_processes(monkeypatch):
    """The judge runs in a process of its own, which may not start others."""
    monkeypatch.setattr(_graded, "run_processes", None)
    cases = check().cases()
    seen = observe(_expected.all_reduce, [type(case)(case.args) for case in cases])
    assert judge(check(), cases, seen).passed
