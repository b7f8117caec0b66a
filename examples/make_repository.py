"""Builds the git repository of the example guest book, with one tag for each revision."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SITE = Path(__file__).resolve().parent / "guestbook"
# Tag, subject and date of each commit, oldest first. The tag is also the folder below SITE.
REVISIONS = (
    ("v1", "A guest book to sign and to read", "2026-01-12T09:00:00+00:00"),
    ("v2", "Every entry says how the water was", "2026-02-09T09:00:00+00:00"),
)
AUTHOR = "Liftlock examples"
EMAIL = "examples@liftlock.invalid"
MARK = "liftlock.example"
NOT_SOURCES = ("__pycache__", "*.pyc", ".venv", "db.sqlite3*", "staticfiles")


class RepositoryRefused(Exception):
    """The destination holds something that this program did not make."""

    def __init__(self, dest: Path) -> None:
        super().__init__(
            f"{dest} is not empty and is no example repository of Liftlock: "
            "name an empty or a new folder"
        )


class GitFailed(Exception):
    """A git command ended with an error."""

    def __init__(self, repository: Path, arguments: Sequence[str], output: str) -> None:
        super().__init__(f"`git {' '.join(arguments)}` failed in {repository}: {output.strip()}")


def make_repository(dest: Path) -> dict[str, str]:
    """Make the repository at `dest` and return the commit of every tag.

    The commits are the same on every machine. An earlier repository of ours keeps its branches
    and its working tree; only its tags move, and only when the example itself has changed.
    Anything else at `dest` raises RepositoryRefused and stays as it is.
    """
    dest = dest.absolute()
    ours = _is_ours(dest)
    if not ours and _is_occupied(dest):
        raise RepositoryRefused(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{dest.name}-", dir=dest.parent) as beside:
        built = Path(beside) / "repository"
        shas = _build(built)
        if ours:
            _git(dest, "fetch", "--quiet", "--force", str(built), "refs/tags/*:refs/tags/*")
        else:
            built.rename(dest)
    return shas


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m examples.make_repository DEST", file=sys.stderr)
        return 2
    try:
        shas = make_repository(Path(arguments[0]))
    except RepositoryRefused as refused:
        print(refused, file=sys.stderr)
        return 2
    except (GitFailed, OSError) as failed:
        print(f"The example repository was not made: {failed}", file=sys.stderr)
        return 1
    for tag, sha in shas.items():
        print(tag, sha)
    return 0


def _is_occupied(dest: Path) -> bool:
    if not dest.is_dir():
        return dest.exists() or dest.is_symlink()
    return any(dest.iterdir())


def _is_ours(dest: Path) -> bool:
    if not (dest / ".git").is_dir():
        return False
    # Read from the file itself: git would look for a repository in the parents as well.
    asked = ("config", "--file", str(dest / ".git" / "config"), "--get", MARK)
    answer = subprocess.run(
        ("git", *asked), env=_environment(), capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() == SITE.name


def _build(repository: Path) -> dict[str, str]:
    repository.mkdir()
    _git(repository, "init", "--quiet", "--template=", "--initial-branch=main")
    _git(repository, "config", MARK, SITE.name)
    # Modes and line endings differ between machines; the commits may not.
    _git(repository, "config", "core.fileMode", "false")
    _git(repository, "config", "core.autocrlf", "false")
    return {tag: _commit(repository, tag, subject, at) for tag, subject, at in REVISIONS}


def _commit(repository: Path, tag: str, subject: str, at: str) -> str:
    """Lay the files of one revision over the one before it and commit the result."""
    shutil.copytree(
        SITE / tag,
        repository,
        ignore=shutil.ignore_patterns(*NOT_SOURCES),
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )
    _git(repository, "add", "--all")
    dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    _git(repository, "commit", "--quiet", "--message", subject, extra=dates)
    _git(repository, "tag", tag)
    return _git(repository, "rev-parse", f"{tag}^{{commit}}")


def _git(repository: Path, *arguments: str, extra: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ("git", "-C", str(repository), *arguments),
        env=_environment() | (extra or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise GitFailed(repository, arguments, done.stderr)
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Git without the caller's configuration, hooks, signing keys or current repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
