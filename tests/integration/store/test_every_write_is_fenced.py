"""Whoever lost a job writes nothing more: every statement that writes is found, and judged here.

A new one fails the first test until somebody says which kind it is: one that refuses an old attempt
itself, one that follows such a one in its transaction, or none of a worker.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobStatus, LeasePolicy, StepStatus
from app.errors import LostOwnership
from app.models import Job
from tests.support import losing, writes

LEASE = LeasePolicy().lease
EVENT = (EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": "from the past"})
STEP = {"attempt": 1, "number": 1, "event": EVENT}
DONE = {"status": StepStatus.SUCCEEDED, "exit_code": 0, "duration_ms": 1, "facts": {}}

Statement = Callable[[AsyncSession, Job], Awaitable[object]]

#: Statements that refuse an old attempt by themselves, as attempt 1 makes them.
GUARDS: dict[str, Statement] = {
    "attempts.block": lambda session, job: store.attempts.block(
        session, job.id, attempt=1, blocked_by=[{"kind": "order"}], wait=timedelta(hours=1)
    ),
    "attempts.claim": lambda session, job: store.attempts.claim(
        session,
        job.id,
        attempt=1,
        worker="old",
        lease=LEASE,
        lock_names=["instance:a"],
        event=EventType.JOB_STARTED,
    ),
    "attempts.renew": lambda session, job: store.attempts.renew(
        session, job.id, attempt=1, lease=LEASE
    ),
    "attempts.settle": lambda session, job: store.attempts.settle(
        session,
        job.id,
        attempt=1,
        status=JobStatus.SUCCEEDED,
        event=(EventType.JOB_SUCCEEDED, {}),
    ),
    "attempts.suspend": lambda session, job: store.attempts.suspend(
        session, job.id, attempt=1, until=losing.LATER, suspended={"kind": "time"}
    ),
    "events.append": lambda session, job: store.events.append(session, job.id, EVENT, attempt=1),
    "fencing.raise_token": lambda session, job: store.fencing.raise_token(
        session, job.id, attempt=1, lock=f"instance:{job.instance_id}", host=99, told={}
    ),
    "jobs.keep_plan": lambda session, job: store.jobs.keep_plan(
        session, job.id, [{"name": "from the past"}], attempt=1
    ),
    "steps.finish": lambda session, job: store.steps.finish(session, job.id, **STEP, **DONE),
    "steps.retry": lambda session, job: store.steps.retry(session, job.id, **STEP, tries=9),
    "steps.skip": lambda session, job: store.steps.skip(
        session, job.id, **STEP, name="look", title="Look"
    ),
    "steps.start": lambda session, job: store.steps.start(
        session, job.id, **STEP, name="look", title="Look"
    ),
}

#: What a worker writes behind one of these, in one transaction: proven with the services below.
BEHIND_A_GUARD = {
    "app_servers.add",
    "app_servers.insert",
    "app_servers.move",
    "app_servers.own_port",
    "app_servers.set_address",
    "app_servers.set_commit",
    "app_servers.set_extensions",
    "asset_releases.mark_verified",
    "asset_releases.record",
    "attempts.keep_given_up",
    "attempts.keep_next",
    "attempts.requeue",
    "dirty_routes.forget",
    "extensions.keep_host",
    "extensions.put",
    "extensions.remove",
    "extensions.set_status",
    "hosts.quarantine",
    "hosts.touch",
    "instances.count_on",
    "instances.mark_participant_created",
    "instances.mark_prepared",
    "jobs.add",
    "machines.add",
    "machines.change",
    "machines.forget_data",
    "routes.activate",
    "routes.apply",
    "routes.deactivate",
    "routes.keep_activated",
    "routes.want",
    "standing.keep_unconfirmed",
    "standing.mark_cleaned",
}

#: What is neither, and why no old attempt does harm with it.
OTHERS = {
    "hosts.note_status": "its own guard: who ended the job, and only while no later job ended",
    **dict.fromkeys(
        ["looks.drifted", "looks.note", "looks.take"],
        "the sweeper's: a wish, of what no job is about and nobody changed since it was read back",
    ),
    "extension_looks.take": "the sweeper's: when it begins to look, and nothing of what it finds",
    "dirty_routes.leave": "whoever gives an instance another router, under the instance's lock",
    "machines.close": "for no job: what is so by the rows of machines that are gone",
    "jobs.order_end": "whoever has locked the row of a job without a living worker",
    **dict.fromkeys(
        ["app_servers.new", "jobs.new"], "an object that is in no table; its INSERT is beside it"
    ),
    **dict.fromkeys(["rows.add", "rows.flush"], "the way in which others of these write"),
    **dict.fromkeys(
        ["outbox.mark_dispatched", "outbox.take_unclaimed"], "when a job was pushed: a hint"
    ),
    **dict.fromkeys(
        [
            "idempotency.remove_older",
            "partitions.drop",
            "partitions.make",
            "partitions.remove_rest",
        ],
        "housekeeping, of what nobody works on",
    ),
    **dict.fromkeys(
        [
            "hosts.add",
            "hosts.delete",
            "hosts.forget_ends",
            "idempotency.add",
            "identities.add",
            "identities.deactivate_all",
            "identities.delete",
            "instances.add",
            "instances.delete",
            "instances.delete_secret",
            "instances.put_secret",
            "instances.touch",
            "jobs.answer",
            "locks.lift",
            "locks.place",
            "looks.hasten",
            "packages.add",
            "packages.remove",
            "recipes.add_version",
            "routers.add",
            "routers.delete",
            "routers.touch",
            "routers.want_again",
            "tokens.add",
            "tokens.mark_used",
            "tokens.revoke",
        ],
        "people, by the API; no worker comes to it",
    ),
}
_BY_PEOPLE = {name for name, why in OTHERS.items() if why.startswith("people")}


@pytest.fixture
async def held(db, queue, vault):
    return await losing.hold(db, queue, vault)


@pytest.fixture(params=losing.WAYS)
async def lost(request, held):
    await losing.WAYS[request.param](held)
    return held


def test_every_statement_that_writes_is_judged():
    judged = [*GUARDS, *BEHIND_A_GUARD, *OTHERS]
    assert len(judged) == len(set(judged))
    assert writes.of_store() == set(judged)


def test_only_the_store_writes():
    assert writes.outside_the_store() == set()


def test_no_worker_comes_to_what_people_write():
    assert not writes.reached(writes.called_by_workers()) & _BY_PEOPLE


async def test_every_guard_refuses_an_old_attempt_and_nothing_changes(lost):
    before = await losing.everything(lost.db)
    for name, statement in GUARDS.items():
        with pytest.raises(LostOwnership):
            async with lost.db.statement() as session:
                await statement(session, lost.job)
        assert await losing.everything(lost.db) == before, name


async def test_a_note_about_the_host_is_not_made_once_a_later_job_has_ended(held):
    """Between the end of a job and its note a worker may stand still for hours."""
    await losing.supersede_and_end(held)
    before = await losing.everything(held.db)
    async with held.db.statement() as session:
        await store.hosts.note_status(session, held.job.id, attempt=1, found=HostStatus.UNREACHABLE)
    assert await losing.everything(held.db) == before
