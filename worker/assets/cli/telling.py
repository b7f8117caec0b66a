"""What a command says: its answer on standard output, all else on standard error."""

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from worker.assets.problem import AssetError, Problem, printable

#: Typer's mark for a paragraph that keeps its lines.
_KEEP = "\b\n"
REFUSED, USAGE, INTERRUPTED = 1, 2, 130


def help_of(function: Callable[..., Any]) -> str:
    """The docstring; a paragraph with indented lines keeps them."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(_KEEP + text if "\n  " in text else text for text in paragraphs)


def note(text: str) -> None:
    """Progress, for people."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201 - standard error is where it belongs


def answer(document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    print(json.dumps(document) if as_json else text)  # noqa: T201 - the command's answer


def refuse(error: AssetError, *, as_json: bool) -> NoReturn:
    """Every problem, then what to do; the exit code says it too."""
    if as_json:
        _refuse_in_json(error)
    else:
        for problem in error.problems:
            nearest = f" Nearest: {', '.join(problem.nearest)}." if problem.nearest else ""
            note(f"error: {problem.message}{nearest}")
        if error.hint:
            note(error.hint)
    raise SystemExit(REFUSED)


def refuse_usage(message: str) -> NoReturn:
    """A wrong command line, to a program that asked for JSON."""
    _refuse_in_json(AssetError([Problem("usage", message)], "See --help."))
    raise SystemExit(USAGE)


def interrupted(*, as_json: bool) -> NoReturn:
    what, hint = "interrupted", "Run it again to continue."
    if as_json:
        _refuse_in_json(AssetError([Problem(what, what)], hint))
    else:
        note(f"{what}; {hint}")
    raise SystemExit(INTERRUPTED)


def _refuse_in_json(error: AssetError) -> None:
    problems = [problem.as_json() for problem in error.problems]
    answer({"ok": False, "problems": problems, "hint": error.hint}, "", as_json=True)
