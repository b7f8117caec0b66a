"""Log lines per second into Postgres, through the journal of a worker."""

import time

from benchmarks import attempt, orders
from benchmarks.attempt import Attempt
from benchmarks.rig import Rig
from benchmarks.row import Better, Figure, Row
from worker.steps.step import Note, Step

NAME = "log"
#: A step keeps about a megabyte of output: so the lines come from several.
_STEPS = 10
#: Characters that one read of an SSH channel brings.
_READ = 32 * 1024
_BATCH = 100
_SECRET = "correct horse battery staple"  # noqa: S105

_STORED = """
    SELECT sum(length(text) - length(replace(text, E'\\n', '')))::int
    FROM (SELECT data ->> 'text' AS text FROM events WHERE type = 'step.output') AS said
"""
_TABLE = "CREATE TABLE lines (job_id uuid, seq bigserial, at timestamptz, text text)"
_ONE = "INSERT INTO lines (job_id, at, text) VALUES (gen_random_uuid(), clock_timestamp(), $1)"
_MANY = """
    INSERT INTO lines (job_id, at, text)
    SELECT gen_random_uuid(), clock_timestamp(), text FROM unnest($1::text[]) AS new (text)
"""


async def measure(rig: Rig) -> list[Row]:
    lines = _lines(rig.few(100_000, 20_000))
    async with rig.liftlock() as api:
        hosts = await orders.add_hosts(api, 1)
        async with attempt.claimed(api, hosts[0]) as held:
            ours = await _liftlock(held, lines)
        async with api.rows() as rows:
            stored = await rows.fetchval(_STORED)
    if stored != len(lines):
        raise RuntimeError(f"{stored} of {len(lines)} lines are in the database.")
    singly, batched = await _bare(rig, lines)
    return [
        Row(
            "log lines into Postgres, one job",
            "/s",
            Better.MORE,
            ours,
            50_000,
            peer=Figure(singly, "row by row"),
            limit=Figure(batched, f"unnest of {_BATCH}"),
            note=f"{len(lines):,} lines of 70 characters from {_STEPS} steps, searched for a secret"
            " and numbered under the fence; several lines make one event. Beside it one row for"
            " each line, written with bare asyncpg.",
        )
    ]


def _lines(count: int) -> list[str]:
    return [
        f"{number:8d} compiled module, wrote its object file, 0 warnings, went on\n"
        for number in range(count)
    ]


async def _liftlock(held: Attempt, lines: list[str]) -> float:
    journal, each = held.journal(_SECRET), len(lines) // _STEPS
    began = time.perf_counter()
    for number in range(_STEPS):
        step = Step(f"talk-{number}", "Talk", Note("nothing"))
        said = "".join(lines[number * each : (number + 1) * each])
        await journal.step_started(number + 1, step)
        for start in range(0, len(said), _READ):
            await journal.output(number + 1, step, said[start : start + _READ], undo=False)
        await journal.step_succeeded(number + 1, step, exit_code=0, duration=0.0, facts={})
    return len(lines) / (time.perf_counter() - began)


async def _bare(rig: Rig, lines: list[str]) -> tuple[float, float]:
    """Lines per second one by one, and in batches."""
    connection = await rig.bare()
    await connection.execute(_TABLE)
    singly = lines[: rig.few(3000, 500)]
    began = time.perf_counter()
    for line in singly:
        await connection.execute(_ONE, line)
    middle = time.perf_counter()
    for start in range(0, len(lines), _BATCH):
        await connection.execute(_MANY, lines[start : start + _BATCH])
    end = time.perf_counter()
    await connection.close()
    return len(singly) / (middle - began), len(lines) / (end - middle)
