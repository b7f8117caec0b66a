"""The look at extensions, every quarter of an hour: is all that was installed still in its place?

Liftlock does not serve a site's files, so nobody tells it that one is missing. Only what is not as
it is known becomes a job.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import structlog

from app import services
from app.domain.redaction import Redactor
from app.models.base import new_id
from app.services.extension_looks import Look
from app.services.extension_sightings import Seen
from worker.jobs.connect import addresses_of, open_hosts
from worker.jobs.planning import plan_of
from worker.jobs.runtime import Runtime
from worker.jobs.sightings import sightings_of
from worker.remote.errors import RemoteError
from worker.remote.host import Host
from worker.steps.output import Output
from worker.steps.step import Command, Note

#: Seconds for one extension of an app server, and for an instance with all that it has.
ONE, MOST = 300.0, 900.0

log = structlog.get_logger()


async def sweep_extensions(runtime: Runtime, every: timedelta) -> None:
    """Look at the instances whose turn it is, one after the other. Several workers may."""
    while not runtime.draining():
        look = await services.extension_looks.begin(runtime.db, every)
        if look is None:
            return
        await _look(runtime, look)


async def _look(runtime: Runtime, look: Look) -> None:
    """What nobody could look at is as it is known."""
    name = look.instance.name
    try:
        async with asyncio.timeout(MOST):
            seen = await _seen(runtime, look)
    except RemoteError as problem:
        _unseen(look, str(problem))
    except TimeoutError:
        _unseen(look, f"It took more than {MOST:g} s.")
    else:
        job = await services.extension_looks.end(runtime.db, runtime.queue, look, seen)
        if job is not None:
            log.info("extensions.inspected", instance=name, job=str(job))


def _unseen(look: Look, reason: str) -> None:
    log.warning("extensions.unseen", instance=look.instance.name, reason=reason)


async def _seen(runtime: Runtime, look: Look) -> list[Seen]:
    """By the very commands of an inspection."""
    work = look.work
    secrets = await services.claiming.reveal_secrets(runtime.db, runtime.vault, work)
    redactor, facts = Redactor(secrets.values()), dict[str, str]()
    hosts, addresses = await open_hosts(runtime), addresses_of(work)
    silent: set[str] = set()
    for step in plan_of(work, runtime.asset_place).steps:
        name = step.at or work.host.name
        match step.action:
            case Note() as note:
                return sightings_of(note, facts, redactor)
            case Command() as command if name not in silent:
                try:
                    host = hosts.host(addresses[name])
                    facts |= await _asked(host, command, secrets, redactor)
                except RemoteError as problem:
                    # The others are looked at all the same.
                    silent.add(name)
                    _unseen(look, f"{name}: {problem}")
    return []


async def _asked(
    host: Host, command: Command, secrets: dict[str, str], redactor: Redactor
) -> dict[str, str]:
    """The facts; none when the command failed."""
    said = Output(command, redactor)

    async def hear(text: str) -> None:
        said.hear(text)

    own = {name: secrets[name] for name in command.secrets if name in secrets}
    name = f"look-{new_id()}"
    code = await host.run(replace(command, timeout=ONE), name=name, secrets=own, output=hear)
    with suppress(RemoteError):
        await host.clean(name)
    said.tail()
    return said.facts if code == 0 else {}
