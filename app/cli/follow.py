"""Reading a job's events as they come: by number, without gaps, across restarts of the API."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.cli.client import Api, path
from app.cli.errors import ApiProblem, Exit, Unreachable, UsageError, WaitTimedOut
from app.cli.session import Outside, Session

Event = Mapping[str, Any]

FINAL_STATUSES = frozenset({"succeeded", "failed", "canceled", "superseded"})
_FINAL_EVENTS = frozenset(f"job.{status}" for status in FINAL_STATUSES)
_PAGE = 500
#: Empty answers after which the job itself is looked at: its last event may lie before `after`.
_LOOK_AGAIN = 5


@dataclass(frozen=True)
class Pace:
    """Seconds between requests, and how long an API that is being restarted is waited for."""

    first: float = 0.1
    most: float = 1.0
    growth: float = 1.5
    patience: float = 60.0
    #: How long the API may keep a request until there is news; less than the client's timeout.
    wait: float = 25.0
    #: The same behind an event: then it may be quiet, and an unfinished line wants to be shown.
    short_wait: float = 1.0


class Backoff:
    def __init__(self, pace: Pace, outside: Outside, deadline: float | None) -> None:
        self._pace = pace
        self._outside = outside
        self._deadline = deadline
        self._delay = pace.first

    def reset(self) -> None:
        self._delay = self._pace.first

    def check(self) -> float:
        """Seconds left; raises WaitTimedOut when there are none."""
        left = math.inf if self._deadline is None else self._deadline - self._outside.now()
        if left <= 0:
            raise WaitTimedOut("The job has not ended in the time given; it goes on.")
        return left

    def wait(self) -> None:
        """Sleep the next delay, at most to the deadline."""
        self._outside.sleep(min(self._delay, self.check()))
        self._delay = min(self._delay * self._pace.growth, self._pace.most)


def resolve(api: Api, ref: str) -> dict[str, Any]:
    """The job with that id; `last` is the newest."""
    if ref != "last":
        return dict(api.get(path("jobs", ref)))
    newest = api.items(path("jobs"), limit=1)
    if not newest:
        raise UsageError("There are no jobs yet.", hint="Make one: liftlock provision NAME")
    return dict(newest[0])


def events(
    session: Session,
    job_id: str,
    *,
    after: int = 0,
    timeout: float | None = None,
    pace: Pace = Pace(),
    away: Callable[[str], None] = lambda _: None,
) -> Iterator[Event | None]:
    """Every event above `after` up to the job's last; None whenever there is nothing new.

    `away` hears about an API that does not answer. Raises Unreachable when that lasts longer
    than the pace's patience, and WaitTimedOut after `timeout` seconds.
    """
    outside = session.outside
    deadline = None if timeout is None else outside.now() + timeout
    backoff = Backoff(pace, outside, deadline)
    ask = _Patient(session, pace, backoff, away)
    quiet, is_over, wait = 0, False, pace.short_wait
    while True:
        asked_at, wait = outside.now(), min(wait, backoff.check())
        address = path("jobs", job_id, "events")
        page = ask(address, after=after, limit=_PAGE, wait=math.floor(wait))["items"]
        # Else the job is over, the API stops, or something between us is in a hurry.
        has_waited = outside.now() - asked_at > pace.short_wait / 2
        for event in page:
            after = event["seq"]
            yield event
            if event["type"] in _FINAL_EVENTS:
                return
        if page:
            quiet, wait = 0, pace.short_wait
            backoff.reset()
            continue
        if is_over:
            return
        yield None
        quiet, wait = quiet + 1, pace.wait
        if quiet % _LOOK_AGAIN == 0:
            # Found final only now, its last event may be newer than this poll: poll once more.
            is_over = ask(path("jobs", job_id))["status"] in FINAL_STATUSES
        if not is_over and not has_waited:
            backoff.wait()


def last_state(session: Session, job_id: str, *, pace: Pace = Pace()) -> Any:
    """The job as it is now, also across a restart of the API."""
    backoff = Backoff(pace, session.outside, None)
    return _Patient(session, pace, backoff, lambda _: None)(path("jobs", job_id))


def stored(api: Api, job_id: str, *, after: int = 0) -> Iterator[Event]:
    """The events above `after` that exist now."""
    while page := api.get(path("jobs", job_id, "events"), after=after, limit=_PAGE)["items"]:
        yield from page
        after = page[-1]["seq"]


class _Patient:
    """GET that waits for an API that is away, within bounds."""

    def __init__(
        self, session: Session, pace: Pace, backoff: Backoff, away: Callable[[str], None]
    ) -> None:
        self._session = session
        self._pace = pace
        self._backoff = backoff
        self._away = away

    def __call__(self, address: str, **query: Any) -> Any:
        now = self._session.outside.now
        until: float | None = None
        while True:
            try:
                return self._session.api.get(address, **query)
            except (Unreachable, ApiProblem) as error:
                if error.exit_code is not Exit.UNREACHABLE:
                    raise
                until = now() + self._pace.patience if until is None else until
                if now() >= until:
                    raise
                self._away(f"Liftlock does not answer; trying for {until - now():.0f} s more")
            self._backoff.wait()
