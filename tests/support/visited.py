"""A site behind a real Caddy, whose background parts count what they are told, and visitors."""

import http.client
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support import sites
from tests.support.arena import Arena, Site
from tests.support.known_router import KnownRouter
from tests.support.machines import Machine
from tests.support.stack import eventually

#: Each app server answers with its number. `diary` tells what its background was told, and how
#: often; what a start prints is long enough to die in the middle of it.
RECIPE = f"""
name: visited
build:
  - name: page
    run: |
      echo "${{RELEASE_DIR##*-}}" > number
      cp number smoke
start: {{run: {sites.SERVE}}}
stop: {{timeout: 2}}
check: {{path: /number, every: 0.1}}
smoke: [/smoke]
background:
  start:
    - name: worker
      run: |
        echo "start ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"
        n=1
        while [ "$n" -le 20 ]; do echo "line $n"; n=$((n + 1)); done
        test ! -e "$SHARED_DIR/broken-${{RELEASE_DIR##*-}}"
  stop:
    - name: worker
      run: echo "stop ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"
"""


@dataclass
class Visitors:
    """Two that come again and again over connections they keep; every answer is counted."""

    port: int
    name: str
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._come, daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join(20)

    def check(self, *numbers: int) -> None:
        """Each got an answer at each visit, from one of these."""
        assert self.failures == []
        assert self.answers
        assert set(self.answers) <= {str(number) for number in numbers}

    def _come(self) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._leaving.wait(0.01):
            try:
                link.request("GET", "/number", headers={"Host": self.name})
                answer = link.getresponse()
                text = answer.read().decode().strip()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                link.close()
                continue
            if answer.status == http.client.OK:
                self.answers[text] += 1
            else:
                self.failures.append(f"{answer.status} {text}")
        link.close()


@dataclass(frozen=True)
class VisitedSite(Site):
    """With app servers behind the router."""

    router: KnownRouter

    @property
    def domain(self) -> str:
        return f"{self.name}.localhost"

    def visitors(self) -> Visitors:
        return Visitors(self.router.port, self.domain)

    def provision(self) -> int:
        """The number of a new app server that runs."""
        with self.arena.workers():
            job = self.arena.finished(self.request(), seconds=40)
        assert job["status"] == "succeeded", job["error"]
        return int(job["app_server"]["name"].rpartition(" ")[2])

    def ask(
        self, what: str, number: int, *, headers: dict[str, str] | None = None, **body: Any
    ) -> dict[str, Any]:
        """A job about one of the app servers."""
        place = f"/v1/app-servers/{self.name}:{number}/{what}"
        with self.arena.api as api:
            answer = api.post(place, json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def serve(self, *numbers: int) -> None:
        """Have these in service, and nobody else; nothing is done when it is so."""
        if self.active() == list(numbers):
            return
        first, *others = numbers
        refs = [f"{self.name}:{number}" for number in others]
        job = self.ask("activate", first, app_servers=refs, partial=True, watch=0, drain=5)
        with self.arena.workers():
            ended = self.arena.finished(job, seconds=40)
        assert ended["status"] == "succeeded", ended["error"]

    def active(self) -> list[int]:
        """As Postgres has it."""
        rows = self.arena.sql(
            "SELECT number FROM app_servers JOIN instances ON instances.id = instance_id"
            " WHERE instances.name = $1 AND is_active ORDER BY number",
            self.name,
        )
        return [row["number"] for row in rows]

    def diary(self) -> list[str]:
        return self.file("diary")

    def background(self) -> list[int]:
        """Numbers whose background parts were told to start last."""
        last = dict(reversed(line.split(" ")) for line in self.diary())
        return sorted(int(number) for number, verb in last.items() if verb == "start")

    def release(self, number: int) -> Path:
        [found] = (self.shared.parent / "releases").glob(f"*-{number}")
        return found

    def check_in_service(self, *numbers: int) -> None:
        """Postgres, the router, what visitors get, `current` and the background agree."""
        assert self.active() == list(numbers)
        assert self._routed() == self._ports(numbers)
        assert self._seen(6) == set(numbers)
        assert (self.shared.parent / "current").readlink().name.endswith(f"-{numbers[-1]}")
        assert self.background() == list(numbers)
        assert self._is_settled()

    def settled(self) -> None:
        """Wait until the router was read back: after a way back, by a job of its own."""
        eventually(
            self._is_settled, "the router to be settled", seconds=20, explain=self.arena.logs
        )

    def _is_settled(self) -> bool | None:
        [row] = self.arena.sql(
            "SELECT route_applied >= route_version AND NOT EXISTS (SELECT FROM jobs WHERE"
            " instance_id = instances.id AND finished_at IS NULL) FROM instances WHERE name = $1",
            self.name,
        )
        return row[0] or None

    def lose_route(self) -> None:
        """As somebody who cleans up with a heavy hand: its site, and where it leads to."""
        (self.router.server.sites / f"site-{self.name}.caddy").unlink()
        (self.router.server.directory / "routes" / self.name / "current").unlink()

    def _ports(self, numbers: tuple[int, ...]) -> set[str]:
        rows = self.arena.sql(
            "SELECT address, port FROM app_servers JOIN instances ON instances.id = instance_id"
            " WHERE instances.name = $1 AND number = ANY($2::int[])",
            self.name,
            list(numbers),
        )
        return {f"{row['address']}:{row['port']}" for row in rows}

    def _routed(self) -> set[str]:
        """Where the router passes requests on."""
        current = self.router.server.directory / "routes" / self.name / "current"
        return {path.read_text().strip() for path in current.glob("[0-9]*/address")} - {""}

    def _seen(self, times: int) -> set[int]:
        link = http.client.HTTPConnection("127.0.0.1", self.router.port, timeout=10)
        found = set()
        for _ in range(times):
            link.request("GET", "/number", headers={"Host": self.domain})
            found.add(int(link.getresponse().read()))
        link.close()
        return found


def make_visited(arena: Arena, machine: Machine, router: KnownRouter, folder: Path) -> VisitedSite:
    """An instance of the recipe above, without an app server."""
    name = f"shop-{secrets.token_hex(4)}"
    repository = sites.repository(folder / name)
    body = {
        "name": name,
        "recipe": "visited",
        "repository": repository,
        "revision": "v1",
        "host": machine.name,
        "router": router.name,
        "domain": f"{name}.localhost",
        "retention_days": None,
    }
    with arena.api as api:
        headers = {"Content-Type": "application/yaml"}
        api.post("/v1/recipes", content=RECIPE, headers=headers).raise_for_status()
        answer = api.post("/v1/instances", json=body)
    assert answer.status_code == 201, answer.text
    return VisitedSite(arena, machine, name, router)
