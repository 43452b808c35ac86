"""What an answer may not use, and the sentence that the learner reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dlcourse.checks.shortcuts.reading import Uses

PACKAGE = "dlcourse"
MODULE_NAMES = ("__builtins__", "__loader__", "__spec__", "get_ipython")
"""Names that nobody defines and every notebook has."""

_OPEN_ROOMS = (
    "dlcourse.checks",
    "dlcourse.data",
    "dlcourse.figures",
    "dlcourse.gpus._blocks",
    "dlcourse.distributed._processes.run_processes",  # the ground on which answers stand, and none of them
)
# What is in the open rooms and leads to the references.
_CLOSED_DOORS = {"declared", "judge", "observe", "reference", "run_checks", "shortcuts"}


_ROUNDABOUT = (
    *(f"builtins.{name}" for name in ("__import__", "exec", "eval", "compile", "globals", "get_ipython")),
    *(
        "importlib",
        "pkgutil",
        "runpy",
        "zipimport",
        "inspect",
        "linecache",
        "gc",
        "ctypes",
        "pickle",
        "marshal",
    ),
    *("sys.modules", "sys._getframe", "sys.meta_path", "sys.path_hooks", "builtins.builtins", "__main__"),
    *("subprocess", "os.system", "os.popen", "codeop"),
)
_HIDDEN_DOORS = (
    *("__builtins__", "__globals__", "__subclasses__", "__loader__", "__spec__", "__import__", "__code__"),
    *(
        "__closure__",
        "__self__",
        "f_globals",
        "f_builtins",
        "f_locals",
        "f_back",
        "gi_frame",
        "tb_frame",
        "user_ns",
    ),
)
# Honest for an object of one's own, not for a module.
_MODULE_DOORS = (*_HIDDEN_DOORS, "__dict__", "__getattribute__", "__getattr__", "__file__", "__path__")


def is_reference(path: str) -> bool:
    """Tell whether a dotted name leads to a solution of the course."""
    if path.split(".")[0] != PACKAGE:
        return False
    if not _CLOSED_DOORS.isdisjoint(path.split(".")):
        return True
    return not any(path == room or path.startswith(f"{room}.") for room in _OPEN_ROOMS)


def named(name: str, paths: Iterable[str], forbid: Sequence[str]) -> str:
    """Say that a name is itself what it may not be, or ``""``."""
    for path in sorted(paths):
        if is_reference(path):
            return f"{name} is the package's own {path} under another name: delete that line, and write it yourself"
        for bad in forbid:
            if _is(path, bad):
                return f"{name} is {bad} under another name: this task asks you to write it yourself"
    return ""


def broken(name: str, uses: Uses, *, against: str, forbid: Sequence[str], loops: bool) -> str:
    """Say which rule an answer breaks, or ``""``."""
    return next(_broken(name, uses, against, forbid, loops), "")


def _broken(name: str, uses: Uses, against: str, forbid: Sequence[str], loops: bool) -> Iterator[str]:
    for path in uses.paths:
        if is_reference(path):
            yield f"{name} calls the package's own {path}: write it yourself"
    for text in uses.strings:
        if _names_reference(text, against):
            yield f"{name} names the package's own {text.strip()[:80]}: write it yourself"
    for path in (*uses.paths, *(f".{attribute}" for attribute in uses.attributes)):
        if way := _roundabout(path):
            yield f"{name} uses {way}, which no answer here needs: write it directly"
    for path in sorted(uses.computed):
        yield f"{name} looks a name up in {path} with a text: write the name directly, after a dot"
    for bad in forbid:
        if _used(bad, uses):
            yield f"{name} uses {bad}: this task asks you to write it yourself"
    if uses.loops and not loops:
        yield (
            f"{name} loops in Python: write it with whole arrays, "
            "so that NumPy does the loop for all samples at once"
        )


def _roundabout(path: str) -> str:
    parts = path.split(".")
    doors = _MODULE_DOORS if parts[0] else _HIDDEN_DOORS
    for door in doors:
        if door in parts[1:]:
            return door
    return next(
        (way.removeprefix("builtins.") for way in _ROUNDABOUT if f".{way}." in f".{path}."),
        "",
    )


def _names_reference(text: str, against: str) -> bool:
    text = text.strip()
    if re.fullmatch(rf"{PACKAGE}(\.\w+)+", text):
        return is_reference(text)
    if re.search(rf"\b(from|import)\s+{PACKAGE}\b", text):
        return any(map(is_reference, re.findall(rf"{PACKAGE}(?:\.\w+)*", text)))
    if not against.startswith(f"{PACKAGE}."):
        return False
    *folders, file = against.split(".")[:-1]
    # "neuron.py", "/usr/lib/.../neurons/neuron.py", "dlcourse/neurons/"
    path = re.split(r"[\\/]", text)
    return path[-1] == f"{file}.py" or (PACKAGE in path and folders[-1] in path)


def _is(path: str, bad: str) -> bool:
    return path == bad or path.startswith(f"{bad}.") or _same_in_torch(path, bad)


def _plain(name: str) -> str:
    return name.rpartition(".")[2].replace("_", "").lower()


def _same_in_torch(path: str, bad: str) -> bool:
    """Tell whether two names are one operation: torch has most as function, method, module and in-place method."""
    return bad.startswith("torch.") and path.startswith("torch.") and _plain(path) == _plain(bad)


def _used(bad: str, uses: Uses) -> bool:
    if any(_is(path, bad) for path in uses.paths):
        return True
    owner, _, last = bad.rpartition(".")
    # A method is known by its name alone: of a tensor, or of a class that the task forbids by name.
    of_a_value = (
        bad.startswith("torch.") or owner.rpartition(".")[2][:1].isupper() or owner.endswith(".ndarray")
    )
    # The module was handed on, and something is asked for the attribute.
    handed_on = any(f"{bad}.".startswith(f"{path}.") and path != bad for path in uses.bare)
    for attribute in uses.attributes:
        if attribute in uses.own:
            continue
        same = _plain(attribute) == _plain(bad) if bad.startswith("torch.") else attribute == last
        if same and (of_a_value or handed_on):
            return True
    return False
