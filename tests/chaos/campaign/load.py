"""The load: jobs asked for over the whole run, by clients that repeat what was not answered."""

import asyncio
import contextlib
import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import httpx

from tests.chaos.campaign.world import World

FINAL = frozenset({"succeeded", "failed", "canceled", "superseded"})
#: Seconds between two tries of a request, and between two looks at a job.
_AGAIN, _LOOK = 0.5, 2.0
#: Part of the jobs that their client follows to the end.
_FOLLOWED = 0.2
#: The same request is under way at another API.
_PASSING = "idempotency-in-progress"
#: How an app server is put into service, so that the next job has not to wait for long.
_BRIEFLY = {"partial": True, "drain": 2, "watch": 1}


@dataclass(frozen=True)
class Order:
    """One job to ask for."""

    #: Seconds from the beginning.
    at: float
    instance: str
    key: str
    is_followed: bool


def orders(chance: random.Random, instances: list[str], jobs: int, seconds: float) -> list[Order]:
    """Spread evenly, except that about every sixth comes together with the one before it."""
    made, at = [], 0.0
    for number in range(jobs):
        if chance.random() > 1 / 6:
            at = seconds * number / jobs
        key = str(UUID(int=chance.getrandbits(128), version=4))
        made.append(Order(at, chance.choice(instances), key, chance.random() < _FOLLOWED))
    return made


@dataclass
class Load:
    world: World
    asked: int = 0
    #: Answered with 202.
    accepted: int = 0
    #: Followed by a client until it saw the end.
    followed: int = 0
    #: Requests that got no answer, or one that says to try again.
    repeated: int = 0
    #: What a request was refused with for good.
    refused: list[str] = field(default_factory=list)

    async def run(self, planned: list[Order]) -> None:
        """Ask for each when it is time; returns when all are accepted and the followed ended."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for order in planned:
                await asyncio.sleep(max(0.0, began + order.at - time.monotonic()))
                group.create_task(self._client(order))

    async def _client(self, order: Order) -> None:
        self.asked += 1
        body = {"kind": "provision", "instance": order.instance}
        headers = {"Idempotency-Key": order.key}
        job = await self._answered("POST", "/v1/jobs", json=body, headers=headers)
        if job is None:
            return
        self.accepted += 1
        self._note_accepted(order, job)
        is_routed = order.instance in self.world.routed
        if order.is_followed or is_routed:
            job = await self._followed(job)
        if is_routed and job is not None and job["status"] == "succeeded":
            await self._activate(order, job["app_server"])

    async def _activate(self, order: Order, app_server: dict[str, Any]) -> None:
        """Put what was built into service, whatever has become of it since."""
        self.asked += 1
        headers = {"Idempotency-Key": str(uuid5(UUID(order.key), "activate"))}
        place = f"/v1/app-servers/{app_server['id']}/activate"
        job = await self._answered("POST", place, json=_BRIEFLY, headers=headers)
        if job is None:
            return
        self.accepted += 1
        self._note_accepted(order, job)
        await self._followed(job)

    async def _followed(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The job once it has ended."""
        found: dict[str, Any] | None = job
        while found is not None:
            self._note("seen", {"job": found["id"], "status": found["status"]})
            if found["status"] in FINAL:
                self.followed += 1
                break
            await asyncio.sleep(_LOOK)
            found = await self._answered("GET", f"/v1/jobs/{found['id']}")
        return found

    def _note_accepted(self, order: Order, job: dict[str, Any]) -> None:
        line = {"job": job["id"], "instance": order.instance, "host": self._host_of(order)}
        self._note("accepted", line)

    def _note(self, file: str, line: dict[str, Any]) -> None:
        with (self.world.folder / f"{file}.jsonl").open("a") as notes:
            notes.write(json.dumps({**line, "at": time.time()}) + "\n")

    def _host_of(self, order: Order) -> str:
        return self.world.instances[order.instance]

    async def _answered(self, method: str, path: str, **request: Any) -> dict[str, Any] | None:
        """Asks one API after the other until there is an answer that counts; None: refused."""
        clients = random.sample(self.world.clients, len(self.world.clients))
        for client in itertools.cycle(clients):
            with contextlib.suppress(httpx.TransportError):
                answer = await client.request(method, path, **request)
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                if answer.is_client_error and answer.json().get("code") != _PASSING:
                    self.refused.append(f"{method} {path}: {answer.status_code} {answer.text}")
                    return None
            self.repeated += 1
            await asyncio.sleep(_AGAIN)
        return None
