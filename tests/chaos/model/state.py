"""What the state machine knows besides the model, and what it checks after every step."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from app.services.claiming import Claim
from app.services.work import Work
from tests.chaos.model import invariants
from tests.chaos.model.expected import Expected, ExpectedJob
from tests.chaos.model.world import Worker, World
from worker.jobs.locking import JobLocks

T = TypeVar("T")

PICK = st.integers(0, 15)
WHO = st.integers(0, 1)


@dataclass
class Hold:
    """An attempt that a worker once had, and may believe to have still."""

    worker: Worker
    claim: Claim
    locks: JobLocks
    #: Redis has its locks, unless it forgot.
    is_in_redis: bool = True

    @property
    def job_id(self) -> UUID:
        return self.claim.job.id

    def live(self, expected: Expected) -> bool:
        return expected.jobs[self.job_id].live == (self.job_id, self.claim.job.attempt)


@dataclass(frozen=True)
class View:
    """What a worker read of a job before it asked for its locks; it may be long ago."""

    worker: Worker
    work: Work

    @property
    def next(self) -> int:
        """The attempt it would be."""
        return self.work.job.attempt + 1


class Base(RuleBasedStateMachine):
    """State, what rules share, and the invariants."""

    world: ClassVar[World]
    #: How often each thing happened, in all runs: a machine that never does it proves nothing.
    seen: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.expected = Expected()
        self.holds: list[Hold] = []
        self.views: list[View] = []
        self.left: list[str] = []
        self.frozen: dict[str, Any] = {}
        self.run(self.world.reset())

    @property
    def run(self) -> Callable[..., Any]:
        return self.world.run

    def saw(self, what: str) -> None:
        self.seen[what] += 1

    def jobs(self, which: Callable[[ExpectedJob], bool] = lambda _: True) -> list[ExpectedJob]:
        return [job for job in self.expected.jobs.values() if which(job)]

    def live_holds(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.live(self.expected)]

    def dead_holds(self) -> list[Hold]:
        return [hold for hold in self.holds if not hold.live(self.expected)]

    def model_of(self, hold: Hold) -> ExpectedJob:
        return self.expected.jobs[hold.job_id]

    def sql(self, statement: str, *values: Any) -> None:
        self.run(self.world.rows.connection.execute(statement, *values))

    @invariant()
    def everything_holds(self) -> None:
        self.run(self._check())

    async def _check(self) -> None:
        dump = await self.world.rows.read()
        invariants.rows_are_as_expected(dump, self.expected)
        invariants.one_live_attempt_of_each_lock(dump, self.expected)
        invariants.tokens_only_grow(dump, self.expected, self.world)
        invariants.events_have_no_gap(dump)
        invariants.final_states_stay(dump, self.frozen)
        await invariants.nobody_is_forgotten(self.world, self.expected)
        await invariants.redis_is_sound(self.world, self.expected, self.holds, self.left)


def picked(items: Sequence[T], pick: int) -> T | None:
    return items[pick % len(items)] if items else None
