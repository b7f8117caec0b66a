"""Where faults are tried: an API, workers that may die, servers of their own, and one host."""

import asyncio
import base64
import json
import multiprocessing
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.support import crashing, demo_cloud, sites
from tests.support.machines import Machine
from tests.support.own_redis import OwnRedis, new_redis
from tests.support.stack import FINAL, Stack, _token, eventually, free_port

#: Three steps that leave a line each where the site keeps its data; then a site that counts its
#: starts.
RECIPE = """
name: counted
settings:
  BUILD: {default: "true"}
  START: {default: 'exec python3 -m http.server "$PORT" --bind "$BIND"'}
preflight:
  disk_mb: 1
build:
  - {name: first, run: 'echo first >> "$SHARED_DIR/effects"'}
  - {name: build, run: 'eval "$BUILD"'}
  - {name: last, run: 'echo last >> "$SHARED_DIR/effects"'}
start:
  env_file: true
  run: |
    echo x >> "$SHARED_DIR/starts"
    eval "$START"
stop: {timeout: 2}
check: {path: /, tries: 300, every: 0.1}
"""
#: The same with a site that nobody waits for.
HOPELESS = RECIPE.replace("counted", "hopeless").replace("tries: 300", "tries: 3")

#: What it writes begins before its effect and goes on behind it.
LINES = [f"line {number}" for number in range(1, 21)]
BUILD = """\
echo "line 1"; echo build >> "$SHARED_DIR/effects"; n=2
while [ "$n" -le 20 ]; do echo "line $n"; n=$((n + 1)); sleep 0.02; done
"""
EFFECTS = ["first", "build", "last"]

_PRELOAD = [
    "tests.support.crashing",
    "app.main",
    "arq.cli",
    "uvloop",
    "uvicorn.protocols.http.auto",
]


