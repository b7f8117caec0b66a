"""Which fault comes when: drawn from the seed before anything runs, so that it can be repeated."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.campaign.network import Way


class Kind(StrEnum):
    KILL_WORKER = "kill-worker"
    STOP_WORKER = "stop-worker"
    KILL_API = "kill-api"
    FLUSHALL = "flushall"
    REDIS_RESTART = "redis-restart"
    #: Another Redis, which knows nothing, has taken its address.
    REDIS_FAILOVER = "redis-failover"
    POSTGRES_RESTART = "postgres-restart"
    PARTITION_HOST = "partition-host"
    PARTITION_REDIS = "partition-redis"
    PARTITION_POSTGRES = "partition-postgres"
    CLOCK_JUMP = "clock-jump"
    KILL_SSHD_SESSIONS = "kill-sshd-sessions"


PARTITIONS = frozenset({Kind.PARTITION_HOST, Kind.PARTITION_REDIS, Kind.PARTITION_POSTGRES})

#: A worker's lease, three times.
_STOPPED = 45.0
#: Chance of each, among those that are allowed at the moment.
_WEIGHTS = {
    Kind.KILL_WORKER: 32,
    Kind.STOP_WORKER: 10,
    Kind.KILL_API: 8,
    Kind.FLUSHALL: 8,
    Kind.REDIS_RESTART: 6,
    Kind.REDIS_FAILOVER: 6,
    Kind.POSTGRES_RESTART: 6,
    Kind.PARTITION_HOST: 12,
    Kind.PARTITION_REDIS: 16,
    Kind.PARTITION_POSTGRES: 16,
    Kind.CLOCK_JUMP: 9,
    Kind.KILL_SSHD_SESSIONS: 7,
}
#: The shortest and the longest, in seconds; for servers, how long they are down.
_LASTS = {
    Kind.STOP_WORKER: (_STOPPED, _STOPPED),
    Kind.REDIS_RESTART: (0.0, 3.0),
    Kind.REDIS_FAILOVER: (0.0, 3.0),
    Kind.POSTGRES_RESTART: (0.0, 3.0),
    Kind.PARTITION_HOST: (3.0, 25.0),
    Kind.PARTITION_REDIS: (3.0, 20.0),
    Kind.PARTITION_POSTGRES: (3.0, 25.0),
    Kind.CLOCK_JUMP: (10.0, 60.0),
}
#: Seconds between two of a kind: with more of them nothing else would happen at all.
_GAPS = {
    Kind.KILL_API: 8.0,
    Kind.FLUSHALL: 6.0,
    Kind.REDIS_RESTART: 20.0,
    Kind.REDIS_FAILOVER: 20.0,
    Kind.POSTGRES_RESTART: 25.0,
}
#: These take a worker away, for as many seconds beyond their time: to aim, to work again.
TAKES_WORKER = {
    Kind.KILL_WORKER: 10.0,
    Kind.STOP_WORKER: 6.0,
    Kind.PARTITION_REDIS: 2.0,
    Kind.PARTITION_POSTGRES: 5.0,
}
_OF_WORKERS = frozenset({*TAKES_WORKER, Kind.PARTITION_HOST, Kind.CLOCK_JUMP})
_OF_HOSTS = frozenset({Kind.PARTITION_HOST, Kind.KILL_SSHD_SESSIONS})
#: So many of these partitions are the whole cable: of the worker, or of the host.
_WHOLE_CABLE = 0.25
_OF_CABLES = frozenset({Kind.PARTITION_POSTGRES, Kind.PARTITION_HOST})
_LEAST_JUMP, _MOST_JUMP = 30, 3600


@dataclass(frozen=True)
class Fault:
    """Numbers count from 0; times are seconds."""

    kind: Kind
    at: float
    lasts: float
    worker: int | None = None
    host: int | None = None
    api: int | None = None
    way: Way = Way.BOTH
    whole_cable: bool = False
    #: Seconds beside the true time.
    jump: int = 0


@dataclass(frozen=True)
class Shape:
    """How many there are to be hit."""

    workers: int
    hosts: int
    apis: int


def schedule(
    chance: random.Random, seconds: float, *, shape: Shape, left_out: Collection[Kind] = ()
) -> Iterator[Fault]:
    """In their order, one each 1 to 3 s. At each moment a worker is left that nothing has hit."""
    #: Until when each worker is away, and from when on each kind may come again.
    away, again = [0.0] * shape.workers, dict.fromkeys(Kind, 0.0)
    at = chance.uniform(3, 6)
    while at < seconds:
        there = [worker for worker, until in enumerate(away) if until <= at]
        allowed = [
            kind
            for kind in Kind
            if kind not in left_out
            and again[kind] <= at
            and (len(there) > 1 or kind not in TAKES_WORKER)
        ]
        if not allowed:
            at += 1
            continue
        kind = chance.choices(allowed, [_WEIGHTS[kind] for kind in allowed])[0]
        fault = _draw(chance, kind, at, there, shape)
        if fault.worker is not None and kind in TAKES_WORKER:
            away[fault.worker] = at + fault.lasts + TAKES_WORKER[kind]
        again[kind] = at + _GAPS.get(kind, 0)
        yield fault
        at += chance.uniform(1, 3)


def _draw(
    chance: random.Random, kind: Kind, at: float, there: Sequence[int], shape: Shape
) -> Fault:
    lasts = chance.uniform(*_LASTS.get(kind, (0.0, 0.0)))
    everybody = range(shape.workers)
    worker = chance.choice(there if kind in TAKES_WORKER else everybody)
    host, api = chance.randrange(shape.hosts), chance.randrange(shape.apis)
    jump = chance.choice((-1, 1)) * chance.randint(_LEAST_JUMP, _MOST_JUMP)
    way, whole = chance.choice(list(Way)), chance.random() < _WHOLE_CABLE
    whole = whole and kind in _OF_CABLES
    is_of_worker = kind in _OF_WORKERS and not (whole and kind in _OF_HOSTS)
    return Fault(
        kind,
        at,
        lasts,
        worker=worker if is_of_worker else None,
        host=host if kind in _OF_HOSTS else None,
        api=api if kind is Kind.KILL_API else None,
        way=way if kind in PARTITIONS else Way.BOTH,
        whole_cable=whole,
        jump=jump if kind is Kind.CLOCK_JUMP else 0,
    )
