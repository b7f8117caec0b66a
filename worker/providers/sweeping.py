"""Compares what a provider lists with what Liftlock knows: nothing is forgotten, nothing of
others is touched.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.machine import NO_MACHINE, MachineStatus
from worker.providers.provider import Listed

#: Nothing younger is touched: it may just be made, or removed. As long as making one may take.
YOUNGEST = timedelta(hours=1)
#: So long a machine that was never asked for here is told before it may be removed. Records that
#: were restored from a backup, or copied to try something, know nothing of machines that were made
#: since, which serve: somebody has a day to see that.
TOLD_FOR = timedelta(hours=24)


class Policy(StrEnum):
    #: Orphans are only told.
    REPORT = "report"
    REMOVE = "remove"


@dataclass(frozen=True)
class Known:
    """A machine as Liftlock's records have it."""

    tag: str
    status: MachineStatus
    #: Of its last change.
    changed: datetime
    #: The provider's own name for it; empty until it has told one.
    machine_id: str = ""
    #: False: it was told here once as a machine of nobody.
    was_asked_for: bool = True


@dataclass(frozen=True)
class Orphan:
    listed: Listed
    why: str
    #: False: nobody knows how old it is, so only a person may remove it.
    is_dated: bool
    #: Whether it was told long enough, or was asked for here once.
    is_due: bool


@dataclass(frozen=True)
class Findings:
    #: Machines that are listed with a tag of ours and belong to nothing here.
    orphaned: tuple[Orphan, ...]
    #: Known as ready, and not listed.
    vanished: tuple[Known, ...]
    #: Listed beside another one of the same known tag. Only a person may remove one: the order
    #: names the tag, which is that of the right one too.
    doubled: tuple[Listed, ...]

    def to_remove(self, policy: Policy) -> tuple[str, ...]:
        """Tags, each once."""
        if policy is Policy.REMOVE:
            due = [it.listed.tag for it in self.orphaned if it.is_dated and it.is_due]
            return tuple(dict.fromkeys(due))
        return ()


def sweep(
    listed: Sequence[Listed],
    known: Iterable[Known],
    *,
    elsewhere: Iterable[Known] = (),
    told: Mapping[str, datetime] | None = None,
    prefix: str,
    now: datetime,
    youngest: timedelta = YOUNGEST,
) -> Findings:
    """`prefix` is how the tags of this installation begin; other machines are not ours.

    `elsewhere` are machines of other providers. Two of them may list the same account, and one
    may have been renamed: so what they know is no orphan here, and vanishes only there. All that is
    known has to be read after `listed`: machines are recorded before they are made, so that then
    none that is listed can be missing in the records.

    `told` has the tags that were never asked for here and are told, since when; None: what is
    listed is known to be ours to remove.
    """
    mine = {item.tag: item for item in known}
    records = {**{item.tag: item for item in elsewhere}, **mine}
    settled = now - youngest
    ours = [item for item in listed if item.tag.startswith(prefix)]
    long_told = None
    if told is not None:
        long_told = {tag for tag, since in told.items() if now - since >= TOLD_FOR}
    orphans = [_orphan(item, records.get(item.tag), settled, long_told) for item in ours]
    tags = Counter(item.tag for item in listed)
    vanished = [
        record
        for record in mine.values()
        if record.status is MachineStatus.READY
        and record.tag not in tags
        and record.changed <= settled
    ]
    doubled = [item for item in ours if tags[item.tag] > 1 and _is_another(item, records)]
    return Findings(tuple(filter(None, orphans)), tuple(vanished), tuple(doubled))


def _is_another(listed: Listed, records: Mapping[str, Known]) -> bool:
    """Whether there is a machine of that tag, as is known, and this one is not it."""
    record = records.get(listed.tag)
    if record is None or record.status in NO_MACHINE:
        return False
    return listed.machine_id != record.machine_id


def _orphan(
    listed: Listed, record: Known | None, settled: datetime, long_told: Collection[str] | None
) -> Orphan | None:
    if record is not None and record.status not in NO_MACHINE:
        return None
    told = (listed.created, record.changed if record else None)
    times = [time for time in told if time is not None]
    if any(time > settled for time in times):
        return None
    was_asked_for = record is not None and record.was_asked_for
    is_due = was_asked_for or long_told is None or listed.tag in long_told
    return Orphan(listed, _why(record), is_dated=bool(times), is_due=is_due)


def _why(record: Known | None) -> str:
    if record is None:
        return "it is not known here"
    if record.status is MachineStatus.FAILED:
        return "its making had failed"
    return "it was terminated here"
