"""What names and other short texts may look like, with sentences that say so."""

import ipaddress
import re
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
#: What git allows in no name of a branch or tag; no version of a package has it either.
_NO_REVISION = re.compile(r"\.\.|@\{|[\^~:?*\[\\]|//|(^|/)\.|^/|/$|\.$|\.lock(/|$)|^@$")
_LONGEST_HOSTNAME = 253
_FILE = re.compile(r"(/[A-Za-z0-9._@+-]+)+")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "use small letters, digits and -, at most 63, a letter or digit first and last"
        )
    try:
        UUID(text)
    except ValueError:
        return text
    raise ValueError("a name must not look like an id")


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("give a host name such as web-1.example.org, or an IP address")
    return text


def _site_address(text: str) -> str:
    try:
        found = ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError("give an IPv4 address of the host, such as 10.0.0.11") from None
    if found.is_unspecified or found.is_multicast:
        raise ValueError("give the one address at which a router finds the sites of the host")
    return text


def _file(text: str) -> str:
    if not _FILE.fullmatch(text) or ".." in text.split("/"):
        raise ValueError("give an absolute path: letters, digits and . _ @ + - /, no `..`")
    return text


def _revision(text: str) -> str:
    if text.startswith("-") or not text.isprintable() or " " in text:
        raise ValueError("a revision has no spaces or control characters and no - in front")
    if _NO_REVISION.search(text):
        raise ValueError(
            "give a branch, a tag, a commit or a version by its plain name: git allows none of"
            " .. @{ ^ ~ : ? * [ \\ in it, and no / or . at an end"
        )
    return text


def is_address(text: str) -> bool:
    """Whether the text is a host name or an IP address without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST_HOSTNAME and all(
            _LABEL.fullmatch(label) for label in text.split(".")
        )
    return "%" not in text


#: Names of hosts, instances, routers and pools.
Name = Annotated[
    str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"})
]
Address = Annotated[str, AfterValidator(_address), Field(min_length=1, max_length=253)]
#: Where sites listen: no name, as a router must find them without asking anybody.
SiteAddress = Annotated[str, AfterValidator(_site_address), Field(min_length=7, max_length=15)]
#: A file on a host, whose path goes into a configuration as it is.
HostFile = Annotated[str, AfterValidator(_file), Field(min_length=2, max_length=500)]
Labels = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=63)],
        Annotated[str, Field(max_length=200)],
    ],
    Field(max_length=50),
]
#: What to deploy: a branch, a tag, a commit, or the version of a package.
Revision = Annotated[str, AfterValidator(_revision), Field(min_length=1, max_length=200)]
