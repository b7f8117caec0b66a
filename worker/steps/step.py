"""The step values: what plans are made of and the engine carries out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from app.domain.step import OnCancel, OnUnknown
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.machine import CreateMachine, DestroyMachine
from worker.steps.package import PlacePackage

__all__ = [
    "Action",
    "Command",
    "Failure",
    "Note",
    "OnCancel",
    "OnUnknown",
    "PortFree",
    "Probe",
    "ReadHostKey",
    "Stay",
    "Step",
    "Upload",
    "Wait",
    "Watch",
]


@dataclass(frozen=True)
class Failure:
    """How an exit code of one of Liftlock's own scripts is reported."""

    code: str  # kebab-case, a row of `app.domain.problem.CODES`
    title: str
    hint: str  # the next command to type


@dataclass(frozen=True)
class Command:
    """A shell script run once on the host; every value reaches it as environment, never as text."""

    script: str  # POSIX sh, fixed or written by the recipe's author
    env: Mapping[str, str] = field(default_factory=dict)
    #: Name -> path relative to the host's base folder; the runner exports it absolute.
    paths: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # names whose values the engine adds to the environment
    cwd: str = "."  # relative to the base folder; created when missing
    timeout: float = 600.0  # seconds; then the whole remote process group is killed
    silence: float | None = None  # seconds without output, after which it is killed as well
    reports: tuple[str, ...] = ()  # facts read from output lines `name=value`
    failures: Mapping[int, Failure] = field(default_factory=dict)  # by exit code

    def __post_init__(self) -> None:
        """A secret never takes the place of a value that the script was written for."""
        taken = {*self.env, *self.paths}
        secrets = tuple(name for name in self.secrets if name not in taken)
        object.__setattr__(self, "secrets", secrets)


@dataclass(frozen=True)
class Upload:
    """A folder or file of the worker's machine, put below the host's base folder."""

    source: Path
    to: str


@dataclass(frozen=True)
class Probe:
    """An HTTP GET to 127.0.0.1:port on the host, repeated until it answers as it should."""

    port: int
    path: str
    status: tuple[int, ...]
    tries: int
    every: float  # seconds between two tries
    timeout: float  # seconds for one try
    contains: str | None
    alive: Command | None  # run between tries; non-zero: the process died, so fail at once
    on_failure: Failure
    address: str = "127.0.0.1"  # what the host is to connect to
    name: str = ""  # the name asked for (`Host`, and SNI); empty: the address with the port
    tls: bool = False  # any certificate is taken: SSH vouches for the host


@dataclass(frozen=True)
class Watch:
    """Probes asked again and again for a while; it fails once one of them stays wrong."""

    probes: tuple[Probe, ...]  # their own `tries` and `every` count for nothing here
    seconds: float  # how long it is watched; a successor of a worker goes on from where it was
    every: float = 2.0  # seconds between two rounds
    most_wrong: int = 2  # wrong answers of one probe in a row, after which it fails


@dataclass(frozen=True)
class PortFree:
    """A connection to the port must be refused."""

    port: int
    on_failure: Failure
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class ReadHostKey:
    """Reads the host's key without a login; reports the facts `host_key` and `fingerprint`."""


@dataclass(frozen=True)
class Note:
    """Something recorded in Postgres by the journal, never on the host."""

    what: str
    data: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Something that must become true; while it is waited for, no worker has the job."""

    until: datetime | None  # not before this time
    probe: Command | None  # exit code 0: it is true now
    every: float  # seconds between two looks
    longest: float  # seconds from the first look; then it fails
    on_failure: Failure


Action = (
    Command
    | Upload
    | Probe
    | Watch
    | PortFree
    | ReadHostKey
    | Note
    | Wait
    | ReleaseAssets
    | PlaceManifest
    | VerifyAssets
    | CreateMachine
    | DestroyMachine
    | PlacePackage
)


@dataclass(frozen=True)
class Stay:
    """When a failure takes nothing back, because the way back is known to lead nowhere."""

    facts: tuple[str, ...]  # all of them were found
    why: str  # told behind the failure
    hint: str  # the next command to type, in place of the failure's own


@dataclass(frozen=True)
class Step:
    """One thing done once, and how it is undone."""

    name: str
    title: str
    action: Action
    undo: Command | Note | Probe | None = None
    on_cancel: OnCancel = OnCancel.INTERRUPT
    #: A command is a question to the host: exit code 0 says done, 1 not done, others ask a person.
    on_unknown: OnUnknown | Command = OnUnknown.REPEAT
    #: Whether it is done again when the job comes back from waiting, as a look at the host is.
    again: bool = False
    #: The name of the host that it is done on, and undone; empty: the job's own.
    at: str = ""
    #: Whether its undo goes before that of later steps: traffic turns back before all else.
    undo_first: bool = False
    #: Whether it is passed over when its host is gone: what it would stop is gone with it. Before a
    #: machine is removed, also when it fails in another way.
    dispensable: bool = False
    #: Whether a dispensable one is passed over on a host that lives but is useless, too: nothing
    #: goes on there because it was left out.
    harmless: bool = False
    #: A look that never fails: when the answer is wrong, this fact is found.
    finds: str = ""
    #: When its failure leaves everything as it is by then.
    stay: Stay | None = None
    #: Facts: when each of them is `yes`, it is skipped, and has nothing to undo. For `Plan.steps`.
    unless: tuple[str, ...] = ()
