"""What a caller asks of a new job, and which field belongs to which kind."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.refs import RefField
from app.domain.job import JobKind
from app.domain.naming import Revision

_ONLY_PROVISION = ("instance", "revision", "dry_run")


class JobOrder(BaseModel):
    """What is to be done."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "provision", "instance": "guestbook"}]},
    )

    kind: JobKind
    instance: RefField | None = None
    #: Instead of the instance's own.
    host: RefField | None = None
    #: Instead of the instance's own.
    revision: Revision | None = None
    #: Make the plan and end: nothing is done on the host.
    dry_run: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for field in _ONLY_PROVISION if self.kind is JobKind.ENROLL else ():
            if getattr(self, field):
                message = f"a job that reads a host's key has no {field}: leave it out"
                raise PydanticCustomError(
                    "field", "{message}", {"message": message, "field": field}
                )
        return self