@dataclass
class Arena(Stack):
    """A stack whose workers come and go; they are forks of one process that knows the code."""

    redis: OwnRedis = field(kw_only=True)
    forked: list[BaseProcess] = field(default_factory=list)

    @property
    def api(self) -> httpx.Client:
        """Without the certificates that no test needs: loading them takes longer than a request."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = self.url
        return httpx.Client(
            base_url=url, headers=headers, timeout=30, trust_env=False, verify=False
        )

    def answers(self) -> bool | None:
        try:
            with self.api as api:
                return api.get("/readyz").status_code == httpx.codes.OK or None
        except httpx.TransportError:
            return None

    def fork(
        self, name: str, *argv: str, be: Callable[..., None] = crashing.run, **how: Any
    ) -> BaseProcess:
        """`how`: see `crashing.run`, which `be` is another one of."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOAD)
        options = {
            "environment": self.environment,
            "log": str(self.folder / f"{name}.log"),
            **how,
        }
        process = context.Process(target=be, args=(argv,), kwargs=options, daemon=True)
        process.start()
        self.forked.append(process)
        return process

    def api_process(self, *, point: str | None = None) -> BaseProcess:
        """Answers when this returns."""
        process = self.fork("api", "app.main", point=point)
        eventually(self.answers, "the API", seconds=30, explain=self.logs)
        return process

    def worker(self, **how: Any) -> BaseProcess:
        """Its log is `worker-NUMBER.log`; see `log_of`."""
        name = f"worker-{len(self.forked)}"
        process = self.fork(name, "arq", "worker.main.WorkerSettings", **how)
        process.name = name
        return process

    def log_of(self, worker: BaseProcess) -> str:
        path = self.folder / f"{worker.name}.log"
        return path.read_text() if path.exists() else ""

    def end_workers(self) -> None:
        self.end(*(made for made in self.forked if made.name.startswith("worker-")))

    @contextmanager
    def workers(self, count: int = 1, *, hasty: bool = True) -> Iterator[list[BaseProcess]]:
        """Healthy ones, until the end of the block."""
        made = [self.worker(hasty=hasty) for _ in range(count)]
        try:
            yield made
        finally:
            self.end(*made)

    def crashed(self, process: BaseProcess, *, seconds: float = 30) -> None:
        """Wait until it has killed itself."""
        process.join(seconds)
        assert process.exitcode == -signal.SIGKILL, f"exit {process.exitcode}\n{self.logs()}"

    def stopped(self, process: BaseProcess, *, seconds: float = 30) -> None:
        """Wait until it has stopped itself, to be continued."""
        state = Path(f"/proc/{process.pid}/stat")

        def look() -> bool | None:
            assert process.is_alive(), self.logs()
            return state.read_text().rpartition(")")[2].split()[0] == "T" or None

        eventually(look, "the worker to stop", seconds=seconds, explain=self.logs)

    def goes_on(self, process: BaseProcess) -> None:
        assert process.pid
        os.kill(process.pid, signal.SIGCONT)

    def pass_time(self) -> None:
        """Twenty seconds go by for leases, pushes and whatever Redis keeps for a short while."""
        self.sql(
            "UPDATE jobs SET lease_until = lease_until - interval '20 s',"
            " dispatched_at = dispatched_at - interval '20 s'"
        )
        with self.redis.client() as redis:
            for key in redis.scan_iter():
                if 0 < redis.pttl(key) <= 20_000:
                    redis.delete(key)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """The rows; over a connection of its own."""

        async def ask() -> list[Any]:
            url = self.environment["LIFTLOCK_DATABASE_URL"].replace("+asyncpg", "", 1)
            connection = await asyncpg.connect(url, timeout=10)
            try:
                found: list[Any] = await connection.fetch(statement, *values)
                return found
            finally:
                await connection.close()

        return asyncio.run(ask())

    def end(self, *processes: BaseProcess) -> None:
        """Stop them as a supervisor does, and harder when that does not help."""
        for process in processes:
            if process.is_alive():
                process.terminate()
                self.goes_on(process)
        for process in processes:
            process.join(10)
            if process.exitcode is None:
                process.kill()
                process.join()

    def stop(self) -> None:
        self.end(*self.forked)
        super().stop()

    def request(self, instance: str, **body: Any) -> dict[str, Any]:
        return self.request_many(1, instance, **body)[0]

    def request_many(self, count: int, instance: str, **body: Any) -> list[dict[str, Any]]:
        asked, jobs = {"kind": "provision", "instance": instance, **body}, []
        with self.api as api:
            for _ in range(count):
                answer = api.post("/v1/jobs", json=asked)
                assert answer.status_code == 202, answer.text
                jobs.append(answer.json())
        return jobs

    def all_finished(self, *, seconds: float) -> None:
        """Wait until no job is left to do."""
        final = ", ".join(f"'{status}'" for status in FINAL)
        left = f"SELECT count(*) FROM jobs WHERE status NOT IN ({final})"
        eventually(
            lambda: self.sql(left)[0][0] == 0 or None,
            "all jobs to end",
            seconds=seconds,
            explain=lambda: f"{self.sql(left)} are left\n{self.logs()}",
        )

    def jobs(self, instance: str) -> list[dict[str, Any]]:
        """Oldest first."""
        with self.api as api:
            answer = api.get("/v1/jobs", params={"instance": instance, "limit": 200})
            items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
            return items[::-1]

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        with self.api as api:
            found: dict[str, Any] = api.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
            return found

    def types(self, job: dict[str, Any]) -> list[str]:
        return [event["type"] for event in self.events(job)]

    def lines(self, job: dict[str, Any], step: str = crashing.STEP) -> list[str]:
        """What the step printed, as the events tell it."""
        said = [
            event["data"]["text"]
            for event in self.events(job)
            if event["type"] == "step.output" and event["data"]["step"] == step
        ]
        return "".join(said).splitlines()

    def said(self, job: dict[str, Any], text: str, *, seconds: float = 30) -> None:
        """Wait until the job's output has the text."""

        def look() -> bool | None:
            assert self.job(job)["status"] not in FINAL, self.job(job)
            return text in self.output(job) or None

        eventually(look, f"{text!r}", seconds=seconds, explain=self.logs)


