"""What a caller asks of a new job, and which field belongs to which kind."""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from app.api.refs import RefField
from app.domain.extension_spec import ExtensionSpec
from app.domain.job import EXTENDING, JobKind, OnConflict
from app.domain.naming import Revision
from app.domain.wrong_field import wrong_field

#: Fields that only some kinds have; the others belong to all.
_FIELDS = {
    JobKind.PROVISION: {"instance", "host", "revision", "activate", "attempts", "dry_run"},
    JobKind.ENROLL: {"host"},
    JobKind.ACTIVATE: {"app_servers", "partial", "drain", "watch", "dry_run"},
    JobKind.DEACTIVATE: {"app_server", "gone", "reason", "drain", "dry_run"},
    JobKind.TERMINATE: {"app_server", "gone", "reason", "with_data", "dry_run"},
    JobKind.ROUTE: {"instance", "dry_run"},
    JobKind.INSPECT: {"instance"},
    **{kind: {"instance", "extension", "drain", "watch", "dry_run"} for kind in EXTENDING},
    JobKind.INSTALL: {"instance", "extension", "force", "drain", "watch", "dry_run"},
}
_OWN = frozenset().union(*_FIELDS.values())
#: How a sentence calls a job of the kind.
_CALLED = {JobKind.ENROLL: "a job that reads a host's key"}
_LONGEST = 3600
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_ORDER: JsonDict = {"kind": "provision", "instance": "guestbook"}
_TONIGHT: JsonDict = {
    **_ORDER,
    "revision": "v2",
    "activate": True,
    "attempts": 2,
    "priority": -10,
    "not_before": "2026-11-21T22:00:00Z",
    "deadline": "2026-11-21T23:30:00Z",
    "on_conflict": "supersede",
}
_ACTIVATE: JsonDict = {
    "kind": "activate",
    "app_servers": ["guestbook:2"],
    "drain": 30,
    "watch": 60,
}
_TERMINATE: JsonDict = {"kind": "terminate", "app_server": "guestbook:1"}
_INSTALL: JsonDict = {
    "kind": "install",
    "instance": "guestbook",
    "extension": {
        "package": "guestbook-stars",
        "version": "1.2.0",
        "settings": {"APP": "guestbook_stars"},
        "requires": ["django-taggit"],
    },
}
_DISABLE: JsonDict = {
    "kind": "disable",
    "instance": "guestbook",
    "extension": {"package": "guestbook-stars"},
}
_INSPECT: JsonDict = {"kind": "inspect", "instance": "guestbook"}


def _instant(value: Any) -> Any:
    """Only the one spelling: a number, or a time without zone, would be somebody's guess."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise PydanticCustomError(
        "instant", "write it as RFC 3339 with a zone, for example 2026-11-21T22:00:00Z"
    )


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-21T22:00:00Z"]}),
]
AppServerRef = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}(:[1-9][0-9]{0,8})?$",
        description="Id, or INSTANCE:NUMBER.",
        examples=["guestbook:2"],
    ),
]
AppServerRefs = Annotated[tuple[AppServerRef, ...], Field(max_length=100)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=_LONGEST, allow_inf_nan=False)]
Drain = Annotated[
    Seconds | None,
    Field(
        description="Seconds in which requests under way may finish at what goes out of service;"
        " 30 when nothing is said."
    ),
]
Watch = Annotated[
    Seconds | None,
    Field(
        description="Seconds for which the site is watched after the switch, and turned back when"
        " it breaks; 60 when nothing is said."
    ),
]
Partial = Annotated[
    bool, Field(strict=True, description="Exactly these, though the instance wants more.")
]


Gone = Annotated[
    bool,
    Field(
        strict=True,
        description="You know that it is gone and never comes back. No host is asked. Needs a"
        " `reason`.",
    ),
]
GoneReason = Annotated[
    str | None,
    Field(min_length=1, max_length=500, description="How you know that it is gone."),
]
WithData = Annotated[
    bool,
    Field(
        strict=True,
        description="Its machine is removed although the site's only data goes with it; the"
        " instance is then as new.",
    ),
]


class JobOrder(BaseModel):
    """What is to be done, and when."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [_ORDER, _TONIGHT, _ACTIVATE, _TERMINATE, _INSTALL, _DISABLE, _INSPECT]
        },
    )

    kind: JobKind
    instance: Annotated[
        RefField | None,
        Field(
            description="What to provision or to inspect, whose extension to change, or whose"
            " router to bring up to date."
        ),
    ] = None
    #: Instead of the instance's own.
    host: RefField | None = None
    #: Instead of the instance's own.
    revision: Revision | None = None
    activate: Annotated[
        bool,
        Field(
            strict=True,
            description="Of a provision: put the new app servers into service once all run, unless"
            " a newer request has done so before.",
        ),
    ] = False
    attempts: Annotated[
        int | None,
        Field(
            strict=True,
            ge=1,
            le=10,
            description="Of a provision: when one has failed, another app server is tried, so many"
            " in all; 2 with `activate`, else 1, when nothing is said.",
        ),
    ] = None
    app_servers: Annotated[
        AppServerRefs,
        Field(
            description="Those to put into service together, in the place of those that serve now."
            " One alone brings along what runs of its deployment, unless `partial`."
        ),
    ] = ()
    partial: Partial = False
    drain: Drain = None
    watch: Watch = None
    app_server: Annotated[
        AppServerRef | None, Field(description="The one to deactivate, or to terminate.")
    ] = None
    gone: Gone = False
    reason: GoneReason = None
    with_data: WithData = False
    extension: Annotated[
        ExtensionSpec | None,
        Field(
            description="What to install; of `uninstall`, `enable` and `disable`: its `package`"
            " alone."
        ),
    ] = None
    force: Annotated[
        bool,
        Field(
            strict=True,
            description="Do it also where everything is so already: install the same version anew.",
        ),
    ] = False
    #: Make the plan and end: nothing is done on the host.
    dry_run: Annotated[bool, Field(strict=True)] = False
    priority: Annotated[
        int, Field(strict=True, ge=-100, le=100, description="Lower goes first.")
    ] = 0
    not_before: Annotated[Instant | None, Field(description="It does not begin earlier.")] = None
    deadline: Annotated[
        Instant | None,
        Field(description="If it has not ended by then, it is stopped, undone and failed."),
    ] = None
    on_conflict: Annotated[
        OnConflict,
        Field(
            description="When the same is asked for already. `queue`: wait behind it. `return`:"
            " answer with the identical job that waits (200). `supersede`: end the jobs of this"
            " kind for the instance (of `deactivate` and `terminate`: for the app server; of those"
            " that are about an extension: for that) that have not begun. `reject`: 409 while one"
            " has not ended.",
        ),
    ] = OnConflict.QUEUE

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for field in type(self).model_fields:
            alien, value = field in _OWN - _FIELDS[self.kind], getattr(self, field)
            if alien and not (value is None or value is False or value == ()):
                called = _CALLED.get(self.kind, f"a job of kind {self.kind}")
                raise wrong_field(field, f"{called} has no {field}: leave it out")
        if self.kind in EXTENDING:
            _check_extension(self.kind, self.extension)
        return self


def _check_extension(kind: JobKind, extension: ExtensionSpec | None) -> None:
    """Raises an error about the field when it is missing, or about one of its own."""
    if extension is None:
        raise wrong_field("extension", f"name the extension to {kind}")
    try:
        extension.refuse_for(kind)
    except PydanticCustomError as error:
        found = error.context or {}
        raise wrong_field(("extension", found["field"]), found["message"]) from None
