"""One function for each property that every history must have; each returns what breaks it.

A history is judged by itself: no check knows which faults there were.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.judge import served, spans
from tests.chaos.judge.history import FINAL, FINAL_EVENTS, TAKEN, Event, History, Job, Mark, clock

#: States of an app server in which somebody still has to do something.
_UNSTEADY = frozenset({"new", "waiting", "configuring"})


@dataclass(frozen=True)
class Finding:
    job: str | None
    what: str
    evidence: tuple[str, ...] = ()


def lost(history: History) -> Iterator[Finding]:
    """Every 202, and every job there is, has come to an end."""
    for asked in history.accepted:
        if asked.job not in history.by_id:
            told = f"{clock(asked.at)} accepted for {asked.instance} on {asked.host}"
            yield Finding(asked.job, "accepted, and not in the database", (told,))
    for job in history.jobs:
        if job.status not in FINAL:
            yield Finding(job.id, f"never ended: {job.status}", _last(job))


def unasked(history: History) -> Iterator[Finding]:
    """A request that was sent again under its key has made one job."""
    accepted = {asked.job for asked in history.accepted}
    for job in history.jobs:
        if job.kind == "provision" and job.id not in accepted:
            yield Finding(job.id, f"in the database, never accepted ({job.instance})", _last(job))


def doubled(history: History) -> Iterator[Finding]:
    """A step had its effect as often as the events before each allow, and one result."""
    for job, number, marks in _steps(history):
        allowed = _permissions(job, number) if job else []
        begins = [mark for mark in marks if mark.what == "begin"]
        for count, begin in enumerate(begins, start=1):
            before = sum(event.at <= begin.at for event in allowed)
            if count > before:
                what = f"step {number} was begun {count} times where {before} are allowed"
                told = map(str, job.of_step(number) if job else ())
                yield Finding(begin.job, what, (*map(str, begins[:count]), *told))
                break
    for job in history.jobs:
        yield from _twice_done(job)


def disorder(history: History) -> Iterator[Finding]:
    """Inside a job, one step runs at a time, and each for the first time behind those before."""
    for job in history.worked:
        marks = history.marks_of(job)
        for before, after in pairwise(spans.of_steps(marks)):
            if after.first.at < before.last.at:
                what = f"step {after.first.number} began while step {before.first.number} ran"
                yield Finding(job, what, tuple(map(str, (before.first, after.first, before.last))))
        for earlier, later in pairwise(_first_begins(marks)):
            if later.number < earlier.number:
                what = f"step {later.number} began behind step {earlier.number}"
                yield Finding(job, what, (str(earlier), str(later)))


def overlaps(history: History) -> Iterator[Finding]:
    """Two jobs never worked on one instance at a time: by the hosts' logs, and by the events."""
    for name, found in (*spans.of_logs(history).items(), *spans.of_events(history).items()):
        longest: spans.Span | None = None
        for span in sorted(found, key=lambda span: span.start):
            if longest is not None and span.start < longest.end:
                what = f"{name}: job {longest.job} had not left it yet"
                told = f"{span.job}: {span.first}", f"{longest.job}: {longest.last}"
                yield Finding(span.job, what, told)
            if longest is None or span.end > longest.end:
                longest = span


def gaps(history: History) -> Iterator[Finding]:
    """Events are numbered 1 to the job's last number, each once."""
    for job in history.jobs:
        found = [event.seq for event in job.events]
        if found != list(range(1, job.last_seq + 1)):
            missing = sorted(set(range(1, job.last_seq + 1)) - set(found))
            twice = sorted({seq for seq in found if found.count(seq) > 1})
            beyond = sorted({seq for seq in found if seq > job.last_seq})
            told = (f"missing {missing}, twice {twice}, beyond {job.last_seq}: {beyond}",)
            yield Finding(job.id, "its events are not 1, 2, 3 …", told)


def ends(history: History) -> Iterator[Finding]:
    """A job that ended has one last event."""
    for job in history.jobs:
        told = [event for event in job.events if event.type in FINAL_EVENTS]
        if len(told) > 1 or (not told and job.status in FINAL):
            yield Finding(job.id, f"{len(told)} last events", tuple(map(str, told)))


def late(history: History) -> Iterator[Finding]:
    """Behind the last event nothing is told, written or begun."""
    steps = {job.id: [step for step in history.steps if step.job == job.id] for job in history.jobs}
    for job in history.jobs:
        if (end := job.end) is None:
            continue
        told = [
            str(event)
            for event in job.events
            if event.seq > end.seq and event.type not in FINAL_EVENTS
        ]
        written = [
            f"{clock(step.finished_at)} step {step.number}: its row, {step.name} {step.status}"
            for step in steps[job.id]
            if step.finished_at is not None and step.finished_at > end.at
        ]
        if found := (*told, *written, *_begun_late(history, job, end)):
            yield Finding(job.id, "went on behind its end", (str(end), *found))


def final_states(history: History) -> Iterator[Finding]:
    """A final state is never left."""
    for seen in history.seen:
        job = history.by_id.get(seen.job)
        if job is not None and seen.status in FINAL and job.status != seen.status:
            told = f"{clock(seen.at)} the API answered {seen.status}"
            yield Finding(job.id, f"its final state became {job.status}", (told,))
    for job in history.jobs:
        ended = [event for event in job.events if event.type in FINAL_EVENTS][-1:]
        for event in ended:
            if event.type != f"job.{job.status}":
                yield Finding(job.id, f"it told its end, and is {job.status}", (str(event),))
            elif job.finished_at is not None and job.finished_at > event.at:
                told = f"{clock(job.finished_at)} in its row"
                yield Finding(job.id, "its end was written again", (str(event), told))


