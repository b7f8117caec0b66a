"""What a caller says about an instance."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.domain.naming import Address, HostFile, Labels, Name, Revision
from app.domain.repository import Repository
from app.domain.router import TlsMode
from app.domain.wrong_field import wrong_field

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


class TlsSpec(BaseModel):
    """How browsers reach the site: in the clear, or with which certificate."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"mode": "auto", "certificate": None, "key": None}]},
    )

    #: `auto`: a certificate that the router gets by itself (ACME). `internal`: one that it makes,
    #: which no browser trusts. `files`: the two below.
    mode: TlsMode = TlsMode.OFF
    #: Files on the router's host.
    certificate: HostFile | None = None
    key: HostFile | None = None

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        for field, value in (("certificate", self.certificate), ("key", self.key)):
            if value is None and self.mode is TlsMode.FILES:
                raise wrong_field(field, "`files` needs a certificate and its key")
            if value is not None and self.mode is not TlsMode.FILES:
                raise wrong_field(field, f"`{self.mode}` takes no files: take them away with null")
        return self


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
    #: Instead of a host: any open host of this pool that has these labels.
    pool: Name | None = None
    labels: Labels = Field(default_factory=dict)
    #: Instead of both: the provider that makes a machine for each of its app servers.
    provider: Name | None = None
    #: App servers that one request makes, and that serve together.
    target_count: Annotated[int, Field(strict=True, ge=1, le=50)] = 1
    #: Days after which app servers that nobody needs are terminated; null: never.
    retention_days: Annotated[int, Field(strict=True, ge=0, le=3650)] | None = 2
    #: The name of the router that passes requests on to its active app servers.
    router: Name | None = None
    tls: TlsSpec = Field(default_factory=TlsSpec)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.host is not None and self.pool is not None:
            raise wrong_field("pool", f"it lives on host {self.host}: name a host or a pool")
        if self.provider is not None and (place := self.host or self.pool) is not None:
            raise wrong_field("provider", f"it lives on {place}: name that or a provider")
        if self.domain is None and self.tls.mode in {TlsMode.AUTO, TlsMode.INTERNAL}:
            raise wrong_field("domain", f"a certificate of TLS `{self.tls.mode}` is for a domain")
        return self
