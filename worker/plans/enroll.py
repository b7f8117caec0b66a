"""Enroll: fetch the host's key, so that a person can compare and pin it."""

from app.domain.job import JobKind
from worker.plans.plan import Plan
from worker.steps.step import Note, ReadHostKey, Step


def plan() -> Plan:
    """Two steps; the note carries the facts `host_key` and `fingerprint`."""
    return Plan(
        JobKind.ENROLL,
        (
            Step("read-host-key", "Read the key that the host shows", ReadHostKey()),
            Step("record-host-key", "Record it until somebody confirms it", Note("host.key")),
        ),
        hint="Check address and port of the host, and that its SSH server runs.",
    )
