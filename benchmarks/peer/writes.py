"""The peer's rows: one job and five events, each change of state one statement and one commit."""

import json
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

TABLES = """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY, kind text NOT NULL, status text NOT NULL, params jsonb NOT NULL,
        attempt int NOT NULL DEFAULT 0, worker text,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz, finished_at timestamptz
    );
    CREATE INDEX ON jobs (status, created_at);
    CREATE TABLE events (
        job_id uuid NOT NULL REFERENCES jobs, seq bigint NOT NULL, type text NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(), data jsonb NOT NULL,
        PRIMARY KEY (job_id, seq)
    );
"""

_ADD = """
    WITH job AS (
        INSERT INTO jobs (id, kind, status, params) SELECT id, 'enroll', 'queued', $2
        FROM unnest($1::uuid[]) AS new (id) RETURNING id
    )
    INSERT INTO events (job_id, seq, type, data) SELECT id, 1, 'job.queued', $2 FROM job
"""
_START = """
    WITH job AS (
        UPDATE jobs SET status = 'running', attempt = attempt + 1, worker = 'peer',
               started_at = clock_timestamp()
        WHERE id = $1 AND status = 'queued' RETURNING id
    )
    INSERT INTO events (job_id, seq, type, data) SELECT id, 2, 'job.started', $2 FROM job
"""
_STEP = "INSERT INTO events (job_id, seq, type, data) VALUES ($1, $3, $4, $2)"
_END = """
    WITH job AS (
        UPDATE jobs SET status = 'succeeded', finished_at = clock_timestamp()
        WHERE id = $1 RETURNING id
    )
    INSERT INTO events (job_id, seq, type, data) SELECT id, 5, 'job.succeeded', $2 FROM job
"""
_DATA = json.dumps({"number": 1, "step": "nothing", "title": "Do nothing"})

Writer: TypeAlias = asyncpg.Connection | asyncpg.Pool


def new_ids(count: int) -> list[UUID]:
    return [uuid7() for _ in range(count)]


async def add(writer: Writer, ids: Sequence[UUID]) -> None:
    """What the request writes: the job and its first event."""
    await writer.execute(_ADD, ids, _DATA)


async def start(writer: Writer, job_id: UUID) -> None:
    await writer.execute(_START, job_id, _DATA)


async def work(writer: Writer, job_id: UUID) -> None:
    """What the worker writes after the start: a step that begins and ends, and the job's end."""
    await writer.execute(_STEP, job_id, _DATA, 3, "step.started")
    await writer.execute(_STEP, job_id, _DATA, 4, "step.succeeded")
    await writer.execute(_END, job_id, _DATA)
