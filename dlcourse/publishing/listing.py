"""Show a function of the package as a chapter needs it: its code, without the docstring the prose already says.

``literalinclude`` gets one option more, ``:code-only:``, which leaves the docstrings out.
"""

from __future__ import annotations

import ast
import textwrap
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.code import LiteralInclude


def without_docstrings(source: str) -> str:
    r"""Leave the docstrings out of functions and classes.

    Args:
        source: complete definitions, indented or not.

    Returns:
        The same lines without those of the docstrings. A definition that has nothing but a docstring keeps it.

    Raises:
        ValueError: if the source is no complete Python.

    Example:
        >>> without_docstrings('def f(x):\n    "Double."\n\n    return 2 * x\n')
        'def f(x):\n    return 2 * x\n'
    """
    lines = source.splitlines(keepends=True)
    try:
        tree = ast.parse(textwrap.dedent(source))
    except SyntaxError as error:
        raise ValueError(
            f"the listing is not complete Python ({error}): name a whole function or class"
        ) from error
    drop: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node)
            and len(node.body) > 1
        ):
            words = node.body[0]
            assert words.end_lineno is not None
            last = words.end_lineno
            while last < len(lines) and not lines[last].strip():  # the empty line that follows
                last += 1
            drop.update(range(words.lineno - 1, last))
    return "".join(line for number, line in enumerate(lines) if number not in drop)


class Listing(LiteralInclude):
    """``literalinclude`` with ``:code-only:``."""

    option_spec: ClassVar = LiteralInclude.option_spec | {"code-only": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Include the source, and take the docstrings out if asked."""
        made = super().run()
        if "code-only" in self.options:
            for block in [found for node in made for found in node.findall(nodes.literal_block)]:
                shorter = without_docstrings(block.astext())
                block.rawsource = shorter
                block.children = [nodes.Text(shorter)]
        return made
