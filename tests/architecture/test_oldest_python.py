"""What the first releases of Python 3.11 do wrong, and Debian 12 ships one, is kept out."""

import ast
import re

from tests.architecture import source

#: A possessive group without an empty last alternative.
POSSESSIVE = re.compile(r"(?<![|\\(])\)[*+?]\+")


def test_a_possessive_group_ends_with_an_empty_alternative():
    """Before Python 3.11.5 such a group keeps what its last, failed try took (gh-100061)."""
    found = [
        f"{name}:{node.lineno} {node.value}"
        for name in source.modules()
        for node in ast.walk(source.tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if POSSESSIVE.search(node.value)
    ]
    assert not found


def test_a_handler_of_groups_raises_nothing():
    """Before Python 3.11.4 what `except*` raises comes out in one more group (gh-103590)."""
    found = [
        f"{name}:{node.lineno}"
        for name in source.modules()
        for clause in ast.walk(source.tree(name))
        if isinstance(clause, ast.TryStar)
        for handler in clause.handlers
        for node in ast.walk(handler)
        if isinstance(node, ast.Raise)
    ]
    assert not found
