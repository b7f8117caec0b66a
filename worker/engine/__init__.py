"""Runs a plan on a host: order, facts, tries, undo, report. It knows no kinds of jobs."""

from worker.engine.context import Interrupted, Suspended
from worker.engine.journal import Journal
from worker.engine.past import Asked, Begun, Past
from worker.engine.policy import SILENT, RetryPolicy, WaitingPolicy
from worker.engine.running import run
from worker.engine.stop import Stop
from worker.plans.outcome import Outcome, StepFailed

__all__ = [
    "SILENT",
    "Asked",
    "Begun",
    "Interrupted",
    "Journal",
    "Outcome",
    "Past",
    "RetryPolicy",
    "StepFailed",
    "Stop",
    "Suspended",
    "WaitingPolicy",
    "run",
]
