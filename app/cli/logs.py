"""A job's events as a log: what was done, what the host said, how it ended."""

from collections.abc import Callable, Mapping
from typing import Any

from app.cli.follow import Event
from app.cli.output import Output
from app.cli.text import cell, duration, moment, one_line, plain
from app.cli.wording import (
    WORDS,
    blockers,
    broken,
    canceling,
    published,
    retrying,
    suspended,
    unpublished,
)


class Log:
    """Prints events one after the other; output is printed by whole lines."""

    def __init__(self, output: Output, *, timestamps: bool = False) -> None:
        self._output = output
        self._timestamps = timestamps
        self._at = ""
        self._held = ""

    def add(self, event: Event) -> None:
        if self._output.json_mode:
            self._output.json_line(event)
            return
        data = event.get("data") or {}
        if event["type"] == "step.output":
            self._at = event["at"]
            self._take(str(data.get("text", "")))
            return
        self.flush()
        self._at = event["at"]
        for line in _sentences(event["type"], data):
            self._print(line, style="" if line.startswith(" ") else "bold")

    def flush(self) -> None:
        """Print what is held of an unfinished line: a prompt, or the end of the output."""
        held, self._held = self._held, ""
        for line in plain(held).splitlines():
            self._print(line)

    def _take(self, text: str) -> None:
        text = self._held + text
        cut = text.rfind("\n") + 1
        ready, self._held = text[:cut], text[cut:]
        for line in plain(ready).split("\n")[:-1]:
            self._print(line)

    def _print(self, line: str, *, style: str = "") -> None:
        stamp = f"{moment(self._at)}  " if self._timestamps else ""
        self._output.line(stamp + line, style=style)


def _sentences(kind: str, data: Mapping[str, Any]) -> list[str]:
    """An event in words, one line each; output is not among them."""
    if kind in _WORDS:
        return [_WORDS[kind](data)]
    if kind in WORDS:
        return [f"    {WORDS[kind](data)}"]
    if kind in _UNHAPPY:
        return [kind.removeprefix("job.").capitalize(), *_error(data.get("error") or {})]
    return [f"{kind}  {cell(dict(data))}"]


def _failed(data: Mapping[str, Any]) -> str:
    code = data.get("exit_code")
    exited = f" with exit code {code}" if code is not None else ""
    return f"    failed after {_took(data)}{exited}"


def _error(error: Mapping[str, Any]) -> list[str]:
    named = ("title", "detail", "step", "code", "hint", "docs")
    lines = []
    for name in named:
        first, *rest = plain(error.get(name) or "").splitlines() or [""]
        if first:
            lines += [f"  {name:<8}{first}", *(f"  {'':<8}{line}" for line in rest)]
    return lines


def _title(data: Mapping[str, Any]) -> str:
    return one_line(data.get("title") or data.get("step") or "?")


def _took(data: Mapping[str, Any]) -> str:
    return duration((data.get("duration_ms") or 0) / 1000)


def _unknown(data: Mapping[str, Any]) -> str:
    error = data.get("error") or {}
    return f"    outcome unknown: {one_line(error.get('title') or 'nobody can tell')}"


_UNHAPPY = frozenset({"job.failed", "job.canceled", "job.superseded"})
_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "job.queued": lambda data: f"Queued: {cell(data.get('kind'))} {cell(data.get('instance'))}",
    "job.blocked": lambda data: f"Waiting for {blockers(data.get('blocked_by') or [])}",
    "job.started": lambda data: (
        f"Started by worker {cell(data.get('worker'))}, attempt {cell(data.get('attempt'))}"
    ),
    "job.recovered": lambda data: f"Its worker {cell(data.get('worker'))} went silent",
    "job.handed_over": lambda data: f"Handed over by worker {cell(data.get('worker'))}",
    "job.suspended": suspended,
    "job.resumed": lambda data: (
        f"Taken up by worker {cell(data.get('worker'))}, attempt {cell(data.get('attempt'))}"
    ),
    "job.answered": lambda data: (
        f"Answered by {cell(data.get('by'))}: {cell(data.get('step'))} {cell(data.get('answer'))}"
    ),
    "job.canceling": canceling,
    "job.succeeded": lambda _: "Succeeded",
    "asset_release.published": lambda data: f"    published {published(data)}",
    "asset_release.failed": lambda data: f"    {unpublished(data)}",
    "asset_release.verified": lambda data: f"    verified {cell(data.get('files'))} files",
    "lock.broken": broken,
    "lock.token_raised": lambda data: (
        f"Its host knew a newer token of {cell(data.get('name'))}; it goes on with one above that"
    ),
    "step.started": lambda data: f"[{cell(data.get('number'))}] {_title(data)}",
    "step.succeeded": lambda data: f"    done in {_took(data)}",
    "step.failed": _failed,
    "step.retrying": lambda data: f"    {retrying(data)}",
    "step.canceled": lambda data: f"    stopped after {_took(data)}",
    "step.unknown": _unknown,
    "step.undone": lambda data: f"    undone: {_title(data)}",
    "step.undo_failed": lambda data: f"    NOT undone: {_title(data)}",
}
