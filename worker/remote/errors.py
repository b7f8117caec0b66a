"""What can go wrong between Liftlock and a host, as a tree.

RemoteError
├── HostUnreachable     host-unreachable, transient
├── HostKeyMissing      host-key-missing
├── HostKeyChanged      host-key-changed
├── AuthFailed          ssh-auth-failed
├── ForwardingRefused   forwarding-refused
├── RunnerFailed        runner-failed
├── ConnectionLost      connection-lost: nobody knows how the step ended
└── StepTimeout         step-timeout
"""

from app.domain.problem import CODES
from app.domain.spellings import without_controls


class RemoteError(Exception):
    """Something failed on the way to a host or on it; `detail` and `hint` are for people.

    Both may quote what a host said, so they are cleaned of control characters.
    """

    code = "internal-error"

    def __init__(self, detail: str, *, hint: str) -> None:
        self.detail = without_controls(detail)
        self.hint = without_controls(hint)
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return CODES[self.code].title

    @property
    def transient(self) -> bool:
        """Whether the same thing may work a little later."""
        return CODES[self.code].transient


class HostUnreachable(RemoteError):
    code = "host-unreachable"


class HostKeyMissing(RemoteError):
    code = "host-key-missing"


class HostKeyChanged(RemoteError):
    code = "host-key-changed"


class AuthFailed(RemoteError):
    code = "ssh-auth-failed"


class ForwardingRefused(RemoteError):
    code = "forwarding-refused"


class RunnerFailed(RemoteError):
    code = "runner-failed"


class ConnectionLost(RemoteError):
    code = "connection-lost"


class StepTimeout(RemoteError):
    code = "step-timeout"
