"""What a host must offer before anything is built on it; each failure says how to fix it."""

from app.domain.recipe import Recipe
from app.domain.recipe_parts import PreflightCommand, PreflightWait
from worker.steps import ownership
from worker.steps.recipe_step import Surroundings, any_exit, script
from worker.steps.site import Site
from worker.steps.step import Command, Failure, Wait

_REACH = """\
set -eu
mkdir -p "$APP_DIR" "$SHARED_DIR" || exit 31
printf 'user %s on %s\\n' "$(id -un)" "$(uname -sn)"
"""

_DISK = """\
set -eu
df -Pk "$APP_DIR" | {
  read -r _
  read -r _ _ _ free _
  free=$((free / 1024))
  echo "$free MB are free in $APP_DIR; the site needs $DISK_MB MB"
  [ "$free" -ge "$DISK_MB" ] || exit 32
}
"""

_TOOLS = """\
set -eu
missing=
for tool in $TOOLS; do
  if found=$(command -v "$tool"); then echo "$tool: $found"; else missing="$missing $tool"; fi
done
[ -z "$missing" ] || { echo "missing on this host:$missing" >&2; exit 33; }
"""

_WRITABLE = f"""\
set -u
{ownership.TEXT}
for folder in "${{RELEASE_DIR%/*}}" $FOLDERS; do
  case $folder in /*) ;; *) folder=$SHARED_DIR/$folder ;; esac
  probe=$folder/.liftlock-probe-$$
  if said=$( (export LC_ALL=C; mkdir -p "$folder" && : >"$probe" && rm -f "$probe") 2>&1); then
    echo "$folder can be written"
  else
    echo "$said" >&2
    echo "$(id -un) cannot write in $folder" >&2
    ll_tell_owner folder "$folder" "$said" >&2
    exit 31
  fi
done
"""

_WRONG_SUPERVISOR = """\
echo "the recipe wants $WANTED and this host is registered with $FOUND" >&2
exit 34
"""

_NO_ASSETS = """\
echo "the recipe wants an asset release, and the worker has no place to publish it" >&2
exit 35
"""

_NOT_WRITABLE = Failure(
    "not-writable",
    "A folder on the host cannot be written",
    "Run the `sudo chown` command of the output on the host, then repeat the job.",
)


def reach(site: Site) -> Command:
    """A shell answers and the folders of the instance can be made."""
    places = {"APP_DIR": site.app_dir, "SHARED_DIR": site.shared_dir}
    failure = Failure(
        "not-writable",
        "The base folder on the host cannot be written",
        "Give the SSH user its base folder: sudo chown -R USER BASE_DIR on the host.",
    )
    return Command(_REACH, paths=places, timeout=60, failures={31: failure})


def disk(site: Site, megabytes: int) -> Command:
    failure = Failure(
        "disk-full",
        "The host has too little free disk space",
        "Free some space on the host (du -xh --max-depth=2 / | sort -h | tail), then repeat.",
    )
    return Command(
        _DISK,
        env={"DISK_MB": str(megabytes)},
        paths={"APP_DIR": site.app_dir},
        timeout=60,
        failures={32: failure},
    )


def tools(names: tuple[str, ...]) -> Command:
    """Every program is on the PATH; `names` have no spaces."""
    failure = Failure(
        "tool-missing",
        "A program is missing on the host",
        "Install it on the host, for example: sudo apt-get install " + " ".join(names),
    )
    return Command(_TOOLS, env={"TOOLS": " ".join(names)}, timeout=60, failures={33: failure})


def writable(site: Site, folders: tuple[str, ...]) -> Command:
    """That of the releases, the shared one and those below it; `folders` have no spaces."""
    return Command(
        _WRITABLE,
        env={"FOLDERS": " ".join((".", *folders))},
        paths={"SHARED_DIR": site.shared_dir, "RELEASE_DIR": site.release_dir},
        timeout=60,
        failures={31: _NOT_WRITABLE},
    )


def recipe_command(command: PreflightCommand, around: Surroundings) -> Command:
    """A question of the recipe; whatever its exit code, the recipe's hint is the answer."""
    failure = Failure(
        "preflight-failed", f"The host is not ready: {command.name}", f"Run: {command.hint}"
    )
    return script(
        command.run, around, cwd=around.site.shared_dir, timeout=300, failures=any_exit(failure)
    )


def wait_for(awaited: PreflightWait, around: Surroundings) -> Wait:
    """What the recipe waits for; its script answers with 0 when it is there."""
    question = script(awaited.command, around, cwd=around.site.shared_dir, timeout=60)
    failure = Failure(
        "preflight-failed",
        f"It did not come in time: {awaited.name}",
        "Look why it is not there, then repeat the job; or raise `longest` in the recipe.",
    )
    return Wait(None, question, awaited.every, awaited.longest, failure)


def supervisor(recipe: Recipe, found: str) -> Command:
    """Always fails: the recipe insists on another supervisor than the host has."""
    wanted = recipe.start.via.value
    failure = Failure(
        "preflight-failed",
        f"The recipe needs {wanted}, which this host does not have",
        f"Register the host with supervisor `{wanted}`, or write `via: auto` in the recipe.",
    )
    return Command(
        _WRONG_SUPERVISOR,
        env={"WANTED": wanted, "FOUND": found},
        timeout=60,
        failures={34: failure},
    )


def assets_not_configured() -> Command:
    """Always fails: the recipe wants an asset release, and the worker publishes none."""
    failure = Failure(
        "assets-not-configured",
        "Workers have no place for asset releases",
        "Set LIFTLOCK_ASSETS_STORE and LIFTLOCK_ASSETS_URL for every worker and restart them, or "
        "switch the release off: `static.publish` of the recipe, or the setting that it names.",
    )
    return Command(_NO_ASSETS, timeout=60, failures={35: failure})
