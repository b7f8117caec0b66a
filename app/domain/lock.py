"""Locks as people know them: their names, what may be locked by hand, what to do about each."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from app.domain.job import JobKind

_FORMS = "instance:NAME, host:NAME, manual:all, manual:instance:NAME or manual:host:NAME"
_LONGEST_LINE = 300


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
    if colon and rest and head in {Noun.HOST, Noun.INSTANCE}:
        return LockName(Noun(head), rest, manual=False)
    raise BadLockName(f"No lock is called {text!r}: it is {_FORMS}.")


def parse_place(text: str) -> LockName:
    """The manual lock on `all`, `host:REF` or `instance:REF`; raises BadLockName."""
    noun, colon, ref = text.partition(":")
    if text == Noun.ALL:
        return LockName(Noun.ALL, None, manual=True)
    if colon and ref and noun in {Noun.HOST, Noun.INSTANCE}:
        return LockName(Noun(noun), ref, manual=True)
    raise BadLockName(f"{text!r} is none of: all, host:NAME, instance:NAME.")


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
    #: It has begun, and waits for the next worker.
    BETWEEN = "between"
    #: It has begun, and waits for a time, a probe or an answer.
    SUSPENDED = "suspended"


def hold_of(*, lease_until: datetime | None, alive: bool, suspended: bool) -> Hold:
    if lease_until is not None:
        return Hold.WORKED_ON if alive else Hold.SILENT
    return Hold.SUSPENDED if suspended else Hold.BETWEEN


def advice(hold: Hold, *, job: UUID, actor: str, reason: str | None = None) -> str:
    """What to do about a job that has the lock; `reason` says what a suspended one waits for."""
    follow, cancel = f"liftlock jobs logs -f {job}", f"liftlock jobs cancel {job}"
    match hold:
        case Hold.WORKED_ON:
            return (
                f"A worker is busy with it: ask {actor}, or follow it: {follow}. To stop it, with"
                f" its steps undone: {cancel}"
            )
        case Hold.SILENT:
            return (
                "Its worker is silent. Another one takes the job up within 20 s, at the step where"
                f" it was: {follow}"
            )
        case Hold.BETWEEN:
            return (
                "It waits for a worker, which goes on at the step where the last one was:"
                f" {follow}. When none comes, start one; to have it undone: {cancel}"
            )
        case Hold.SUSPENDED:
            waits = f"It waits: {reason.rstrip('.')}." if reason else "It waits."
            return f"{waits} See what for: liftlock jobs show {job}. To give it up: {cancel}"


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
        f"What the job started {where} may still run there, and the next job waits for its end"
        f" there. Nothing was undone: see how far it was, liftlock jobs logs {job}, then ask"
        f" again: {again}"
    )


def last_line(text: str | None) -> str | None:
    """The last line with anything in it, cut to what a person reads at a glance."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line[:_LONGEST_LINE] for line in reversed(lines) if line), None)
