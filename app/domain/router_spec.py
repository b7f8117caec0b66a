"""What a caller says about a router."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.domain.naming import Name
from app.domain.router import RouterKind


class RouterSpec(BaseModel):
    """Everything about a router that a caller may set."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "edge", "kind": "caddy", "host": "web-1"}]},
    )

    name: Name
    kind: RouterKind
    #: The name of the host its program runs on.
    host: Name
    #: Where the program keeps what, and where it listens; each kind has its own.
    options: dict[str, JsonValue] = Field(default_factory=dict, max_length=50)
