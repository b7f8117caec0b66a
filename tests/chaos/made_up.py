"""Histories of campaigns that never were: a good one, to be damaged by tests."""

from tests.chaos.judge import History
from tests.chaos.judge.history import Accepted, AppServer, Event, Job, Lock, Mark, Step

FIRST, SECOND = (f"01939d0c-0000-7000-8000-{number:012d}" for number in (1, 2))
WORKER, OTHER = "alpha:1", "alpha:2"


def started(attempt=1, *, token, worker=WORKER):
    return "job.started", {"attempt": attempt, "worker": worker, "tokens": {"instance:1": token}}


def step(kind, number, **data):
    return f"step.{kind}", {"number": number, "step": f"step-{number}", **data}


def told(at, *events):
    """One a second."""
    return tuple(Event(n, at + n, kind, data) for n, (kind, data) in enumerate(events, start=1))


def made(job, events, **values):
    defaults = {"status": "succeeded", "instance": "shop", "host": "web-1"}
    ended = {"last_seq": events[-1].seq, "finished_at": events[-1].at}
    return Job(id=job, events=events, **{**defaults, **ended, **values})


def marks(job, *lines, instance="shop", host="web-1"):
    """Lines are (seconds, begin or end, number)."""
    return tuple(
        Mark(at, what, job, number, instance, host, line)
        for line, (at, what, number) in enumerate(lines, start=1)
    )


USUAL = [
    ("job.queued", {}),
    started(token=1),
    step("started", 1),
    step("succeeded", 1),
    step("started", 2),
    step("succeeded", 2),
    ("job.succeeded", {}),
]
#: Between the intents and the results of a job that was asked for at second 0.
LINES = [(3.2, "begin", 1), (3.8, "end", 1), (5.2, "begin", 2), (5.8, "end", 2)]
LATER = 100


def good(events=USUAL, lines=LINES, **values):
    """One job as given, and a usual one of the same instance behind it."""
    behind = [("job.queued", {}), started(token=9), *USUAL[2:]]
    jobs = made(FIRST, told(0, *events), **values), made(SECOND, told(LATER, *behind))
    return History(
        accepted=[Accepted(job.id, "shop", "web-1", at=0) for job in jobs],
        marks=[
            *marks(FIRST, *lines),
            *marks(SECOND, *((LATER + at, *rest) for at, *rest in LINES)),
        ],
        jobs=jobs,
        steps=[Step(job.id, n, f"step-{n}", "succeeded", 5.9) for job in jobs for n in (1, 2)],
        app_servers=[AppServer(f"shop-{n}", job.id, "running") for n, job in enumerate(jobs)],
        locks=[Lock("instance:1", 9)],
    )
