"""Notes of a plan, and of its steps: what is true in Postgres from now on."""

from collections.abc import Mapping
from uuid import UUID

from pydantic import JsonValue

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import AssetReleaseReport
from app.domain.redaction import Redactor
from app.domain.spellings import without_controls
from app.models import Job
from app.store.database import Database
from worker.steps.step import Note

_ASSETS = {
    "asset-release.published": AssetReleaseStatus.PUBLISHED,
    "asset-release.failed": AssetReleaseStatus.FAILED,
}


async def carry_out(  # noqa: C901, PLR0912 - a table
    db: Database, job: Job, note: Note, facts: Mapping[str, str], *, redactor: Redactor
) -> None:
    """Write it as this attempt; again, it changes nothing. Raises LostOwnership."""
    execution, asset_releases = services.execution, services.asset_releases
    activation = services.activation
    match note.what:
        case "app-server.status":
            await execution.move_app_server(db, job, AppServerStatus(str(note.data["status"])))
        case "app-server.commit":
            await execution.set_commit(db, job, facts["commit"])
        case "instance.prepared":
            await execution.mark_prepared(db, job)
        case "participant.created":
            await execution.mark_prepared(db, job, participant=str(note.data["name"]))
        case "route.wanted":
            await activation.want_route(db, job, _number(note.data["version"]))
        case "app-servers.activated":
            await activation.activate(
                db,
                job,
                on=_ids(note.data["on"]),
                off=_ids(note.data["off"]),
                route_version=_number(note.data["route_version"]),
                read_back=bool(note.data["read_back"]),
            )
        case "route.applied":
            await activation.apply_route(db, job, _number(note.data["route_version"]))
        case "route.forgotten":
            await activation.forget_route(db, job)
        case "app-server.terminated":
            await activation.terminated(db, job, UUID(str(note.data["id"])))
        case "host.key":
            await execution.keep_host_key(
                db, job, host_key=facts["host_key"], fingerprint=facts["fingerprint"]
            )
        case "asset-release.published" | "asset-release.failed":
            await asset_releases.record(db, job, _report(note, redactor))
        case "asset-release.verified":
            await asset_releases.mark_verified(db, job, str(note.data["release"]))
        case _:
            raise ValueError(f"No journal entry is called {note.what!r}.")


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
