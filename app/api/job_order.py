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
from app.domain.job import JobKind, OnConflict
from app.domain.naming import Revision

_ONLY_PROVISION = ("instance", "revision", "dry_run")
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_ORDER: JsonDict = {"kind": "provision", "instance": "guestbook"}
_TONIGHT: JsonDict = {
    **_ORDER,
    "revision": "v2",
    "priority": -10,
    "not_before": "2026-11-21T22:00:00Z",
    "deadline": "2026-11-21T23:30:00Z",
    "on_conflict": "supersede",
}


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


class JobOrder(BaseModel):
    """What is to be done, and when."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ORDER, _TONIGHT]})

    kind: JobKind
    instance: RefField | None = None
    #: Instead of the instance's own.
    host: RefField | None = None
    #: Instead of the instance's own.
    revision: Revision | None = None
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
            " kind for the instance that have not begun. `reject`: 409 while one has not ended.",
        ),
    ] = OnConflict.QUEUE

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for field in _ONLY_PROVISION if self.kind is JobKind.ENROLL else ():
            if getattr(self, field):
                message = f"a job that reads a host's key has no {field}: leave it out"
                raise PydanticCustomError(
                    "field", "{message}", {"message": message, "field": field}
                )
        return self
