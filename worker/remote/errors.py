"""What can go wrong between Liftlock and a host, as a tree.

RemoteError
├── HostUnreachable     host-unreachable, transient
├── HostKeyMissing      host-key-missing
├── HostKeyChanged      host-key-changed
├── AuthFailed          ssh-auth-failed
├── ForwardingRefused   forwarding-refused
├── RunnerFailed        runner-failed
├── SourceRefused       source-refused: something that cannot be sent to a host
├── FilesChanged        files-changed, transient: files on a host, while they were read
├── FolderOutside       source-refused: a link on the host leads out of where files may go
├── ConnectionLost      connection-lost: nobody knows how the step ended
├── StepTimeout         step-timeout
├── StepSilent          step-silent
├── StepVanished        step-vanished: its process is gone and left no exit code
├── ProcessesSurvived   process-survived: KILL did not end everything
├── StaleToken          fenced-out: the host has seen a newer holder of the lock
└── HostBusy            host-busy, transient: an older holder still works there
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


class SourceRefused(RemoteError):
    code = "source-refused"


class FilesChanged(RemoteError):
    code = "files-changed"


class FolderOutside(RemoteError):
    code = "source-refused"


class ConnectionLost(RemoteError):
    code = "connection-lost"


class StepTimeout(RemoteError):
    code = "step-timeout"


class StepSilent(RemoteError):
    code = "step-silent"


class StepVanished(RemoteError):
    code = "step-vanished"


class ProcessesSurvived(RemoteError):
    code = "process-survived"


class StaleToken(RemoteError):
    """Names the lock, the token that was refused and the newest that the host has seen."""

    code = "fenced-out"

    def __init__(
        self, detail: str, *, hint: str, lock: str | None = None, token: int = 0, newest: int = 0
    ) -> None:
        super().__init__(detail, hint=hint)
        self.lock, self.token, self.newest = lock, token, newest


class HostBusy(RemoteError):
    """Names the job that holds the lock there, when the host knows it."""

    code = "host-busy"

    def __init__(self, detail: str, *, hint: str, holder: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.holder = holder
