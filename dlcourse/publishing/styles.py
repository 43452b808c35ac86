"""The themes' styles without the rules for what is nowhere in the site: half of what a page would load."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import tinycss2
from tinycss2.ast import AtRule, Node, QualifiedRule

THEMES = ("pydata-sphinx-theme.css", "sphinx-design.min.css", "mystnb.*.css", "pygments.css")
LATER = {"dataframe", "no-js"}
"""Classes that are in no page when it is built, and may be when it runs."""

_CLASSES = re.compile(r'\bclass="([^"]*)"')
_LIGHT = re.compile(r'html\[data-theme="?light"?\]')
_WORD = re.compile(r"[A-Za-z_][\w-]*")


def trim(site: Path) -> None:
    """Rewrite the themes' styles in a finished site.

    Args:
        site: the folder of the site.
    """
    known = words(site)
    for pattern in THEMES:
        for path in (site / "_static").rglob(pattern):
            sheet = without_unused(path.read_text(encoding="utf-8"), known)
            # Where scripts do not run, nothing chooses: without this such a page would have no colours at all.
            path.write_text(_LIGHT.sub("html:not([data-theme=dark])", sheet), encoding="utf-8")


def words(site: Path) -> set[str]:
    """Collect what may be a class: those of all pages, and each word of the scripts, which may add one.

    Args:
        site: the folder of the site.
    """
    found = set(LATER)
    for page in site.rglob("*.html"):
        for classes in _CLASSES.findall(page.read_text(encoding="utf-8")):
            found.update(classes.split())
    for script in (site / "_static").rglob("*.js"):
        found.update(_WORD.findall(script.read_text(encoding="utf-8")))
    return found


def without_unused(sheet: str, known: set[str]) -> str:
    """Leave out the selectors that name a class which is not known, and rules that have no other.

    Args:
        sheet: the text of a style sheet.
        known: the classes that may be in a page.

    Returns:
        A style sheet that looks the same on every page.

    Example:
        >>> without_unused(".a,.b .c{top:0}@media print{.c{top:1px}}.a:not(.c){top:2px}", {"a"})
        '.a{top:0}.a:not(.c){top:2px}'
    """
    rules = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
    return "".join(_written(rule, known) for rule in rules)


def _written(rule: Node, known: set[str]) -> str:
    """Write a rule with what is left of it."""
    if isinstance(rule, AtRule) and rule.at_keyword in ("media", "supports", "layer") and rule.content:
        inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
        left = "".join(_written(each, known) for each in inner)
        return f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{left}}}" if left else ""
    if isinstance(rule, QualifiedRule):
        selectors = [each for each in _selectors(rule.prelude) if _classes(each) <= known]
        left = ",".join(tinycss2.serialize(each).strip() for each in selectors)
        return f"{left}{{{tinycss2.serialize(rule.content)}}}" if left else ""
    return str(rule.serialize())


def _selectors(prelude: Iterable[Node]) -> list[list[Node]]:
    """Split at the commas between selectors."""
    split: list[list[Node]] = [[]]
    for token in prelude:
        if token == ",":
            split.append([])
        else:
            split[-1].append(token)
    return split


def _classes(selector: list[Node]) -> set[str]:
    """Name the classes that an element must have; not those in brackets, as in ``:not(.a)``."""
    pairs = itertools.pairwise(selector)
    return {after.value for dot, after in pairs if dot == "." and after.type == "ident"}
