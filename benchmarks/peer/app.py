"""The peer's API: FastAPI, asyncpg and arq's own enqueue; no tokens, no checks, no idempotency."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import uvicorn
from arq import create_pool
from arq.connections import RedisSettings
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Json

from benchmarks.peer import writes
from benchmarks.servers import plain


class Order(BaseModel):
    kind: str
    instance: str | None = None
    host: str | None = None


class Job(BaseModel):
    id: UUID
    status: str


class Event(BaseModel):
    seq: int
    at: datetime
    type: str
    data: Json[dict[str, Any]]


@asynccontextmanager
async def _handles(app: FastAPI) -> AsyncIterator[None]:
    url = plain(os.environ["LIFTLOCK_DATABASE_URL"])
    app.state.redis = await create_pool(RedisSettings.from_dsn(os.environ["LIFTLOCK_REDIS_URL"]))
    async with asyncpg.create_pool(url, min_size=8, max_size=12) as pool:
        await pool.execute(writes.TABLES)
        app.state.pool = pool
        yield
    await app.state.redis.aclose()


app = FastAPI(lifespan=_handles)


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/v1/jobs", status_code=202)
async def create_job(order: Order, request: Request) -> Job:
    job_id = writes.new_ids(1)[0]
    await writes.add(request.app.state.pool, [job_id])
    await request.app.state.redis.enqueue_job("run_job", str(job_id), order.kind)
    return Job(id=job_id, status="queued")


@app.get("/v1/jobs/{job_id}/events")
async def list_events(
    job_id: UUID, request: Request, after: int = 0, limit: Annotated[int, Query(le=200)] = 50
) -> list[Event]:
    found = await request.app.state.pool.fetch(
        "SELECT seq, at, type, data FROM events"
        " WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        job_id,
        after,
        limit,
    )
    return [Event(**row) for row in found]


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["LIFTLOCK_PORT"]), access_log=False, log_level="warning")
