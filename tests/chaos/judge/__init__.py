"""Judges the history of a fault campaign: what happened is checked against what must be true."""

from tests.chaos.judge.history import History
from tests.chaos.judge.reading import read
from tests.chaos.judge.report import as_json, report
from tests.chaos.judge.verdict import Verdict, judge

__all__ = ["History", "Verdict", "as_json", "judge", "read", "report"]
