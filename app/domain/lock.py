"""Locks as people know them: their names, what may be locked by hand, what to do about each."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.domain.job import Ending, EndingWhy, JobKind, WaitPolicy

_FORMS = "instance:NAME, host:NAME, manual:all, manual:instance:NAME or manual:host:NAME"
_LONGEST_LINE = 300
#: After the end of its lease, a job is with its next worker within this time.
_TAKEN_UP = timedelta(seconds=20)
_START = "start one, liftlock worker (or all at once, liftlock up), or ask: supervisorctl status"


class Noun(StrEnum):
    """What a lock is about."""

    ALL = "all"
    HOST = "host"
    INSTANCE = "instance"


@dataclass(frozen=True)
class LockName:
    """The name of a lock: `instance:shop`, `manual:host:web-1`, `manual:all`."""

    noun: Noun
    #: A name or an id; None for all.
    ref: str | None
    #: Placed by hand.
    manual: bool

    def __str__(self) -> str:
        parts = ("manual" if self.manual else None, self.noun, self.ref)
        return ":".join(part for part in parts if part)


class BadLockName(Exception):
    """No lock can have that name; the text is a sentence."""


def parse_name(text: str) -> LockName:
    """Raises BadLockName."""
    head, colon, rest = text.partition(":")
    if colon and head == "manual":
        return parse_place(rest)
    if colon and _is_ref(rest) and head in {Noun.HOST, Noun.INSTANCE}:
        return LockName(Noun(head), rest, manual=False)
    raise BadLockName(f"No lock is called {text!r}: it is {_FORMS}.")


def parse_place(text: str) -> LockName:
    """The manual lock on `all`, `host:REF` or `instance:REF`; raises BadLockName."""
    noun, colon, ref = text.partition(":")
    if text == Noun.ALL:
        return LockName(Noun.ALL, None, manual=True)
    if colon and _is_ref(ref) and noun in {Noun.HOST, Noun.INSTANCE}:
        return LockName(Noun(noun), ref, manual=True)
    raise BadLockName(f"{text!r} is none of: all, host:NAME, instance:NAME.")


def _is_ref(text: str) -> bool:
    return bool(text) and text.isprintable()


def manual_locks(kind: JobKind, *, instance_id: object, host_id: object) -> list[str]:
    """The manual locks that keep a job of this kind from beginning."""
    host = f"manual:host:{host_id}"
    # Reading a host's key changes nothing that a site serves.
    return (
        [host] if kind is JobKind.ENROLL else ["manual:all", host, f"manual:instance:{instance_id}"]
    )


def manual_words(name: str, *, message: str, actor: str, since: datetime) -> str:
    """What a manual lock says, in a sentence; `name` as people read it."""
    found = parse_name(name)
    where = "" if found.ref is None else f" on {found.noun} {found.ref}"
    at = since.astimezone(UTC)
    return f"Nothing new may begin{where}: “{message}” ({actor}, since {at:%Y-%m-%d %H:%M} UTC)."


class Hold(StrEnum):
    """How the job that has a lock stands."""

    #: A worker says every few seconds that it is busy with it.
    WORKED_ON = "worked-on"
    #: Its worker has said nothing for longer than the lease.
    SILENT = "silent"
    #: The same, for longer than it takes another worker to take it up.
    LEFT = "left"
    #: It has begun, and waits for the next worker.
    BETWEEN = "between"
    #: It has begun, and waits for a time, a probe or an answer.
    SUSPENDED = "suspended"


def hold_of(*, lease_until: datetime | None, now: datetime, suspended: bool) -> Hold:
    """`now` by the clock that wrote the lease."""
    if lease_until is None:
        return Hold.SUSPENDED if suspended else Hold.BETWEEN
    if lease_until > now:
        return Hold.WORKED_ON
    return Hold.SILENT if now - lease_until <= _TAKEN_UP else Hold.LEFT


def advice(
    hold: Hold, *, job: UUID, actor: str, reason: str | None = None, order: Ending | None = None
) -> str:
    """What to do about a job that has the lock.

    `reason` says what a suspended one waits for, `order` that it was told to stop.
    """
    follow = f"liftlock jobs logs -f {job}"
    match hold:
        case Hold.WORKED_ON:
            told = f"A worker is busy with it: ask {actor}, or follow it: {follow}."
        case Hold.SILENT:
            told = (
                "Its worker is silent. Another one takes the job up within 20 s, at the step where"
                f" it was: {follow}."
            )
        case Hold.LEFT:
            told = (
                "Its worker is silent, and no other has taken the job up in time, as if none ran:"
                f" {_START}. Then it goes on at the step where it was: {follow}."
            )
        case Hold.BETWEEN:
            told = (
                "It waits for a worker, which goes on at the step where the last one was:"
                f" {follow}. When none comes, {_START}."
            )
        case Hold.SUSPENDED:
            waits = f"It waits: {reason.rstrip('.')}." if reason else "It waits."
            told = f"{waits} See what for: liftlock jobs show {job}."
    if order is None and hold in {Hold.SILENT, Hold.LEFT}:
        return told
    return f"{told} {stop(job, order)}"


def stop(job: UUID, order: Ending | None) -> str:
    """How the job is stopped, or what follows on the order that it has."""
    command = f"liftlock jobs cancel {job}"
    if order is None:
        return f"To stop it, with its steps undone: {command}"
    at = f"at {datetime.fromisoformat(order.at).astimezone(UTC):%H:%M:%S} UTC"
    if order.why is EndingWhy.CANCELED:
        told = f"A cancel was asked for by {order.by} {at}"
    else:
        told = f"It was told to stop ({order.why}) {at}"
    if order.force:
        return f"{told}, by force."
    wait = round(WaitPolicy().cool_off.total_seconds())
    return f"{told}. When it has not ended {wait} s after that: {command} --force"


def lift(name: str, *, token: int) -> str:
    """The command that takes a lock away."""
    return f'liftlock locks break {name} --lock-token {token} --reason "…"'


def manual_advice(name: str, *, token: int, actor: str) -> str:
    return f"What has begun goes on. Ask {actor}; when it is over: {lift(name, token=token)}"


#: What comes after a manual lock was lifted.
LIFTED = (
    "Jobs may begin again. Those that were refused are asked for again by hand; see which failed:"
    " liftlock jobs list --status failed"
)


def broken_advice(job: UUID, *, host: str | None, instance: str | None) -> str:
    """What comes after a job's lock was broken."""
    where = f"on host {host}" if host else "on its host"
    again = f"liftlock jobs retry {job}" if instance is None else f"liftlock provision {instance}"
    return (
        f"What the job started {where} may still run; the next job that needs the lock there ends"
        f" it and goes on. Nothing was undone: see how far it was, liftlock jobs logs {job}, then"
        f" ask again: {again}"
    )


def last_line(text: str | None) -> str | None:
    """The last line with anything in it, cut to what a person reads at a glance."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line[:_LONGEST_LINE] for line in reversed(lines) if line), None)
