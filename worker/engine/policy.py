"""How often and after which pauses what failed is tried again, and how long a wait keeps a slot."""

import random
from dataclasses import dataclass

from app.domain.problem import CODES

#: Errors after which a question to the host would only wait for the same answer.
SILENT = frozenset({"host-unreachable", "connection-lost", "host-key-changed", "ssh-auth-failed"})
#: Errors after which the step may still run, or has not been begun: the next try meets it under
#: its name. After others its folder is removed first, or its old end would be found there.
_MEETS = frozenset({"host-unreachable", "connection-lost", "host-busy"})
#: Errors that pass for the engine alone: another job would not be helped by trying again.
_PASSES = frozenset({"connection-lost", "step-vanished"})


@dataclass(frozen=True)
class RetryPolicy:
    """Pauses of 1, 2, 4 … seconds, each longer or shorter by up to a half."""

    tries: int = 4
    first: float = 1.0
    longest: float = 30.0

    def helps(self, code: str) -> bool:
        """Whether the same thing may work a little later. Never so for a command's own failure."""
        return code in _PASSES or CODES[code].transient

    def begins_anew(self, code: str) -> bool:
        """Whether the next try is a new run of the step on the host."""
        return code not in _MEETS

    def pause(self, tries: int) -> float:
        """Seconds before the next try, after so many."""
        pause: float = min(self.longest, self.first * 2 ** (tries - 1))
        return pause * random.uniform(0.5, 1.5)  # noqa: S311  (no secret)


@dataclass(frozen=True)
class WaitingPolicy:
    #: A wait that lasts no longer stays in the worker; further ones are looked at this far apart.
    short: float = 10.0
    #: Seconds after which an open question is asked again.
    remind: float = 7 * 86_400.0
