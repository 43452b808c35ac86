"""The language of test cells: what passes, what fails, and with which sentence."""

import json
import multiprocessing
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given as over
from hypothesis import strategies as st

import dlcourse.checks as checks
from dlcourse.checks import (
    MIME,
    Check,
    GradientError,
    call,
    check_gradients,
    declared,
    drawn,
    given,
    integers,
    judge,
    normal,
    observe,
    pull,
    read,
    run_checks,
    uniform,
    value,
)

# A reference that no exercise has: its own module, outside the package.
oracle = types.ModuleType("oracle")


def mean(x):
    return x.mean(axis=0)


def pair(x):
    return x.sum(axis=1), float(x.max())


def scale_op(x):
    return 2 * x, lambda d: 2 * d


class Counter:
    def __init__(self, start):
        self.count = start

    def add(self, n):
        self.count += n
        return self.count


def join(first, *rest):
    return first + sum(rest)


def refuse_negative(x):
    if x < 0:
        raise ValueError("negative")
    return x


for thing in (mean, pair, scale_op, Counter, join, refuse_negative):
    setattr(oracle, thing.__name__, thing)


@pytest.fixture(autouse=True)
def _oracle(monkeypatch):
    monkeypatch.setitem(sys.modules, "oracle", oracle)


ROWS = [[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]]
MEAN = Check("mean", "averages", on=[given(ROWS), drawn(normal("batch", "n_in"))], against="oracle.mean")


def verdict(check, answer, **options):
    return run_checks(check, names={check.name: answer}, **options).verdicts[0]


class TestRightAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda x: x.mean(0),
            lambda x: x.mean(0).astype(np.float32),
            lambda x: list(x.mean(0)),
            lambda x: tuple(x.mean(0).tolist()),
            lambda x: torch.tensor(x).mean(0),
            lambda x: torch.tensor(x, requires_grad=True).mean(0),
            lambda x: (print("thinking"), np.mean(x, 0))[1],
            lambda x: (sys.stderr.write("noise\n"), np.mean(x, 0))[1],
            lambda x: (np.log(np.zeros(1)), np.mean(x, 0))[1],
        ],
    )
    def test_any_fair_form_passes(self, answer, capsys):
        assert verdict(MEAN, answer).passed
        assert capsys.readouterr() == ("", "")

    def test_a_tuple_may_come_as_a_list(self):
        check = Check("pair", "gives two", on=[given(ROWS)], against="oracle.pair")
        assert verdict(check, lambda x: [list(x.sum(1)), np.float32(6)]).passed


