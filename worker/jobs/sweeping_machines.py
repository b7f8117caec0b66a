"""The hourly look at providers: machines of nobody are told or removed, vanished ones marked."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from app import services
from app.domain.machine import Machine, MachineStatus, Waits
from app.models import Machine as Row
from worker.jobs.machines import nobody_hears, provider_of
from worker.jobs.runtime import Runtime
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import Provider, ProviderError
from worker.providers.sweeping import Findings, Known, Policy, sweep

log = structlog.get_logger()


async def sweep_machines(runtime: Runtime) -> None:
    """A provider that does not answer is left for the next time. Several workers may.

    A removal that nobody could confirm is asked for again, too.
    """
    for name in runtime.providers:
        try:
            await _sweep(runtime, name)
        except ProviderError as error:
            log.warning("provider.unlisted", provider=name, reason=error.detail)
    if again := await services.retention.repeat(runtime.db, runtime.queue):
        log.info("machines.removed_again", jobs=again)


async def _sweep(runtime: Runtime, name: str) -> None:
    spec, provider = provider_of(runtime, name)
    # Listed first: what is recorded meanwhile is not missing in the records then.
    listed = await provider.list(nobody_hears)
    records = await services.orphans.records(runtime.db, name)
    found = sweep(
        listed,
        _known(records.machines),
        elsewhere=_known(records.elsewhere),
        told=_told((*records.elsewhere, *records.machines)),
        prefix=records.prefix,
        now=records.now,
    )
    tags = {item.tag: item.machine_id for item in listed}
    for record in records.machines:
        if record.status is MachineStatus.UNKNOWN and record.external_id == tags.get(record.tag):
            await services.orphans.mark_found(runtime.db, record.tag)
        if (record.terminated_at or not record.wanted) and record.tag not in tags:
            await services.orphans.forget(runtime.db, record.tag)
    for vanished in found.vanished:
        log.warning("machine.vanished", provider=name, machine=vanished.tag)
        await services.orphans.mark_vanished(runtime.db, vanished.tag)
    for double in found.doubled:
        log.warning(
            "machine.doubled", provider=name, machine=double.tag, machine_id=double.machine_id
        )
    await _end_orphans(runtime, name, provider, found, Policy(spec.orphans))


def _known(rows: Sequence[Row]) -> list[Known]:
    """What was asked for here; what was gone once belongs to nobody, whatever it is now."""
    return [
        Known(
            one.tag,
            MachineStatus.TERMINATED if one.terminated_at else one.status,
            one.updated_at,
            one.external_id,
            was_asked_for=bool(one.wanted),
        )
        for one in rows
        if one.wanted or one.terminated_at
    ]


def _told(rows: Sequence[Row]) -> dict[str, datetime]:
    """Since when machines are reported that nobody asked for here: their rows change no more."""
    return {
        one.tag: one.updated_at
        for one in rows
        if not one.wanted and one.status is MachineStatus.UNKNOWN
    }


async def _end_orphans(
    runtime: Runtime, name: str, provider: Provider, found: Findings, policy: Policy
) -> None:
    to_remove = found.to_remove(policy)
    for orphan in found.orphaned:
        tag, machine_id = orphan.listed.tag, orphan.listed.machine_id
        log.warning("machine.orphaned", provider=name, machine=tag, reason=orphan.why)
        db, why = runtime.db, orphan.why
        await services.orphans.report(db, name, tag, external_id=machine_id, why=why)
        if tag in to_remove:
            try:
                lifecycle = Lifecycle(provider, _record, nobody_hears, Waits())
                await lifecycle.end(Machine(tag, MachineStatus.UNKNOWN))
                await services.orphans.forget(db, tag)
            except ProviderError as error:
                log.warning("machine.kept", machine=tag, reason=error.detail)


async def _record(_machine: Machine) -> None:
    """It is recorded as unknown already, until it is gone."""
