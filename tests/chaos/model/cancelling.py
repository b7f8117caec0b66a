"""The table of what is cancelled everywhere: circumstances, and the deed in them."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import Answer, JobKind, JobStatus, Outcome, StepStatus, WaitPolicy
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.services.requests import JobRequest
from app.store.database import Database, driver
from tests.support import factories
from tests.support.asset_reports import published

AT_ONCE = WaitPolicy(push_again_after=timedelta(0))
_OUTPUT = EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": "a line"}
_OVER = EventType.STEP_SUCCEEDED, {"number": 1, "step": "look"}


@dataclass
class Scene:
    """The handles of one run, and what the circumstances made (the same in every run)."""

    db: Database
    queue: JobQueue
    vault: Vault
    made: SimpleNamespace = field(default_factory=SimpleNamespace)


@dataclass(frozen=True)
class Deed:
    """Something a worker or the API does; `changes` is false when only times change by it."""

    name: str
    given: Callable[[Scene], Awaitable[None]]
    do: Callable[[Scene], Coroutine[Any, Any, Any]]
    changes: bool = True
    #: Answers of Redis that it asks for one after the other: each may be there already.
    answers: int = 1


async def nothing(scene: Scene) -> None:
    await factories.add_site(scene.db)


async def asked(scene: Scene) -> None:
    await nothing(scene)
    scene.made.job = (await factories.request(scene.db, scene.queue, scene.vault)).job
    scene.made.work = await services.work.look(scene.db, scene.made.job.id)


async def running(scene: Scene) -> None:
    await asked(scene)
    scene.made.claim = await _claim(scene)
    scene.made.job = scene.made.claim.job


async def in_a_step(scene: Scene) -> None:
    await running(scene)
    await services.execution.start_step(
        scene.db, scene.made.job, number=1, name="look", title="Look"
    )


async def with_assets(scene: Scene) -> None:
    await running(scene)
    await services.asset_releases.record(scene.db, scene.made.job, published())


async def silent(scene: Scene) -> None:
    """Its lease has run out."""
    await in_a_step(scene)
    async with scene.db.statement() as session:
        await driver(session).execute("UPDATE jobs SET lease_until = now() - interval '1 s'")


async def suspended(scene: Scene) -> None:
    await in_a_step(scene)
    await _suspend(scene, "question")


async def locked_by_hand(scene: Scene) -> None:
    await nothing(scene)
    await services.locks.place(scene.db, on="instance:shop", message="not today", actor="tests")


async def enrolling(scene: Scene) -> None:
    await nothing(scene)
    view = await factories.request(
        scene.db, scene.queue, scene.vault, kind=JobKind.ENROLL, instance=None, host="alpha"
    )
    scene.made.job = view.job
    scene.made.work = await services.work.look(scene.db, view.job.id)
    scene.made.job = (await _claim(scene)).job


def _claim(scene: Scene) -> Coroutine[Any, Any, Any]:
    return services.claiming.claim(
        scene.db,
        scene.made.work,
        attempt=1,
        worker="w1",
        lock_names=[f"instance:{scene.made.job.instance_id}"],
        plan=[{"number": 1, "name": "look"}],
    )


def _keep_plan(scene: Scene) -> Coroutine[Any, Any, Any]:
    plan = [{"number": 1, "name": "look"}]
    return services.execution.keep_plan(scene.db, scene.made.job.id, plan, attempt=1)


def _break(scene: Scene, name: str) -> Coroutine[Any, Any, Any]:
    return services.locks.break_lock(
        scene.db, scene.queue, name, token=1, reason="a test", actor="tests", force=True
    )


def _suspend(scene: Scene, kind: str = "time") -> Coroutine[Any, Any, Any]:
    until = datetime(2030, 1, 1, tzinfo=UTC)
    why = {"kind": kind, "step": "look", "until": until.isoformat(), "reason": "in a test"}
    return services.claiming.suspend(scene.db, scene.made.job, until=until, suspended=why)


def _settle(scene: Scene, status: JobStatus) -> Coroutine[Any, Any, Any]:
    failed = status is not JobStatus.SUCCEEDED
    return services.ending.settle(
        scene.db,
        scene.made.job,
        status=status,
        error={"code": "step-failed", "detail": "in a test"} if failed else None,
        outcome=Outcome.ROLLED_BACK if failed else Outcome.CHANGED,
    )


def _finish_step(scene: Scene) -> Coroutine[Any, Any, Any]:
    return services.execution.finish_step(
        scene.db,
        scene.made.job,
        number=1,
        status=StepStatus.SUCCEEDED,
        exit_code=0,
        duration_ms=1,
        facts={"seen": "yes"},
        event=_OVER,
    )


def _request(scene: Scene) -> Coroutine[Any, Any, Any]:
    wanted = JobRequest(kind=JobKind.PROVISION, instance="shop")
    return services.requests.request(
        scene.db, scene.queue, scene.vault, request=wanted, actor="tests", request_id="test"
    )


def _execution(name: str, /, **values: Any) -> Callable[[Scene], Coroutine[Any, Any, Any]]:
    return lambda scene: getattr(services.execution, name)(scene.db, scene.made.job, **values)


def _command(name: str, /, **values: Any) -> Callable[[Scene], Coroutine[Any, Any, Any]]:
    return lambda scene: getattr(services.commands, name)(
        scene.db, scene.queue, scene.made.job.id, actor="tests", **values
    )


DEEDS = (
    Deed("request", nothing, _request),
    Deed("cancel a job that waits", asked, _command("cancel")),
    Deed("cancel a job that runs", in_a_step, _command("cancel", reason="not today")),
    Deed("cancel a job that is suspended", suspended, _command("cancel")),
    Deed("answer", suspended, _command("answer", answer=Answer.REPEAT)),
    Deed("claim", asked, _claim),
    Deed(
        "block",
        asked,
        lambda scene: services.claiming.block(
            scene.db, scene.made.job, attempt=1, blocked_by=[{"kind": "order"}]
        ),
    ),
    Deed(
        "renew",
        running,
        lambda scene: services.claiming.renew(scene.db, scene.made.job),
        changes=False,
    ),
    Deed("keep the plan", asked, _keep_plan),
    Deed("suspend", in_a_step, _suspend),
    Deed(
        "hand over",
        in_a_step,
        lambda scene: services.claiming.hand_over(scene.db, scene.made.job),
    ),
    Deed(
        "record",
        in_a_step,
        lambda scene: services.execution.record(scene.db, scene.made.job, _OUTPUT, _OUTPUT),
    ),
    Deed("start a step", running, _execution("start_step", number=1, name="look", title="Look")),
    Deed("retry a step", in_a_step, _execution("retry_step", number=1, tries=2, event=_OUTPUT)),
    Deed("finish a step", in_a_step, _finish_step),
    Deed(
        "move the app server",
        running,
        lambda scene: services.execution.move_app_server(
            scene.db, scene.made.job, AppServerStatus.WAITING
        ),
    ),
    Deed(
        "keep the commit",
        running,
        lambda scene: services.execution.set_commit(scene.db, scene.made.job, "c0ffee"),
    ),
    Deed(
        "record an asset release",
        running,
        lambda scene: services.asset_releases.record(scene.db, scene.made.job, published()),
    ),
    Deed(
        "verify an asset release",
        with_assets,
        lambda scene: services.asset_releases.mark_verified(
            scene.db, scene.made.job, published().release
        ),
    ),
    Deed("keep what is prepared", running, _execution("mark_prepared")),
    Deed(
        "keep the host's key",
        enrolling,
        _execution("keep_host_key", host_key="ssh-ed25519 AAAA", fingerprint="SHA256:x"),
    ),
    Deed("settle a success", in_a_step, lambda scene: _settle(scene, JobStatus.SUCCEEDED)),
    Deed("settle a failure", in_a_step, lambda scene: _settle(scene, JobStatus.FAILED)),
    Deed("settle a cancel", in_a_step, lambda scene: _settle(scene, JobStatus.CANCELED)),
    Deed(
        "raise a token",
        running,
        lambda scene: services.fencing.raise_token(
            scene.db, scene.made.job, lock=f"instance:{scene.made.job.instance_id}", ours=1, host=7
        ),
    ),
    Deed(
        "place a lock by hand",
        nothing,
        lambda scene: services.locks.place(
            scene.db, on="instance:shop", message="not today", actor="tests"
        ),
    ),
    Deed("lift it", locked_by_hand, lambda scene: _break(scene, "manual:instance:shop")),
    Deed("break the lock of a job", in_a_step, lambda scene: _break(scene, "instance:shop")),
    Deed(
        "recover",
        silent,
        lambda scene: services.recovery.recover(scene.db, policy=AT_ONCE),
    ),
    Deed(
        "dispatch",
        asked,
        lambda scene: services.recovery.dispatch(scene.db, scene.queue, policy=AT_ONCE),
        answers=2,
        changes=False,
    ),
)
