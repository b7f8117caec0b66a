"""The background parts of a site (workers, cron, mail): started and stopped as its recipe says."""

from collections.abc import Iterable

from app.domain.recipe_parts import Action
from worker.steps import recipe_step
from worker.steps.recipe_step import Surroundings, any_exit
from worker.steps.step import Command, Failure

#: Each script in a shell of its own: what one sets, or leaves with, is no other one's matter.
_ALONE = """\
(
set -eu
{run}
)
"""


def one(item: Action, around: Surroundings, failure: Failure) -> Command:
    """One script of the section."""
    return recipe_step.script(
        item.run,
        around,
        timeout=item.timeout,
        silence=item.silence,
        failures=any_exit(failure),
    )


def whole(items: Iterable[Action], around: Surroundings, failure: Failure) -> Command:
    """The scripts of a list one after the other, up to the first that fails; for an undo."""
    actions = tuple(items)
    return recipe_step.script(
        "".join(_ALONE.replace("{run}", item.run.rstrip("\n")) for item in actions),
        around,
        timeout=sum(item.timeout for item in actions),
        failures=any_exit(failure),
    )


def failed(name: str, verb: str, hint: str) -> Failure:
    """`name` is the app server's; `verb` is `start` or `stop`."""
    return Failure("background-failed", f"A background part of {name} did not {verb}", hint)
