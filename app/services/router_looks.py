"""Looks at routers: each is read back now and then, and what differs becomes a wish for a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app import store
from app.domain.spellings import without_controls
from app.services.work import Routed
from app.store.database import Database
from app.store.looks import Wanted

#: Characters of what is kept of an answer; it is for people.
_MOST = 500


@dataclass(frozen=True)
class Look:
    """A router whose turn it is, and what it should do."""

    routed: Routed
    #: For each instance that no job and no lock by hand is about.
    wanted: tuple[Wanted, ...]


async def begin(db: Database, every: timedelta) -> Look | None:
    """A router that nobody has looked at for so long; None when there is none. Nobody else gets it.

    One that somebody has locked by hand, with its host, is left alone.
    """
    async with db.transaction() as session:
        router_id = await store.looks.take(session, every)
        found = await store.works.find_routed(session, router_id) if router_id else None
        if router_id is None or found is None:
            return None
        router, host = found
        ways = await store.works.ways(session, {host.id}) if host.jump_host_id else {}
        wanted = await store.looks.list_wanted(session, router_id)
        return Look(Routed(router, host, ways.get(host.id, ())), tuple(wanted))


async def why_none(db: Database, ref: str) -> str | None:
    """Why whoever looks at routers passes this one over; None: it does not. Raises NotFound."""
    async with db.transaction() as session:
        router = await store.routers.get(session, ref)
        locked, quiet = await store.looks.prospect(session, router.id)
    if locked:
        return "Its host, or everything, is locked by hand: liftlock locks list"
    if not quiet:
        return "Each of its sites was never applied, or a job or a lock by hand is about it."
    return None


async def end(
    db: Database, look: Look, *, drifts: Mapping[UUID, str], error: str | None
) -> list[str]:
    """Note what was found for which instance, or why the router could not be asked.

    What was changed meanwhile is left alone. Of a router that was asked nothing, nothing is noted:
    what was known of it stays. The instances that have to be told again: each gets a
    new wish, and `dirty_routes.sweep` asks for its job.
    """
    router, told = look.routed.router, []
    async with db.transaction() as session:
        # The router first, as whoever changes it locks them. Nothing asked is nothing seen.
        if look.wanted:
            await store.looks.note(session, router.id, _kept(error) if error else None)
        # In one order, whoever locks several of them.
        for one in sorted(look.wanted, key=lambda one: one.instance.id):
            instance = one.instance
            if instance.id in drifts and await store.looks.drifted(
                session,
                router.id,
                instance.id,
                version=instance.route_version,
                found=_kept(drifts[instance.id]),
            ):
                told.append(instance.name)
    return told


def _kept(text: str) -> str:
    return without_controls(text.strip())[:_MOST]
