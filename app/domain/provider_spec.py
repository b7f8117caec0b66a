"""What an operator says about a provider, in the settings of API and workers."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.domain.naming import Name

_Seconds = Annotated[float, Field(gt=0, le=86_400)]


class OrphanPolicy(StrEnum):
    """What becomes of machines with a tag of ours that are not known here."""

    #: They are only told.
    REPORT = "report"
    REMOVE = "remove"


class Timeouts(BaseModel):
    """Seconds that each action may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    create: _Seconds = 3600
    destroy: _Seconds = 600
    list: _Seconds = 60
    #: For a machine that was made to answer SSH.
    boot: _Seconds = 3600


class ProviderSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The program and its fixed arguments.
    program: Annotated[list[str], Field(min_length=1)]
    #: Names of variables of the worker that the program may see.
    variables: list[str] = Field(default_factory=list)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    orphans: OrphanPolicy = OrphanPolicy.REPORT


#: By name.
Providers = dict[Name, ProviderSpec]
_ALL: TypeAdapter[Providers] = TypeAdapter(Providers)


def read_providers(text: str) -> Providers:
    """JSON, as in LIFTLOCK_PROVIDERS; none when it is empty. Raises ValueError with a sentence."""
    try:
        return _ALL.validate_json(text.strip() or "{}")
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"LIFTLOCK_PROVIDERS is wrong{f' at {where}' if where else ''}: {first['msg']}."
            " docs/providers.md shows one that is right."
        ) from None
