"""Use cases: one function is one transaction; calls to the outside come after it."""

from app.services import execution, jobs, recovery, secrets, work

__all__ = ["execution", "jobs", "recovery", "secrets", "work"]
