"""The verdict as a person reads it in ten seconds, and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.chaos.judge.checks import Finding
from tests.chaos.judge.recovery import BOUND
from tests.chaos.judge.verdict import Verdict

#: Findings of a kind, and lines of evidence of a finding, that are shown.
_MOST = 10


def report(verdict: Verdict) -> str:
    """Numbers first, then the evidence for whatever is wrong."""
    return "\n".join((*_numbers(verdict), *_evidence(verdict)))


def as_json(verdict: Verdict) -> str:
    return json.dumps(_as_data(verdict), indent=2)


def _numbers(verdict: Verdict) -> Iterator[str]:
    found = "   ".join(f"{name} {len(items)}" for name, items in verdict.findings.items())
    yield f"seed      {verdict.seed}"
    yield f"time      {_time(verdict)}"
    yield f"faults    {_counts(verdict.faults)}"
    yield f"jobs      {_counts(verdict.jobs)}"
    yield f"effects   {verdict.begins} begun, {verdict.unknown} with an unknown end"
    yield f"found     {found}"
    yield f"recovery  {_recovery(verdict)}"
    yield from (f"left out  {item}" for item in verdict.left_out or ["nothing"])
    yield f"verdict   {'GREEN' if verdict.is_green else 'RED: ' + ', '.join(verdict.red)}"


def _time(verdict: Verdict) -> str:
    if verdict.began is None or verdict.ended is None:
        return "nothing happened"
    began, ended = (datetime.fromtimestamp(at, UTC) for at in (verdict.began, verdict.ended))
    seconds = verdict.ended - verdict.began
    return f"{seconds:.0f} s, {began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC"


def _counts(counts: Mapping[str, int]) -> str:
    each = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())}: {each}" if each else "none"


def _recovery(verdict: Verdict) -> str:
    if not verdict.recoveries:
        return "no job lost its worker"
    parts = (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    numbers = ", ".join(f"{name} {verdict.recovery(part) or 0:.1f} s" for name, part in parts)
    return f"{numbers} (n = {len(verdict.recoveries)}; p95 at most {BOUND:g} s)"


def _evidence(verdict: Verdict) -> Iterator[str]:
    for name in verdict.red:
        items = verdict.findings[name]
        yield f"\n{name}: {len(items)}"
        for item in items[:_MOST]:
            yield from _lines(item)
        yield from _more(items)


def _lines(item: Finding) -> Iterator[str]:
    yield f"  {item.job}: {item.what}" if item.job else f"  {item.what}"
    yield from (f"    {line}" for line in item.evidence[:_MOST])
    yield from _more(item.evidence, indent="    ")


def _more(items: Sequence[Any], *, indent: str = "  ") -> Iterator[str]:
    if len(items) > _MOST:
        yield f"{indent}… and {len(items) - _MOST} more"


def _as_data(verdict: Verdict) -> dict[str, Any]:
    parts = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {
        "seed": verdict.seed,
        "began": verdict.began,
        "ended": verdict.ended,
        "faults": dict(verdict.faults),
        "jobs": dict(verdict.jobs),
        "begins": verdict.begins,
        "unknown": verdict.unknown,
        "recovery": {
            "n": len(verdict.recoveries),
            "bound": BOUND,
            **{name: verdict.recovery(part) for name, part in parts.items()},
        },
        "left_out": list(verdict.left_out),
        "findings": {
            name: [{"job": f.job, "what": f.what, "evidence": list(f.evidence)} for f in found]
            for name, found in verdict.findings.items()
        },
        "green": verdict.is_green,
    }
