"""Texts that a program spells in pieces."""

from __future__ import annotations

import ast

_LONGEST = 10_000


def folded(node: ast.AST | None) -> str | None:
    """Return the text that an expression of constants makes, or ``None`` if it is not one.

    Args:
        node: ``"dlc" + "ourse"``, ``f"dlc{'ourse'}"``, ``"".join(["dlc", "ourse"])``, ``"esruocld"[::-1]``, ...
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(op=ast.Add()):
            return _joined("", [node.left, node.right])
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            items = right.elts if isinstance(right, ast.Tuple) else [right]
            pattern = folded(left)
            return None if pattern is None else _joined("", [], pattern.replace("%s", "{}"), items)
        case ast.JoinedStr():
            return _joined("", node.values)
        case ast.FormattedValue(format_spec=None):
            return folded(node.value)
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=args, keywords=[]):
            pattern = folded(owner)
            if pattern is None:
                return None
            if method == "join" and len(args) == 1:
                return _joined(pattern, getattr(args[0], "elts", [args[0]]))
            if method == "format":
                return _joined("", [], pattern, args)
            if method in ("lower", "upper", "strip") and not args:
                return str(getattr(pattern, method)())
            words = [text for text in map(folded, args) if text is not None]
            return (
                pattern.replace(words[0], words[1])
                if (method, len(words), len(args)) == ("replace", 2, 2)
                else None
            )
        case ast.Subscript(slice=ast.Slice(None, None, ast.UnaryOp(ast.USub(), ast.Constant(1)))):
            return (folded(node.value) or "")[::-1] or None
    return None


def _joined(
    between: str, parts: list[ast.expr], pattern: str = "", items: list[ast.expr] | None = None
) -> str | None:
    words = [folded(part) for part in (parts if items is None else items)]
    if None in words:
        return None
    known = [word for word in words if word is not None]
    if sum(map(len, known)) > _LONGEST:
        return None
    if items is None:
        return between.join(known)
    for word in known:
        pattern = pattern.replace("{}", word, 1)
    return pattern
