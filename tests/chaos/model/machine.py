"""The state machine: rules that do what workers, callers and disasters do, beside a model.

Arguments are drawn without a look at the state, so that a run with a race in it can be repeated: a
rule picks among what there is, and does nothing when there is nothing.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from app import services
from app.domain.job import JobStatus, WaitPolicy
from app.errors import HolderAlive, LostOwnership, ManualLock, NotFound, Stale
from app.services.claiming import Blocked
from tests.chaos.model import invariants, zombie
from tests.chaos.model.expected import MOST_LOST
from tests.chaos.model.state import PICK, WHO, Hold, View, picked
from tests.chaos.model.working import Working
from tests.chaos.model.world import HOSTS, INSTANCES, Worker

POLICY = WaitPolicy(push_again_after=timedelta(0), most_lost_workers=MOST_LOST)
_PLACES = ["all", *(f"instance:{name}" for name in INSTANCES), *(f"host:{name}" for name in HOSTS)]


class Zombies(Working):
    """What an attempt does that has lost its job and does not know it."""

    @rule(pick=PICK)
    def write_as_old_attempt(self, pick: int) -> None:
        if hold := self._dead(pick):
            before = self.run(self.world.rows.read())
            for kind, write in zombie.WRITES.items():
                assert self._is_refused(write, hold), f"an old attempt could: {kind}"
            assert self.run(self.world.rows.read()) == before
            self.saw("refused: every write")

    def _is_refused(self, write: zombie.Write, hold: Hold) -> bool:
        try:
            self.run(write(hold.worker.db, hold.claim.job))
        except LostOwnership:
            return True
        return False

    @rule(pick=PICK)
    def claim_as_old_attempt(self, pick: int) -> None:
        if hold := self._dead(pick):
            before = self.run(self.world.rows.read())
            with pytest.raises((LostOwnership, Blocked)):
                self.run(zombie.claim_again(hold.worker.db, hold.claim, hold.locks.names))
            assert self.run(self.world.rows.read()) == before
            self.saw("refused: claim")

    @rule(pick=PICK)
    def release_as_old_attempt(self, pick: int) -> None:
        """It gives back what is still its own, and nothing of its successor's."""
        holding = [hold for hold in self.dead_holds() if hold.locks._held is not None]
        if hold := picked(holding, pick) or self._stopped(pick):
            self.run(hold.locks.release())
            self.saw("released by an old attempt")

    def _stopped(self, pick: int) -> Hold | None:
        """An attempt whose worker stood still for longer than its lease; there is a successor."""
        hold = self._live(pick)
        if hold is not None:
            self._expire(hold)
            self._recover(hold.worker)
            other = next(worker for worker in self.world.workers if worker is not hold.worker)
            if self.model_of(hold).is_open:
                view = View(other, self.run(services.work.look(other.db, hold.job_id)))
                self._taken(view, self.run(self._take(view)))
        return hold

    def _expire(self, hold: Hold) -> None:
        self.sql(
            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE id = $1",
            hold.job_id,
        )
        self.model_of(hold).expired = True

    def _recover(self, worker: Worker) -> None:
        healed = any(job.held and job.expired for job in self.jobs())
        self.run(services.recovery.recover(worker.db, policy=POLICY))
        self.expected.recover()
        if healed:
            self.saw("recovered")


