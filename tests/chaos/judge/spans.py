"""How long something certainly went on: the least that lines and events prove, never more."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.judge.history import TAKEN, Event, History, Mark


@dataclass(frozen=True)
class Run:
    """One run of a step; one that was cut has only its begin."""

    first: Mark
    last: Mark


@dataclass(frozen=True)
class Span:
    """One job at one instance, from the first to the last that tells of it."""

    job: str
    first: Mark | Event
    last: Mark | Event

    @property
    def start(self) -> float:
        return self.first.at

    @property
    def end(self) -> float:
        return self.last.at


def of_steps(marks: Sequence[Mark]) -> list[Run]:
    """By their begins. An end belongs to the newest begin of its step that has none yet."""
    begun: dict[int, list[Mark]] = {}
    runs: list[Run] = []
    for mark in marks:
        mine = begun.setdefault(mark.number, [])
        if mark.what == "begin":
            mine.append(mark)
        elif mine:
            runs.append(Run(mine.pop(), mark))
    runs += [Run(mark, mark) for left in begun.values() for mark in left]
    return sorted(runs, key=lambda run: run.first.at)


def of_logs(history: History) -> dict[str, list[Span]]:
    """By instance: each job from its first line on the host to its last."""
    spans: dict[str, list[Span]] = {}
    for job in history.worked:
        marks = history.marks_of(job)
        for name in dict.fromkeys(mark.instance for mark in marks):
            mine = [mark for mark in marks if mark.instance == name]
            spans.setdefault(name, []).append(Span(job, mine[0], mine[-1]))
    return spans


def of_events(history: History) -> dict[str, list[Span]]:
    """By instance: each job that takes its lock, from its first claim to its end."""
    spans: dict[str, list[Span]] = {}
    for job in history.jobs:
        taken = next((event for event in job.events if event.type in TAKEN), None)
        if taken and job.end and job.instance and not job.dry_run:
            span = Span(job.id, taken, job.end)
            spans.setdefault(f"{job.instance}, by the events", []).append(span)
    return spans
