"""A step that waits for a time or for an answer: a look, a short stay, or a suspension."""

from datetime import UTC, datetime, timedelta

from worker.engine.actions import Actions, Done
from worker.engine.context import ASKED, Context, Suspended
from worker.engine.failed import Failed
from worker.steps.step import Step, Wait


class Waiting:
    """On the host of the step that waits."""

    def __init__(self, context: Context) -> None:
        self._context, self._actions = context, Actions(context)

    async def look(self, number: int, step: Step, wait: Wait) -> Done:
        """Done once it is true; raises Suspended while it is not, and Failed when it took long."""
        since = self._context.since(number)
        end = max(since, wait.until or since) + timedelta(seconds=wait.longest)
        while True:
            is_true, said = await self._context.stop.within(self._is_true(number, wait))
            if is_true:
                return Done(note=said or None)
            now = datetime.now(UTC)
            if now >= end:
                waited = f"{self._context.host.name}, after {wait.longest:g} s"
                raise Failed(wait.on_failure, f"{waited}: {said or 'not yet'}")
            short = self._context.waiting.short
            pause = self._pause(wait, now, end)
            if pause > short or (now - since).total_seconds() + pause > short:
                if wait.probe is not None:
                    pause = min(max(pause, short), _left(end, now))
                raise Suspended(
                    "probe" if wait.probe else "time",
                    number,
                    step.name,
                    since=since,
                    until=now + timedelta(seconds=pause),
                    reason=f"{step.title}: {said or 'not yet'}",
                )
            await self._context.pause(pause)

    async def _is_true(self, number: int, wait: Wait) -> tuple[bool, str]:
        if wait.until is not None and datetime.now(UTC) < wait.until:
            return False, ""
        if wait.probe is None:
            return True, ""
        exit_code, said = await self._actions.ask(wait.probe, f"{number}-{ASKED}")
        return exit_code == 0, said.rpartition("\n")[2]

    def _pause(self, wait: Wait, now: datetime, end: datetime) -> float:
        """Seconds until the next look is worth it."""
        if wait.until is not None and now < wait.until:
            return _left(wait.until, now)
        return min(wait.every, _left(end, now))


def _left(end: datetime, now: datetime) -> float:
    return max(0.0, (end - now).total_seconds())
