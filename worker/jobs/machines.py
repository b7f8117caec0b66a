"""The machine of a job's host: made and removed by its provider, each state written down."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from app import services
from app.domain.host_spec import HostSpec
from app.domain.machine import Machine, MachineStatus, Wait, Waits, WrongState
from app.domain.problem import CODES, error_of
from app.domain.provider_spec import ProviderSpec
from app.errors import InUse
from app.services.work import Work
from worker.engine.failed import Failed
from worker.jobs.lease import Lease
from worker.jobs.planning import machine_made_for
from worker.jobs.runtime import Runtime
from worker.plans.outcome import Outcome
from worker.providers.executable import ExecProvider, Longest
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import (
    MachineFailed,
    Made,
    Provider,
    ProviderError,
    ProviderFailed,
    Show,
    Wish,
)
from worker.steps.step import Failure

T = TypeVar("T")

#: There is no machine for certain.
_NOTHING = frozenset({MachineStatus.PENDING, MachineStatus.FAILED, MachineStatus.TERMINATED})

log = structlog.get_logger()


def provider_of(runtime: Runtime, name: str) -> tuple[ProviderSpec, Provider]:
    """Raises ProviderFailed for one that the worker was not told of, or cannot run."""
    spec = runtime.providers.get(name)
    if spec is None:
        raise ProviderFailed(
            f"The worker {runtime.name} knows no provider {name}.",
            hint="Name it in LIFTLOCK_PROVIDERS of every worker, as docs/providers.md shows.",
        )
    bounds = spec.timeouts
    longest = Longest(bounds.create, bounds.destroy, bounds.list)
    return spec, ExecProvider.of(spec.program, variables=spec.variables, longest=longest)


class Machines:
    """For one attempt at a job; without a machine it is never asked for anything."""

    def __init__(self, runtime: Runtime, work: Work, lease: Lease) -> None:
        self._runtime, self._work, self._lease = runtime, work, lease
        row = work.machine
        self._state = Machine(row.tag, row.status, row.external_id) if row else Machine("")
        #: Whether the host was made in this attempt, which has planned without its address.
        self.is_new = False

    async def create(self, show: Callable[[str], Awaitable[None]]) -> None:
        """Raises Failed; asked again, it takes the machine that is there."""
        await self._told(self._create(_lines(show)))

    async def destroy(self, show: Callable[[str], Awaitable[None]]) -> bool:
        """Whether it is gone, or stays for others; raises Failed when nobody can tell."""
        return await self._told(self._destroy(_lines(show)))

    async def settle(self, outcome: Outcome) -> None:
        """Before the job ends: one that was told to stop leaves no machine, and no host of none."""
        if self._work.machine is None:
            return
        if outcome.stopped is not None and machine_made_for(self._work) is not None:
            await self._abandon()
        await self._insist(lambda: services.machines.close(self._runtime.db))

    async def _abandon(self) -> None:
        """What nobody can tell of is kept as unknown."""
        if self._state.status not in _NOTHING:
            try:
                await self.destroy(nobody_hears)
            except Failed as error:
                log.warning("machine.kept", machine=self._state.tag, reason=error.detail)

    async def _create(self, show: Show) -> None:
        lifecycle = self._lifecycle(show)
        if self._state.status is MachineStatus.FAILED:
            raise MachineFailed("The provider made no machine.", hint="Provision again.")
        if self._state.status is MachineStatus.READY:
            # Whoever was here before ended before its host was known: it is taken as it is.
            self._state = self._state.become(MachineStatus.UNKNOWN)
            await self._record(self._state)
        keys = await self._insist(lambda: services.identities.list_all(self._runtime.db))
        wish = Wish(
            name=self._work.host.name,
            labels={name: str(value) for name, value in self._work.host.labels.items()},
            authorized_keys="".join(f"{key.authorized_keys}\n" for key in keys),
        )
        _, made = await lifecycle.make(self._state, wish)
        await self._insist(
            lambda: services.machines.reached(
                self._runtime.db, self._work.job, _spec(self._work.host.name, made)
            )
        )
        self.is_new = True

    async def _destroy(self, show: Show) -> bool:
        db, job = self._runtime.db, self._work.job
        try:
            others = await self._insist(lambda: services.machines.give_up(db, job))
        except InUse as error:
            raise Failed(
                Failure(error.code, CODES[error.code].title, error.hint or ""), error.detail
            ) from error
        if others:
            verb = "is" if len(others) == 1 else "are"
            await show(f"The machine stays: {', '.join(others)} {verb} on it.")
            return False
        await self._lifecycle(show).end(self._state)
        return True

    def _lifecycle(self, show: Show) -> Lifecycle:
        row = self._work.machine
        if row is None:
            raise ValueError(f"Job {self._work.job.id} has no machine.")
        spec, provider = provider_of(self._runtime, row.provider)
        return Lifecycle(provider, self._record, show, Waits(state=Wait(spec.timeouts.boot, 1)))

    async def _record(self, state: Machine) -> None:
        row = self._work.machine
        if row is None:
            return
        db, job = self._runtime.db, self._work.job
        await self._insist(lambda: services.machines.record(db, job, row.id, state))
        self._state = state

    async def _told(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except (ProviderError, WrongState) as error:
            raise await self._failed(error) from error

    async def _failed(self, error: ProviderError | WrongState) -> Failed:
        code = error.code if isinstance(error, ProviderError) else ProviderFailed.code
        hint = error.hint if isinstance(error, ProviderError) else "See: liftlock machines list"
        row, state = self._work.machine, self._state
        if row is not None:
            db, job = self._runtime.db, self._work.job
            kept = error_of(code, str(error), hint=hint)
            await self._insist(lambda: services.machines.record(db, job, row.id, state, error=kept))
        return Failed(Failure(code, CODES[code].title, hint), str(error))

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        return await self._lease.insist(write)


def _spec(name: str, made: Made) -> HostSpec:
    return HostSpec(
        name=name,
        address=made.address,
        port=made.port,
        user=made.user,
        host_key=made.host_key,
        site_address=made.site_address,
    )


async def nobody_hears(_text: str) -> None:
    """The job is about to end: what was told is in the machine's error."""


def _lines(show: Callable[[str], Awaitable[None]]) -> Show:
    async def line(text: str) -> None:
        await show(f"{text}\n")

    return line
