"""What a caller says about a host: its fields, and what one of them says about another."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.domain.host import HostStatus, Supervisor
from app.domain.host_key import HostKey
from app.domain.naming import Address, Labels, Name, SiteAddress
from app.domain.wrong_field import wrong_field

#: What each supervisor can be told; see worker/steps.
OPTIONS = {
    Supervisor.NONE: frozenset[str](),
    Supervisor.SUPERVISORD: frozenset({"config", "conf_dir", "command"}),
    Supervisor.SYSTEMD: frozenset({"scope"}),
}

#: Whose systemd it is: the user's own, or the machine's.
_SCOPES = ("user", "system")

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?")
_FOLDER = re.compile(r"/?[A-Za-z0-9._][A-Za-z0-9._@+-]*(/[A-Za-z0-9._@+-]+)*/?")


def _user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError("give a user name: letters, digits, _ . and -, at most 32")
    return text


def _folder(text: str) -> str:
    if not _FOLDER.fullmatch(text) or ".." in text.split("/"):
        raise ValueError(
            "give a folder below the user's home, or an absolute one: letters, digits and"
            " . _ @ + - /, no `..`"
        )
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("give one line without control characters")
    return text


Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]
Option = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=500)]


class HostSpec(BaseModel):
    """Everything about a host that a caller may set."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "web-1",
                    "address": "web-1.example.org",
                    "user": "deploy",
                    "supervisor": "systemd",
                    "capacity": 2,
                }
            ]
        },
    )

    name: Name
    address: Address
    port: Port = 22
    user: Annotated[str, AfterValidator(_user), Field(min_length=1, max_length=33)]
    base_dir: Annotated[str, AfterValidator(_folder), Field(min_length=1, max_length=200)] = (
        "liftlock"
    )
    sudo: Annotated[bool, Field(strict=True)] = False
    #: The name of the host to reach it through.
    jump_host: Name | None = None
    supervisor: Supervisor = Supervisor.NONE
    supervisor_options: dict[str, Option] = Field(default_factory=dict)
    #: Where its sites listen, and where a router finds them.
    site_address: SiteAddress = "127.0.0.1"
    pool: Name | None = None
    labels: Labels = Field(default_factory=dict)
    #: Jobs side by side.
    capacity: Annotated[int, Field(strict=True, ge=1, le=1000)] = 2
    #: App servers that a pool may put on it; null: as many as it has ports.
    places: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    port_first: Port = 20000
    port_last: Port = 29999
    status: HostStatus = HostStatus.READY
    host_key: HostKey | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.port_last < self.port_first:
            raise wrong_field(
                "port_last", f"the range of ports ends before it begins ({self.port_first})"
            )
        unknown = self.supervisor_options.keys() - OPTIONS[self.supervisor]
        if unknown:
            known = ", ".join(sorted(OPTIONS[self.supervisor])) or "no options"
            name = min(unknown)
            raise wrong_field(
                "supervisor_options", f"`{name}` is none of {self.supervisor}'s: it takes {known}"
            )
        scope = self.supervisor_options.get("scope", _SCOPES[0])
        if scope not in _SCOPES:
            raise wrong_field("supervisor_options", f"`scope` is {' or '.join(_SCOPES)}")
        return self
