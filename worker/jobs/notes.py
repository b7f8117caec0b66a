"""Notes of a plan, and of its steps: what is true in Postgres from now on."""

from collections.abc import Mapping
from uuid import UUID

import structlog
from pydantic import JsonValue

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import AssetReleaseReport
from app.domain.redaction import Redactor
from app.domain.spellings import without_controls
from app.errors import AlreadyExists
from app.models import Job
from app.store.database import Database
from worker.engine.failed import Failed
from worker.jobs.sightings import sightings_of
from worker.steps.step import Failure, Note

log = structlog.get_logger()

_ASSETS = {
    "asset-release.published": AssetReleaseStatus.PUBLISHED,
    "asset-release.failed": AssetReleaseStatus.FAILED,
}


async def carry_out(  # noqa: C901, PLR0912 - a table
    db: Database, job: Job, note: Note, facts: Mapping[str, str], *, redactor: Redactor
) -> None:
    """Write it as this attempt; again, it changes nothing. Raises LostOwnership."""
    execution, asset_releases = services.execution, services.asset_releases
    match note.what:
        case "app-server.status":
            await execution.move_app_server(db, job, AppServerStatus(str(note.data["status"])))
        case "app-server.commit":
            await execution.set_commit(db, job, facts["commit"])
        case "instance.prepared":
            await execution.mark_prepared(db, job)
        case "participant.created":
            await execution.mark_prepared(db, job, participant=str(note.data["name"]))
        case "route.wanted" | "route.applied" | "route.forgotten":
            await _of_route(db, job, note)
        case "app-servers.activated":
            await services.activation.activate(
                db,
                job,
                on=_ids(note.data["on"]),
                off=_ids(note.data["off"]),
                route_version=_number(note.data["route_version"]),
                read_back=bool(note.data["read_back"]),
            )
        case "app-server.terminated":
            await services.activation.terminated(db, job, UUID(str(note.data["id"])))
        case "app-servers.made" | "app-servers.status" | "extensions.changed":
            await _of_extensions(db, job, note)
        case "host.key":
            await execution.keep_host_key(
                db, job, host_key=facts["host_key"], fingerprint=facts["fingerprint"]
            )
        case "asset-release.published" | "asset-release.failed":
            await asset_releases.record(db, job, _report(note, redactor))
        case "asset-release.verified":
            await asset_releases.mark_verified(db, job, str(note.data["release"]))
        case "extensions.seen":
            await _of_looks(db, job, note, facts, redactor)
        case _:
            raise ValueError(f"No journal entry is called {note.what!r}.")


async def _of_route(db: Database, job: Job, note: Note) -> None:
    activation = services.activation
    match note.what:
        case "route.wanted":
            await activation.want_route(db, job, _number(note.data["version"]))
        case "route.applied":
            await activation.apply_route(db, job, _number(note.data["route_version"]))
        case _:
            await activation.forget_route(db, job)


async def _of_extensions(db: Database, job: Job, note: Note) -> None:
    notes = services.extension_notes
    try:
        match note.what:
            case "app-servers.made":
                await notes.make(db, job)
            case "app-servers.status":
                wanted = AppServerStatus(str(note.data["status"]))
                await notes.move_all(db, job, _ids(note.data["ids"]), wanted)
            case _:
                await notes.change(db, job)
    except AlreadyExists as error:
        hint = f"Repeat the job, which takes another port: liftlock jobs retry {job.id}"
        raise Failed(
            Failure("port-in-use", "A port was taken meanwhile", hint), str(error)
        ) from error


async def _of_looks(
    db: Database, job: Job, note: Note, facts: Mapping[str, str], redactor: Redactor
) -> None:
    """One line a change, however many looks find the same."""
    seen = sightings_of(note, facts, redactor)
    for one in await services.extension_sightings.note(db, job, seen):
        told = {"extension": one.extension.name, "version": one.version, "host": one.host}
        if one.found.is_whole:
            log.info("extension.recovered", instance=one.instance, **told)
        else:
            files = {"wrong": one.found.wrong, "files": list(one.found.files)}
            log.error("extension.degraded", instance=one.instance, **told, **files)


def _number(value: JsonValue) -> int:
    return int(str(value))


def _ids(value: JsonValue) -> list[UUID]:
    return [UUID(str(one)) for one in value] if isinstance(value, list) else []


def _report(note: Note, redactor: Redactor) -> AssetReleaseReport:
    """Problems show what stands in files and what compilers said: secrets among it."""
    return AssetReleaseReport.of(
        _ASSETS[note.what], note.data, clean=lambda text: redactor.clean(_storable(text))
    )


def _storable(text: str) -> str:
    """A name of a file may have bytes that are no text: Postgres would refuse it."""
    return without_controls(text.encode(errors="replace").decode())
