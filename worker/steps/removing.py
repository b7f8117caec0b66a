"""What an app server leaves on its host: removed, and nothing else."""

from collections.abc import Iterable
from dataclasses import replace

from app.domain.recipe_parts import Action
from worker.steps import background
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.site import Site
from worker.steps.step import Command, Failure

#: Before a supervisor is asked, which may never have been there.
_IF_STARTED = """\
[ -d "$RUN_DIR" ] || { echo "nothing was ever started in $RUN_DIR, or it is removed"; exit 0; }
"""
# Its files go last: where they are gone, everything of it was stopped before.
_IN_RELEASE = """\
cd "$RELEASE_DIR" 2>/dev/null || { echo "$RELEASE_DIR is removed"; exit 0; }
"""

_REMOVE = """\
set -eu
# What is not there is removed already. Folders are compared as they really are: a link in the way
# leads to what is not the app server's.
remove() {
  [ -e "$1" ] || [ -L "$1" ] || { echo "$1 is gone already"; return 0; }
  really=$(cd "${1%/*}" && pwd -P)
  case ${1##*/} in '' | . | ..) refuse "$1" ;; esac
  [ "$really" = "$app/$2" ] || refuse "$1"
  if ! rm -rf "${1:?}" 2>/dev/null; then
    # Folders that nobody may write in, as some package managers make them.
    chmod -R u+rwX "$1" 2>/dev/null || :
    rm -rf "${1:?}"
  fi
  echo "$1 is removed"
}
refuse() {
  echo "$1 does not lie in $APP_DIR: it is left alone" >&2
  exit 61
}
[ -d "$APP_DIR" ] || { echo "$APP_DIR is gone already"; exit 0; }
app=$(cd "$APP_DIR" && pwd -P)
if [ "$(readlink "$CURRENT" 2>/dev/null)" = "releases/$RELEASE" ]; then
  rm -f "$CURRENT"
  echo "$CURRENT pointed at the release and is removed"
fi
# The run folder first: the site's values lie there, and secrets among them.
remove "$RUN_DIR" run
remove "$RELEASE_DIR" releases
"""


def stop(running: Service) -> Command:
    """The process, if one was ever started; may be repeated."""
    return replace(running.stop, script=_IF_STARTED + running.stop.script)


def stop_background(items: Iterable[Action], around: Surroundings, failure: Failure) -> Command:
    """The background parts, whether they run or not; nothing where its files are gone already."""
    command = background.whole(items, around, failure)
    # The release is not made again, as a folder to start in would be.
    return replace(command, script=_IF_STARTED + _IN_RELEASE + command.script, cwd=".")


def remove(site: Site) -> Command:
    """Release, run folder, values, and `current` if it points at the release; may be repeated.

    What the app servers of the instance share stays: its data and the mirror of its repository.
    """
    return Command(
        _REMOVE,
        env={"RELEASE": site.release},
        paths={
            "APP_DIR": site.app_dir,
            "CURRENT": site.current,
            "RELEASE_DIR": site.release_dir,
            "RUN_DIR": site.run_dir,
        },
        timeout=1800,
        failures={
            61: Failure(
                "step-failed",
                "A folder of the app server is not where it belongs",
                f"Look on the host where {site.app_dir} and its folders lead; remove by hand what "
                "is the app server's, then terminate it again.",
            )
        },
    )
