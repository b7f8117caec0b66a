"""What a caller says about a host: its fields, and what one of them says about another."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.domain.host import HostStatus, Supervisor
from app.domain.host_key import HostKey
from app.domain.naming import Address, Name

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
Label = Annotated[str, Field(max_length=200)]
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
    pool: Name | None = None
    labels: dict[Annotated[str, Field(min_length=1, max_length=63)], Label] = Field(
        default_factory=dict, max_length=50
    )
    capacity: Annotated[int, Field(strict=True, ge=1, le=1000)] = 2
    port_first: Port = 20000
    port_last: Port = 29999
    status: HostStatus = HostStatus.READY
    host_key: HostKey | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.port_last < self.port_first:
            raise _at("port_last", f"the range of ports ends before it begins ({self.port_first})")
        unknown = self.supervisor_options.keys() - OPTIONS[self.supervisor]
        if unknown:
            known = ", ".join(sorted(OPTIONS[self.supervisor])) or "no options"
            name = min(unknown)
            raise _at(
                "supervisor_options", f"`{name}` is none of {self.supervisor}'s: it takes {known}"
            )
        scope = self.supervisor_options.get("scope", _SCOPES[0])
        if scope not in _SCOPES:
            raise _at("supervisor_options", f"`scope` is {' or '.join(_SCOPES)}")
        return self


def _at(field: str, message: str) -> PydanticCustomError:
    """An error about the whole that belongs to one field; the API's pointer names the field."""
    return PydanticCustomError("field", "{message}", {"message": message, "field": field})
