"""What a command says: its answer on standard output, all else on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from worker.assets.building.report import told
from worker.assets.problem import AssetError, Problem, printable, sentence

#: Typer's mark for a paragraph that keeps its lines.
_KEEP = "\b\n"
DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130


def help_of(function: Callable[..., Any]) -> str:
    """The docstring; a paragraph with indented lines keeps them."""
    import inspect  # noqa: PLC0415  (a build shows no docstring)

    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(_KEEP + text if "\n  " in text else text for text in paragraphs)


def note(text: str) -> None:
    """Progress, for people."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201 - standard error is where it belongs


def answer(document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    print(json.dumps(document) if as_json else text)  # noqa: T201 - the command's answer


def warn(found: Iterable[Problem], *, kind: str = "warning") -> None:
    for problem in found:
        note(f"{kind}: {sentence(problem.message, problem.nearest)}")


def tell(error: AssetError, *, as_json: bool) -> None:
    """Every problem, then what to do."""
    if as_json:
        problems = told("problems", error.problems)
        answer({"ok": False, **problems, "hint": error.hint}, "", as_json=True)
        return
    warn(error.problems, kind="error")
    if error.hint:
        note(error.hint)


def refuse(error: AssetError, *, as_json: bool) -> NoReturn:
    """The exit code says it too."""
    tell(error, as_json=as_json)
    raise SystemExit(REFUSED)


def refuse_usage(message: str) -> NoReturn:
    """A wrong command line, to a program that asked for JSON."""
    tell(AssetError([Problem("usage", message)], "See --help."), as_json=True)
    raise SystemExit(USAGE)


def interrupted(*, as_json: bool) -> NoReturn:
    hint = "Run it again to continue."
    tell(AssetError([Problem("interrupted", "interrupted")], hint), as_json=as_json)
    raise SystemExit(INTERRUPTED)
