"""How a path or a body names things: by id, or by the name a person gave."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$"

Ref = Annotated[str, Path(pattern=_PATTERN, description="Id or name.", examples=["web-1"])]
RefFilter = Annotated[str, Query(pattern=_PATTERN, description="Id or name.")]
RefField = Annotated[str, Field(pattern=_PATTERN, description="Id or name.")]
_APP_SERVER = r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}(:[1-9][0-9]{0,8})?$"
AppServerRef = Annotated[
    str, Path(pattern=_APP_SERVER, description="Id, or INSTANCE:NUMBER.", examples=["guestbook:2"])
]
Id = Annotated[UUID, Path(description="Its id.")]
RecipeName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,62}$", examples=["django"])]
RecipeVersion = Annotated[int, Path(ge=1, le=999_999_999, examples=[1])]
LockName = Annotated[
    str,
    Path(
        pattern=r"^[ -~]{1,100}$",
        description="As in the list of locks; an id may stand for the name in it.",
        examples=["instance:shop"],
    ),
]
SecretName = Annotated[str, Path(pattern=r"^[ -~]{1,100}$", examples=["DATABASE_PASSWORD"])]
AssetReleaseRef = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$",
        description="Name or id.",
        examples=["8f2b6c93d1a4-3-0a6b8c11"],
    ),
]
PackageHash = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of its content, in small hexadecimal digits.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
ExtensionName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$",
        description="Of its package, in any spelling.",
        examples=["guestbook-stars"],
    ),
]
