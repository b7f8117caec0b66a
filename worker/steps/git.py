"""Checkout of an exact git revision: a bare mirror for each instance, a clone for a release."""

import shlex

from app.domain.recipe import DEPLOY_KEY
from worker.steps.site import Site
from worker.steps.step import Command, Failure

#: Messages in English for the classification below, no questions, no background work that would
#: outlive the step, no transports that run programs.
_PRELUDE = """\
set -eu
command -v git >/dev/null 2>&1 || { echo "git is not installed on this host" >&2; exit 41; }
export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=true SSH_ASKPASS=true
export GIT_HTTP_LOW_SPEED_LIMIT=100 GIT_HTTP_LOW_SPEED_TIME=60
export GIT_ALLOW_PROTOCOL=file:git:http:https:ssh
export KNOWN_HOSTS="$SHARED_DIR/known_hosts"
ssh_options="-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=15"
ssh_options="$ssh_options -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
if [ -n "${DEPLOY_KEY:-}" ]; then
  command -v ssh-agent >/dev/null 2>&1 || { echo "ssh-agent is not installed" >&2; exit 41; }
  agent_dir=$(mktemp -d)
  export SSH_AUTH_SOCK="$agent_dir/agent"
  # In the foreground it stays in the step's process group and dies with it.
  ssh-agent -D -a "$SSH_AUTH_SOCK" >/dev/null 2>&1 &
  agent=$!
  trap 'kill "$agent" 2>/dev/null; rm -rf "$agent_dir"' EXIT
  trap 'exit 143' TERM INT HUP
  until [ -S "$SSH_AUTH_SOCK" ]; do kill -0 "$agent"; sleep 0.1; done
  printf '%s\\n' "$DEPLOY_KEY" | tr -d '\\r' | ssh-add -q - || {
    echo "the secret DEPLOY_KEY is not an OpenSSH private key without a passphrase" >&2
    exit 44
  }
  unset DEPLOY_KEY
  ssh_options="$ssh_options -o IdentityFile=none"
fi
# git hands this to a shell, and that one puts in the path: it is quoted for ssh only.
ssh_options="$ssh_options -o UserKnownHostsFile='\\"'\\"\\$KNOWN_HOSTS\\"'\\"'"
export GIT_SSH_COMMAND="ssh $ssh_options"
quiet_git() { git -c gc.autoDetach=false -c maintenance.autoDetach=false "$@"; }
ask_repository() {
  said=$("$@" 2>&1) && return 0
  printf '%s\\n' "$said" >&2
  case $said in
    *"No space left on device"*) exit 1 ;;
    *"Authentication failed"* | *"could not read Username"* | *"could not read Password"* | \\
    *"Permission denied"* | *"terminal prompts disabled"* | *"error: 401"* | *"error: 403"* | \\
    *"epository not found"* | *"Access denied"*) exit 44 ;;
    *"ouldn't find remote ref"* | *"ot our ref"* | *"nadvertised object"* | \\
    *"nvalid refspec"*) return 1 ;;
  esac
  exit 43
}
"""

