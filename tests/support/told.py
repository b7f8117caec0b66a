"""What a job tells, waited for, and what of it runs on its machine."""

import asyncio

from tests.support import factories


async def said(db, job, text):
    """Wait until the job has said it."""
    await told(db, job, lambda event: text in str(event.data.get("text")))


async def happened(db, job, kind):
    """Wait until the job has told an event of that type; its data."""
    return (await told(db, job, lambda event: event.type == kind)).data


async def told(db, job, is_it):
    async with asyncio.timeout(30):
        while True:
            for event in await factories.events(db, job.id):
                if is_it(event):
                    return event
            await asyncio.sleep(0.01)


def site_processes(machine):
    """Processes of the instance `shop` on this machine, and of no other test's."""
    here = set(machine.processes(f"LIFTLOCK_BASE={machine.base}"))
    return sorted(here & set(machine.processes("INSTANCE=shop")))
