"""A provider whose machines are records in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.providers.provider import (
    Gone,
    Listed,
    MachineFailed,
    Made,
    Show,
    Unconfirmed,
    Wish,
)

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"


@dataclass
class FakeProvider:
    machines: dict[str, Made | None] = field(default_factory=dict)
    #: What goes wrong from now on: the error of `create`, the reason that `destroy` gives.
    create_fails: Exception | None = None
    destroy_fails: str = ""
    #: Every call, in order: action and tag.
    calls: list[tuple[str, str]] = field(default_factory=list)
    #: Of all machines.
    created: datetime | None = None

    async def create(self, tag: str, wish: Wish, show: Show) -> Made:
        self.calls.append(("create", tag))
        await show(f"making {tag}")
        if self.create_fails:
            raise self.create_fails
        made = self.machines.get(tag) or made_as(tag, len(self.calls))
        self.machines[tag] = made
        return made

    async def destroy(self, tag: str, show: Show) -> Gone | Unconfirmed:
        self.calls.append(("destroy", tag))
        await show(f"removing {tag}")
        if self.destroy_fails:
            return Unconfirmed(self.destroy_fails)
        self.machines.pop(tag, None)
        return Gone()

    async def list(self, show: Show) -> tuple[Listed, ...]:
        self.calls.append(("list", ""))
        created = self.created or datetime.now(UTC)
        return tuple(
            Listed(tag, made.machine_id if made else f"half-{tag}", created, made)
            for tag, made in self.machines.items()
        )


def made_as(tag: str, number: int = 1, **changes: object) -> Made:
    values: Mapping[str, object] = {
        "tag": tag,
        "machine_id": f"m-{number}",
        "address": "192.0.2.1",
        "port": 22,
        "user": "deploy",
        "host_key": HOST_KEY,
    }
    return Made(**{**values, **changes})  # type: ignore[arg-type]


def impossible(tag: str) -> MachineFailed:
    return MachineFailed(f"There is no room for {tag}.", hint="Wait.")
