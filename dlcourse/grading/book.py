"""The order of the book, and what an exercise may import of the package: what comes before it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import dlcourse


@lru_cache(maxsize=256)
def earlier_modules(root: Path, chapter: str) -> tuple[str, ...]:
    """Return the parts of `dlcourse` that come before a chapter in the book: what its exercise may import.

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
    before = [page for page in pages[: pages.index(chapter)] if (package / f"{page}.py").is_file()]
    found = []
    for part in dict.fromkeys(page.split("/")[0] for page in before):
        # What the modules of a part share.
        found += [f"dlcourse.{part}.{path.stem}" for path in sorted((package / part).glob("_[!_]*.py"))]
    return tuple(found + [f"dlcourse.{page.replace('/', '.')}" for page in before])


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
