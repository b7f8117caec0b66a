"""What a caller says about an extension."""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.domain.extension import normalized
from app.domain.job import JobKind
from app.domain.naming import is_address
from app.domain.wrong_field import wrong_field

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _package(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "give the name of one package: letters, digits and . _ - (extras such as name[extra] "
            "are not taken)"
        )
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError("give one exact version, such as 2.7 or 1.0rc1")
    return text


def _url(text: str) -> str:
    """The sentence does not repeat the address, which may hold a password."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("an address has no spaces and no characters but those of ASCII")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("give an https URL") from None
    if "@" in url.netloc:
        raise ValueError("leave user names and passwords out of the address")
    if url.fragment:
        raise ValueError("an address has no #; the digest is the field sha256")
    is_whole = url.hostname and is_address(url.hostname) and len(url.path) > 1 and port != 0
    if url.scheme != "https" or not is_whole:
        raise ValueError("give an https URL")
    return text


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError("give the SHA-256 of the file: 64 digits and letters from a to f")
    return text


Package = Annotated[str, AfterValidator(_package), Field(min_length=1, max_length=100)]
Version = Annotated[str, AfterValidator(_version), Field(min_length=1, max_length=100)]
Sha256 = Annotated[str, AfterValidator(_sha256), Field(min_length=64, max_length=64)]


class ExtensionSpec(BaseModel):
    """Which package; for an installation, where it comes from and what it is told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "package": "django-taggit",
                    "version": "6.1.0",
                    "settings": {"APP": "taggit"},
                    "requires": [],
                }
            ]
        },
    )

    package: Package
    #: One exact version.
    version: Version | None = None
    #: An archive that is not on PyPI; only the host fetches it.
    url: Annotated[str, AfterValidator(_url), Field(min_length=1, max_length=2_000)] | None = None
    #: Of the archive; without a `url`, of a wheel that was uploaded.
    sha256: Sha256 | None = None
    #: As the recipe's section `extension` has them.
    settings: Annotated[dict[str, JsonValue], Field(max_length=50)] = Field(default_factory=dict)
    #: Packages whose extensions are enabled before this one.
    requires: Annotated[tuple[Package, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.url and not self.sha256:
            raise wrong_field("sha256", "an archive needs its digest")
        if self.name in self.required_names:
            raise wrong_field("requires", "it cannot require itself")
        return self

    @property
    def name(self) -> str:
        """By which the instance has it."""
        return normalized(self.package)

    @property
    def required_names(self) -> tuple[str, ...]:
        """Normalized, each once."""
        return tuple(dict.fromkeys(normalized(one) for one in self.requires))

    def refuse_for(self, kind: JobKind) -> None:
        """Raises an error about one of the fields when a job of that kind cannot use them."""
        if kind is JobKind.INSTALL:
            if self.version is None:
                raise wrong_field("version", "an installation needs an exact version")
            return
        for field in ("version", "url", "sha256", "settings", "requires"):
            if getattr(self, field):
                message = f"only an installation takes it: to {kind} name the package alone"
                raise wrong_field(field, message)
