"""The site as a program of the host's supervisord, which starts it again when it stops."""

from collections.abc import Mapping

from app.domain.recipe import Recipe
from worker.steps.service import Service, seconds_to_stop, supervised
from worker.steps.site import Site
from worker.steps.step import Command, Failure

_PRELUDE = """\
set -eu
case $CONF_DIR in /*) ;; *) CONF_DIR=$HOME/$CONF_DIR ;; esac
case $CONFIG in /*) ;; *) CONFIG=$HOME/$CONFIG ;; esac
conf=$CONF_DIR/$PROGRAM.conf
ctl() { $SUDO "$SUPERVISORCTL" -c "$CONFIG" "$@"; }
command -v "$SUPERVISORCTL" >/dev/null 2>&1 || {
  echo "there is no $SUPERVISORCTL on this host" >&2; exit 51; }
ctl pid >/dev/null || { echo "no supervisord answers for $CONFIG" >&2; exit 52; }
"""

_START = (
    _PRELUDE
    + """\
[ -d "$CONF_DIR" ] || { echo "there is no folder $CONF_DIR" >&2; exit 53; }
# supervisord expands % in its files.
literal() { printf '%s' "$1" | sed 's/%/%%/g'; }
cat >"$RUN_DIR/supervisor.conf" <<END
[program:$PROGRAM]
command=/bin/sh "$(literal "$LIFTLOCK_RUNNER")" serve "$(literal "$RUN_DIR")"
user=$(id -un)
environment=HOME="$(literal "$HOME")",USER="$(id -un)"
autostart=true
autorestart=true
startsecs=1
startretries=3
stopsignal=TERM
stopwaitsecs=$SECONDS_TO_STOP
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=$(literal "$RUN_DIR/log")
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
END
$SUDO cp "$RUN_DIR/supervisor.conf" "$conf.new"
$SUDO mv -f "$conf.new" "$conf"
ctl reread
ctl update "$PROGRAM"
# What `update` has just added starts by itself; what was there before may lie stopped.
case $(ctl status "$PROGRAM" || :) in
  *STOPPED* | *EXITED* | *FATAL*) ctl start "$PROGRAM" || : ;;
esac
tries=0
while :; do
  state=$(ctl status "$PROGRAM" || :)
  case $state in
    *" RUNNING "*)
      ctl pid "$PROGRAM" >"$RUN_DIR/started"
      echo "$state"
      exit 0
      ;;
    *FATAL* | *EXITED* | *BACKOFF* | *"no such process"*) break ;;
  esac
  [ "$tries" -lt 15 ] || break
  tries=$((tries + 1))
  sleep 1
done
echo "supervisord says: $state" >&2
tail -n 4 "$RUN_DIR/log" 2>/dev/null
exit 54
"""
)

_STOP = (
    _PRELUDE
    + """\
ctl stop "$PROGRAM" || :
$SUDO rm -f "$conf"
ctl reread
ctl update "$PROGRAM" || :
case $(ctl status "$PROGRAM" || :) in
  *"no such"*) echo "$PROGRAM is stopped and no longer known to supervisord" ;;
  *) echo "supervisord still knows $PROGRAM" >&2; exit 1 ;;
esac
"""
)

_ALIVE = (
    _PRELUDE
    + """\
# Another process under the same name: the one that was started had ended by itself.
if [ "$(ctl pid "$PROGRAM" || :)" = "$(cat "$RUN_DIR/started" 2>/dev/null)" ]; then exit 0; fi
ctl status "$PROGRAM" || :
echo "the process is not the one that was started; the last words:"
tail -n 4 "$RUN_DIR/log" 2>/dev/null
exit 1
"""
)

_LOG = 'tail -n 60 "$RUN_DIR/log" 2>/dev/null || echo "the site wrote nothing"\n'


def service(site: Site, recipe: Recipe, *, options: Mapping[str, object], sudo: bool) -> Service:
    """`options`: `config` and `conf_dir` (absolute or below the home), `command`."""
    env = {
        "PROGRAM": site.service,
        "CONFIG": str(options.get("config") or "/etc/supervisor/supervisord.conf"),
        "CONF_DIR": str(options.get("conf_dir") or "/etc/supervisor/conf.d"),
        "SUPERVISORCTL": str(options.get("command") or "supervisorctl"),
        "SUDO": "sudo -n" if sudo else "",
        "SECONDS_TO_STOP": seconds_to_stop(recipe),
    }
    log = Command(_LOG, paths={"RUN_DIR": site.run_dir}, timeout=60)
    scripts = (_START, _STOP, _ALIVE)
    return supervised(site, recipe, scripts=scripts, env=env, log=log, unusable=_failures())


def _failures() -> dict[int, Failure]:
    return {
        51: Failure(
            "tool-missing",
            "supervisorctl is missing on the host",
            "Install it on the host (sudo apt-get install supervisor), or set "
            "supervisor_options.command to where it is.",
        ),
        52: Failure(
            "start-failed",
            "The host's supervisord does not answer",
            "Start it on the host, or correct supervisor_options.config of the host.",
        ),
        53: Failure(
            "start-failed",
            "The folder for supervisord's programs is missing on the host",
            "Make the folder, or correct supervisor_options.conf_dir of the host.",
        ),
    }
