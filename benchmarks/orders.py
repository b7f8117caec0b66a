"""Bodies of POST /v1/jobs, and what must exist before they are accepted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from benchmarks.load import Address
from benchmarks.rig import Api

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
#: Requests at a time while things are set up.
_TOGETHER = 8


async def add_hosts(api: Api, count: int) -> list[str]:
    """Enrolled hosts that nobody will connect to; their names."""
    names = [f"host-{number}" for number in range(count)]
    bodies = [
        {"name": name, "address": "127.0.0.1", "user": "nobody", "host_key": HOST_KEY}
        for name in names
    ]
    await _post_all(api, "/v1/hosts", bodies)
    return names


async def add_instances(api: Api, hosts: list[str], count: int) -> list[str]:
    """Instances spread over the hosts; their names."""
    names = [f"site-{number}" for number in range(count)]
    bodies = [
        {
            "name": name,
            "recipe": "command",
            "repository": "https://git.invalid/site.git",
            "revision": "main",
            "host": hosts[number % len(hosts)],
            "settings": {"START_COMMAND": "true"},
        }
        for number, name in enumerate(names)
    ]
    await _post_all(api, "/v1/instances", bodies)
    return names


def enrolments(address: Address, hosts: list[str]) -> Callable[[int], bytes]:
    """The smallest job: one lock for each host, no recipe."""
    return _cycle(address, [{"kind": "enroll", "host": name} for name in hosts])


def provisions(address: Address, instances: list[str]) -> Callable[[int], bytes]:
    """The usual job: recipe, settings, secrets and port are checked and reserved."""
    return _cycle(address, [{"kind": "provision", "instance": name} for name in instances])


def _cycle(address: Address, bodies: list[dict[str, str]]) -> Callable[[int], bytes]:
    requests = [address.request("POST", "/v1/jobs", body) for body in bodies]
    return lambda number: requests[number % len(requests)]


async def _post_all(api: Api, path: str, bodies: Sequence[Mapping[str, object]]) -> None:
    gate = asyncio.Semaphore(_TOGETHER)

    async def post(body: Mapping[str, object]) -> None:
        async with gate:
            await api.ask("POST", path, body)

    await asyncio.gather(*(post(body) for body in bodies))
