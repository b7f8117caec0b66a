"""The recipe author's own scripts, with the variables they may rely on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.recipe_parts import Action, Question
from worker.steps.site import Site
from worker.steps.step import Command, Failure, OnUnknown

#: A failing line fails the step, and a misspelled variable too.
STRICT = "set -eu\n"

_NEEDS_UPGRADE = """\
set +e
(
set -eu
{run}
)
case $? in
  0) echo "the stored data is older than this revision" >&2; exit 81 ;;
  1) echo "the stored data fits this revision" ;;
  *) echo "the question could not be answered" >&2; exit 82 ;;
esac
"""

_FOLDER = """\
set -eu
[ -d "$FOLDER" ] || { echo "there is no folder $FOLDER in $(pwd)" >&2; exit 83; }
"""


@dataclass(frozen=True)
class Surroundings:
    """What every script of a recipe sees: folders, plain values and the names of secrets."""

    site: Site
    env: Mapping[str, str]
    secrets: tuple[str, ...]
    #: Besides those of the site, relative to the base folder as well.
    more_paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> dict[str, str]:
        return {**self.site.paths, **self.more_paths}

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable, sorted; COMMIT is added by the engine, as a fact of the checkout."""
        return tuple(sorted({*self.env, *self.paths, *self.secrets, "COMMIT"}))


def any_exit(failure: Failure) -> dict[int, Failure]:
    """The same failure for every exit code that is not a signal or the timeout's."""
    return dict.fromkeys(range(1, 126), failure)


def script(
    text: str,
    around: Surroundings,
    *,
    timeout: float,
    cwd: str | None = None,
    silence: float | None = None,
    failures: Mapping[int, Failure] | None = None,
) -> Command:
    """One script of the recipe, run in the release unless told otherwise."""
    return Command(
        STRICT + text,
        env=around.env,
        paths=around.paths,
        secrets=around.secrets,
        cwd=cwd or around.site.release_dir,
        timeout=timeout,
        silence=silence,
        failures=failures or {},
    )


def action(item: Action, around: Surroundings) -> Command:
    return script(item.run, around, timeout=item.timeout, silence=item.silence)


def on_unknown(item: Action, around: Surroundings, *, otherwise: OnUnknown) -> OnUnknown | Command:
    """What to do when nobody knows how the action ended; a question is asked on the host."""
    if isinstance(item.unknown, Question):
        return script(item.unknown.probe, around, timeout=600)
    return item.unknown or otherwise


def fits(question: str, around: Surroundings, participant: str) -> Command:
    """Fails with `needs-upgrade` when the participant's stored data is older than the code."""
    failures = {
        81: Failure(
            "needs-upgrade",
            f"{participant}: the stored data is older than this revision",
            "Provision never changes data in use: upgrade the instance, or provision a revision "
            "that fits its data.",
        ),
        82: Failure(
            "step-failed",
            f"{participant}: nobody can tell whether its data needs an upgrade",
            "Run the script of `needs_upgrade` on the host; it must exit with 0 or 1.",
        ),
    }
    command = script("", around, timeout=600, failures=failures)
    return Command(
        _NEEDS_UPGRADE.replace("{run}", question),
        env=command.env,
        paths=command.paths,
        secrets=command.secrets,
        cwd=command.cwd,
        timeout=command.timeout,
        failures=command.failures,
    )


def folder_exists(site: Site, folder: str) -> Command:
    """The static files are where the recipe says."""
    failure = Failure(
        "step-failed",
        "The static files are not where the recipe says",
        "Correct `static.path` of the recipe, or the command that collects the files.",
    )
    return Command(
        _FOLDER,
        env={"FOLDER": folder},
        cwd=site.release_dir,
        timeout=60,
        failures={83: failure},
    )
