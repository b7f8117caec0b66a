"""A site whose recipe knows extensions: packages are folders, and every hook leaves a line."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import sites
from tests.support.arena import Arena, Site
from tests.support.machines import Machine
from tests.support.stack import eventually

#: `effects` tells what was done, `enabled` is the site's data: the names that are enabled.
RECIPE = f"""
name: extended
settings:
  PACKAGES: {{required: true}}
preflight: {{disk_mb: 1}}
build:
  - name: page
    run: |
      mkdir -p static
      echo "${{RELEASE_DIR##*-}}" > number
      echo "build" >> "$SHARED_DIR/effects"
      : >> "$SHARED_DIR/enabled"
extension:
  settings:
    INSTALL: {{default: "true"}}
    ENABLE: {{default: "true"}}
    DISABLE: {{default: "true"}}
  install:
    - name: package
      run: |
        echo "install $EXTENSION $EXTENSION_VERSION" >> "$SHARED_DIR/effects"
        mkdir -p "ext/$EXTENSION"
        eval "$INSTALL"
        cp -R "$PACKAGES/$EXTENSION-$EXTENSION_VERSION/." "ext/$EXTENSION"
        cp -R "ext/$EXTENSION/media/." static
  media:
    folders: echo "ext/$EXTENSION/media"
    target: static
  enable:
    - name: enable
      run: |
        echo "enable $EXTENSION $EXTENSION_VERSION" >> "$SHARED_DIR/effects"
        grep -v "^$EXTENSION " "$SHARED_DIR/enabled" > others || true
        {{ cat others; echo "$EXTENSION $EXTENSION_VERSION"; }} > "$SHARED_DIR/enabled"
        eval "$ENABLE"
  disable:
    - name: disable
      run: |
        echo "disable $EXTENSION $EXTENSION_VERSION" >> "$SHARED_DIR/effects"
        grep -v "^$EXTENSION $EXTENSION_VERSION$" "$SHARED_DIR/enabled" > enabled.new || true
        cat enabled.new > "$SHARED_DIR/enabled"
        eval "$DISABLE"
    - name: last
      run: echo "disabled $EXTENSION $EXTENSION_VERSION" >> "$SHARED_DIR/effects"
  uninstall:
    - name: uninstall
      run: echo "uninstall $EXTENSION $EXTENSION_VERSION" >> "$SHARED_DIR/effects"
  always_enabled: [core]
start: {{run: {sites.SERVE}}}
stop: {{timeout: 2}}
check: {{path: /number, every: 0.1}}
"""


def add_recipe(arena: Arena) -> None:
    with arena.api as api:
        headers = {"Content-Type": "application/yaml"}
        answer = api.post("/v1/recipes", content=RECIPE, headers=headers)
        assert answer.status_code in {200, 201}, answer.text


def package(folder: Path, name: str, version: str, **files: str) -> None:
    """`files` are its media, by name, in a folder of the extension's own."""
    media = folder / f"{name}-{version}" / "media" / name
    media.mkdir(parents=True)
    for file, text in {"app.js": f"// {name} {version}", **files}.items():
        (media / file).write_text(text)


@dataclass(frozen=True)
class ExtendedSite(Site):
    """With what its extensions left on the host."""

    @property
    def app(self) -> Path:
        return self.machine.base / "apps" / self.name

    @property
    def current(self) -> Path:
        return self.app / "current"

    def stamp(self, name: str) -> str | None:
        """Of the release that `current` leads to."""
        file = self.current / ".liftlock" / "extensions" / f"{name}.version"
        return file.read_text() if file.exists() else None

    def media(self, path: str) -> str | None:
        """As a visitor gets it from what serves; None: there is no such file."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/static/{path}", trust_env=False)
        return answer.text if answer.status_code == httpx.codes.OK else None

    @property
    def port(self) -> int:
        """Of the newest app server that runs."""
        rows = self.arena.sql(
            "SELECT port FROM app_servers JOIN instances ON instances.id = instance_id"
            " WHERE instances.name = $1 AND status = 'running' ORDER BY number DESC LIMIT 1",
            self.name,
        )
        return int(rows[0][0])

    def ask(self, kind: str, name: str, version: str | None = None, **more: Any) -> dict[str, Any]:
        """A job about the extension; `more` are fields of the job, or `settings` of it."""
        extension = {"package": name, "version": version}
        for field in ("settings", "requires", "sha256", "url"):
            extension |= {field: more.pop(field)} if field in more else {}
        wanted = {key: value for key, value in extension.items() if value is not None}
        return self.arena.request(
            self.name, kind=kind, extension=wanted, **{"watch": 0, "drain": 0, **more}
        )

    def done(self, kind: str, name: str, version: str | None = None, **more: Any) -> dict[str, Any]:
        """The job once it has ended, by workers of its own."""
        job = self.ask(kind, name, version, **more)
        with self.arena.workers():
            return self.arena.finished(job, seconds=60)

    def install(self, name: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
        """It has to succeed."""
        job = self.done("install", name, version, **more)
        assert job["status"] == "succeeded", job["error"]
        return job

    def extension(self, name: str) -> dict[str, Any]:
        with self.arena.api as api:
            answer = api.get(f"/v1/instances/{self.name}/extensions/{name}")
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def effects(self, start: str = "") -> list[str]:
        """What was done on the host, in order."""
        return [line for line in self.file("effects") if line.startswith(start)]

    def answers(self) -> None:
        """The site serves, within a moment."""
        url = f"http://127.0.0.1:{self.port}/number"
        eventually(
            lambda: httpx.get(url, trust_env=False).status_code == httpx.codes.OK or None,
            "the site to answer",
            seconds=5,
        )


def make_extended(arena: Arena, machine: Machine, folder: Path, **body: Any) -> ExtendedSite:
    """With one app server that runs, and the folder `packages` beside it."""
    name = f"site-{secrets.token_hex(4)}"
    packages = folder / f"{name}-packages"
    packages.mkdir()
    wanted = {
        "name": name,
        "recipe": "extended",
        "repository": sites.repository(folder / name),
        "revision": "v1",
        "host": machine.name,
        "settings": {"PACKAGES": str(packages)},
        **body,
    }
    with arena.api as api:
        answer = api.post("/v1/instances", json=wanted)
        assert answer.status_code == 201, answer.text
    site = ExtendedSite(arena, machine, name)
    with arena.workers():
        job = arena.finished(site.request(), seconds=40)
    assert job["status"] == "succeeded", job["error"]
    return site
