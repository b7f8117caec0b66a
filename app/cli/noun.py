"""A group of commands whose help is the docstring, with examples left as they are written."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

Function = TypeVar("Function", bound=Callable[..., Any])

#: Typer's mark for a paragraph that keeps its lines.
_KEEP = "\b\n"


class Noun(typer.Typer):
    """Register commands with `@noun.verb()`."""

    def verb(self, name: str | None = None) -> Callable[[Function], Function]:
        def register(function: Function) -> Function:
            return self.command(name, help=help_of(function))(function)

        return register


def help_of(function: Callable[..., Any]) -> str:
    """The docstring; a paragraph with indented lines keeps them."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(_KEEP + text if "\n  " in text else text for text in paragraphs)