class TestSentences:
    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (lambda x: None, "returned None: is a return missing?"),
            (lambda x: x.mean(1), "The shape should be (2,), but it is (3,)"),
            (lambda x: -x.mean(0), "The sign is wrong"),
            (lambda x: 3 * x.mean(0), "Every value is 3 times the right one"),
            (lambda x: x.mean(0) / 4, "Every value is 1/4 times the right one"),
            (lambda x: x.mean(0) * np.nan, "There is NaN"),
            (lambda x: x.mean(0) + np.inf, "There is inf"),
            (lambda x: x.mean(0) + 1e-3, "The values are not right"),
            (lambda x: "0.5", "was expected, but '0.5' came back"),
            (lambda x: lambda: 0, "gave no numbers to compare: a function came back"),
            (lambda x: 1 / 0, "ZeroDivisionError in line 1 of mean: division by zero"),
            (lambda x: sys.exit(3), "SystemExit in line 1 of mean: 3"),
            (lambda x, y: x, "TypeError: "),
            (3.0, "TypeError: 'float' object is not callable"),
            (lambda x: (x.fill(0), np.array(ROWS).mean(0))[1], "changed its argument x in place"),
            (lambda x: np.array(["a", "b"]), "an array of dtype <U1 came back"),
            (lambda x: [[1.0], [1.0, 2.0]], "values of different shapes came back"),
        ],
    )
    def test_a_wrong_answer_is_told_what_is_wrong(self, answer, told):
        check = Check("mean", "averages", on=[given(ROWS)], against="oracle.mean")
        found = verdict(check, answer)
        assert not found.passed
        assert found.points == 0
        assert told in found.message

    def test_a_stub_is_told_that_it_is_one(self):
        def mean(x):
            raise NotImplementedError

        assert "is not written yet" in verdict(MEAN, mean).message

    def test_a_missing_name_is_told_to_run_its_cell(self):
        assert "mean is not defined: run the cell" in run_checks(MEAN, names={}).verdicts[0].message

    def test_the_smallest_failing_input_is_shown(self):
        check = Check("mean", "averages", on=[given(ROWS), given([[2.0, 4.0]])], against="oracle.mean")
        found = verdict(check, lambda x: x.mean(0) + 1)
        assert found.example == "for x = [[2., 4.]]\nexpected [2., 4.]\ngot      [3., 5.]"

    def test_a_hidden_check_names_the_mistake_only(self):
        found = verdict(MEAN, lambda x: -x.mean(0), hidden=True)
        assert found.message
        assert found.example == ""

    def test_a_declared_mistake_wins_over_what_the_numbers_say(self):
        check = Check(
            "mean",
            "averages",
            on=[given(ROWS), drawn(normal("batch", "n_in"))],
            against="oracle.mean",
            mistakes={
                "You took the median": lambda right, x: np.median(x, 0),
                "You forgot 1/batch": lambda right, x: right(x) * len(x),
            },
        )
        assert verdict(check, lambda x: x.sum(0)).message == "You forgot 1/batch"
        assert verdict(check, lambda x: np.median(x, 0)).message == "You took the median"
        assert verdict(check, lambda x: x.max(0)).message == "The values are not right"

    def test_a_mistake_must_explain_every_input(self):
        check = Check(
            "mean",
            "averages",
            on=[given([[1.0, 1.0]]), given(ROWS)],
            against="oracle.mean",
            mistakes={"You took the first row": lambda right, x: x[0]},
        )
        assert verdict(check, lambda x: x[0]).message == "You took the first row"
        assert verdict(check, lambda x: x[-1]).message == "The values are not right"

    def test_a_warning_counts_only_where_quiet_is_asked(self):
        loud = lambda x: (np.exp(np.float32(1e4)), x.mean(0))[1]  # noqa: E731 - its one line is the point
        quiet = Check("mean", "averages", on=[given(ROWS)], against="oracle.mean", quiet=True)
        assert verdict(MEAN, loud).passed
        assert "NumPy warned: overflow" in verdict(quiet, loud).message
        advised = replace(quiet, quiet="Subtract the largest first")
        assert verdict(advised, loud).message.endswith(". Subtract the largest first")

    def test_the_dtype_counts_only_where_it_is_asked(self):
        strict = Check("mean", "averages", on=[given(ROWS)], against="oracle.mean", dtype=True)
        narrow = lambda x: x.mean(0).astype(np.float32)  # noqa: E731 - as short as the one above
        assert "the dtype is float32 where float64 went in" in verdict(strict, narrow).message

    def test_bad_input_must_raise(self):
        check = Check("f", "refuses", on=[given(-1.0, raises=ValueError)], against="oracle.refuse_negative")
        assert verdict(check, refuse_negative).passed
        assert "should raise ValueError, but an answer came back" in verdict(check, lambda x: x).message


class TestPrograms:
    def test_arguments_beyond_the_named_ones_are_counted(self):
        check = Check("f", "joins", on=[given(1.0, 2.0, 3.0)], against="oracle.join")
        assert verdict(check, lambda first, *rest: 0.0).example.startswith(
            "for first = 1.0, rest[0] = 2.0, rest[1] = 3.0"
        )

    def test_a_class_with_state(self):
        check = Check(
            "Counter",
            "counts",
            on=[given(3, then=[call("add", 2), call("add", 2), read("count")])],
            against="oracle.Counter",
        )

        class Careful:
            def __init__(self, start):
                self.count = int(start)

            def add(self, n):
                self.count = self.count + n
                return self.count

        class Forgetful(Careful):
            def add(self, n):
                return self.count + n

        assert verdict(check, Careful).passed
        assert "part 2 of the result" in verdict(check, Forgetful).message

    def test_a_pullback(self):
        check = Check(
            "scale_op",
            "goes back",
            on=[drawn(normal("n"), then=[pull(normal("n"))])],
            against="oracle.scale_op",
            mistakes={"You passed the gradient on": lambda right, x, d: [right(x)[0], d]},
        )
        assert verdict(check, scale_op).passed
        assert verdict(check, lambda x: (2 * x, lambda d: d)).message == "You passed the gradient on"
        assert "part 2 of the result" in verdict(check, lambda x: (2 * x, lambda d: d + 1)).message
        assert "should return two things" in verdict(check, lambda x: (2 * x, 2.0)).message
        assert "should return two things" in verdict(check, lambda x: 2 * x).message
        spoils = lambda x: (2 * x, lambda d: np.multiply(d, 2, out=d))  # noqa: E731 - as above
        assert "changed its input after the first call in place" in verdict(check, spoils).message

    def test_a_value_that_is_not_called(self):
        check = Check(
            "w", "is positive", on=[value()], accept=lambda w: None if w > 0 else "w is not positive"
        )
        assert verdict(check, 1.0).passed
        assert verdict(check, -1.0).message == "w is not positive"
        assert "has not the form that the task asks for" in verdict(check, "many").message

    def test_a_mistake_in_an_earlier_task_costs_that_task_only(self):
        space = {"np": np}
        exec("def helper(x): return -x\ndef mean(x): return helper(x).mean(0)", space)
        on_its_own = Check("mean", "averages", on=[given(ROWS)], against="oracle.mean")
        with_help = Check(
            "mean", "averages", on=[given(ROWS)], against="oracle.mean", builds_on={"helper": "numpy.asarray"}
        )
        assert not run_checks(on_its_own, names=space).verdicts[0].passed
        found = run_checks(with_help, names=space).verdicts[0]
        assert found.passed
        assert "with a right helper in the place of yours" in found.message
        assert space["helper"](1) == -1


