"""The one form in which every data set hands out its training and its held-out part.

A model is judged on examples it never saw. Each loader therefore says how it divides its
examples, and returns the four arrays in the same order.
"""

from typing import Any, NamedTuple

from jaxtyping import Float, Shaped
from numpy import ndarray


class Split(NamedTuple):
    """Examples to learn from and examples to be judged on.

    Attributes:
        x_train: inputs to learn from, ``(train, ...)``.
        y_train: their targets, ``(train,)``.
        x_test: held-out inputs, ``(test, ...)``.
        y_test: their targets, ``(test,)``.
    """

    x_train: Float[ndarray, "train ..."]
    y_train: Shaped[ndarray, " train"]
    x_test: Float[ndarray, "test ..."]
    y_test: Shaped[ndarray, " test"]


def frozen(array: Any) -> Any:
    """Make an array read-only, so that one reader cannot change another's data.

    Args:
        array: any NumPy array.

    Returns:
        The same array, no longer writeable; ``array.copy()`` gives one that is.
    """
    array.flags.writeable = False
    return array
