"""What a command writes: tables and sentences for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.errors import ApiProblem, CliError
from app.cli.text import cell, columns, plain

#: A column of a table: its heading and the key of the item, dotted for a nested one.
Column = tuple[str, str]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process as if something had failed; called while it is handled."""
        raise  # noqa: PLE0704


def _console(*, stderr: bool = False) -> Console:
    # Markup and emoji codes stay off: names and remote output are text, whatever they contain.
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Output:
    """The two streams of the command. `json_mode` leaves only JSON on standard output."""

    json_mode: bool = False
    out: Console = field(default_factory=_console)
    err: Console = field(default_factory=lambda: _console(stderr=True))

    @property
    def is_live(self) -> bool:
        """Whether a person watches and lines may be drawn again."""
        return self.out.is_terminal and not self.out.is_dumb_terminal and not self.json_mode

    def line(self, text: str = "", *, style: str = "") -> None:
        """One line for people; programs do not get it."""
        if not self.json_mode:
            self.out.print(Text(plain(text), style=style))

    def raw(self, text: str) -> None:
        """A value alone on its line, for `$(…)`."""
        self.out.print(Text(plain(text)))

    def note(self, text: str) -> None:
        """A remark beside the result, on the error stream."""
        if not self.json_mode:
            self.err.print(Text(plain(text)))

    def json(self, value: Any) -> None:
        self.out.file.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")

    def json_line(self, value: Any) -> None:
        """One item of a stream, one line each."""
        self.out.file.write(json.dumps(value, ensure_ascii=True) + "\n")
        self.out.file.flush()

    def show(self, value: Mapping[str, Any], fields: Sequence[Column]) -> None:
        """One thing: JSON as the API gave it, or its fields under each other."""
        if self.json_mode:
            self.json(value)
            return
        width = max(len(name) for name, _ in fields)
        for name, key in fields:
            self.out.print(Text(f"{name.ljust(width)}  ", style="bold"), Text(_value(value, key)))

    def items(self, items: Sequence[Mapping[str, Any]], shown: Sequence[Column], none: str) -> None:
        """A list: a JSON array, or a table; `none` is the sentence for an empty one."""
        if self.json_mode:
            self.json(list(items))
        elif not items:
            self.note(none)
        else:
            self._table(
                [name for name, _ in shown],
                [tuple(_value(item, key) for _, key in shown) for item in items],
            )

    def error(self, error: CliError) -> None:
        if self.json_mode:
            self.err.file.write(json.dumps(dict(error.document()), indent=2) + "\n")
            return
        self.err.print(Text("Error: ", style="bold red"), Text(plain(error.title)), sep="")
        for name, value in _particulars(error):
            lines = plain(value).splitlines() or [""]
            self.err.print(Text("\n".join((f"  {name:<8}{lines[0]}", *_indented(lines[1:])))))

    def _table(self, headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
        if not self.out.is_terminal:
            for text in columns([tuple(name.upper() for name in headings), *rows]):
                self.out.print(Text(text))
            return
        table = Table(*(name.upper() for name in headings), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(text, overflow="fold") for text in row))
        self.out.print(table, soft_wrap=False)


def prepare_streams() -> None:
    """A terminal that cannot show a character gets a substitute instead of an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def drop_unread() -> None:
    """Nobody reads standard output any more: what is left of it is not worth an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _value(item: Mapping[str, Any], key: str) -> str:
    value: Any = item
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return cell(value)


def _particulars(error: CliError) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if error.detail and error.detail != error.title:
        found.append(("", error.detail))
    if isinstance(error, ApiProblem):
        problem = error.problem
        found += [
            ("at", f"{_place(part)}: {part.get('detail')}") for part in problem.get("errors") or ()
        ]
        found.append(("code", error.code))
    if error.hint:
        found.append(("hint", error.hint))
    if isinstance(error, ApiProblem):
        named = (("docs", "docs"), ("request", "request_id"))
        found += [(name, str(problem[key])) for name, key in named if problem.get(key)]
    return found


def _place(part: Mapping[str, Any]) -> str:
    """Where in the request it is: a pointer into the body, or a parameter; the line of a text."""
    where = part.get("pointer") or part.get("parameter") or "/"
    return f"{where} (line {part['line']})" if part.get("line") else str(where)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {'':<8}{line}" for line in lines]
