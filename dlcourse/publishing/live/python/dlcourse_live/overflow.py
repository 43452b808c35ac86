"""The floating-point warnings of NumPy that WebAssembly does not raise."""


def install() -> None:
    """Make NumPy warn as it does elsewhere; called before the first cell runs."""
