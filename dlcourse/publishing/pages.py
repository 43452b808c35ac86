"""Which pages the book has, in the order of `_toc.yml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from myst_nb.core.read import is_myst_markdown_notebook
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from dlcourse.frameworks._present import missing
from dlcourse.publishing.errors import PublishingError

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LABEL = re.compile(r"^\([\w-]+\)=$", re.MULTILINE)


def pages(root: Path) -> list[Path]:
    """List the source files of the book, first page first.

    Args:
        root: the folder with ``_toc.yml`` and ``_config.yml``.

    Returns:
        Absolute paths.

    Raises:
        PublishingError: if there is no book in ``root``, or a page does not exist.
    """
    for name in ("_config.yml", "_toc.yml"):
        if not (root / name).is_file():
            raise PublishingError(
                f"There is no book in {root}: {name} is missing; go to the folder of dlcourse's "
                "sources and try again."
            )
    try:
        site_map = parse_toc_yaml(root / "_toc.yml")
    except (MalformedError, yaml.YAMLError) as error:
        raise PublishingError(f"_toc.yml cannot be read, correct it: {error}") from error
    ordered = [site_map.root.docname]
    for docname in ordered:  # grows while it is walked: every page is followed by its own
        ordered.extend(
            each
            for child in site_map[docname].child_files()
            if (each := child.removesuffix(".md")) not in ordered
        )
    found = [root / f"{docname.removesuffix('.md')}.md" for docname in ordered]
    if missing := [path.relative_to(root).as_posix() for path in found if not path.is_file()]:
        raise PublishingError(
            f"_toc.yml names pages that do not exist: {', '.join(missing)}; write them or take them out."
        )
    return found


def notebooks(root: Path) -> list[Path]:
    """List the pages that have cells to run, here: those that need a library that is missing have none.

    Args:
        root: the folder with ``_toc.yml``.

    Returns:
        Absolute paths, in the book's order.

    Raises:
        PublishingError: if there is no book in ``root``, or a page does not exist.
    """
    texts = {page: page.read_text(encoding="utf-8") for page in pages(root)}
    return [page for page, text in texts.items() if is_myst_markdown_notebook(text) and not lacking(text)]


def lacking(text: str) -> str:
    """Say what a page needs that is not installed here.

    Args:
        text: the page; its front matter may say ``needs: [jax, torch]``.

    Returns:
        A sentence that also says what to do, or an empty string.
    """
    front = _FRONT_MATTER.match(text)
    said = yaml.safe_load(front[1]) if front else None
    return missing(*said.get("needs", ())) if isinstance(said, dict) else ""


def as_shown(text: str) -> str:
    """Return a page as it is shown here: itself, or its title and what is missing.

    Args:
        text: the page.
    """
    if not (sentence := lacking(text)):
        return text
    title = next(line for line in text.splitlines() if line.startswith("# "))
    labels = "\n".join(dict.fromkeys(_LABEL.findall(text)))  # other pages refer to them
    return f"{labels}\n{title}\n\n:::{{note}}\n{sentence}. Then build the book again, and this chapter is here.\n:::\n"


def config(root: Path) -> dict[str, Any]:
    """Read ``_config.yml``.

    Args:
        root: the folder it is in.

    Returns:
        The settings, as nested dictionaries.

    Raises:
        PublishingError: if it is not YAML.
    """
    try:
        settings: dict[str, Any] = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise PublishingError(f"_config.yml cannot be read, correct it: {error}") from error
    return settings
