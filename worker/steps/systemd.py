"""The site as a systemd unit of the SSH user or of the system."""

from collections.abc import Mapping

from app.domain.recipe import Recipe
from worker.steps.service import Service, seconds_to_stop, supervised
from worker.steps.site import Site
from worker.steps.step import Command, Failure

_PRELUDE = """\
set -eu
command -v systemctl >/dev/null 2>&1 || { echo "there is no systemctl on this host" >&2; exit 51; }
unit=$PROGRAM.service
if [ "$SCOPE" = user ]; then
  export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
  folder=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
  target=default.target
  as_user=
  SUDO=
  ctl() { systemctl --user "$@"; }
else
  folder=/etc/systemd/system
  target=multi-user.target
  as_user="User=$(id -un)"
  ctl() { $SUDO systemctl "$@"; }
fi
"""

_START = (
    _PRELUDE
    + """\
if [ "$SCOPE" = user ]; then
  # Without lingering, systemd stops the user's units at logout and starts none at boot.
  loginctl enable-linger 2>/dev/null || :
  [ "$(loginctl show-user "$(id -un)" --property=Linger --value 2>/dev/null)" = yes ] || {
    echo "units of $(id -un) do not run without a login; to fix it on this host:" >&2
    echo "  sudo loginctl enable-linger $(id -un)" >&2
    exit 55
  }
fi
# systemd expands % and $ in its files.
literal() { printf '%s' "$1" | sed 's/[%$]/&&/g'; }
cat >"$RUN_DIR/$unit" <<END
[Unit]
Description=$PROGRAM, started by Liftlock
After=network.target
StartLimitIntervalSec=0

[Service]
Type=exec
$as_user
ExecStart=/bin/sh "$(literal "$LIFTLOCK_RUNNER")" serve "$(literal "$RUN_DIR")"
Restart=always
RestartSec=1
KillMode=control-group
TimeoutStopSec=$SECONDS_TO_STOP

[Install]
WantedBy=$target
END
$SUDO mkdir -p "$folder"
$SUDO cp "$RUN_DIR/$unit" "$folder/$unit.new"
$SUDO mv -f "$folder/$unit.new" "$folder/$unit"
ctl daemon-reload
ctl enable "$unit"
ctl restart "$unit"
ctl is-active "$unit"
"""
)

_STOP = (
    _PRELUDE
    + """\
ctl disable --now "$unit" || :
$SUDO rm -f "$folder/$unit"
ctl daemon-reload
ctl reset-failed "$unit" 2>/dev/null || :
if ctl is-active --quiet "$unit"; then echo "$unit is still active" >&2; exit 1; fi
echo "$unit is stopped and removed"
"""
)

_ALIVE = (
    _PRELUDE
    + """\
ctl is-active "$unit"
restarts=$(ctl show --property=NRestarts --value "$unit")
[ "${restarts:-0}" = 0 ] || { echo "it stopped by itself and was started again"; exit 1; }
"""
)

_LOG = (
    _PRELUDE
    + """\
if [ "$SCOPE" = user ]; then set -- --user-unit="$unit"; else set -- --unit="$unit"; fi
$SUDO journalctl "$@" --lines=60 --no-pager --output=cat
"""
)


def service(site: Site, recipe: Recipe, *, options: Mapping[str, object], sudo: bool) -> Service:
    """`options`: `scope` is `user` or `system`; with sudo the default is `system`."""
    scope = str(options.get("scope") or ("system" if sudo else "user"))
    env = {
        "PROGRAM": site.service,
        "SCOPE": scope,
        "SUDO": "sudo -n" if sudo else "",
        "SECONDS_TO_STOP": seconds_to_stop(recipe),
    }
    log = Command(_LOG, env=env, timeout=60)
    scripts = (_START, _STOP, _ALIVE)
    return supervised(site, recipe, scripts=scripts, env=env, log=log, unusable=_failures())


def _failures() -> dict[int, Failure]:
    return {
        51: Failure(
            "tool-missing",
            "systemd is missing on the host",
            "Register the host with supervisor `supervisord` or `none`.",
        ),
        55: Failure(
            "start-failed",
            "The SSH user's units do not run without a login",
            "Run on the host: sudo loginctl enable-linger USER",
        ),
    }
