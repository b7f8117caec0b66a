"""The protocol of providers: machines are made, listed and removed by a tag that comes first."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.domain.problem import CODES
from app.domain.spellings import without_controls

#: Called with one line of progress, without its end.
Show = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Wish:
    """What a machine is made for; its tag is told beside it."""

    #: For people; no key.
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Lines of the file of that name: who must be able to log in.
    authorized_keys: str = ""


@dataclass(frozen=True)
class Made:
    """A machine that can be registered as a host."""

    tag: str
    #: The provider's own name for it.
    machine_id: str
    address: str
    port: int
    user: str
    #: One line, `type base64`.
    host_key: str
    #: Where its sites listen, and where a router on another host finds them.
    site_address: str = "127.0.0.1"


@dataclass(frozen=True)
class Listed:
    """A machine as the provider lists it."""

    tag: str
    machine_id: str
    #: With a zone; None when the provider does not tell.
    created: datetime | None = None
    #: None while it is half made, or when the provider does not tell how it is reached.
    made: Made | None = None


@dataclass(frozen=True)
class Gone:
    """The provider says that there is no machine of the tag any more, or never was."""


@dataclass(frozen=True)
class Unconfirmed:
    """Nobody can tell whether the machine is gone; `why` is a sentence."""

    why: str


class Provider(Protocol):
    async def create(self, tag: str, wish: Wish, show: Show) -> Made:
        """Make the machine of this tag; when there is one, it is that.

        Raises MachineFailed when there is none and none is on its way, ProviderFailed when nobody
        can tell.
        """

    async def destroy(self, tag: str, show: Show) -> Gone | Unconfirmed:
        """Remove every machine of this tag."""

    async def list(self, show: Show) -> tuple[Listed, ...]:
        """All machines, also those of others and those half made. Raises ProviderFailed."""


class ProviderError(Exception):
    """A machine could not be made or looked at; `detail` and `hint` are for people.

    Both may quote what a program said, so they are cleaned of control characters.
    """

    code = "internal-error"

    def __init__(self, detail: str, *, hint: str) -> None:
        self.detail = without_controls(detail)
        self.hint = without_controls(hint)
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return CODES[self.code].title


class ProviderFailed(ProviderError):
    """Whether there is a machine is not known."""

    code = "provider-failed"


class MachineFailed(ProviderError):
    """There is no machine, or none that can be used."""

    code = "machine-failed"
