"""An extension on its host: in the release it becomes part of, whole or not at all.

The stamp lies in the release and is written last: wherever `current` or a router leads, the stamp
beside it tells the truth. One lock for each extension of an instance: none blocks another.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain import extension_sighting
from app.domain.asset_release import IGNORED
from app.domain.extension import Extension, requirement
from app.domain.recipe_extension import Media
from app.domain.recipe_parts import Action
from worker.steps import extension_script, recipe_step
from worker.steps.extension_script import (
    FULL,
    INCOMPLETE,
    LOCK_UNWRITABLE,
    LOCKED,
    NO_LOCK,
    NO_TOOL,
    UNSTAMPED,
)
from worker.steps.recipe_step import Surroundings, any_exit
from worker.steps.site import Site
from worker.steps.step import Command, Failure

#: Characters of one variable, far below what a process may get as one.
_PIECE = 60_000

_FOUND_AND_WANTED = "Run on the host the command that the output ends with, then repeat the job."
_FAILURES = {
    LOCKED: Failure(
        "extension-locked",
        "Another process works on the extension on this host",
        "See who it is with the command that the output ends with, then repeat the job.",
    ),
    NO_LOCK: Failure(
        "extension-locked",
        "The lock of the extension could not be had on this host",
        "The output says what the system answered; what is in the way has to go first.",
    ),
    LOCK_UNWRITABLE: Failure(
        "not-writable", "The lock of the extension cannot be written", _FOUND_AND_WANTED
    ),
    UNSTAMPED: Failure(
        "stamp-unwritten", "The extension's stamp could not be written", _FOUND_AND_WANTED
    ),
    FULL: Failure(
        "disk-full",
        "The host's disk is full",
        "Free some space on the host (du -xh --max-depth=2 / | sort -h | tail), then repeat.",
    ),
    NO_TOOL: Failure(
        "tool-missing",
        "The program flock is missing on the host",
        "Install it on the host, for example: sudo apt-get install util-linux",
    ),
}

#: Each script in a shell of its own, also behind one that failed.
_GUARDED = """\
(
set -eu
{run}
)
[ $? = 0 ] || { failed=yes; echo "{name} failed; what is left is done all the same" >&2; }
"""


@dataclass(frozen=True)
class Patience:
    """How long a stamp or lock that is busy or cannot be written is tried again."""

    attempts: int = 10
    every: float = 1.0  # seconds between two
    longest: int = 30  # seconds from the first, after which no other begins

    @property
    def env(self) -> dict[str, str]:
        return {
            "LL_ATTEMPTS": str(self.attempts),
            "LL_EVERY": f"{self.every:g}",
            "LL_LONGEST": str(self.longest),
        }


PATIENCE = Patience()


def list_path(site: Site) -> str:
    """`EXTENSIONS_FILE`, below the base folder; so are the paths of the three below."""
    return f"{_folder(site)}/extensions.json"


def stamp_path(site: Site, name: str) -> str:
    return f"{_folder(site)}/extensions/{name}.version"


def wheel_path(site: Site, one: Extension) -> str:
    """Where an uploaded wheel is put: pip wants its name."""
    return f"{_folder(site)}/packages/{one.source.wheel}"


def lock_path(site: Site, name: str) -> str:
    return f"{site.app_dir}/extensions/{name}.lock"


def around(surroundings: Surroundings, one: Extension) -> Surroundings:
    """What the extension's own scripts see besides those of the recipe."""
    own = {"EXTENSION": one.name, "EXTENSION_VERSION": one.version}
    paths = dict(surroundings.more_paths)
    if one.source.wheel:
        paths["EXTENSION_REQUIREMENT"] = wheel_path(surroundings.site, one)
    else:
        own["EXTENSION_REQUIREMENT"] = requirement(one.source)
    env = {**one.settings, **surroundings.env, **own}
    return replace(surroundings, env=env, more_paths=paths)


def find(old_site: Site, number: int, one: Extension) -> Command:
    """Reports `installed_<number>`: `yes` when the release has a stamp of exactly that version."""
    fact = f"installed_{number}"
    return Command(
        extension_script.FIND,
        env={"LL_VERSION": one.version, "LL_FACT": fact},
        paths={"LL_STAMP": stamp_path(old_site, one.name)},
        timeout=60,
        reports=(fact,),
    )


def look(
    around: Surroundings,
    one: Extension,
    wanted: Media | None,
    about: str,
    *,
    ignore: tuple[str, ...] = IGNORED,
) -> Command:
    """Whether stamp and media are as the installation left them; nothing is changed.

    Reports what `extension_sighting.read` reads, with names that begin with `about`.
    """
    found = Command("", paths=around.paths, timeout=60)
    what = extension_script.ALL_THERE
    if wanted is not None:
        found = media(around, one, wanted, ignore=ignore)
        what = extension_script.LOOK_AT_MEDIA.replace("{run}", wanted.folders)
    return replace(
        found,
        script=extension_script.LOOK_AT_STAMP + what,
        # The runner makes the folder in which a command begins: a look makes none.
        cwd=".",
        env={**found.env, "LL_VERSION": one.version, "LL_FACT": about},
        paths={**found.paths, "LL_STAMP": stamp_path(around.site, one.name)},
        reports=extension_sighting.reports(about),
    )


