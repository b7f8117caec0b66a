"""Questions to a site by HTTP, through a host: until it answers as it should, or for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.engine.context import Context
from worker.engine.failed import Failed
from worker.remote.host import Output as Hear
from worker.remote.site import Site
from worker.steps.step import Command, Probe, Watch

#: Raises Failed when the process behind a site has died.
Alive = Callable[[Command], Awaitable[None]]


@dataclass
class _Watched:
    """What one probe of a watch has heard."""

    probe: Probe
    said: str = ""
    wrong: int = 0  # in a row
    all_wrong: int = 0


@dataclass(frozen=True)
class Probing:
    """Raises Failed, and RemoteError: a host that is silent says nothing about the site."""

    context: Context
    show: Hear
    alive: Alive

    async def ask(self, probe: Probe) -> None:
        """Until it answers as it should."""
        said = ""
        for attempt in range(1, probe.tries + 1):
            right, said = await self._answer(probe)
            # Also when it answers: what answers must be the process that was started.
            if probe.alive:
                await self.alive(probe.alive)
            if right:
                await self.show(f"{said}\n")
                return
            if attempt < probe.tries:
                await asyncio.sleep(probe.every)
        host = self.context.host.name
        raise Failed(probe.on_failure, f"{host}, after {probe.tries} tries: {said}.")

    async def watch(self, watch: Watch, since: datetime) -> None:
        """Until its time is over; then those that answered wrong last are asked until it is
        certain what they are.
        """
        # The wall clock says how long others watched, this one's own how long it does.
        before = max(0.0, (datetime.now(UTC) - since).total_seconds())
        began, rounds = time.monotonic() - before, 0
        watched = asked = [_Watched(probe) for probe in watch.probes]
        while asked:
            await self._round(watch, asked, began)
            rounds += 1
            left = watch.seconds - (time.monotonic() - began)
            if left <= 0:
                asked = [one for one in watched if one.wrong]
            if asked:
                await self.context.pause(min(watch.every, left) if left > 0 else watch.every)
        wrong = sum(one.all_wrong for one in watched)
        passed = time.monotonic() - began
        await self.show(
            f"watched for {passed:.0f} s: {_counted(rounds, 'round')} here, "
            f"{_counted(wrong, 'wrong answer')}\n"
        )

    async def _round(self, watch: Watch, asked: Iterable[_Watched], began: float) -> None:
        """All at a time: one that has to be waited for hides no other's answer."""
        found = await self._answers(asked)
        passed = f"after {time.monotonic() - began:.0f} s"
        for one, (right, said) in zip(asked, found, strict=True):
            if said != one.said:
                await self.show(f"{passed}: {said}\n")
            one.said, one.wrong = said, 0 if right else one.wrong + 1
            one.all_wrong += not right
            if not right and one.wrong >= watch.most_wrong:
                times = f"{_counted(one.wrong, 'time')} in a row"
                host = self.context.host.name
                raise Failed(
                    one.probe.on_failure, f"{host}, {passed} of watching: {said}, {times}."
                )
        for one in asked:
            if one.probe.alive:
                await self._lives(one.probe.alive, one.said)

    async def _lives(self, alive: Command, said: str) -> None:
        """What was answered comes before the last words of a process that has died."""
        try:
            await self.alive(alive)
        except Failed as died:
            raise Failed(died.failure, f"{said}.\n{died.detail}", died.exit_code) from died

    async def _answers(self, asked: Iterable[_Watched]) -> list[tuple[bool, str]]:
        """When the host failed one of them, what the others heard counts for nothing."""
        asking = [asyncio.ensure_future(self._answer(one.probe)) for one in asked]
        await asyncio.gather(*asking, return_exceptions=True)
        return [task.result() for task in asking]

    async def _answer(self, probe: Probe) -> tuple[bool, str]:
        """Whether it is as it should be, and how it is told."""
        site = Site(probe.address, probe.port, probe.name, tls=probe.tls)
        asked = f"GET {site.url(probe.path)}"
        answer = await self.context.host.http_get(
            probe.port,
            probe.path,
            timeout=probe.timeout,
            address=probe.address,
            name=probe.name,
            tls=probe.tls,
        )
        wanted = " or ".join(str(status) for status in probe.status)
        if answer.problem:
            return False, f"{asked}: {answer.problem}, wanted {wanted}"
        if answer.status not in probe.status:
            return False, f"{asked} answered {answer.status}, wanted {wanted}"
        if probe.contains and probe.contains not in answer.body:
            return False, f"{asked} answered {answer.status} without {probe.contains!r} in the page"
        return True, f"{asked} answered {answer.status}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