class TestDrawing:
    def test_the_same_seed_draws_the_same_inputs(self):
        def drawn_with(seed):
            return [case.args[0] for case in MEAN.cases(seed)]

        for one, two in zip(drawn_with(7), drawn_with(7), strict=True):
            np.testing.assert_array_equal(one, two)
        assert not np.array_equal(drawn_with(7)[1], drawn_with(8)[1])

    @over(st.integers(0, 2**31))
    def test_axes_of_different_names_differ_in_length(self, seed):
        check = Check("mean", "x", on=[drawn(normal("a", "b", "c"), times=2)], against="oracle.mean")
        for case in check.cases(seed):
            assert len(set(case.args[0].shape)) == 3

    @over(st.integers(0, 2**31))
    def test_kinds_of_draws(self, seed):
        entry = drawn(uniform(-1, 1, "n"), integers(0, 4, "n"), integers(2, 5), [7], sizes={"n": 50}, times=1)
        (case,) = Check("f", "x", on=[entry], against="oracle.mean").cases(seed)
        real, whole, one, fixed = case.args
        assert np.all((real >= -1) & (real < 1))
        assert set(np.unique(whole)) <= {0, 1, 2, 3}
        assert one in (2, 3, 4)
        assert isinstance(one, int)
        assert fixed == [7]

    def test_a_draw_that_stands_twice_is_drawn_once(self):
        x = normal("batch", "n_in")
        (case,) = drawn((x, [x]), x, then=[call("forward", x)], times=1).cases(np.random.default_rng(0))
        ((one, (two,)), three) = case.args
        for other in (two, three, case.then[0].args[0]):
            np.testing.assert_array_equal(one, other)
        assert case.size == 4 * one.size

    def test_an_answer_cannot_spoil_the_next_input(self):
        def greedy(x):
            result = x.mean(0)
            x[:] = 0
            return result

        seen = observe(greedy, [given(ROWS), given(ROWS)])
        np.testing.assert_array_equal(seen[0].value, seen[1].value)
        assert seen[0].changed == (0,)


def _observe_elsewhere(source, name, cases, reply):
    space = {}
    exec(source, space)
    reply.put((observe(space[name], cases), "dlcourse.neurons.neuron" in sys.modules))


@pytest.mark.slow
def test_a_declaration_read_from_a_cell_is_judged_without_running_the_answer_here():
    """The learner's function runs in another process, which gets inputs and gives data, and knows no answer."""
    cells = [
        "limit = 3\ncheck = Check('weighted_sum', 'adds', on=[drawn(normal('batch', 'n_in'), normal('n_in'), 0.5)],\n"
        "    against='dlcourse.neurons.neuron.weighted_sum',\n"
        "    mistakes={'You left out the bias b': lambda right, x, w, b: right(x, w, 0.0)})\nrun_checks(check)",
        "run_checks(check.again('adds again', on=[given([[1.0]], [2.0], float(limit))], points=2), hidden=True)",
    ]
    (first,), (second,) = declared(cells)
    assert not first.hidden
    assert second.hidden
    context = multiprocessing.get_context("spawn")
    for formula, passed in (("x @ w + b", True), ("x @ w", False)):
        source = f"import numpy as np\ndef weighted_sum(x, w, b): return {formula}"
        for (check,) in (first.checks, second.checks):
            cases, reply = check.cases(5), context.Queue()
            process = context.Process(target=_observe_elsewhere, args=(source, check.name, cases, reply))
            process.start()
            seen, knew_the_answer = reply.get(timeout=60)
            process.join()
            found = judge(check, cases, seen)
            assert not knew_the_answer
            assert found.passed is passed
            assert found.message == ("" if passed else "You left out the bias b")


