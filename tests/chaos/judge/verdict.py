"""The verdict over a history: what was there, and what is wrong with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.judge.checks import CHECKS, Finding
from tests.chaos.judge.history import History
from tests.chaos.judge.recovery import BOUND, Recovery, percentile, recoveries


@dataclass(frozen=True)
class Verdict:
    seed: int | None
    began: float | None
    ended: float | None
    faults: Mapping[str, int]
    jobs: Mapping[str, int]
    begins: int
    unknown: int
    recoveries: Sequence[Recovery]
    left_out: Sequence[str]
    #: By check; those that found nothing, too.
    findings: Mapping[str, Sequence[Finding]]

    @property
    def is_green(self) -> bool:
        return not self.red

    @property
    def red(self) -> list[str]:
        """The checks that found something."""
        return [name for name, found in self.findings.items() if found]

    def recovery(self, part: float) -> float | None:
        return percentile([recovery.seconds for recovery in self.recoveries], part)


def judge(history: History) -> Verdict:
    """The same history is always judged the same."""
    found = recoveries(history)
    findings = {name: list(check(history)) for name, check in CHECKS.items()}
    told = [event for job in history.jobs for event in job.events]
    at = [*(event.at for event in told), *(fault.until for fault in history.faults)]
    return Verdict(
        seed=history.seed,
        began=min(at, default=None),
        ended=max(at, default=None),
        faults=Counter(fault.kind for fault in history.faults),
        jobs=Counter(job.status for job in history.jobs),
        begins=sum(mark.what == "begin" for mark in history.marks),
        unknown=sum(event.type == "step.unknown" for event in told),
        recoveries=found,
        left_out=history.left_out,
        findings={**findings, "recovery": _slow(found)},
    )


def _slow(found: Sequence[Recovery]) -> list[Finding]:
    p95 = percentile([recovery.seconds for recovery in found], 0.95)
    if p95 is None or p95 <= BOUND:
        return []
    slow = sorted((r for r in found if r.seconds > BOUND), key=lambda r: -r.seconds)
    what = f"p95 is {p95:.1f} s, and the bound {BOUND:g} s"
    return [Finding(None, what, tuple(map(str, slow)))]