_FETCH = (
    _PRELUDE
    + """\
git init --quiet --bare "$MIRROR"
# The instance's lock keeps others away: a lock file here was left by a worker that died.
find "$MIRROR" -name '*.lock' -type f -exec rm -f {} +
commit=
# Exactly one id: `v1..v2` and `^v1` name more than a commit, or anything but it.
find_commit() {
  commit=$(git -C "$MIRROR" rev-parse --verify --quiet "$1^{commit}") || commit=
  case $commit in *[!0-9a-f]*) commit= ;; esac
  case ${#commit} in 40 | 64) ;; *) commit= ;; esac
  [ -n "$commit" ]
}
case $REVISION in
  '' | -* | *[:*?[]*) ;;
  HEAD | refs/*)
    if ask_repository quiet_git -C "$MIRROR" fetch --quiet -- "$REPOSITORY" "$REVISION"; then
      find_commit FETCH_HEAD || :
    fi
    ;;
  *)
    ask_repository quiet_git -C "$MIRROR" fetch --quiet --prune --force -- "$REPOSITORY" \\
      '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || exit 43
    if ! find_commit "$REVISION"; then
      case $REVISION in
        *[!0-9A-Fa-f]*) ;;
        *)
          # A commit that no branch or tag leads to: some servers hand it out by its name.
          [ "${#REVISION}" -lt 40 ] ||
            ask_repository quiet_git -C "$MIRROR" fetch --quiet -- "$REPOSITORY" "$REVISION" || :
          find_commit "$REVISION" || :
          ;;
      esac
    fi
    ;;
esac
if [ -z "$commit" ]; then
  echo "the repository has no revision '$REVISION'; its newest tags and branches are:" >&2
  git -C "$MIRROR" for-each-ref --count=10 --sort=-creatordate \\
    --format='  %(refname:short) %(objectname:short)' >&2
  exit 42
fi
git -C "$MIRROR" log -1 --format='%h %ad %s' --date=short "$commit"
echo "commit=$commit"
"""
)

_CHECKOUT = (
    _PRELUDE
    + """\
# Only this app server ever owns the folder; what lies there is a checkout that was cut off.
rm -rf "${RELEASE_DIR:?}"
mkdir -p "${RELEASE_DIR%/*}"
git clone --quiet --local --no-checkout "$MIRROR" "$RELEASE_DIR"
cd "$RELEASE_DIR"
git remote set-url origin "$REPOSITORY"
git -c advice.detachedHead=false checkout --quiet --detach "$COMMIT"
if [ -f .gitmodules ]; then
  ask_repository quiet_git submodule --quiet update --init --recursive || exit 43
fi
[ "$(git rev-parse HEAD)" = "$COMMIT" ]
echo "$COMMIT is in $RELEASE_DIR"
"""
)


def fetch(site: Site, repository: str, secrets: tuple[str, ...], revision: str = "") -> Command:
    """Bring the mirror up to date and report the exact `commit` of the revision.

    `revision` is another one than the site is called after: the commit that it meant before.
    """
    wanted = revision or site.revision
    return Command(
        _FETCH,
        env={"REPOSITORY": repository, "REVISION": wanted},
        paths={"MIRROR": site.mirror, "SHARED_DIR": site.shared_dir},
        secrets=_deploy_key(secrets),
        timeout=1800,
        reports=("commit",),
        failures=_failures(repository, wanted),
    )


def checkout(site: Site, repository: str, secrets: tuple[str, ...]) -> Command:
    """Make the release from the mirror, at the fact COMMIT."""
    return Command(
        _CHECKOUT,
        env={"REPOSITORY": repository, "REVISION": site.revision},
        paths={
            "MIRROR": site.mirror,
            "SHARED_DIR": site.shared_dir,
            "RELEASE_DIR": site.release_dir,
        },
        secrets=_deploy_key(secrets),
        timeout=1800,
        failures=_failures(repository, site.revision),
    )


def _deploy_key(secrets: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in secrets if name == DEPLOY_KEY)


def _failures(repository: str, revision: str) -> dict[int, Failure]:
    return {
        41: Failure(
            "tool-missing",
            "git is missing on the host",
            "Install it on the host: sudo apt-get install git openssh-client",
        ),
        42: Failure(
            "revision-not-found",
            f"{repository} has no revision {revision!r}",
            f"List what there is: git ls-remote {shlex.quote(repository)}",
        ),
        43: Failure(
            "repository-unreachable",
            f"The repository {repository} does not answer",
            f"Try it on the host itself: git ls-remote {shlex.quote(repository)}",
        ),
        44: Failure(
            "repository-auth-failed",
            f"The repository {repository} refuses the access",
            "Set a deploy key with read access as the instance's secret DEPLOY_KEY: "
            "PUT /v1/instances/NAME/secrets/DEPLOY_KEY",
        ),
    }
