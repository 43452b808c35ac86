"""Listings without docstrings show the code as it is otherwise."""

import inspect

import pytest

from dlcourse.neurons import network, neuron
from dlcourse.publishing.listing import without_docstrings


@pytest.mark.parametrize("thing", [neuron.weighted_sum, neuron.train_perceptron, network.MLP, network.linear])
def test_only_the_docstring_is_left_out(thing):
    source = inspect.getsource(thing)
    shown = without_docstrings(source)
    assert '"""' not in shown
    assert set(shown.splitlines()) <= set(source.splitlines())
    assert compile(shown, "listing", "exec")
    assert source.splitlines()[-1] == shown.splitlines()[-1]


def test_a_definition_that_is_only_words_keeps_them():
    source = 'class Empty:\n    """Nothing."""\n'
    assert without_docstrings(source) == source


def test_an_indented_definition():
    assert without_docstrings('    def f():\n        "Words."\n        return 1\n') == (
        "    def f():\n        return 1\n"
    )


def test_a_part_of_a_definition_is_refused():
    with pytest.raises(ValueError, match="name a whole function or class"):
        without_docstrings("return x @ w +")
