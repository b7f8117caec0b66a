"""Tries a provider with one machine: makes it, lists it, removes it, and looks at each answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.machine import Machine, MachineStatus
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import MachineFailed, Made, ProviderError, Unconfirmed, Wish
from worker.providers.sweeping import Policy, sweep

#: How the tags of machines begin that were made to try a program.
PREFIX = "liftlock-check-"


@dataclass(frozen=True)
class Check:
    lifecycle: Lifecycle
    #: Told of each thing that was seen to be right.
    passed: Callable[[str], None]
    #: The machine stays, and is not removed.
    keeps: bool = False

    async def run(self, tag: str, wish: Wish) -> None:
        """Raises ProviderError for the first thing that is wrong.

        The machine is removed then too, unless nobody can tell whether it is gone.
        """
        machine = Machine(tag)
        await self.lifecycle.record(machine)
        try:
            await self._try(machine, wish)
        except BaseException:
            if not self.keeps:
                # In a task of its own: this one may be cancelled, and its bounds then are no more.
                await asyncio.create_task(self._remove_after_failure(tag))
            raise

    async def leftovers(self, policy: Policy) -> None:
        """Machines of checks that were interrupted; raises ProviderError."""
        listed = await self.lifecycle.provider.list(self.lifecycle.show)
        self.passed(f"list: {len(listed)} machines")
        found = sweep(listed, (), prefix=PREFIX, now=datetime.now(UTC))
        for orphan in found.orphaned:
            age = orphan.listed.created or "unknown"
            self.passed(f"left by an earlier check: {orphan.listed.tag}, made: {age}")
        for tag in found.to_remove(policy):
            # It is recorded nowhere any more.
            await self.lifecycle.end(Machine(tag, MachineStatus.UNKNOWN))
            self.passed(f"destroy: {tag} is gone")

    async def _try(self, machine: Machine, wish: Wish) -> None:
        ready, made = await self.lifecycle.make(machine, wish)
        self.passed(f"create: {made.user}@{made.address}, port {made.port}, answers SSH")
        await self._listed(made)
        self.passed("list: the machine is there, once")
        again = await self.lifecycle.provider.create(made.tag, wish, self.lifecycle.show)
        if again.machine_id != made.machine_id:
            raise _wrong(f"Asked again, it made {again.machine_id} beside {made.machine_id}.")
        await self._listed(made)
        self.passed("create again: it is the same machine")
        ready = await self.lifecycle.confirm(ready, made)
        if self.keeps:
            return
        ended = await self.lifecycle.end(ready)
        await self.lifecycle.unlisted(ended)
        self.passed("destroy: it is gone, and listed no more")
        await self.lifecycle.end(ended)
        self.passed("destroy again: there is no such machine")

    async def _listed(self, made: Made) -> None:
        listed = await self.lifecycle.provider.list(self.lifecycle.show)
        ids = [item.machine_id for item in listed if item.tag == made.tag]
        if ids != [made.machine_id]:
            raise _wrong(f"It made {made.machine_id}, and lists {ids} with the tag {made.tag}.")
        if not all(item.made in {None, made} for item in listed if item.tag == made.tag):
            raise _wrong(f"It lists the machine {made.machine_id} in other words than it made it.")

    async def _remove_after_failure(self, tag: str) -> None:
        gone = await self.lifecycle.provider.destroy(tag, self.lifecycle.show)
        if isinstance(gone, Unconfirmed):
            await self.lifecycle.show(f"{tag} may still be there: {gone.why}")


def _wrong(detail: str) -> ProviderError:
    return MachineFailed(detail, hint="docs/providers.md tells what each answer has to be.")
