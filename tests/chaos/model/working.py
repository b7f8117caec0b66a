"""Rules of callers and of workers, in health."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from app import services
from app.domain.event import EventType
from app.domain.job import FINAL, Answer, EndingWhy, JobStatus, Outcome, StepStatus
from app.errors import Conflict, ManualLock, TooEarly
from app.gateways.locks import LockLost
from app.services.claiming import Claim
from app.services.work import Over
from tests.chaos.model import invariants
from tests.chaos.model.expected import ExpectedJob
from tests.chaos.model.state import PICK, WHO, Base, Hold, View, picked
from tests.chaos.model.world import HOSTS, INSTANCES, Took
from worker.jobs.locking import leave, names_of

_OUTPUT = EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": "a line\n"}
_OVER = EventType.STEP_SUCCEEDED, {"number": 1, "step": "look"}

ON = st.sampled_from([*INSTANCES] * 3 + [*HOSTS])
PRIORITY = st.integers(-1, 1)
#: One in eight.
DRY = st.integers(0, 7).map(lambda number: number == 7)


class Asking(Base):
    """What callers do."""

    @initialize(wanted=st.lists(st.tuples(ON, PRIORITY), min_size=3, max_size=6))
    def begin(self, wanted: list[tuple[str, int]]) -> None:
        """Hypothesis leaves out some rules in each run, perhaps asking; some jobs there are."""
        for on, priority in wanted:
            self._ask(on, priority, dry=False)

    @rule(on=ON, priority=PRIORITY, dry=DRY)
    def ask(self, on: str, priority: int, *, dry: bool) -> None:
        self._ask(on, priority, dry=dry)

    def _ask(self, on: str, priority: int, *, dry: bool) -> None:
        refused = not dry and self.expected.is_manual(on)
        try:
            job = self.run(self.world.ask(on, priority=priority, dry_run=dry))
        except ManualLock:
            assert refused
            self.saw("request refused by a manual lock")
            return
        assert not refused
        self.expected.jobs[job.id] = ExpectedJob(job.id, job.sequence, on, priority, dry)

    @rule(pick=PICK, force=st.booleans())
    def cancel(self, pick: int, *, force: bool) -> None:
        begun = self.jobs(lambda job: job.is_open and job.started and job.ending is None)
        if not (job := picked(begun if pick % 2 and begun else self.jobs(), pick)):
            return
        try:
            self.run(
                services.commands.cancel(
                    self.world.db, self.world.queue, job.id, actor="tests", force=force
                )
            )
        except TooEarly:
            assert force
            assert job.is_open
            assert job.started
            return
        except Conflict:
            assert job.status in FINAL - {JobStatus.CANCELED}
            return
        assert job.is_open or job.status is JobStatus.CANCELED
        if not job.is_open or job.ending is not None:
            return
        if job.started:
            self.expected.order_end(job, EndingWhy.CANCELED)
            self.saw("cancel of a job that has begun")
        else:
            self.expected.ended(job, JobStatus.CANCELED)


class Working(Asking):
    """What workers do, each by its own connections."""

    @rule(pick=PICK)
    def attempt(self, pick: int) -> None:
        """A wake-up comes to a worker. (Hypothesis prefers the rule whose name comes first.)"""
        if view := self._look(pick, pick % 2):
            self._taken(view, self.run(self._take(view)))

    @rule(pick=PICK, who=WHO)
    def look(self, pick: int, who: int) -> None:
        """The same, but the worker stands still before it asks for locks."""
        if view := self._look(pick, who):
            self.views.append(view)

    @rule(pick=PICK)
    def take_late(self, pick: int) -> None:
        if view := picked(self.views, pick) or self._look(pick, pick % 2):
            self.views = [other for other in self.views if other is not view]
            self._taken(view, self.run(self._take(view)))
            self.saw("late claim")

    @rule(first=PICK, second=PICK)
    def race(self, first: int, second: int) -> None:
        """Two workers take at the same moment; the order of events is not ours."""
        views = [view for view in (self._look(first, 0), self._look(second, 1)) if view]
        found = self.run(self._gather([self.world.take(v.worker, v.work, v.next) for v in views]))
        # What was refused may have met the other in Redis only.
        for view, took in sorted(zip(views, found, strict=True), key=lambda p: p[1].claim is None):
            self._follow(view, took)
        if len(views) > 1:
            self.saw("race")

    @rule(pick=PICK)
    def renew(self, pick: int) -> None:
        if hold := self._live(pick):
            self.run(services.claiming.renew(hold.worker.db, hold.claim.job))
            self.model_of(hold).expired = False
            try:
                self.run(hold.locks.renew())
            except LockLost:
                self._hand_over(hold)
                return
            hold.is_in_redis = True
            self.saw("renewed")

    @rule(pick=PICK, number=st.integers(1, 3), what=st.sampled_from(["begin", "tell", "end"]))
    def work(self, pick: int, number: int, what: str) -> None:
        if hold := self._live(pick):
            self.run(self._step(hold, number, what))
            self.saw(f"step: {what}")

    @rule(pick=PICK, status=st.sampled_from(["succeeded", "failed", "canceled"]))
    def settle(self, pick: int, status: str) -> None:
        if hold := self._live(pick):
            self.run(self._settle(hold, JobStatus(status)))
            self.expected.ended(self.model_of(hold), JobStatus(status))
            self.saw("settled")

    @rule(pick=PICK, kind=st.sampled_from(["time", "question"]), later=st.booleans())
    def suspend(self, pick: int, kind: str, *, later: bool) -> None:
        if hold := self._live(pick):
            self._suspend(hold, kind, later=later)

    @rule(pick=PICK, answer=st.sampled_from(Answer))
    def answer(self, pick: int, answer: Answer) -> None:
        if pick % 2 and (hold := self._live(pick)):
            self._suspend(hold, "question", later=True)
        asking = self.jobs(lambda job: job.is_open and job.suspended is not None)
        if not (job := picked(asking or self.jobs(), pick)):
            return
        asks = job.is_open and job.suspended == "question" and job.ending is None
        expected = asks and job.answered in {None, str(answer)}
        try:
            self.run(
                services.commands.answer(
                    self.world.db, self.world.queue, job.id, answer=answer, actor="tests"
                )
            )
        except Conflict:
            assert not expected
            return
        assert expected
        self.saw("answered")
        job.answered, job.later = str(answer), False

    @rule(pick=PICK)
    def hand_over(self, pick: int) -> None:
        if hold := self._live(pick):
            self._hand_over(hold)

    def _live(self, pick: int) -> Hold | None:
        """An attempt that has its job; when there is none, one may be had now."""
        if not self.live_holds() and (view := self._look(pick, pick % 2)):
            self._taken(view, self.run(self._take(view)))
        return picked(self.live_holds(), pick)

    def _dead(self, pick: int) -> Hold | None:
        """An attempt that has lost its job; when there is none, one may lose it now."""
        if not self.dead_holds() and (hold := self._live(pick)):
            self._hand_over(hold)
        return picked(self.dead_holds(), pick)

    def _look(self, pick: int, who: int) -> View | None:
        """What a wake-up finds; there is none for a job while an attempt has it."""
        if not self.jobs(lambda job: job.is_open) and pick % 2:
            self._ask([*INSTANCES][pick % 3], 0, dry=False)
        waiting = self.jobs(lambda job: job.is_open and not job.held)
        job = picked(waiting or self.jobs(lambda job: not job.is_open), pick)
        if job is None:
            return None
        worker = self.world.workers[who]
        try:
            return View(worker, self.run(services.work.look(worker.db, job.id)))
        except Over as over:
            assert not job.is_open
            self.run(leave(worker.locks, worker.queue, over.job))
            return None

    async def _gather(self, works: Sequence[Any]) -> list[Any]:
        return list(await asyncio.gather(*works))

    async def _take(self, view: View) -> tuple[Took, dict[str, dict[str, str]], dict[str, float]]:
        """With what Redis showed before."""
        names = names_of(view.work.job)
        held = await invariants.shown_held(self.world)
        line = await invariants.shown_line(self.world, names)
        took = await self.world.take(view.worker, view.work, view.next)
        return took, {name: held[name] for name in names if name in held}, line

    def _taken(self, view: View, found: tuple[Took, Any, Any]) -> None:
        took, held, line = found
        job = self.expected.jobs[view.work.job.id]
        wanted = self.expected.may_claim(job, view.next)
        if took.in_line:
            others = {shown["job"] for shown in held.values()} | set(line)
            assert others - {str(job.id)}, "refused by Redis, and nobody was there"
            self.saw("refused by Redis")
        else:
            assert (took.claim is not None) is wanted, f"job {job.number}: {took.blocked!r}"
        if took.claim is not None:
            taken = {shown["job"] for shown in held.values() if shown["owner"]} - {str(job.id)}
            assert not taken, f"Redis gave away what {taken} held"
        self._follow(view, took)

    def _follow(self, view: View, took: Took) -> None:
        """Let the model have what became true."""
        job, attempt = self.expected.jobs[view.work.job.id], view.next
        if took.claim is not None:
            assert self.expected.may_claim(job, attempt), f"job {job.number} was to be refused"
            self.expected.claimed(job)
            self.holds.append(Hold(view.worker, took.claim, took.locks))
            self._check_tokens(job, took.claim)
            self.saw("claimed")
        elif took.ended:
            assert self.expected.meets_manual(job)
            self.expected.ended(job, JobStatus.FAILED)
            self.saw("ended by a manual lock")
        elif took.blocked is not None:
            self.expected.blocked(job, attempt)
            self.saw("blocked")

    def _check_tokens(self, job: ExpectedJob, claim: Claim) -> None:
        if not job.dry_run:
            assert list(claim.tokens.values()) == [self.expected.locks[job.target].token]

    async def _step(self, hold: Hold, number: int, what: str) -> None:
        db, job = hold.worker.db, hold.claim.job
        match what:
            case "begin":
                await services.execution.start_step(
                    db, job, number=number, name=f"step-{number}", title="Look"
                )
            case "tell":
                await services.execution.record(db, job, _OUTPUT, _OUTPUT)
            case _:
                await services.execution.start_step(
                    db, job, number=number, name=f"step-{number}", title="Look"
                )
                await services.execution.finish_step(
                    db,
                    job,
                    number=number,
                    status=StepStatus.SUCCEEDED,
                    exit_code=0,
                    duration_ms=1,
                    facts={},
                    event=_OVER,
                )

    async def _settle(self, hold: Hold, status: JobStatus) -> None:
        failed = status is not JobStatus.SUCCEEDED
        rivals = await services.ending.settle(
            hold.worker.db,
            hold.claim.job,
            status=status,
            error={"code": "step-failed"} if failed else None,
            outcome=Outcome.ROLLED_BACK if failed else Outcome.CHANGED,
        )
        await hold.locks.release(also=rivals)

    def _suspend(self, hold: Hold, kind: str, *, later: bool) -> None:
        until = datetime.now(UTC) + timedelta(hours=1 if later else -1)
        why = {"kind": kind, "step": "look", "until": until.isoformat(), "reason": "a test"}
        work = services.claiming.suspend(hold.worker.db, hold.claim.job, until=until, suspended=why)
        assert (self.run(work) is None) == (self.model_of(hold).ending is None)
        self.expected.suspend(self.model_of(hold), kind, later=later)
        if self.model_of(hold).ending is not None:
            self._hand_over(hold)
            return
        self.run(hold.locks.release())
        self.saw("suspended")

    def _hand_over(self, hold: Hold) -> None:
        self.run(services.claiming.hand_over(hold.worker.db, hold.claim.job))
        self.expected.given_back(self.model_of(hold))
        if hold.locks._held is not None:
            self.left.append(hold.locks._held.owner)
        hold.locks.leave_to_next()
        self.saw("handed over")
