"""The sections of a recipe, one model each, and how a setting becomes a variable."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from app.domain.recipe_source import storable
from app.domain.step import OnCancel, OnUnknown

#: Characters of one setting: far below what a process may have as environment (128 KiB a string).
MAX_VALUE = 32_768
#: Text is accepted too: a command line cannot send anything else.
_BOOLEANS = {"1": "1", "true": "1", "yes": "1", "0": "0", "false": "0", "no": "0"}

#: Entries of one list of steps: each entry is at least one step of a plan.
MOST_STEPS = 100
#: Pages that are asked for again and again while a site is watched.
MOST_PAGES = 20

_LONGEST_SCRIPT = 32_768
Script = Annotated[str, Field(min_length=1, max_length=_LONGEST_SCRIPT)]
Title = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 ._-]{0,62}$")]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Tool = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Text = Annotated[str, Field(max_length=2_000)]
URL_PATH = r"/[!-~]{0,999}"
UrlPath = Annotated[str, Field(pattern=f"^{URL_PATH}$")]


class Part(BaseModel):
    """A part of the document: unknown keys and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SettingType(StrEnum):
    STRING = "string"
    INT = "int"
    BOOL = "bool"
    CHOICE = "choice"


class Via(StrEnum):
    """Who starts the site: `auto` takes what the host offers."""

    AUTO = "auto"
    COMMAND = "command"
    SUPERVISORD = "supervisord"
    SYSTEMD = "systemd"


class DataPlace(StrEnum):
    """Where the data of an instance lies, and so where its app servers may be."""

    #: In files of one host: the others never see it.
    HOST = "host"
    #: On servers that every host reaches.
    NETWORK = "network"


class Setting(Part):
    type: SettingType = SettingType.STRING
    choices: tuple[str, ...] = ()
    default: object = None
    required: bool = False
    description: Text = ""

    def text(self, value: object) -> str:
        """The environment value; raises ValueError with a sentence saying what is wanted."""
        return _CONVERT[self.type](value, self.choices)


class Secret(Part):
    required: bool = False
    #: Length of the value that Liftlock makes up when none was set.
    generate: Annotated[int, Field(ge=16, le=256)] | None = None
    description: Text = ""


@dataclass(frozen=True)
class Question:
    """A script that answers whether a step was done: 0 yes, 1 no, anything else nobody knows."""

    probe: str


def _unknown(value: object) -> OnUnknown | Question:
    match value:
        case OnUnknown() | Question():
            return value
        case "repeat" | "ask":
            return OnUnknown(value)
        case {"probe": str(probe), **rest} if not rest and 0 < len(probe) <= _LONGEST_SCRIPT:
            return Question(probe)
    raise PydanticCustomError(
        "unknown_form", "`unknown` wants `repeat`, `ask` or a mapping `probe: script`"
    )


def _unknown_text(value: OnUnknown | Question) -> str | dict[str, str]:
    return {"probe": value.probe} if isinstance(value, Question) else value.value


Unknown = Annotated[
    OnUnknown | Question,
    PlainValidator(_unknown),
    PlainSerializer(_unknown_text, when_used="always"),
]


class PreflightCommand(Part):
    name: Title
    run: Script
    #: The command that fixes it, shown when `run` fails.
    hint: Text


class PreflightWait(Part):
    """Something that will be there soon: a database, a name in the DNS."""

    name: Title
    #: Exits 0 when it is there.
    command: Script
    every: Annotated[float, Field(ge=1, le=86_400)] = 30
    longest: Annotated[float, Field(gt=0, le=30 * 86_400)] = 3_600


class Preflight(Part):
    tools: tuple[Tool, ...] = ()
    disk_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 100
    writable: tuple[Folder, ...] = ()
    wait_for: Annotated[tuple[PreflightWait, ...], Field(max_length=MOST_STEPS)] = ()
    commands: tuple[PreflightCommand, ...] = ()


class Action(Part):
    """One shell script with a name; what is not said depends on its section."""

    name: Title
    run: Script
    timeout: Seconds = 900
    #: Seconds without output after which it is killed as well.
    silence: Seconds | None = None
    #: What to do when its process is gone and nobody knows how it ended.
    unknown: Unknown | None = None
    on_cancel: OnCancel | None = None


class Participant(Part):
    name: Slug
    after: Annotated[tuple[Slug, ...], Field(max_length=MOST_STEPS)] = ()
    created: Annotated[tuple[Action, ...], Field(min_length=1, max_length=MOST_STEPS)]
    #: Exits 0 when the stored data is older than this code, 1 when it fits.
    needs_upgrade: Script | None = None


class Start(Part):
    run: Script
    via: Via = Via.AUTO
    #: Whether the values may be kept on the host's disk (0600), as a supervisor needs.
    env_file: bool = False


class Stop(Part):
    timeout: Annotated[float, Field(gt=0, le=600)] = 10


class Check(Part):
    path: UrlPath = "/"
    #: A setting that holds the path instead.
    path_setting: str | None = None
    status: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(min_length=1)] = (
        200,
    )
    contains: Text | None = None
    tries: Annotated[int, Field(ge=1, le=1_000)] = 30
    every: Annotated[float, Field(gt=0, le=60)] = 1
    timeout: Annotated[float, Field(gt=0, le=120)] = 10

    def path_for(self, environment: Mapping[str, str]) -> str:
        """The path to ask for, given the resolved settings."""
        return environment.get(self.path_setting or "") or self.path


class Background(Part):
    """Workers, cron, mail: what runs only for the app servers in service. Both may be repeated."""

    start: Annotated[tuple[Action, ...], Field(min_length=1, max_length=MOST_STEPS)]
    stop: Annotated[tuple[Action, ...], Field(min_length=1, max_length=MOST_STEPS)]
    #: Whether those of two revisions may run at the same time.
    overlap: bool = False


class Diagnosis(Part):
    name: Title
    run: Script


def described(value: object) -> str:
    """A value as a message shows it: short, in the words of the document."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {value[:40]!r}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return f"the number {value}"[:60]


def _string(value: object, _choices: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        message = f"wants text, found {described(value)}"
        raise ValueError(message)  # noqa: TRY004 - one error type for every kind of wrong value
    if len(value) > MAX_VALUE:
        message = f"has {len(value)} characters; {MAX_VALUE} are the limit"
        raise ValueError(message)
    if not storable(value):
        message = "contains a character that no variable can hold (NUL or half a pair)"
        raise ValueError(message)
    return value


def _int(value: object, _choices: tuple[str, ...]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return str(int(value))
    message = f"wants a whole number, found {described(value)}"
    raise ValueError(message)


def _bool(value: object, _choices: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    message = f"wants true or false, found {described(value)}"
    raise ValueError(message)


def _choice(value: object, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    message = f"wants one of {', '.join(choices)}, found {described(value)}"
    raise ValueError(message)


_CONVERT: dict[SettingType, Callable[[object, tuple[str, ...]], str]] = {
    SettingType.STRING: _string,
    SettingType.INT: _int,
    SettingType.BOOL: _bool,
    SettingType.CHOICE: _choice,
}