@dataclass(frozen=True)
class Site:
    """An instance on the machine, and what its jobs left there."""

    arena: Arena
    machine: Machine
    name: str

    @property
    def shared(self) -> Path:
        return self.machine.base / "apps" / self.name / "shared"

    def file(self, name: str) -> list[str]:
        """Lines of a file that steps append to."""
        path = self.shared / name
        return path.read_text().splitlines() if path.exists() else []

    def request(self, **body: Any) -> dict[str, Any]:
        return self.arena.request(self.name, **body)

    def check(self, job: dict[str, Any], *, attempts: int, seconds: float = 40) -> dict[str, Any]:
        """The job has ended well, and everything of it happened once."""
        ended = self.arena.finished(job, seconds=seconds)
        assert ended["status"] == "succeeded", ended["error"]
        assert self.file("effects") == EFFECTS
        assert self.file("starts") == ["x"]
        self.check_told_once(ended, attempts=attempts)
        return ended

    def check_told_once(self, job: dict[str, Any], *, attempts: int) -> None:
        """One end, one result for each step, a whole log, nothing left behind."""
        told = self.arena.events(job)
        types = [event["type"] for event in told]
        assert types[-1] == f"job.{job['status']}"
        assert types.count(types[-1]) == 1
        done = [event["data"]["step"] for event in told if event["type"] == "step.succeeded"]
        assert len(done) == len(set(done))
        assert self.arena.lines(job) == LINES
        assert job["attempt"] == attempts, types
        assert types.count("job.started") == attempts
        self.check_nothing_left(job)

    def check_nothing_left(self, job: dict[str, Any]) -> None:
        """No lock, no step on the host."""
        with self.arena.redis.client() as redis:
            mine = f"lock:*{job['instance']['id']}*"
            eventually(lambda: not redis.keys(mine) or None, "its lock to be free", seconds=5)
        steps = self.machine.base / "steps"
        eventually(
            lambda: not list(steps.glob(f"{job['id']}*")) or None,
            "the step folders to go",
            seconds=5,
            explain=lambda: str(list(steps.iterdir())) + self.arena.logs(),
        )
        assert self.machine.processes(f"LIFTLOCK_STEP={job['id']}") == []


@contextmanager
def running_arena(database_url: str, folder: Path) -> Iterator[Arena]:
    """With its API, without a worker."""
    redis, port = new_redis(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LIFTLOCK_")},
        "LIFTLOCK_DATABASE_URL": database_url,
        "LIFTLOCK_REDIS_URL": redis.server.url(),
        "LIFTLOCK_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "LIFTLOCK_PORT": str(port),
        "LIFTLOCK_PROVIDERS": json.dumps({"cloud": demo_cloud.settings(folder)}),
    }
    url = f"http://127.0.0.1:{port}"
    arena = Arena(url=url, token="", environment=environment, folder=folder, redis=redis)
    try:
        arena.token = _token(environment)
        arena.api_process()
        add_recipes(arena)
        yield arena
    finally:
        arena.stop()
        redis.stop()
        demo_cloud.remove(folder / "cloud")


def add_recipes(arena: Arena) -> None:
    with arena.api as api:
        for source in (RECIPE, HOPELESS):
            headers = {"Content-Type": "application/yaml"}
            answer = api.post("/v1/recipes", content=source, headers=headers)
            assert answer.status_code in {200, 201}, answer.text


def make_site(arena: Arena, machine: Machine, folder: Path, **values: Any) -> Site:
    """An instance of the counted recipe; keyword arguments are its settings, and `recipe`."""
    name = f"site-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": values.pop("recipe", "counted"),
        "repository": sites.repository(folder / name),
        "revision": "v1",
        "host": machine.name,
        "settings": {"BUILD": BUILD, **values},
    }
    with arena.api as api:
        answer = api.post("/v1/instances", json=body)
        assert answer.status_code == 201, answer.text
    return Site(arena, machine, name)