def keep_list(site: Site, listed: Iterable[Mapping[str, Any]]) -> Command:
    """Writes `EXTENSIONS_FILE` by rename; `listed` are those of `Extension.listed`."""
    text = json.dumps({"extensions": list(listed)}, indent=1)
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    env = {f"LL_PART_{number}": piece for number, piece in enumerate(pieces, start=1)}
    return Command(
        extension_script.KEEP_LIST,
        env={**env, "LL_PARTS": str(len(pieces))},
        paths={"LL_LIST": list_path(site)},
        cwd=site.release_dir,
        timeout=60,
    )


def install(
    around: Surroundings, one: Extension, item: Action, *, patience: Patience = PATIENCE
) -> Command:
    """One of the recipe's `install` actions, under the lock, once for a release."""
    title = f"{one.title} could not be installed: {item.name}"
    hint = "The output has what the package or pip said; the release in service was not touched."
    failure = Failure("extension-failed", title, hint)
    site = around.site
    mark = f"{_folder(site)}/extensions/{one.name}.done/{item.name}"
    return _held(
        extension_script.INSTALL.replace("{run}", item.run),
        around,
        one,
        patience,
        timeout=item.timeout + patience.longest,
        silence=item.silence,
        failures={**any_exit(failure), **_FAILURES},
        paths={"LL_MARK": mark},
    )


def media(
    around: Surroundings, one: Extension, wanted: Media, *, ignore: tuple[str, ...] = IGNORED
) -> Command:
    """Every file of the package's folders is at its place with the same bytes.

    Reports `media_files`. Files that fit a pattern of `ignore` are collected by nobody.
    """
    listing = Failure(
        "extension-failed",
        f"The folders of the media of {one.title} could not be listed",
        "Correct the script `extension.media.folders` of the recipe.",
    )
    incomplete = Failure(
        "media-incomplete",
        f"The media of {one.title} are not where they are served from, or are others",
        "See the first files in the output. Another package may bring a file of the same name, or "
        "what collects the files may leave some out.",
    )
    command = recipe_step.script(
        "", around, timeout=900, failures={**any_exit(listing), INCOMPLETE: incomplete}
    )
    own = {"LL_TARGET": wanted.target, "LL_IGNORE": "\n".join(ignore)}
    return replace(
        command,
        script=extension_script.MEDIA.replace("{run}", wanted.folders),
        env={**command.env, **own},
        reports=("media_files",),
    )


def stamp(site: Site, one: Extension, *, patience: Patience = PATIENCE) -> Command:
    """Writes the stamp under the lock, last of all, and reads it back."""
    return _held(
        extension_script.STAMP,
        Surroundings(site, {}, ()),
        one,
        patience,
        timeout=600,
        failures=_FAILURES,
    )


def forget_stamp(site: Site, one: Extension) -> Command:
    return Command(
        extension_script.FORGET_STAMP,
        paths={"LL_STAMP": stamp_path(site, one.name)},
        timeout=60,
    )


def hook(around: Surroundings, one: Extension, item: Action, failure: Failure) -> Command:  # noqa: ARG001
    """One action of `enable`, `disable` or `uninstall`."""
    return recipe_step.script(
        item.run, around, timeout=item.timeout, silence=item.silence, failures=any_exit(failure)
    )


def guarded(
    around: Surroundings,
    one: Extension,
    items: Iterable[Action],
    failure: Failure,
) -> Command | None:
    """All of the actions, also those behind one that fails, and then the failure.

    None when there are none.
    """
    actions = tuple(items)
    if not actions:
        return None
    names = [f"{one.name}: {item.name}" for item in actions]
    scripts = (
        _GUARDED.replace("{name}", name).replace("{run}", item.run.rstrip("\n"))
        for name, item in zip(names, actions, strict=True)
    )
    command = recipe_step.script(
        "", around, timeout=sum(item.timeout for item in actions), failures=any_exit(failure)
    )
    text = f'set +e\nfailed=\n{"".join(scripts)}[ -z "$failed" ]\n'
    return replace(command, script=text)


def _held(
    script: str,
    around: Surroundings,
    one: Extension,
    patience: Patience,
    *,
    timeout: float,
    failures: Mapping[int, Failure],
    silence: float | None = None,
    paths: Mapping[str, str] | None = None,
) -> Command:
    """A script that knows the lock, the stamp and how long to try."""
    site = around.site
    places = {
        "LL_LOCK": lock_path(site, one.name),
        "LL_STAMP": stamp_path(site, one.name),
        "LL_RELEASE": site.release_dir,
    }
    return Command(
        script,
        env={**around.env, **patience.env, "LL_VERSION": one.version},
        paths={**around.paths, **places, **(paths or {})},
        secrets=around.secrets,
        cwd=site.release_dir,
        timeout=timeout,
        silence=silence,
        failures=failures,
    )


def _folder(site: Site) -> str:
    """What Liftlock keeps in a release."""
    return f"{site.release_dir}/.liftlock"
