"""The life of one machine: each state is recorded before the provider is asked for the next."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.domain.machine import Machine, MachineStatus, NeverReached, Waits
from worker.providers.provider import (
    MachineFailed,
    Made,
    Provider,
    ProviderFailed,
    Show,
    Unconfirmed,
    Wish,
)
from worker.providers.waiting import answers_ssh, wait_until

#: Keeps what is known of the machine, for good, before it returns.
Record = Callable[[Machine], Awaitable[None]]
#: Whether an address and a port answer.
Answers = Callable[[str, int], Awaitable[bool]]

#: Whoever was here before ended in the middle, and nobody knows what it has reached.
_INTERRUPTED = frozenset({MachineStatus.BUILDING, MachineStatus.BOOTING})


@dataclass(frozen=True)
class Lifecycle:
    provider: Provider
    record: Record
    show: Show
    waits: Waits
    answers: Answers = answers_ssh

    async def make(self, machine: Machine, wish: Wish) -> tuple[Machine, Made]:
        """From a recorded machine to one that answers; can be called again after a crash.

        Raises MachineFailed and ProviderFailed; the record then says `failed` when there
        certainly is no machine, else `unknown`. Raises WrongState for one that is over.
        """
        if machine.status in _INTERRUPTED:
            machine = await self._become(machine, MachineStatus.UNKNOWN)
        building = await self._become(machine, MachineStatus.BUILDING)
        try:
            made = await self.provider.create(building.tag, wish, self.show)
        except MachineFailed:
            await self._become(building, MachineStatus.FAILED)
            raise
        except ProviderFailed:
            await self._become(building, MachineStatus.UNKNOWN)
            raise
        booting = await self._become(building, MachineStatus.BOOTING, made.machine_id)
        await self._reached(booting, made)
        return await self._become(booting, MachineStatus.READY), made

    async def confirm(self, machine: Machine, made: Made) -> Machine:
        """A ready machine that still answers; it has the time of a restart for that.

        Raises MachineFailed; the record then says `unknown`.
        """
        try:
            await wait_until(self._look(made), {MachineStatus.READY}, self.waits.reboot)
        except NeverReached as error:
            await self._become(machine, MachineStatus.UNKNOWN)
            raise _unreached(machine, made, error) from None
        return machine

    async def end(self, machine: Machine) -> Machine:
        """`terminated` once the provider says so; until then it is recorded as `unknown`.

        Raises ProviderFailed when it is not confirmed. Done again, it asks again.
        """
        gone = await self.provider.destroy(machine.tag, self.show)
        if isinstance(gone, Unconfirmed):
            if machine.status in {*_INTERRUPTED, MachineStatus.READY}:
                await self._become(machine, MachineStatus.UNKNOWN)
            raise ProviderFailed(
                f"Nobody can tell whether the machine {machine.tag} is gone: {gone.why}",
                hint="It may still cost money. Look at the provider, then ask again.",
            )
        return await self._become(machine, MachineStatus.TERMINATED)

    async def unlisted(self, machine: Machine) -> None:
        """Until the provider lists a removed machine no more; raises MachineFailed."""

        async def look() -> MachineStatus:
            listed = await self.provider.list(self.show)
            is_there = any(item.tag == machine.tag for item in listed)
            return MachineStatus.UNKNOWN if is_there else MachineStatus.TERMINATED

        try:
            await wait_until(look, {MachineStatus.TERMINATED}, self.waits.shutdown)
        except NeverReached as error:
            raise MachineFailed(
                f"The machine {machine.tag} was removed, and is still listed. {error}",
                hint="The program's `list` has to leave out what is gone.",
            ) from None

    async def _reached(self, booting: Machine, made: Made) -> None:
        try:
            await wait_until(self._look(made), {MachineStatus.READY}, self.waits.state)
        except NeverReached as error:
            await self._become(booting, MachineStatus.UNKNOWN)
            raise _unreached(booting, made, error) from None

    def _look(self, made: Made) -> Callable[[], Awaitable[MachineStatus]]:
        async def look() -> MachineStatus:
            is_up = await self.answers(made.address, made.port)
            return MachineStatus.READY if is_up else MachineStatus.BOOTING

        return look

    async def _become(
        self, machine: Machine, status: MachineStatus, machine_id: str = ""
    ) -> Machine:
        changed = machine.become(status, machine_id=machine_id)
        await self.record(changed)
        return changed


def _unreached(machine: Machine, made: Made, error: NeverReached) -> MachineFailed:
    return MachineFailed(
        f"The machine {machine.tag} does not answer SSH at {made.address}:{made.port}. {error}",
        hint=f"It is kept for inspection. Try it: ssh -p {made.port} {made.user}@{made.address}",
    )
