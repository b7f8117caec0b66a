"""Installation of an exact version of a package from PyPI into the release's own environment."""

import shlex

from worker.steps.site import Site
from worker.steps.step import Command, Failure

PREFIX = "pypi:"

_INSTALL = """\
set -eu
export LC_ALL=C PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
command -v python3 >/dev/null 2>&1 || { echo "there is no python3 on this host" >&2; exit 41; }
case $PACKAGE in
  '' | [!A-Za-z0-9]* | *[!][A-Za-z0-9._,-]*)
    echo "'$PACKAGE' is not the name of a package" >&2; exit 46 ;;
esac
case $REVISION in
  '' | [!A-Za-z0-9]* | *[!A-Za-z0-9.+!_-]*)
    echo "'$REVISION' is not an exact version" >&2; exit 42 ;;
esac
# Only this app server ever owns the folder; what lies there is an installation that was cut off.
rm -rf "${RELEASE_DIR:?}"
mkdir -p "$RELEASE_DIR"
python3 -m venv "$RELEASE_DIR/.venv" || {
  echo "python3 cannot make virtual environments on this host" >&2; exit 45; }
cd "$RELEASE_DIR"
said=$RELEASE_DIR/.pip-said
{ .venv/bin/python -m pip install "$PACKAGE==$REVISION" 2>&1 || echo "pip failed"; } | tee "$said"
if [ "$(tail -n 1 "$said")" = "pip failed" ]; then
  if grep -q -e 'Retrying (' -e 'Failed to establish a new connection' -e 'Connection refused' \\
    "$said"; then exit 43; fi
  if grep -q 'from versions: none' "$said"; then
    echo "the index has no package $PACKAGE that runs on this Python" >&2; exit 46; fi
  if grep -q 'No matching distribution found' "$said"; then exit 42; fi
  exit 1
fi
rm -f "$said"
name=${PACKAGE%%\\[*}
version=$(NAME=$name .venv/bin/python -c \\
  'import importlib.metadata, os; print(importlib.metadata.version(os.environ["NAME"]))')
echo "commit=$version"
"""


def package_of(repository: str) -> str | None:
    """The package of a `pypi:` repository; None for any other."""
    return repository.removeprefix(PREFIX) if repository.startswith(PREFIX) else None


def install(site: Site, package: str, revision: str = "") -> Command:
    """A virtual environment with the package at the exact revision; reports it as `commit`."""
    return Command(
        _INSTALL,
        env={"PACKAGE": package, "REVISION": revision or site.revision},
        paths={"RELEASE_DIR": site.release_dir},
        timeout=1800,
        reports=("commit",),
        failures={
            41: Failure(
                "tool-missing",
                "python3 is missing on the host",
                "Install it on the host: sudo apt-get install python3 python3-venv",
            ),
            42: Failure(
                "revision-not-found",
                f"The package {package} has no version {revision or site.revision!r}",
                f"List what there is: pip index versions {shlex.quote(package)}",
            ),
            43: Failure(
                "repository-unreachable",
                "The package index does not answer",
                f"Try on the host: python3 -m pip download --no-deps {shlex.quote(package)}",
            ),
            # Unlike an index that is away, a name that is wrong does not pass by itself.
            46: Failure(
                "revision-not-found",
                f"The package index does not offer {package}",
                f"Look for its name: pip index versions {shlex.quote(package)}",
            ),
            45: Failure(
                "tool-missing",
                "python3 on the host cannot make virtual environments",
                "Install it on the host: sudo apt-get install python3-venv",
            ),
        },
    )
