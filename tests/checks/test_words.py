"""Changes in place, generators, tensors and random generators as inputs; and what a value may be."""

import sys
import types
import warnings

import numpy as np
import pytest
import torch

from dlcourse.checks import (
    Check,
    Draw,
    argument,
    call,
    drawn,
    given,
    normal,
    observe,
    read,
    run_checks,
    take,
    tensor,
)
from dlcourse.checks.compare import show
from dlcourse.checks.plain import DEPTH, NotDataError, clean, plain

oracle = types.ModuleType("words_oracle")


def double(x):
    x *= 2


def count_up(start):
    while True:
        yield start
        start += 1


def noise(n, rng):
    return rng.standard_normal(n)


class Scale(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = torch.nn.Parameter(factor)

    def forward(self, x):
        return self.factor * x


def shift(x, by):
    return x + by


for thing in (double, count_up, noise, Scale, shift):
    setattr(oracle, thing.__name__, thing)


@pytest.fixture(autouse=True)
def _oracle(monkeypatch):
    monkeypatch.setitem(sys.modules, "words_oracle", oracle)
    # The references stand in this file: some of the answers are these themselves.
    monkeypatch.setattr("dlcourse.checks.run.refusal", lambda *_, **__: "")


def verdict(check, answer, **options):
    return run_checks(check, names={check.name: answer}, **options).verdicts[0]


class TestArgument:
    check = Check(
        "double",
        "doubles in place",
        on=[given([1.0, 2.0], then=[argument(0)]), drawn(normal("n"), then=[argument(0)])],
        against="words_oracle.double",
        mistakes={"You added 2": lambda right, x: [x + 2]},
    )

    def test_a_change_in_place_is_what_is_compared(self):
        def returns_it_too(x):
            x += x
            return x

        assert verdict(self.check, lambda x: x.__imul__(2) * 0).passed
        assert verdict(self.check, returns_it_too).passed
        assert not verdict(self.check, lambda x: 2 * x).passed
        assert verdict(self.check, lambda x: (x.__iadd__(2), None)[1]).message == "You added 2"

    def test_another_argument_must_stay_as_it_is(self):
        oracle.add_to = lambda x, y: x.__iadd__(y)
        check = Check(
            "add_to", "adds", on=[given([1.0], [2.0], then=[argument(0)])], against="words_oracle.add_to"
        )
        assert verdict(check, lambda x, y: x.__iadd__(y)).passed
        spoils = lambda x, y: (x.__iadd__(y), y.fill(0))  # noqa: E731 - its one line is the point
        assert "changed its argument y in place" in verdict(check, spoils).message

    @pytest.mark.parametrize("index", [-1, 1])
    def test_an_argument_that_does_not_exist_is_our_fault(self, index):
        with pytest.raises(ValueError, match="count them from 0"):
            given(1.0, then=[argument(index)])


class TestTake:
    check = Check(
        "count_up", "counts", on=[given(3, then=[take(2), take(2)])], against="words_oracle.count_up"
    )

    def test_no_more_than_the_first_items_are_asked_for(self):
        asked = []

        def counting(start):
            for i in range(start, 1000):
                asked.append(i)
                yield i

        assert verdict(self.check, counting).passed
        assert asked == [3, 4, 5, 6]
        assert verdict(self.check, lambda start: range(start, 100)).passed

    def test_items_are_read_before_the_next_one_is_made(self):
        def one_array(start):
            x = np.zeros(1)
            while True:
                x[0] = start
                yield x
                start += 1

        seen = observe(one_array, [given(3, then=[take(2)])])[0].value
        assert seen == [[[3.0], [4.0]]]

    def test_too_few_items_and_no_items(self):
        assert "2 values were expected in part 2" in verdict(self.check, lambda start: [3, 4, 5]).message
        assert "not iterable" in verdict(self.check, lambda start: start).message

    def test_a_generator_without_take_is_told_what_to_do(self):
        check = Check("f", "counts", on=[given(3)], against="operator.pos")
        for answer in (count_up, lambda n: map(abs, [n]), lambda n: zip([n])):
            assert (
                "has not computed its values yet; put list(...) around it" in verdict(check, answer).message
            )


class TestTensor:
    check = Check(
        "Scale",
        "scales",
        on=[
            given(tensor([2.0]), then=[call("forward", tensor([[1.0, 2.0]]))]),
            drawn(tensor(normal(1)), then=[call("forward", tensor(normal("n", 3))), read("factor")]),
        ],
        against="words_oracle.Scale",
        mistakes={"You left out the factor": lambda right, f, *_: [torch.ones(1, 2)]},
    )

    def test_a_module_is_called_with_tensors(self):
        assert verdict(self.check, Scale).passed

        class Wrong(Scale):
            def forward(self, x):
                assert x.dtype == torch.float32
                return x - self.factor

        found = verdict(self.check, Wrong)
        assert found.message.startswith("The values in part 1")
        assert "tensor([2.])" in found.example

    def test_plain_data_until_the_call(self):
        case = given(tensor([1, 2], dtype="int64"), [tensor([1.0])][0])
        assert all(isinstance(arg.value, np.ndarray) for arg in case.args)
        assert case.size == 3
        seen = observe(lambda a, b: [str(a.dtype), str(b.dtype)], [case])
        assert seen[0].value == ["torch.int64", "torch.float32"]

    def test_a_mistake_gets_tensors(self):
        check = Check(
            "shift",
            "adds",
            on=[given(tensor([1.0, 2.0]), tensor([1.0]))],
            against="words_oracle.shift",
            mistakes={"You subtracted": lambda right, x, by: right(x, -by)},
        )
        assert verdict(check, lambda x, by: x - by).message == "You subtracted"

    def test_a_change_in_place_is_seen(self):
        check = Check("shift", "adds", on=[given(tensor([1.0]), 1.0)], against="words_oracle.shift")
        assert verdict(check, lambda x, by: x + by).passed
        assert "changed its argument x in place" in verdict(check, lambda x, by: x.add_(by)).message

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int32", "bool"])
    def test_every_dtype_comes_back(self, dtype):
        seen = observe(lambda x: x, [given(tensor([1.0, 0.0], dtype=dtype))])[0]
        assert not seen.error
        np.testing.assert_array_equal(np.asarray(seen.value, float), [1.0, 0.0])

    def test_they_are_made_on_the_device(self, monkeypatch):
        made, make = [], torch.tensor
        monkeypatch.setattr(torch, "tensor", lambda *a, device, **k: made.append(device) or make(*a, **k))
        observe(Scale, [given(tensor([2.0]), [1.0], then=[call("forward", tensor([1.0]))])], device="cuda")
        assert made[:2] == ["cuda", "cuda"]

    @pytest.mark.parametrize(("factor", "passed"), [(1.0, True), (1.0005, True), (1.01, False)])
    @pytest.mark.parametrize("hidden", [False, True])
    def test_where_there_is_a_gpu_they_are_checked_there_too(self, monkeypatch, factor, passed, hidden):
        monkeypatch.setattr("dlcourse.checks.run.gpu", lambda: "cpu")  # no test machine has one
        check = Check(
            "shift", "adds", on=[given(tensor([1.0, 2.0]), tensor([1.0]))], against="words_oracle.shift"
        )
        calls = []

        def answer(x, by):
            calls.append(x)
            return (x + by) * (factor if len(calls) > 1 else 1)

        found = run_checks(check, names={"shift": answer}, hidden=hidden).verdicts[0]
        assert (len(calls), found.passed) == (2, passed)
        assert passed or found.message.startswith("On the CPU this is right, on the GPU not: ")

    def test_numbers_alone_are_checked_once_where_there_is_a_gpu(self, monkeypatch):
        monkeypatch.setattr("dlcourse.checks.run.gpu", lambda: "cpu")
        check = Check("shift", "adds", on=[given([1.0], 2.0)], against="words_oracle.shift")
        calls = []
        assert run_checks(check, names={"shift": lambda x, by: calls.append(x) or x + by}).verdicts[0].passed
        assert len(calls) == 1

    def test_a_mistake_on_the_gpu_only_is_not_that_of_an_earlier_task(self, monkeypatch):
        monkeypatch.setattr("dlcourse.checks.run.gpu", lambda: "cpu")
        check = Check(
            "twice",
            "shifts twice",
            on=[given(tensor([1.0]), tensor([1.0]))],
            accept=lambda got, x, by: None if got == [3.0] else "Shift twice",
            builds_on={"shift": "words_oracle.shift"},
        )
        calls = []

        def twice(x, by):
            calls.append(x)
            return x + 2 * by if len(calls) != 2 else x

        found = run_checks(check, names={"twice": twice}).verdicts[0]
        assert (len(calls), found.passed) == (2, False)
        assert found.message == "On the CPU this is right, on the GPU not: Shift twice"

    def test_tensors_of_all_kinds_are_data(self):
        x = torch.ones(2, 2, requires_grad=True)
        for value in (x, 1 * x, torch.nn.Parameter(torch.ones(2, 2)), torch.ones(2, 2).to_sparse()):
            np.testing.assert_array_equal(plain(value), np.ones((2, 2)))
        with pytest.raises(NotDataError, match="complex64"):
            plain(torch.ones(1, dtype=torch.complex64))


class TestRandomGenerator:
    check = Check("noise", "draws", on=[given(3, np.random.default_rng(4))], against="words_oracle.noise")

    def test_learner_and_reference_draw_the_same(self):
        for _ in range(2):
            assert verdict(self.check, lambda n, rng: rng.standard_normal(n)).passed

    def test_it_is_passed_by_name_where_that_is_the_only_way(self, monkeypatch):
        monkeypatch.setattr(oracle, "noise", lambda n, *, rng: rng.standard_normal(n), raising=False)
        assert verdict(self.check, lambda n, *, rng: rng.standard_normal(n)).passed
        assert verdict(self.check, noise).passed
        found = verdict(self.check, lambda n, *, rng: rng.standard_normal(n) + 1)
        assert "for n = 3, rng = a random generator" in found.example

    def test_it_is_shown_in_words(self):
        found = verdict(self.check, lambda n, rng: rng.standard_normal(n) + 1)
        assert "rng = a random generator" in found.example

    def test_a_generator_can_be_drawn(self):
        rngs = Draw(lambda rng, shape: np.random.default_rng(rng.integers(99)), ())
        check = Check("noise", "draws", on=[drawn(4, rngs)], against="words_oracle.noise")
        assert verdict(check, noise, seed=5).passed


class Liar(list):
    __class__ = int

    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter([42])

    def __len__(self):
        return 10**9


class LyingArray(np.ndarray):
    dtype = np.dtype(float)

    def __array__(self, *_, **__):
        return np.full(3, 7.0)

    def __eq__(self, other):
        return True


class Always(float):
    def __eq__(self, other):
        return True

    def __float__(self):
        return 0.0

    __hash__ = None


class TestValues:
    def test_subclasses_are_read_as_what_they_are(self):
        assert plain(Liar([1, 2])) == [1, 2]
        assert type(plain(Liar([1]))) is list
        found = plain(Always(2.5))
        assert type(found) is float
        assert found == 2.5
        array = plain(np.arange(3.0).view(LyingArray))
        assert type(array) is np.ndarray
        assert array.tolist() == [0, 1, 2]
        assert type(plain(np.bool_(True))) is np.ndarray
        assert plain({1: True, "b": (None, "c")}) == {"1": True, "b": [None, "c"]}

    def test_an_always_equal_answer_earns_nothing(self):
        check = Check("f", "adds", on=[given(1, 2)], against="operator.add")

        class Equal:
            __class__ = float

            def __eq__(self, other):
                return True

            def __array__(self, *_, **__):
                return np.array(3)

        for answer in (lambda a, b: Equal(), lambda a, b: Always(4), lambda a, b: Liar([3])):
            assert not verdict(check, answer).passed

    def test_endless_data_is_refused(self):
        itself = []
        itself.append(itself)
        table = {}
        table["x"] = [table]
        deep, wide = [], [0]
        for _ in range(DEPTH + 1):
            deep, wide = [deep], [wide, wide]
        for value in (itself, table):
            with pytest.raises(NotDataError, match="contains itself"):
                plain(value)
        with pytest.raises(NotDataError, match="nested more than"):
            plain(deep)
        with pytest.raises(NotDataError, match="more than"):
            plain(wide[0])
        shared = [1.0]
        assert plain([shared, shared]) == [[1.0], [1.0]]

    @pytest.mark.parametrize(
        "value", [np.array([None]), object(), {1, 2}, {(1, 2): 3}, 1j, np.str_("a"), b"x", len]
    )
    def test_what_is_not_data_is_refused(self, value):
        with pytest.raises(NotDataError, match="came back"):
            plain(value)

    def test_a_wide_float_is_as_wide_as_elsewhere(self):
        assert plain(np.ones(2, np.longdouble)).dtype == np.float64


class TestTexts:
    def test_output_is_not_kept(self):
        def loud():
            for _ in range(10_000):
                print("x" * 1000)
                sys.stderr.write("y")
            return sys.stdout.__dict__

        assert observe(loud, [given()])[0].value == {}

    def test_warnings_are_counted_and_cut(self):
        def warn():
            for i in range(1000):
                warnings.warn(f"{i}" * 10_000, stacklevel=1)
            return 1

        told = observe(warn, [given()])[0].warnings
        assert len(told) == 20
        assert max(map(len, told)) <= 300

    def test_a_message_is_cut_and_cleaned(self):
        def fail():
            raise ValueError("\x1b[31m\u202e" + "a\n" * 10_000)

        seen = observe(fail, [given()])[0]
        assert len(seen.message) <= 300
        assert seen.message.isprintable()

    def test_an_exception_that_cannot_be_written_is_an_exception(self):
        class SilentError(Exception):
            def __str__(self):
                raise RuntimeError

        def fail():
            raise SilentError

        assert observe(fail, [given()])[0].error == "SilentError"

    def test_clean_leaves_short_texts_alone(self):
        assert clean("a is 3, übrigens") == "a is 3, übrigens"
        assert clean(3) == ""

    def test_show_is_short_for_anything(self):
        for value in (
            10**5000,
            "x" * 10**6,
            [[1.0] * 1000] * 1000,
            {"k" * 10**5: 1},
            np.zeros((100, 100)),
            (1,),
        ):
            assert len(show(value)) <= 300
        assert show((1,)) == "(1,)"
