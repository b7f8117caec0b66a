"""What a caller says about an instance."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from app.domain.naming import Address, Name, Revision
from app.domain.repository import Repository

_RECIPE = re.compile(r"(?P<name>[a-z][a-z0-9-]{0,62})(@(?P<version>[1-9][0-9]{0,8}))?")


def split_recipe(text: str) -> tuple[str, int | None]:
    """`django` or `django@3` as name and version; raises ValueError."""
    parts = _RECIPE.fullmatch(text)
    if parts is None:
        raise ValueError("give a recipe's name, or name@version: django, django@3")
    return parts["name"], int(parts["version"]) if parts["version"] else None


def _recipe(text: str) -> str:
    split_recipe(text)
    return text


class InstanceSpec(BaseModel):
    """Everything about an instance that a caller may set, besides its secrets."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "guestbook",
                    "recipe": "django",
                    "repository": "https://git.example.org/guestbook.git",
                    "revision": "v1",
                    "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
                    "host": "web-1",
                }
            ]
        },
    )

    name: Name
    #: A name alone pins the newest version of this moment.
    recipe: Annotated[str, AfterValidator(_recipe), Field(max_length=80)]
    repository: Repository
    revision: Revision
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    domain: Address | None = None
    #: The name of the host it lives on.
    host: Name | None = None
