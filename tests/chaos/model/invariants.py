"""What must hold after every step, whatever the steps were (read from Postgres and Redis)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from app import store
from app.domain.job import FINAL
from tests.chaos.model.expected import Expected, ExpectedJob
from tests.chaos.model.rows import Dump
from tests.chaos.model.world import HOSTS, World

_LAST = {f"job.{status}" for status in FINAL}
_WITH_LEASE = {"running", "canceling"}


class RollBack(Exception):
    """What was only tried is undone."""


def rows_are_as_expected(dump: Dump, expected: Expected) -> None:
    rows = {UUID(row["id"]): row for row in dump["jobs"]}
    assert set(rows) == set(expected.jobs)
    for job in expected.jobs.values():
        assert _seen(rows[job.id]) == _wanted(job), f"job {job.number}"


def _seen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": row["status"],
        "attempt": row["attempt"],
        "held": row["lease_until"] is not None,
        "started": row["started_at"] is not None,
        "ending": row["ending"] and row["ending"]["why"],
        "suspended": row["suspended"] and row["suspended"]["kind"],
        "answered": row["suspended"] and row["suspended"].get("answer"),
        "lost": row["lost_workers"],
    }


def _wanted(job: ExpectedJob) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in ("attempt", "held", "started", "suspended")}
    told = {"status": str(job.status), "ending": job.ending and str(job.ending), "lost": job.lost}
    return {**values, **told, "answered": job.answered}


def one_live_attempt_of_each_lock(dump: Dump, expected: Expected) -> None:
    """Whoever has a lease has the newest token of its lock, alone."""
    live: dict[str, str] = {}
    for row in dump["jobs"]:
        if row["lease_until"] is None or row["dry_run"]:
            continue
        assert row["status"] in _WITH_LEASE
        name = _lock_of(row)
        assert name not in live, f"{name} is held by {live[name]} and {row['id']}"
        live[name] = row["id"]
        lock = next(lock for lock in dump["locks"] if lock["name"] == name)
        assert (lock["holder_job"], lock["holder_attempt"]) == (row["id"], row["attempt"])


def _lock_of(row: Mapping[str, Any]) -> str:
    return f"instance:{row['instance_id']}" if row["instance_id"] else f"host:{row['host_id']}"


def tokens_only_grow(dump: Dump, expected: Expected, world: World) -> None:
    tokens = {lock["name"]: lock["token"] for lock in dump["locks"]}
    ids = world.instance_ids | world.host_ids
    wanted = {
        f"{'host' if target in HOSTS else 'instance'}:{ids[target]}": lock.token
        for target, lock in expected.locks.items()
    }
    manual = {manual_row(place, world): token for place, token in expected.manual_tokens.items()}
    assert tokens == wanted | manual


def manual_row(place: str, world: World) -> str:
    noun, _, name = place.partition(":")
    return f"manual:{noun}:{(world.instance_ids | world.host_ids)[name]}" if name else "manual:all"


def events_have_no_gap(dump: Dump) -> None:
    """1..last_seq; and one last event, the last, for those that have ended."""
    told: dict[str, dict[int, str]] = {row["id"]: {} for row in dump["jobs"]}
    for event in dump["events"]:
        told[event["job_id"]][event["seq"]] = event["type"]
    for row in dump["jobs"]:
        seen = told[row["id"]]
        assert sorted(seen) == list(range(1, row["last_seq"] + 1)), f"job {row['sequence']}"
        last = [number for number, kind in seen.items() if kind in _LAST]
        over = row["status"] in FINAL
        assert last == ([row["last_seq"]] if over else []), f"job {row['sequence']}"


def final_states_stay(dump: Dump, frozen: dict[str, Any]) -> None:
    """Not a column of a job that has ended changes any more."""
    for row in dump["jobs"]:
        if row["status"] in FINAL:
            assert frozen.setdefault(row["id"], row) == row


async def nobody_is_forgotten(world: World, expected: Expected) -> None:
    """Each open job has a lease that can run out, or is in the dispatcher's hands once its age
    and its time are over.
    """
    found: set[UUID] = set()
    try:
        async with world.db.transaction() as session:
            age = timedelta(hours=-1)
            due = await store.outbox.take_unclaimed(session, age=age, limit=1000)
            found = {job_id for job_id, _ in due}
            raise RollBack  # noqa: TRY301 - nothing was dispatched
    except RollBack:
        pass
    for job in expected.jobs.values():
        wanted = job.is_open and not job.held and not job.later
        assert (job.id in found) is wanted, f"job {job.number}"


async def redis_is_sound(
    world: World, expected: Expected, holds: list[Any], left: list[str]
) -> None:
    """Every key dies by itself, nobody holds but those who know (or knew and `left` it to the next
    attempt), and whoever works is shown.
    """
    for key in await world.redis.keys("lock:*"):
        assert await world.redis.pttl(key) > 0, key
    owners = {hold.locks._held.owner: hold for hold in holds if hold.locks._held is not None}
    for name, shown in (await shown_held(world)).items():
        owner, job_id = shown["owner"], UUID(shown["job"])
        assert job_id in expected.jobs
        if owner and owner not in left:
            assert owner in owners, f"{name}: nobody knows of the hold of {job_id}"
            assert name in owners[owner].locks.names
    for hold in holds:
        if hold.is_in_redis and hold.live(expected):
            for name in hold.locks.names:
                shown = (await shown_held(world)).get(name, {})
                assert shown.get("owner") == hold.locks._held.owner, f"{name} is not its holder's"


async def shown_held(world: World) -> dict[str, dict[str, str]]:
    """The locks of Redis by name: owner (empty when handed over and not taken), job, place."""
    found = {}
    for key in await world.redis.keys("lock:held:*"):
        values = await world.redis.hgetall(key)
        name = key.decode().removeprefix("lock:held:")
        found[name] = {field.decode(): value.decode() for field, value in values.items()}
    return found


async def shown_line(world: World, names: tuple[str, ...]) -> dict[str, float]:
    """Who stands alive in a line of these names, with the place."""
    found = {}
    for name in names:
        for job, place in await world.redis.zrange(f"lock:line:{name}", 0, -1, withscores=True):
            if await world.redis.exists(f"lock:ticket:{job.decode()}"):
                found[job.decode()] = place
    return found
