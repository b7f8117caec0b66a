"""A running job as a person watches it: a live line on a terminal, plain lines elsewhere."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from app.cli.follow import Event
from app.cli.output import Output
from app.cli.text import duration, one_line, plain
from app.cli.wording import (
    WORDS,
    blockers,
    canceling,
    published,
    retrying,
    suspended,
    unpublished,
)

#: Lines of a failed step's output that are shown with it.
_LAST_LINES = 15
#: A started line longer than this is cut: a terminal shows one line of it anyway.
_LONGEST = 2_000
_TURNS = "-\\|/"


class Progress:
    """Feed it every event; it keeps the state of the job and writes what happens."""

    def __init__(
        self,
        output: Output,
        *,
        now: Callable[[], float],
        total: Callable[[], int | None],
        blocked: Callable[[], None] = lambda: None,
    ) -> None:
        self._output = output
        self._now = now
        #: Asked once the plan exists, that is at the first step.
        self._ask_total = total
        #: Tells more of who is in the way, when the job still waits.
        self._tell_blocked = blocked
        self._total: int | None = None
        self._step: Mapping[str, Any] | None = None
        self._since = now()
        self._state = "Waiting for a worker"
        self._away = ""
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._unfinished = ""
        self._live = (
            Live(get_renderable=self._drawn, console=output.out, transient=True)
            if output.is_live
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def add(self, event: Event) -> None:
        data = event.get("data") or {}
        on_event = {
            "step.started": self._start,
            "step.output": self._take,
            "step.succeeded": self._succeed,
            "step.failed": self._fail,
            "step.unknown": lambda step: self._fail(step, "cut off"),
            "step.canceled": lambda step: self._fail(step, "stopped"),
            "step.retrying": lambda step: self._say(f"        {retrying(step)}"),
            "step.undone": lambda step: self._say(f"        undone: {_named(step)}"),
            "step.undo_failed": lambda step: self._say(f"        NOT undone: {_named(step)}"),
            "asset_release.published": lambda told: self._say(
                f"        published {published(told)}"
            ),
            "asset_release.failed": lambda told: self._say(f"        {unpublished(told)}"),
            "job.blocked": self._wait,
            "job.started": lambda _: self._be("Starting"),
            "job.resumed": lambda _: self._be("Starting"),
            "job.suspended": lambda job: self._become(suspended(job)),
            "job.canceling": lambda job: self._become(canceling(job)),
            "job.recovered": self._wait_again,
            "job.handed_over": self._wait_again,
        }.get(event["type"])
        if on_event is not None:
            on_event(data)
        elif event["type"] in WORDS:
            self._say(f"        {WORDS[event['type']](data)}")

    def away(self, text: str) -> None:
        """The API does not answer."""
        if not self._away and not self._live:
            self._say(text)
        self._away = text

    def back(self) -> None:
        """The API answers."""
        self._away = ""

    def _start(self, data: Mapping[str, Any]) -> None:
        if self._total is None:
            self._total = self._ask_total()
        self._step, self._since = data, self._now()
        self._lines.clear()
        self._unfinished = ""
        if not self._live:
            self._say(self._headline())

    def _take(self, data: Mapping[str, Any]) -> None:
        # Kept as it came: an escape sequence may continue in the next chunk.
        ready, newline, rest = (self._unfinished + str(data.get("text", ""))).rpartition("\n")
        self._unfinished = rest[-_LONGEST:]
        self._lines.extend(line for line in plain(ready + newline).split("\n") if line.strip())

    def _succeed(self, data: Mapping[str, Any]) -> None:
        took = duration((data.get("duration_ms") or 0) / 1000)
        text = f"✓ {self._headline()}  {took}" if self._live else f"        done in {took}"
        self._be("Working")
        self._say(text, style="green" if self._live else "")

    def _fail(self, data: Mapping[str, Any], how: str = "failed") -> None:
        lines = [*self._lines, *filter(None, plain(self._unfinished).split("\n"))]
        took = duration((data.get("duration_ms") or 0) / 1000)
        text = f"✗ {self._headline()}  {took}" if self._live else f"        {how} after {took}"
        self._be("Cleaning up")
        self._say(text, style="red" if self._live else "")
        for line in lines:
            self._say(f"        | {line}")

    def _wait(self, data: Mapping[str, Any]) -> None:
        self._become(f"Waiting for {blockers(data.get('blocked_by') or [])}")
        self._tell_blocked()

    def _wait_again(self, _: Mapping[str, Any]) -> None:
        self._become("Its worker went away; waiting for another")

    def _become(self, state: str) -> None:
        self._be(state)
        self._say(state)

    def _be(self, state: str) -> None:
        """Between steps."""
        self._step, self._state, self._since = None, state, self._now()

    def _headline(self) -> str:
        step = self._step or {}
        number, total = step.get("number", "?"), self._total
        if total and isinstance(number, int) and number > total:
            turn = "after the failure"
        else:
            turn = f"{number}/{total}" if total else str(number)
        return f"[{turn}] {one_line(step.get('title') or _named(step))}"

    def _say(self, text: str, *, style: str = "") -> None:
        self._output.line(text, style=style)
        if self._live:
            self._live.refresh()

    def _drawn(self) -> RenderableType:
        """The lines that stay at the bottom while something runs."""
        took = duration(self._now() - self._since)
        text = f"step {self._headline()}  {took}" if self._step else f"{self._state}  {took}"
        text = self._away or text
        turn = _TURNS[int(self._now() * 4) % len(_TURNS)]
        lines = [Text(f"{turn} {text}", no_wrap=True, overflow="ellipsis")]
        last = one_line(self._unfinished) or (self._lines[-1] if self._lines else "")
        if self._step and last:
            lines.append(Text(f"  {last}", style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


def _named(data: Mapping[str, Any]) -> str:
    return one_line(data.get("title") or data.get("step") or "?")
