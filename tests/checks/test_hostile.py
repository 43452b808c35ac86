"""A verdict for whatever comes back, and nothing of the learner's in the words about a hidden check."""

import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlcourse.checks import Check, Observation, given, judge, observe, run_checks

oracle = types.ModuleType("hostile_oracle")
oracle.results = {
    "array": lambda x: x + 1,
    "truth": lambda x: x > 0,
    "whole": lambda x: int(x.sum()),
    "words": lambda x: "a word",
    "tree": lambda x: [x, {"a": float(x.sum())}, "b"],
    "table": lambda x: {"a": x, "b": [1, 2]},
    "half": lambda x: x.astype(np.float16),
    "nothing": lambda x: x[:0],
}
for key, function in oracle.results.items():
    setattr(oracle, key, function)


def refuse(x):
    raise ValueError("bad")


oracle.refuse = refuse


@pytest.fixture(autouse=True, scope="module")
def _oracle():
    sys.modules["hostile_oracle"] = oracle
    yield
    del sys.modules["hostile_oracle"]


X = [1.5, -2.0, 3.25]
CHECKS = [
    Check(
        key,
        "is checked",
        on=[given(X), given([5.0, 6.0, 8.5])],
        against=f"hostile_oracle.{key}",
        quiet=True,
        dtype=True,
    )
    for key in oracle.results
]
CHECKS += [
    Check("refuse", "refuses", on=[given(X, raises=ValueError)] * 2, against="hostile_oracle.refuse"),
    Check(
        "own",
        "is accepted",
        on=[given(X)] * 2,
        accept=lambda v, x: None if float(v) == 77 else f"{v} is wrong",
    ),
]

texts = (
    st.text(max_size=40)
    | st.sampled_from(["\x1b[2J\r\n", "ValueError", "NotDataError", "SECRET"])
    | st.just(5000).map(lambda length: "x" * length)
)
huge = st.sampled_from([300, 5000]).map(lambda digits: -(10**digits))
numbers = st.integers() | huge | st.floats(width=64) | st.booleans()
dtypes = st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "u8", "?"])
data = st.recursive(
    st.none()
    | numbers
    | texts
    | arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, min_side=0, max_side=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
anything = st.sampled_from(
    [None, "", "ValueError", 0, -1, [], [1], ["a"], {}, {"a": 1}, 0.5, True, np.zeros(2)]
)
forged = st.builds(Observation, data, anything, anything, anything, anything, anything)
likely = st.builds(
    Observation,
    data,
    st.just("") | texts,
    texts,
    st.integers(),
    st.lists(texts, max_size=2).map(tuple),
    st.lists(st.integers(), max_size=2).map(tuple),
)


def passes(check, seen, cases):
    """Tell by hand whether what was seen is right."""
    want = observe(getattr(oracle, check.name), cases) if check.against else None
    if len(seen) != len(cases):
        return False
    if check.name == "own":
        return all(one.error == "" and repr(one.value) in ("77", "77.0", "array(77)") for one in seen)
    if check.name == "nothing":
        return all(np.asarray(one.value).shape == (0,) for one in seen)
    if check.name == "refuse":
        return all(one.error == "ValueError" for one in seen)
    return all(repr(one.value) == repr(right.value) for one, right in zip(seen, want, strict=True))


@pytest.mark.slow
@settings(max_examples=3 * settings().max_examples // 2)
@over(st.sampled_from(CHECKS), st.lists(forged | likely | data, max_size=3))
def test_whatever_comes_back_there_is_a_verdict(check, seen):
    cases = check.cases()
    found = judge(check, cases, seen)
    if found.passed:
        assert passes(check, seen, cases)
    else:
        assert found.points == 0
        assert found.message
        assert found.spared().message
        for line in (found.message, *found.example.split("\n")):
            assert line.isprintable()
            assert len(line) < 1000


@over(st.sampled_from(CHECKS), st.lists(likely, min_size=2, max_size=2))
def test_hidden_words_do_not_follow_the_answer(check, seen):
    """What is said of a hidden check does not depend on texts that the learner's code writes."""
    found = judge(check, check.cases(), seen).spared()
    assert found.example == ""
    if not found.passed:
        told = found.message.replace(check.name, "NAME")
        known = re.sub(
            r"[A-Z][A-Za-z]+(Error|Exception|Warning|Exit|Interrupt|Iteration|Group)\b", "ERROR", told
        )
        assert "SECRET" not in known
        assert "xxxx" not in known
        assert not re.search(r"\d", re.sub(r"part \d of|dtype [\w ]+ is \w+ where \w+ went in", "", known))


class Leak1234(Exception):  # noqa: N818 - the name is what it leaks
    pass


def raising(error):
    def answer(x):
        raise error

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        raising(ValueError("1234")),
        raising(Leak1234("1234")),
        lambda x: "1234",
        lambda x: 1234 * (x + 1),
        lambda x: np.zeros(1234),
        lambda x: [1234] * 1234,
        lambda x: {"1234": 1},
        lambda x: type("Leak1234", (), {})(),
        lambda x: (__import__("warnings").warn("1234", stacklevel=1), x + 1)[1],
        lambda x: x + 1234,
    ],
)
@pytest.mark.parametrize("accept", [None, lambda v, x: f"{v} is wrong"])
def test_a_hidden_report_shows_nothing_of_the_answer(answer, accept, monkeypatch):
    monkeypatch.setattr("dlcourse.checks.run.refusal", lambda *_, **__: "")
    against = "" if accept else "hostile_oracle.array"
    check = Check("f", "adds", on=[given(X)], against=against, accept=accept, quiet="Look at it again")
    shown = run_checks(check, names={"f": answer})
    hidden = run_checks(check, names={"f": answer}, hidden=True)
    assert hidden.points == shown.points == 0
    assert "1234" not in str(hidden)
    assert "1234" not in repr(hidden.data())
    assert hidden.verdicts[0].message


def test_the_type_of_a_known_exception_stays():
    check = Check("f", "adds", on=[given(X)], against="hostile_oracle.array")
    found = run_checks(check, names={"f": raising(ZeroDivisionError("1"))}, hidden=True).verdicts[0]
    assert found.message == "ZeroDivisionError was raised in f, or in what it calls"


def test_a_declared_mistake_is_told_in_a_hidden_check_too():
    check = Check(
        "f",
        "adds",
        on=[given(X)],
        against="hostile_oracle.array",
        mistakes={"You added 2": lambda r, x: x + 2},
    )
    found = run_checks(check, names={"f": lambda x: x + 2}, hidden=True).verdicts[0]
    assert found.message == "You added 2"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_missing_or_surplus_observations_earn_nothing(count):
    check = CHECKS[0]
    cases = check.cases()
    right = observe(oracle.array, cases)
    assert judge(check, cases, right).passed
    assert not judge(check, cases, (right * 2)[:count]).passed
