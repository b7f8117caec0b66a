"""What a look at an extension in a release that serves has found: its stamp and its media."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.problem import error_of
from app.domain.spellings import without_controls

#: Files that are named; the others are counted.
MOST_FILES = 10

_YES = "yes"
#: Characters that are kept of a fact.
_MOST_SAID = 1_000
_WORDS = ("stamp", "media", "said")


@dataclass(frozen=True)
class Sighting:
    """Of one extension in the release of one app server."""

    #: Whether the stamp says the version that the release was built with.
    has_stamp: bool
    #: Files of the package that are not where they are served from, or are others there.
    wrong: int = 0
    #: The first of them: `missing: shop/a.js`, `different: shop/b.js`.
    files: tuple[str, ...] = ()
    #: Why not even one could be compared.
    why: str = ""

    @property
    def is_whole(self) -> bool:
        return self.has_stamp and not self.wrong and not self.why

    def detail(self, title: str, app_server: str) -> str:
        """A sentence, and the first files in lines of their own."""
        said = [] if self.has_stamp else [f"The release has no stamp of {title}."]
        if self.wrong:
            files = f"{self.wrong} file{'s' * (self.wrong != 1)} of {title}"
            verb = "are" if self.wrong != 1 else "is"
            said.append(f"{files} {verb} not there as in the package:")
        elif self.why:
            said.append(f"The media of {title} could not be compared: {self.why}")
        return "\n".join([f"{app_server}: {' '.join(said)}", *self.files])


def fact(number: int, name: str) -> str:
    """What the facts begin with that a look at the app server of that number reports."""
    return f"seen_{number}_{name}"


def reports(about: str) -> tuple[str, ...]:
    """The facts of a look; see `read`."""
    return tuple(f"{about}_{word}" for word in _WORDS)


def read(facts: Mapping[str, str], about: str) -> Sighting | None:
    """What was found, as the host said it; None: nobody could look.

    `media` is `yes`, or how many files are wrong, or `no` when none could be compared; `said` names
    the first of them, or says why.
    """
    if any(name not in facts for name in reports(about)):
        return None
    stamp, media, said = (facts[name] for name in reports(about))
    if media == _YES:
        return Sighting(stamp == _YES)
    if media.isdecimal() and int(media):
        files = tuple(without_controls(one) for one in said.split("\t") if one)
        if len(said) >= _MOST_SAID and len(files) > 1:
            files = files[:-1]  # cut in the middle of its name
        return Sighting(stamp == _YES, int(media), files[:MOST_FILES])
    return Sighting(stamp == _YES, why=without_controls(said) or "nobody said why.")


def repair(
    instance: str,
    version: str,
    *,
    source: Mapping[str, Any],
    settings: Mapping[str, Any],
    requires: Iterable[str],
) -> str:
    """The next command to type; what the last installation was told is told again."""
    words = ["liftlock", "extensions", "install", instance, str(source["package"]), version]
    for option, field in (("--archive", "url"), ("--sha256", "sha256")):
        words += [option, str(source[field])] if source.get(field) else []
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    words += [word for name in requires for word in ("--requires", name)]
    return f"Build it anew, beside what serves: {shlex.join([*words, '--force'])}"


def error(found: Sighting, *, title: str, app_server: str, hint: str) -> dict[str, Any]:
    """As it is kept with the extension on its host."""
    return error_of("media-incomplete", found.detail(title, app_server), hint=hint)
