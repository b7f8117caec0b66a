"""Small sites to deploy: git repositories whose pages the standard library serves."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Liftlock tests",
    "GIT_AUTHOR_EMAIL": "tests@liftlock.invalid",
    "GIT_COMMITTER_NAME": "Liftlock tests",
    "GIT_COMMITTER_EMAIL": "tests@liftlock.invalid",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}

#: Serves the release's files, quick to start.
SERVE = 'exec python3 -m http.server "$PORT" --bind "$BIND"'


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def repository(folder: Path, text: str = "hello") -> str:
    """A repository with one page, tagged v1; its URL."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "index.html").write_text(f"<h1>{text}</h1>\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First page")
    git(folder, "tag", "v1")
    return f"file://{folder}"
