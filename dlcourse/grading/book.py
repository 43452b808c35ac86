"""The order of the book, and what an exercise may import of the package: what comes before it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import dlcourse
from dlcourse.checks.shortcuts.rules import is_reference

_IMPORTED = re.compile(r"^from (dlcourse(?:\.\w+)+) import", re.MULTILINE)


@lru_cache(maxsize=256)
def earlier_modules(root: Path, chapter: str) -> tuple[str, ...]:
    """Return the parts of `dlcourse` that come before a chapter in the book: what its exercise may import.

    With each chapter come the modules without a chapter that it imports, and no others: what a part shares may hold the
    answers to a later exercise. For the same reason a chapter is left out that imports one which is still to come, as the
    opening chapter does. What the exercise itself imports of the package comes, too, where answers may use it.

    Args:
        root: The repository.
        chapter: `part/chapter`.

    Returns:
        Names of modules; none for a chapter that is not in the book.
    """
    pages = book_order(root)
    if chapter not in pages:
        return ()
    package = Path(dlcourse.__file__).parent
    chapters = [page for page in pages if (package / f"{page}.py").is_file()]
    place = pages.index(chapter)
    to_come = {_module(page) for page in chapters if pages.index(page) >= place}
    exercise = root / "exercises" / f"{chapter}.md"
    imported = _IMPORTED.findall(exercise.read_text(encoding="utf-8")) if exercise.is_file() else []
    given = [module for module in imported if not is_reference(module)]
    found: dict[str, None] = {}
    for module in [*map(_module, chapters), *given]:
        needed = _needed(package, module, {page.split("/")[0] for page in chapters})
        if not to_come & needed.keys():
            found |= needed
    return tuple(found)


def with_imports(modules: Iterable[str]) -> tuple[str, ...]:
    """Return modules of the book's parts with those that they import.

    Args:
        modules: Dotted names.
    """
    package = Path(dlcourse.__file__).parent
    parts = {path.name for path in package.iterdir() if path.is_dir()} - _ROOMS
    found: dict[str, None] = {}
    for module in modules:
        found |= _needed(package, module, parts)
    return tuple(found)


_ROOMS = {"checks", "cli", "data", "experiments", "figures", "grading", "milestones", "publishing"}
"""What of the package is no part of the book; a sandbox shows some of it in any case."""


def _module(page: str) -> str:
    return f"dlcourse.{page.replace('/', '.')}"


def _needed(package: Path, module: str, parts: set[str]) -> dict[str, None]:
    """Return a module and all modules of the book's parts that are imported with it, in the order found."""
    found, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name in found or name == "dlcourse" or name.split(".")[1] not in parts:
            continue
        path = package.joinpath(*name.split(".")[1:])
        source = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if source.is_file():  # otherwise it is something in a module
            found[name] = source
            waiting.append(name.rpartition(".")[0])  # a package is imported before what is in it
            waiting += _imports(source)
    return {name: None for name, source in found.items() if source.name != "__init__.py"}


@cache
def _imports(source: Path) -> tuple[str, ...]:
    """Return what a file of the package imports of it, names that may be modules, too; all chapters ask for the same."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlcourse."):
            found += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


def book_order(root: Path) -> list[str]:
    """Return the pages of the book in its order, each as `part/chapter`.

    Args:
        root: The repository, with `_toc.yml`.

    Returns:
        The pages; none if there is no table of contents.
    """
    import yaml

    path = root / "_toc.yml"
    if not path.is_file():
        return []

    def pages(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "file" in node:
                yield str(node["file"]).removeprefix("book/").removesuffix(".md")
            for value in node.values():
                yield from pages(value)
        elif isinstance(node, list):
            for item in node:
                yield from pages(item)

    return list(pages(yaml.safe_load(path.read_text(encoding="utf-8"))))