class Disasters(Zombies):
    """Time that passes, servers that forget, and those who heal it."""

    @rule(pick=PICK)
    def lease_runs_out(self, pick: int) -> None:
        if hold := self._live(pick):
            self._expire(hold)

    @rule(pick=PICK)
    def wait_takes_too_long(self, pick: int) -> None:
        if job := picked(self.jobs(lambda job: job.is_open and job.lock_deadline), pick):
            self.sql(
                "UPDATE jobs SET lock_deadline = clock_timestamp() - interval '1 s' WHERE id = $1",
                job.id,
            )
            job.overdue = True

    @rule(pick=PICK)
    def deadline_passes(self, pick: int) -> None:
        if job := picked(self.jobs(lambda job: job.is_open), pick):
            self.sql(
                "UPDATE jobs SET deadline = clock_timestamp() - interval '1 s' WHERE id = $1",
                job.id,
            )
            job.late = True

    @rule(pick=PICK, who=WHO)
    def recover(self, pick: int, who: int) -> None:
        if pick % 2 and (hold := self._live(pick)):
            self._expire(hold)
        self._recover(self.world.workers[who])

    @rule(who=WHO)
    def dispatch(self, who: int) -> None:
        worker = self.world.workers[who]
        due = self.jobs(lambda job: job.is_open and not job.held and not job.later)
        found = self.run(services.recovery.dispatch(worker.db, worker.queue, policy=POLICY))
        assert found == len(due)
        self.saw("dispatched")

    @rule(pick=PICK, who=WHO)
    def flush_redis(self, pick: int, who: int) -> None:
        working = self._live(pick)
        self.run(self.world.workers[who].redis.flushdb())
        for hold in self.holds:
            hold.is_in_redis = False
        self.saw("flushed")
        if working is not None and pick % 2:
            self._rival(self.model_of(working).target, who)

    def _rival(self, target: str, who: int) -> None:
        """The most urgent job for the same target asks for the locks that Redis forgot."""
        self._ask(target, -1, dry=False)
        waiting = self.jobs(lambda job: job.target == target and job.is_open and not job.held)
        if waiting:
            job = min(waiting, key=lambda job: job.order)
            worker = self.world.workers[who]
            view = View(worker, self.run(services.work.look(worker.db, job.id)))
            self._taken(view, self.run(self._take(view)))

    @rule(pick=PICK)
    def waiter_dies(self, pick: int) -> None:
        keys = sorted(self.run(self.world.redis.keys("lock:ticket:*")))
        if key := picked(keys, pick):
            self.run(self.world.redis.delete(key))
            self.saw("waiter died")

    @rule(pick=PICK)
    def lock_in_redis_ends(self, pick: int) -> None:
        """As after a pause longer than its lifetime."""
        if hold := picked(self.holds, pick):
            for name in hold.locks.names:
                shown = self.run(invariants.shown_held(self.world)).get(name)
                held = hold.locks._held
                if shown and held and shown["owner"] == held.owner:
                    self.run(self.world.redis.delete(f"lock:held:{name}"))
                    hold.is_in_redis = False


class LocksByHand(Disasters):
    """What a person does to locks."""

    @rule(place=st.sampled_from(_PLACES), stale=st.booleans())
    def place_or_lift(self, place: str, *, stale: bool) -> None:
        there = place in self.expected.manual
        try:
            view = self.run(
                services.locks.place(
                    self.world.db, on=place, message="no deploys today", actor="tests"
                )
            )
        except ManualLock:
            assert there
            self._lift(place, stale=stale)
            return
        assert not there
        token = self.expected.manual_tokens.get(place, 0) + 1
        assert view.token == token
        self.expected.manual[place] = self.expected.manual_tokens[place] = token
        self.saw("manual lock placed")

    def _lift(self, place: str, *, stale: bool) -> None:
        try:
            self._break(f"manual:{place}", self.expected.manual[place] - stale, force=False)
        except Stale:
            assert stale
            return
        assert not stale
        del self.expected.manual[place]
        self.saw("manual lock lifted")

    @rule(pick=PICK, stale=st.booleans(), force=st.booleans())
    def break_lock(self, pick: int, *, stale: bool, force: bool) -> None:
        self._live(pick)
        targets = [*INSTANCES, *HOSTS]
        held = [name for name in targets if self.expected.holder(name)]
        of = (held or targets)[pick % len(held or targets)]
        holder = self.expected.holder(of)
        lock = self.expected.locks.get(of)
        token = (lock.token if lock else 0) - stale
        alive = holder is not None and holder.held and not holder.expired
        noun = "host" if of in HOSTS else "instance"
        try:
            broken = self._break(f"{noun}:{of}", token, force=force)
        except NotFound:
            assert holder is None
        except Stale:
            assert holder
            assert stale
        except HolderAlive:
            assert alive
            assert not stale
            assert not force
            self.saw("holder alive")
        else:
            assert holder
            assert not stale
            assert force or not alive
            assert (broken.job, broken.was_alive) == (holder.id, alive)
            self.expected.ended(holder, JobStatus.FAILED)
            self.saw("lock broken")

    def _break(self, name: str, token: int, *, force: bool) -> Any:
        return self.run(
            services.locks.break_lock(
                self.world.db,
                self.world.queue,
                name,
                token=token,
                reason="a test",
                actor="tests",
                force=force,
            )
        )


class LiftlockMachine(LocksByHand):
    """All of it."""
