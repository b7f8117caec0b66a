"""An instance of two app servers behind a router, and the jobs about it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from app import services, store
from app.domain.job import FINAL, JobKind, JobStatus
from app.models import Job
from tests.support import factories, sites
from tests.support.racks import Rack, RackHost
from tests.support.router_load import KeepAlive, Load
from worker.jobs.run_job import run_job

NAME = "shop.example"
#: Each app server answers with its number; `broken` in a host's shared folder makes it fail there.
RECIPE = f"""
name: shop
data: network
build:
  - name: page
    run: |
      test ! -e "$SHARED_DIR/broken"
      echo "${{RELEASE_DIR##*-}}" > number
start: {{run: {sites.SERVE}}}
check: {{path: /number, every: 0.1}}
background:
  start: [{{name: worker, run: 'echo "start ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"'}}]
  stop: [{{name: worker, run: 'echo "stop ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"'}}]
"""
#: Nothing to watch and little to wait for.
BRIEFLY = {"drain": 2, "watch": 0}


@dataclass
class Shop:
    """`ctx` is a worker's; `router` is a real one."""

    db: Any
    queue: Any
    vault: Any
    ctx: Any
    router: Any

    async def ask(self, kind: JobKind, **values: Any) -> Job:
        """Asked for, and done by nobody yet."""
        view = await factories.request(self.db, self.queue, self.vault, kind=kind, **values)
        return view.job

    async def carry_out(self, kind: JobKind, **values: Any) -> Job:
        job = await self.ask(kind, **values)
        return await self.end_of(job)

    async def end_of(self, job: Job) -> Job:
        if job.kind is JobKind.ACTIVATE:
            # An automatic one takes its time otherwise.
            await factories.change(self.db, job, params={**job.params, **BRIEFLY})
        await run_job(self.ctx, str(job.id), job.attempt + 1)
        return (await services.jobs.get(self.db, job.id)).job

    async def settle(self) -> list[Job]:
        """Carry out whatever is open, and what follows from it; those jobs, oldest first."""
        done: list[Job] = []
        try:
            async with asyncio.timeout(50):
                while jobs := await self._open():
                    done += [await self.end_of(job) for job in jobs]
        except TimeoutError:
            raise AssertionError(await self.said()) from None
        return done

    async def provision(self, **values: Any) -> None:
        """Two app servers beside those in service."""
        await self.ask(JobKind.PROVISION, **values)
        for job in await self.settle():
            assert job.status is JobStatus.SUCCEEDED, job.error

    async def deploy(self, **values: Any) -> list[Job]:
        """Two app servers that go into service by themselves; the jobs of it."""
        await self.ask(JobKind.PROVISION, activate=True, **values)
        return await self.settle()

    async def said(self) -> str:
        """What the open jobs tell, for a message."""
        events = [
            (job.kind, event.at.time(), event.type, event.data)
            for job in await self._open()
            for event in await factories.events(self.db, job.id)
        ]
        return "\n".join(map(str, events[-40:]))

    async def _open(self) -> list[Job]:
        query = select(Job).where(col(Job.status).not_in(FINAL)).order_by(col(Job.sequence))
        async with self.db.transaction() as session:
            return list((await session.exec(query)).all())

    async def active(self) -> list[int]:
        """What Postgres says of who is in service."""
        view = await services.instances.get(self.db, "shop")
        async with self.db.transaction() as session:
            rows = await store.app_servers.list_active(session, view.instance.id)
        return [row.number for row in rows]

    async def serving(self) -> list[int]:
        """Whom visitors reach."""
        link = KeepAlive(self.router.http, NAME, self.router.address)
        answers = [await link.get("/number") for _ in range(30)]
        link.close()
        return sorted({int(got.body) if got.status == 200 else got.status for got in answers})

    def load(self, connections: int = 6) -> Load:
        address = self.router.address
        return Load(self.router.http, connections, paths=("/number",), host=NAME, address=address)


@dataclass
class RackShop(Shop):
    """On the hosts `web1` and `web2`; the router is on the host `edge`."""

    rack: Rack

    @property
    def edge(self) -> RackHost:
        return self.rack.made["edge"]

    def host(self, number: int) -> RackHost:
        return self.rack.made[f"web{number}"]

    def shared(self, number: int) -> Any:
        return self.host(number).base / "apps/shop/shared"
