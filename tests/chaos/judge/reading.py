"""Reads a campaign's folder and its database into a History."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from redis import Redis

from tests.chaos.judge import served
from tests.chaos.judge.history import (
    Accepted,
    AppServer,
    Event,
    Fault,
    History,
    Job,
    Lock,
    Mark,
    Seen,
    Step,
    Torn,
)

#: `EPOCH_NS begin|end JOB-NUMBER INSTANCE`; what a step has besides itself ends in a word.
_MARK = re.compile(
    r"(?P<ns>\d{19}) (?P<what>begin|end)"
    r" (?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?P<number>\d+)(?P<part>-\w+)?"
    r" (?P<instance>\S+)"
)
#: Seconds after which whatever nobody keeps alive in Redis is gone.
_LONGEST_LIFE = 20.0

_JOBS = """
    SELECT jobs.*, instances.name AS instance, hosts.name AS host
    FROM jobs LEFT JOIN instances ON instances.id = instance_id
    LEFT JOIN hosts ON hosts.id = jobs.host_id ORDER BY sequence
"""
_EVENTS = """
    SELECT job_id, seq, at, type,
           CASE type WHEN 'step.output' THEN '{}' ELSE CAST(data AS text) END AS data
    FROM events ORDER BY job_id, seq
"""
_STEPS = "SELECT * FROM steps ORDER BY job_id, number"
_APP_SERVERS = "SELECT name, job_id, status FROM app_servers ORDER BY created_at"
_LOCKS = "SELECT name, token FROM locks ORDER BY name"


def read(
    folder: Path,
    database_url: str,
    *,
    redis_url: str | None = None,
    seed: int | None = None,
    left_out: Sequence[str] = (),
) -> History:
    """Call when nothing runs any more; with Redis it waits for what only has to expire."""
    marks, torn = _read_effects(folder)
    with ThreadPoolExecutor(1) as thread:  # there may be a loop around us
        rows = thread.submit(asyncio.run, _rows(folder, database_url)).result()
    return History(
        accepted=[Accepted(**line) for line in _lines(folder / "accepted.jsonl")],
        faults=[Fault(**line) for line in _lines(folder / "faults.jsonl")],
        seen=[Seen(**line) for line in _lines(folder / "seen.jsonl")],
        marks=marks,
        torn=torn,
        redis_locks=_redis_locks(redis_url) if redis_url else (),
        seed=seed,
        left_out=tuple(left_out),
        **rows,
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


def _read_effects(folder: Path) -> tuple[list[Mark], list[Torn]]:
    """The logs of all hosts; each has a folder of its name."""
    marks: list[Mark] = []
    torn: list[Torn] = []
    for log in sorted(folder.glob("*/effects.log")):
        lines = log.read_text(errors="replace").split("\n")
        for number, text in enumerate(lines, start=1):
            found = _MARK.fullmatch(text)
            if found is not None and number < len(lines):
                marks += [_mark(found, log.parent.name, number)] if not found["part"] else []
            elif text:
                is_last = number >= len(lines) - 1
                torn.append(Torn(log.parent.name, number, text, is_last))
    return marks, torn


def _mark(found: re.Match[str], host: str, line: int) -> Mark:
    return Mark(
        at=int(found["ns"]) / 1e9,
        what="begin" if found["what"] == "begin" else "end",
        job=found["job"],
        number=int(found["number"]),
        instance=found["instance"],
        host=host,
        line=line,
    )


async def _rows(folder: Path, url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url.replace("+asyncpg", "", 1), timeout=30)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            told: dict[str, list[Event]] = {}
            for row in await connection.fetch(_EVENTS):
                data = json.loads(row["data"])
                event = Event(row["seq"], row["at"].timestamp(), row["type"], data)
                told.setdefault(str(row["job_id"]), []).append(event)
            return {
                "jobs": [_job(row, told) for row in await connection.fetch(_JOBS)],
                "steps": [_step(row) for row in await connection.fetch(_STEPS)],
                "app_servers": [
                    AppServer(row["name"], str(row["job_id"]), row["status"])
                    for row in await connection.fetch(_APP_SERVERS)
                ],
                "served": [
                    served.read(folder, row) for row in await connection.fetch(served.QUERY)
                ],
                "locks": [Lock(**row) for row in await connection.fetch(_LOCKS)],
            }
    finally:
        await connection.close()


def _job(row: Any, told: dict[str, list[Event]]) -> Job:
    return Job(
        id=str(row["id"]),
        status=row["status"],
        last_seq=row["last_seq"],
        kind=row["kind"],
        instance=row["instance"],
        host=row["host"],
        dry_run=row["dry_run"],
        is_leased=row["lease_until"] is not None,
        outcome=row["outcome"],
        finished_at=_seconds(row["finished_at"]),
        events=told.get(str(row["id"]), []),
    )


def _step(row: Any) -> Step:
    return Step(
        job=str(row["job_id"]),
        number=row["number"],
        name=row["name"],
        status=row["status"],
        finished_at=_seconds(row["finished_at"]),
    )


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


def _redis_locks(url: str) -> tuple[str, ...]:
    with Redis.from_url(url, decode_responses=True) as redis:
        end = time.monotonic() + _LONGEST_LIFE
        while (left := sorted(redis.scan_iter("lock:*"))) and time.monotonic() < end:
            time.sleep(0.2)
        return tuple(left)