def tokens(history: History) -> Iterator[Finding]:
    """The fencing token of each lock grew with every claim, and its row has the newest."""
    newest: dict[str, tuple[int, Job, Event]] = {}
    for job, event in _claims(history):
        for name, token in event.data.get("tokens", {}).items():
            if name in newest and token <= newest[name][0]:
                before, other, told = newest[name]
                seen = f"{other.id}: {told}, token {before}", f"{job.id}: {event}, token {token}"
                yield Finding(job.id, f"{name}: token {token} behind {before}", seen)
            newest[name] = token, job, event
    for lock in history.locks:
        if lock.name in newest and lock.token < newest[lock.name][0]:
            token, job, event = newest[lock.name]
            what = f"{lock.name}: its row has {lock.token}, a job had {token}"
            yield Finding(job.id, what, (str(event),))


def leftovers(history: History) -> Iterator[Finding]:
    """No lease, no unsteady app server and no lock in Redis outlives the work."""
    for job in history.jobs:
        if job.is_leased and job.status in FINAL:
            yield Finding(job.id, f"{job.status}, and still leased", _last(job))
    for app_server in history.app_servers:
        job = history.by_id[app_server.job]
        if app_server.status in _UNSTEADY and job.status in FINAL:
            what = f"app server {app_server.name} is still {app_server.status}"
            yield Finding(job.id, what, _last(job))
    for key in history.redis_locks:
        yield Finding(None, f"{key} is left in Redis")


def torn(history: History) -> Iterator[Finding]:
    """A line of a host is cut only where its step was cut, too."""
    for piece in history.torn:
        before = [m for m in history.marks if m.host == piece.host and m.line < piece.line]
        cut = before and not _has_ended(history, max(before, key=lambda mark: mark.line))
        if not (piece.is_last or cut):
            told = f"{piece.host}, line {piece.line}: {piece.text!r}"
            yield Finding(None, "a line that no step writes", (told,))


def in_service(history: History) -> Iterator[Finding]:
    """One whole set serves: Postgres, the router, `current` and the background parts agree."""
    for what, evidence in served.wrong(history):
        yield Finding(None, what, evidence)


#: By the name that the report has for it.
CHECKS: Mapping[str, Callable[[History], Iterator[Finding]]] = {
    "lost": lost,
    "unasked": unasked,
    "doubled": doubled,
    "disorder": disorder,
    "overlaps": overlaps,
    "gaps": gaps,
    "ends": ends,
    "late": late,
    "final": final_states,
    "tokens": tokens,
    "leftovers": leftovers,
    "torn": torn,
    "service": in_service,
}


def _last(job: Job) -> tuple[str, ...]:
    return tuple(map(str, job.events[-1:]))


def _steps(history: History) -> Iterator[tuple[Job | None, int, list[Mark]]]:
    """Each step that wrote on a host, with its marks."""
    for job in history.worked:
        marks = history.marks_of(job)
        for number in dict.fromkeys(mark.number for mark in marks):
            mine = [mark for mark in marks if mark.number == number]
            yield history.by_id.get(job), number, mine


def _intents(job: Job, number: int) -> list[Event]:
    """What allowed the step to be done, once each; every other intent meets what is there already.

    The first; one that is `anew`, a look again or after somebody answered `repeat`; and the first
    behind an undo.
    """
    intents: list[Event] = []
    is_free = True
    for event in job.of_step(number):
        if event.type == "step.undone":
            is_free = True
        elif event.type == "step.started" and (is_free or event.data.get("anew")):
            intents.append(event)
            is_free = False
    return intents


def _permissions(job: Job, number: int) -> list[Event]:
    """What allowed the step to have its effect, once each: its intents, and tries begun anew."""
    retries = [
        event
        for event in job.of_step(number)
        if event.type == "step.retrying" and event.data["fresh"] and not event.data["undo"]
    ]
    return [*_intents(job, number), *retries]


def _twice_done(job: Job) -> Iterator[Finding]:
    """A step that ended well more often than it was meant to be done."""
    numbers = {event.data["number"] for event in job.events if event.type == "step.succeeded"}
    for number in sorted(numbers):
        intents = _intents(job, number)
        results = [event for event in job.of_step(number) if event.type == "step.succeeded"]
        for count, result in enumerate(results, start=1):
            if sum(intent.seq < result.seq for intent in intents) < count:
                what = f"step {number} succeeded {count} times"
                yield Finding(job.id, what, tuple(map(str, results[:count])))
                break


def _first_begins(marks: Sequence[Mark]) -> list[Mark]:
    first: dict[int, Mark] = {}
    for mark in marks:
        if mark.what == "begin":
            first.setdefault(mark.number, mark)
    return list(first.values())


def _begun_late(history: History, job: Job, end: Event) -> list[str]:
    # Who says that not everything could be ended may be right.
    if job.outcome == "rollback_failed":
        return []
    marks = history.marks_of(job.id)
    return [str(mark) for mark in marks if mark.what == "begin" and mark.at > end.at]


def _claims(history: History) -> list[tuple[Job, Event]]:
    """Every claim of every job, in the order of their times."""
    claims = [(job, event) for job in history.jobs for event in job.events if event.type in TAKEN]
    return sorted(claims, key=lambda claim: claim[1].at)


def _has_ended(history: History, begun: Mark) -> bool:
    return any(
        mark.what == "end" and (mark.job, mark.number) == (begun.job, begun.number)
        for mark in history.marks
    )
