"""The run-time check of shapes in the tests: beartype, which looks at each kind of function once.

A pullback is a new function each time its op is called. To have beartype look at each of them took more time than all the
arithmetic of the tests.
"""

from beartype import beartype

_checked = {}


def checked(function):
    """Check what a function takes and returns, as `beartype` does.

    Args:
        function: what jaxtyping makes of a signature: a function without a body of its own, so one is as good as another.
    """
    try:
        key = (
            function.__module__,
            function.__qualname__,
            function.__code__,
            *function.__annotations__.items(),
        )
        if key not in _checked:
            _checked[key] = beartype(function)
    except TypeError:  # an annotation that cannot be hashed
        return beartype(function)
    return _checked[key]
