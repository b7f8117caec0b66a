"""The site's process: its run directory, and the plain way to start and stop it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.recipe import Recipe
from worker.steps.recipe_step import STRICT, Surroundings, any_exit
from worker.steps.site import Site
from worker.steps.step import Command, Failure, PortFree, Probe

_RUN_DIRECTORY = """\
set -eu
umask 077
mkdir -p "$RUN_DIR"
printf '%s\\n' "$RUN_SCRIPT" >"$RUN_DIR/run.new"
mv -f "$RUN_DIR/run.new" "$RUN_DIR/run"
echo "$RUN_DIR/run is written"
"""

_SAVE = """\
set -eu
sh "$LIFTLOCK_RUNNER" saveenv "$RUN_DIR/env" {names}
echo "$RUN_DIR/env is written, readable by $(id -un) alone"
"""

_FORGET = 'rm -f "$RUN_DIR/env"\n'
_LAUNCH = 'exec sh "$LIFTLOCK_RUNNER" launch "$RUN_DIR"\n'
_STOP = 'exec sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" "$SECONDS_TO_STOP"\n'
_ALIVE = """\
sh "$LIFTLOCK_RUNNER" alive "$RUN_DIR" || {
  echo "the process is gone; its last words:"
  tail -n 4 "$RUN_DIR/log" 2>/dev/null
  exit 1
}
"""
_LOG = 'tail -n 60 "$RUN_DIR/log" 2>/dev/null || echo "the site wrote nothing"\n'

_CURRENT = """\
set -eu
[ -d "$RELEASE_DIR" ]
# Renaming a link over a link is atomic; where mv cannot, ln is at least there everywhere.
ln -s "releases/$RELEASE" "$CURRENT.new-$$"
if ! mv -T "$CURRENT.new-$$" "$CURRENT" 2>/dev/null; then
  rm -f "$CURRENT.new-$$"
  ln -sfn "releases/$RELEASE" "$CURRENT"
fi
[ "$(readlink "$CURRENT")" = "releases/$RELEASE" ]
echo "$CURRENT -> releases/$RELEASE"
"""

_NOT_CURRENT = """\
if [ "$(readlink "$CURRENT" 2>/dev/null)" = "releases/$RELEASE" ]; then
  rm -f "$CURRENT"
  echo "$CURRENT pointed at the release and is removed"
fi
"""

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Service:
    """How one app server's process is started, stopped, asked and read."""

    start: Command
    stop: Command
    alive: Command
    log: Command


def run_directory(site: Site, recipe: Recipe) -> Command:
    """The script that starts the site, as the recipe's author wrote it."""
    return Command(
        _RUN_DIRECTORY,
        env={"RUN_SCRIPT": f"{STRICT}{recipe.start.run.rstrip()}"},
        paths={"RUN_DIR": site.run_dir},
        timeout=60,
    )


def save_env(around: Surroundings) -> Command:
    """The values that the site is started with, on the host's disk with mode 0600."""
    # In the text of the script, where no variable of a recipe can take their place.
    if unfit := [name for name in around.names if not _NAME.fullmatch(name)]:
        raise ValueError(f"not names of variables: {unfit}")
    return Command(
        _SAVE.replace("{names}", " ".join(around.names)),
        env=around.env,
        paths=around.paths,
        secrets=around.secrets,
        timeout=60,
    )


def forget_env(site: Site) -> Command:
    return Command(_FORGET, paths={"RUN_DIR": site.run_dir}, timeout=60)


def plain(around: Surroundings, recipe: Recipe) -> Service:
    """A process of its own, started once; nothing starts it again after a crash or reboot."""
    site, place = around.site, {"RUN_DIR": around.site.run_dir}
    values = {} if recipe.start.env_file else around.env
    return Service(
        start=Command(
            _LAUNCH,
            env=values,
            paths=around.paths,
            secrets=() if recipe.start.env_file else around.secrets,
            cwd=site.release_dir,
            timeout=60,
            failures=any_exit(did_not_start(site)),
        ),
        stop=Command(
            _STOP,
            env={"SECONDS_TO_STOP": seconds_to_stop(recipe)},
            paths=place,
            timeout=recipe.stop.timeout + 60,
        ),
        alive=Command(_ALIVE, paths=place, timeout=60, failures=any_exit(died(site))),
        log=Command(_LOG, paths=place, timeout=60),
    )


def supervised(
    site: Site,
    recipe: Recipe,
    *,
    scripts: tuple[str, str, str],
    env: Mapping[str, str],
    log: Command,
    unusable: Mapping[int, Failure],
) -> Service:
    """A process that the host's own supervisor keeps; `scripts` start it, stop it and ask for it.

    `unusable` are the exit codes by which they say that the supervisor itself is of no use.
    """
    start, stop, alive = scripts
    paths = {"RUN_DIR": site.run_dir}
    not_started = {**any_exit(did_not_start(site)), **unusable}
    gone = {**any_exit(died(site)), **unusable}
    stopping = recipe.stop.timeout + 60
    return Service(
        start=Command(start, env=env, paths=paths, timeout=120, failures=not_started),
        stop=Command(stop, env=env, paths=paths, timeout=stopping, failures=unusable),
        alive=Command(alive, env=env, paths=paths, timeout=60, failures=gone),
        log=log,
    )


def seconds_to_stop(recipe: Recipe) -> str:
    """Whole seconds, at least one: what shells and supervisors understand."""
    return str(max(1, round(recipe.stop.timeout)))


def did_not_start(site: Site) -> Failure:
    return Failure("start-failed", "The site did not start", _read_log(site))


def died(site: Site) -> Failure:
    return Failure("start-failed", "The site started and stopped by itself", _read_log(site))


def port_free(port: int, address: str) -> PortFree:
    return PortFree(
        port,
        address=address,
        on_failure=Failure(
            "port-in-use",
            f"Another program listens on port {port} of the host",
            f"Find it on the host with: ss -ltnp 'sport = :{port}'; then stop it, or repeat the "
            "job, which takes another port.",
        ),
    )


def answers(
    site: Site, recipe: Recipe, *, port: int, path: str, alive: Command, address: str
) -> Probe:
    """The page of the recipe's `check`, asked for until it is right."""
    check = recipe.check
    wanted = " or ".join(str(status) for status in check.status)
    containing = f" containing {check.contains!r}" if check.contains else ""
    return Probe(
        port=port,
        path=path,
        status=check.status,
        tries=check.tries,
        every=check.every,
        timeout=check.timeout,
        contains=check.contains,
        alive=alive,
        on_failure=Failure(
            "check-failed",
            f"The site does not answer {path} with {wanted}{containing}",
            _read_log(site),
        ),
        address=address,
    )


def link_current(site: Site) -> Command:
    """`current` points at the release; only for an instance of which nothing else runs."""
    return Command(
        _CURRENT,
        env={"RELEASE": site.release},
        paths={"CURRENT": site.current, "RELEASE_DIR": site.release_dir},
        timeout=60,
    )


def unlink_current(site: Site) -> Command:
    """No site is current any more, if that was this release."""
    return Command(
        _NOT_CURRENT,
        env={"RELEASE": site.release},
        paths={"CURRENT": site.current},
        timeout=60,
    )


def _read_log(site: Site) -> str:
    return f"Read the output of the step that shows the site's log; it is kept in {site.run_dir}."
