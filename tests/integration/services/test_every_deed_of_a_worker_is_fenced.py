"""Whatever a worker may do of app.services is refused to one that lost its job, and judged here."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus, WrongState
from app.domain.event import EventType
from app.domain.extension import Extension, ExtensionStatus, PackageSource
from app.domain.extension_sighting import Sighting
from app.domain.host_spec import HostSpec
from app.domain.job import JobStatus, Outcome, StepStatus, lock_names
from app.domain.machine import Machine as State
from app.domain.machine import MachineStatus
from app.errors import LostOwnership
from app.models import Machine
from app.services.extension_sightings import Seen
from app.store.database import driver
from tests.support import losing, writes
from tests.support.asset_reports import published
from tests.support.losing import LATER, Lost

EVENT = (EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": "from the past"})
DONE = {"status": StepStatus.SUCCEEDED, "exit_code": 0, "duration_ms": 1, "facts": {}}

MACHINE = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12")
SPEC = HostSpec(name="alpha", address="past.invalid", user="past")

Deed = Callable[[Lost], Awaitable[object]]

#: What a worker may do of app.services, as attempt 1 does it.
REFUSED: dict[str, Deed] = {
    "activation.activate": lambda lost: services.activation.activate(
        lost.db, lost.job, on=[], off=[_app_server(lost)], route_version=9
    ),
    "activation.apply_route": lambda lost: services.activation.apply_route(lost.db, lost.job, 9),
    "activation.forget_route": lambda lost: services.activation.forget_route(lost.db, lost.job),
    "activation.terminated": lambda lost: services.activation.terminated(
        lost.db, lost.job, _app_server(lost)
    ),
    "activation.want_route": lambda lost: services.activation.want_route(lost.db, lost.job, 9),
    "asset_releases.mark_verified": lambda lost: services.asset_releases.mark_verified(
        lost.db, lost.job, "c0ffee-1"
    ),
    "asset_releases.record": lambda lost: services.asset_releases.record(
        lost.db, lost.job, published()
    ),
    "claiming.block": lambda lost: services.claiming.block(
        lost.db, lost.job, attempt=1, blocked_by=[{"kind": "order"}]
    ),
    "claiming.claim": lambda lost: services.claiming.claim(
        lost.db,
        lost.work,
        attempt=1,
        worker="old",
        lock_names=lock_names(
            lost.job.kind, instance_id=lost.job.instance_id, host_id=lost.job.host_id
        ),
    ),
    "claiming.hand_over": lambda lost: services.claiming.hand_over(lost.db, lost.job),
    "claiming.renew": lambda lost: services.claiming.renew(lost.db, lost.job),
    "claiming.suspend": lambda lost: services.claiming.suspend(
        lost.db, lost.job, until=LATER, suspended={"kind": "time"}
    ),
    "ending.settle": lambda lost: services.ending.settle(
        lost.db,
        lost.job,
        status=JobStatus.FAILED,
        outcome=Outcome.ROLLED_BACK,
        error={"code": "host-unreachable", "detail": "from the past"},
    ),
    "execution.finish_step": lambda lost: services.execution.finish_step(
        lost.db, lost.job, number=1, **DONE, event=EVENT
    ),
    "execution.keep_host_key": lambda lost: services.execution.keep_host_key(
        lost.db, lost.job, host_key="of the past", fingerprint="of the past"
    ),
    "execution.keep_plan": lambda lost: services.execution.keep_plan(
        lost.db, lost.job.id, [{"name": "from the past"}], attempt=1
    ),
    "execution.mark_prepared": lambda lost: services.execution.mark_prepared(lost.db, lost.job),
    "execution.mark_prepared of a participant": lambda lost: services.execution.mark_prepared(
        lost.db, lost.job, participant="past"
    ),
    "execution.move_app_server": lambda lost: services.execution.move_app_server(
        lost.db, lost.job, AppServerStatus.RUNNING
    ),
    "execution.move_app_server to where it is": lambda lost: services.execution.move_app_server(
        lost.db, lost.job, AppServerStatus.CONFIGURING
    ),
    "execution.move_app_server along no way": lambda lost: services.execution.move_app_server(
        lost.db, lost.job, AppServerStatus.TERMINATED
    ),
    "execution.record": lambda lost: services.execution.record(lost.db, lost.job, EVENT),
    "execution.retry_step": lambda lost: services.execution.retry_step(
        lost.db, lost.job, number=1, tries=9, event=EVENT
    ),
    "execution.set_commit": lambda lost: services.execution.set_commit(lost.db, lost.job, "past"),
    "execution.skip_step": lambda lost: services.execution.skip_step(
        lost.db,
        lost.job,
        services.execution.step_skipped(number=2, name="past", title="Past", because=["past"]),
    ),
    "execution.start_step": lambda lost: services.execution.start_step(
        lost.db, lost.job, number=1, name="past", title="Past"
    ),
    "machines.give_up": lambda lost: services.machines.give_up(lost.db, lost.job),
    "machines.reached": lambda lost: services.machines.reached(lost.db, lost.job, SPEC),
    "machines.record": lambda lost: services.machines.record(
        lost.db, lost.job, MACHINE, State("ll-1", MachineStatus.UNKNOWN)
    ),
    "extension_sightings.note": lambda lost: services.extension_sightings.note(
        lost.db, lost.job, [Seen(_app_server(lost), "stars", "1.0", Sighting(has_stamp=False))]
    ),
    "fencing.raise_token": lambda lost: services.fencing.raise_token(
        lost.db, lost.job, lock=f"instance:{lost.job.instance_id}", ours=1, host=99
    ),
}


def _app_server(lost: Lost) -> UUID:
    assert lost.work.app_server is not None
    return lost.work.app_server.id


#: What needs no refusal, and why.
HARMLESS = {
    **dict.fromkeys(
        [
            "claiming.reveal_secrets",
            "execution.is_told",
            "identities.list_all",
            "identities.private_keys",
            "jobs.has_ended",
            "orphans.records",
            "packages.content",
            "traces.follow",
            "work.look",
        ],
        "reads",
    ),
    **dict.fromkeys(["execution.step_skipped", "execution.step_started"], "makes a value"),
    **dict.fromkeys(
        [
            "dirty_routes.sweep",
            "extension_looks.begin",
            "extension_looks.end",
            "housekeeping.tidy",
            "machines.close",
            "orphans.forget",
            "orphans.mark_found",
            "orphans.mark_vanished",
            "orphans.report",
            "recovery.dispatch",
            "recovery.recover",
            "retention.repeat",
            "retention.sweep",
            "router_looks.begin",
            "router_looks.end",
        ],
        "the sweeper's: for no attempt; each row is locked and looked at before it is written",
    ),
}


@pytest.fixture
async def held(db, queue, vault):
    lost = await losing.hold(db, queue, vault)
    machine = Machine(id=MACHINE, tag="ll-1", provider="cloud", host_id=lost.job.host_id)
    async with db.transaction() as session:
        await store.machines.add(session, machine)
        await store.extensions.put(
            session,
            lost.job.instance_id,
            name="stars",
            source={"package": "stars", "version": "1.0"},
            version="1.0",
            settings={},
            requires=(),
            status=ExtensionStatus.ENABLED,
            job_id=lost.job.id,
        )
        stars = Extension("stars", "1.0", PackageSource("stars", "1.0"))
        await store.app_servers.set_extensions(session, _app_server(lost), [stars.document()])
    return lost


@pytest.fixture(params=losing.WAYS)
async def lost(request, held):
    await losing.WAYS[request.param](held)
    return held


def test_everything_that_workers_call_is_judged():
    refused = {name.partition(" ")[0] for name in REFUSED}
    assert not refused & set(HARMLESS)
    assert writes.called_by_workers() == refused | set(HARMLESS)


def test_what_is_called_a_read_reaches_no_write():
    reads = [name for name, why in HARMLESS.items() if why == "reads"]
    found = writes.reached(reads) & writes.of_store()
    assert found <= {"app_servers.new"}


async def test_a_worker_that_lost_its_job_changes_nothing(lost):
    before = await losing.everything(lost.db)
    for name, deed in REFUSED.items():
        with pytest.raises(LostOwnership):
            await deed(lost)
        assert await losing.everything(lost.db) == before, name


@pytest.mark.parametrize("name", REFUSED)
async def test_and_the_same_is_allowed_to_whoever_has_it(held, name):
    """Otherwise the refusals above would prove nothing."""
    if name in {"claiming.block", "claiming.claim"}:
        # These are for a job that nobody has.
        async with held.db.statement() as session:
            await driver(session).execute(
                "UPDATE jobs SET attempt = 0, lease_until = NULL, status = 'queued'"
            )
    if name.endswith("along no way"):
        with pytest.raises(WrongState):
            await REFUSED[name](held)
        return
    before = await losing.everything(held.db)
    await REFUSED[name](held)
    if not name.endswith("to where it is"):
        assert await losing.everything(held.db) != before
