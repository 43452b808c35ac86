"""Which frameworks are installed, and what to say where one is not: a sentence, before anything is imported."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = {
    "jax": ("JAX", "frameworks"),
    "keras": ("Keras", "frameworks"),
    "onnxruntime": ("ONNX Runtime", "frameworks"),
    "onnxscript": ("ONNX Script", "frameworks"),
    "safetensors": ("safetensors", "frameworks"),
    "tensorflow": ("TensorFlow", "frameworks"),
    "torch": ("PyTorch", "torch"),
    "triton": ("Triton (for Linux alone)", "torch"),
}
"""What each module is called, and the extra of this package that installs it."""


class MissingFrameworkError(ModuleNotFoundError):
    """A framework that is not installed was used; the message is a sentence that says what to do."""


def missing(*modules: str) -> str:
    """Say what is not installed here.

    Args:
        modules: names of modules, as ``NAMES`` has them; none is imported.

    Returns:
        A sentence that also says what to do, or an empty string where everything is there.

    Example:
        >>> missing()
        ''
    """
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if not absent:
        return ""
    names = [NAMES[module][0] for module in absent]
    extras = ",".join(dict.fromkeys(NAMES[module][1] for module in absent))
    what = f"{', '.join(names[:-1])} and {names[-1]} are" if names[1:] else f"{names[0]} is"
    return f'{what} not installed here: pip install "dlcourse[{extras}]"'


@contextmanager
def wanted(module: str) -> Iterator[None]:
    """Say in a sentence what is missing, where an import says it in a traceback.

    Args:
        module: what is imported in the block.

    Raises:
        MissingFrameworkError: if it is not installed.
    """
    if sentence := missing(module):
        raise MissingFrameworkError(sentence, name=module)
    yield


class Lazy:
    """A module that is imported when it is first used.

    TensorFlow takes seconds to import, and must not be imported into a process that uses Triton or ``torch.compile``. A
    module of the course that says ``tf = Lazy("tensorflow")`` can be imported anywhere, and without TensorFlow too.

    Args:
        module: its name.
        prepare: called just before it is imported.
    """

    def __init__(self, module: str, prepare: Callable[[], None] | None = None) -> None:
        self._name, self._prepare, self._found = module, prepare, None

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # whoever looks through a module for names does not use it
            raise AttributeError(attribute)
        if self._found is None:
            self._found = required(self._name, self._prepare)
        return getattr(self._found, attribute)


def required(module: str, prepare: Callable[[], None] | None = None) -> Any:
    """Import a framework.

    Args:
        module: its name.
        prepare: called just before it is imported.

    Returns:
        The module.

    Raises:
        MissingFrameworkError: if it is not installed.
    """
    with wanted(module.partition(".")[0]):
        if prepare:
            prepare()
        return importlib.import_module(module)
