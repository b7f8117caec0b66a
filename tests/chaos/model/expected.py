"""The same in plain Python: what the rows must say, and who may take a job."""

from dataclasses import dataclass, field
from uuid import UUID

from app.domain.job import EndingWhy, JobStatus
from tests.chaos.model.world import HOSTS, INSTANCES

OPEN = {JobStatus.QUEUED, JobStatus.BLOCKED, JobStatus.RUNNING, JobStatus.CANCELING}
_WAITS = {JobStatus.QUEUED, JobStatus.BLOCKED}
_UNHELD = {*_WAITS, JobStatus.CANCELING}

#: Workers lost until a job is only undone; twice as many, and it is given up.
MOST_LOST = 2


@dataclass
class ExpectedJob:
    id: UUID
    number: int
    #: An instance, or a host for an enrolment.
    target: str
    priority: int
    dry_run: bool
    status: JobStatus = JobStatus.QUEUED
    attempt: int = 0
    #: An attempt has the lease, run out or not.
    held: bool = False
    expired: bool = False
    started: bool = False
    ending: EndingWhy | None = None
    suspended: str | None = None
    answered: str | None = None
    #: Its time has not come.
    later: bool = False
    lost: int = 0
    #: It waits for a lock until a time; that time is over.
    lock_deadline: bool = False
    overdue: bool = False
    #: It had to end by a time that is over.
    late: bool = False

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def counted(self) -> bool:
        return self.target in INSTANCES and not self.dry_run

    @property
    def host(self) -> str:
        return INSTANCES.get(self.target, self.target)

    @property
    def order(self) -> tuple[int, int]:
        return self.priority, self.number

    @property
    def live(self) -> tuple[UUID, int] | None:
        return (self.id, self.attempt) if self.held else None


@dataclass
class ExpectedLock:
    token: int = 0
    holder: tuple[UUID, int] | None = None


@dataclass
class Expected:
    jobs: dict[UUID, ExpectedJob] = field(default_factory=dict)
    #: By the target that the lock is about.
    locks: dict[str, ExpectedLock] = field(default_factory=dict)
    #: Manual locks by what they are placed on: all, host:NAME, instance:NAME.
    manual: dict[str, int] = field(default_factory=dict)
    manual_tokens: dict[str, int] = field(default_factory=dict)

    def is_manual(self, target: str) -> bool:
        if target in INSTANCES:
            places = {"all", f"instance:{target}", f"host:{INSTANCES[target]}"}
        else:
            places = {f"host:{target}"}
        return bool(places & set(self.manual))

    def meets_manual(self, job: ExpectedJob) -> bool:
        return not job.started and not job.ending and not job.dry_run and self.is_manual(job.target)

    def may_claim(self, job: ExpectedJob, attempt: int) -> bool:
        """Whether Postgres lets that attempt have the job."""
        return (
            job.status in _UNHELD
            and not job.held
            and attempt == job.attempt + 1
            and not self.meets_manual(job)
            and (not job.counted or job.ending is not None or self._is_its_turn(job))
            and self._holder_in_the_way(job) is None
        )

    def holder(self, target: str) -> ExpectedJob | None:
        """The open job that took the lock last, and no other attempt since."""
        held_by = self.locks.get(target, ExpectedLock()).holder
        job = self.jobs.get(held_by[0]) if held_by else None
        if job is None or held_by is None or not job.is_open or job.attempt != held_by[1]:
            return None
        return job

    def claimed(self, job: ExpectedJob) -> None:
        job.attempt += 1
        job.held, job.started, job.expired = True, True, False
        job.suspended = job.answered = None
        job.lock_deadline = job.overdue = False
        if job.status is not JobStatus.CANCELING:
            job.status = JobStatus.RUNNING
        if not job.dry_run:
            lock = self.locks.setdefault(job.target, ExpectedLock())
            lock.token, lock.holder = lock.token + 1, (job.id, job.attempt)

    def blocked(self, job: ExpectedJob, attempt: int) -> None:
        if attempt == job.attempt + 1 and job.status in _WAITS:
            job.status, job.lock_deadline = JobStatus.BLOCKED, True

    def given_back(self, job: ExpectedJob) -> None:
        job.held = job.expired = job.later = False
        if job.status is not JobStatus.CANCELING:
            job.status = JobStatus.QUEUED

    def suspend(self, job: ExpectedJob, kind: str, *, later: bool) -> None:
        job.expired = False
        if job.ending is not None:
            return
        job.held, job.status, job.suspended, job.later = False, JobStatus.BLOCKED, kind, later
        job.lock_deadline = job.overdue = False

    def order_end(self, job: ExpectedJob, why: EndingWhy) -> None:
        job.ending = why
        if why is EndingWhy.CANCELED:
            job.status = JobStatus.CANCELING
        if not job.held:
            job.suspended = job.answered = None
            job.later = job.lock_deadline = job.overdue = False

    def ended(self, job: ExpectedJob, status: JobStatus) -> None:
        job.status, job.suspended, job.answered = status, None, None
        job.held = job.expired = False

    def recover(self) -> None:
        for job in self._open():
            if job.held and job.expired:
                self._take_back(job)
        for job in self._open():
            if job.status is JobStatus.BLOCKED and job.overdue:
                self._stop(job, EndingWhy.LOCK_WAIT, undo=job.started and job.ending is None)
        for job in self._open():
            if job.late and job.ending is None:
                self._stop(job, EndingWhy.DEADLINE, undo=job.started)

    def _stop(self, job: ExpectedJob, why: EndingWhy, *, undo: bool) -> None:
        """It is told to undo what it did, or over at once."""
        if undo:
            self.order_end(job, why)
        else:
            self.ended(job, JobStatus.FAILED)

    def _take_back(self, job: ExpectedJob) -> None:
        job.lost += 1
        self.given_back(job)
        if job.lost >= 2 * MOST_LOST:
            self.ended(job, JobStatus.FAILED)
        elif job.lost >= MOST_LOST and job.ending is None:
            self.order_end(job, EndingWhy.WORKER_LOST)

    def _is_its_turn(self, job: ExpectedJob) -> bool:
        older = any(self._goes_first(other, job) for other in self._open())
        if older and not job.started:
            return False
        at_work = [j for j in self._open() if j.host == job.host and j.counted and j.held]
        ahead = {
            other.target
            for other in self._open()
            if other.host == job.host
            and other.counted
            and other.status in _WAITS
            and other.id != job.id
            and not other.later
            and other.order < job.order
            and not self._has_begun(other)
        }
        capacity = HOSTS[job.host]
        return len(at_work) + min(len(ahead), capacity) < capacity

    def _goes_first(self, other: ExpectedJob, job: ExpectedJob) -> bool:
        if other.id == job.id or other.target != job.target or other.held or other.dry_run:
            return False
        return other.started or (not other.later and other.order < job.order)

    def _has_begun(self, job: ExpectedJob) -> bool:
        """Another job of the same instance has."""
        return any(
            j.target == job.target and j.id != job.id and j.started and not j.dry_run
            for j in self._open()
        )

    def _holder_in_the_way(self, job: ExpectedJob) -> ExpectedJob | None:
        holder = None if job.dry_run else self.holder(job.target)
        return holder if holder is not None and holder.id != job.id and holder.held else None

    def _open(self) -> list[ExpectedJob]:
        return [job for job in self.jobs.values() if job.is_open]
