"""Answers that use the package instead of being one."""

import importlib
import inspect
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Shortcut:
    """An answer that uses the package instead of being one."""

    task: str
    way: str
    code: str


def shortcuts_of(name, tasks):
    """Make the shortcuts that exist for an exercise: a task has a counterpart if its module defines the same name."""
    module = importlib.import_module("dlcourse." + name.replace("/", "."))
    for task in tasks:
        counterpart = getattr(module, task, None)
        if not callable(counterpart):
            continue
        path = module.__name__
        yield Shortcut(task, "imported", f"from {path} import {task}")
        yield Shortcut(
            task,
            "wrapped",
            f"import {path} as chapter\n\n\n"
            f"def {task}(*args, **options):\n    return chapter.{task}(*args, **options)\n",
        )
        yield Shortcut(task, "pasted", textwrap.dedent(inspect.getsource(counterpart)))