class TestReport:
    report = run_checks(
        MEAN,
        Check("mean", "<b>twice</b>", on=[given(ROWS)], against="oracle.mean", points=1.5),
        names={},
    )

    def test_nbgrader_reads_a_bare_number(self):
        assert float(repr(self.report)) == 0.0
        right = run_checks(Check("f", "x", on=[value()], accept=lambda v: None, points=0.5), names={"f": 1.0})
        assert right._repr_mimebundle_()["text/plain"] == "0.5"

    def test_its_data_is_json(self):
        data = json.loads(json.dumps(self.report._repr_mimebundle_()[MIME]))
        assert data["points"] == 0
        assert data["total"] == 2.5
        assert [v["name"] for v in data["verdicts"]] == ["mean", "mean"]

    def test_html_is_escaped(self):
        html = self.report._repr_mimebundle_()["text/html"]
        assert "&lt;b&gt;twice" in html
        assert "<b>twice" not in html

    def test_words_are_the_same_everywhere(self):
        bundle = self.report._repr_mimebundle_()
        for v in bundle[MIME]["verdicts"]:
            assert v["message"] in str(self.report)
            assert v["message"] in bundle["text/html"]


class TestDeclarations:
    def test_a_check_needs_one_way_to_judge(self):
        with pytest.raises(ValueError, match="exactly one of against= and accept="):
            Check("f", "x", on=[value()])

    def test_a_check_needs_an_input_and_points(self):
        with pytest.raises(ValueError, match="at least one input"):
            Check("f", "x", on=[], against="oracle.mean")

    def test_a_reference_that_does_not_exist(self):
        with pytest.raises(LookupError, match="correct against="):
            verdict(Check("f", "x", on=[given(1.0)], against="oracle.median"), abs)

    def test_a_reference_that_fails_is_our_fault(self):
        with pytest.raises(RuntimeError, match=r"the reference oracle\.mean itself fails"):
            verdict(Check("f", "x", on=[given(1.0)], against="oracle.mean"), abs)

    def test_the_public_names_are_the_documented_ones(self):
        assert checks.__all__ == sorted(checks.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n))


class TestGradients:
    def test_a_right_pullback_passes(self, rng):
        check_gradients(
            lambda a, b: (a @ b, lambda d: (d @ b.T, a.T @ d)), np.ones((2, 3)), np.ones((3, 4)), rng=rng
        )

    @pytest.mark.parametrize("error", [1.001, -1.0, 0.0])
    def test_a_wrong_pullback_fails(self, rng, error):
        x = rng.standard_normal((3, 2))
        with pytest.raises(GradientError, match="the finite difference is"):
            check_gradients(lambda x: (np.sin(x), lambda d: error * d * np.cos(x)), x, rng=rng)

    def test_a_gradient_of_another_shape_or_dtype_fails(self, rng):
        with pytest.raises(GradientError, match=r"shape \(3,\), but it is float64 of shape \(\)"):
            check_gradients(lambda x: (x.sum(), lambda d: d), np.ones(3), rng=rng)
        with pytest.raises(GradientError, match="float32"):
            check_gradients(lambda x: (x, lambda d: d.astype(np.float32)), np.ones(3), rng=rng)

    def test_a_missing_gradient_fails(self, rng):
        with pytest.raises(GradientError, match="2 inputs went in, but 1 gradients came back"):
            check_gradients(lambda a, b: (a + b, lambda d: d), np.ones(3), np.ones(3), rng=rng)

    def test_float32_is_refused(self, rng):
        with pytest.raises(TypeError, match="expects float64, got float32"):
            check_gradients(lambda x: (x, lambda d: d), np.ones(3, np.float32), rng=rng)
