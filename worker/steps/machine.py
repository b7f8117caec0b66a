"""Steps that no host is needed for: a provider's machine is made, or removed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CreateMachine:
    """The machine of the job's host is made, and its host is known from then on.

    The attempt ends behind this step: the next one works on the host that was made.
    """

    provider: str
    tag: str


@dataclass(frozen=True)
class DestroyMachine:
    """The machine of the job's host is removed, and its provider says so."""

    provider: str
    tag: str
