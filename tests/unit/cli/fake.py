"""The command line with a scripted API, a clock that only moves when slept on, and a keyboard."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.cli.session import Outside

JOB = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"


@dataclass
class FakeApi:
    """Answers by method and path; several answers for one are given in order, the last stays."""

    answers: dict[tuple[str, str], deque[Any]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def on(self, method: str, path: str, *answers: Any) -> None:
        """An answer is JSON (200), (status, JSON), a Response, an exception or a function."""
        self.answers[method, path] = deque(answers)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        queue = self.answers.get((request.method, request.url.raw_path.decode().partition("?")[0]))
        if queue is None:
            return problem(404, code="not-found", title="There is no such thing")
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body, headers={"ETag": 'W/"7"'})

    def sent(self, method: str, path: str) -> list[Any]:
        """The JSON bodies that reached this path."""
        return [
            json.loads(request.content)
            for request in self.requests
            if (request.method, request.url.path) == (method, path)
        ]


@dataclass
class Clock:
    at: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += seconds


@dataclass
class Cli:
    """Runs command lines against the scripted API."""

    api: FakeApi
    clock: Clock
    interactive: bool = False
    env: Mapping[str, str] = field(
        default_factory=lambda: {"LIFTLOCK_URL": "http://lock.test", "LIFTLOCK_TOKEN": "ll_token"}
    )

    def __call__(self, *words: str, given: str | bytes | None = None) -> Result:
        outside = Outside(
            transport=httpx.MockTransport(self.api.handle),
            now=self.clock.now,
            sleep=self.clock.sleep,
            is_interactive=lambda: self.interactive,
        )
        result = CliRunner(env=self.env).invoke(app, list(words), input=given, obj=outside)
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result


def problem(status: int, **fields: Any) -> httpx.Response:
    body = json.dumps({"type": "about:blank", "status": status, **fields})
    return httpx.Response(
        status, content=body, headers={"Content-Type": "application/problem+json"}
    )


def page(*items: Any, after: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": after}


def job(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {
        "id": JOB,
        "kind": "provision",
        "status": status,
        "instance": {"id": "1", "name": "shop"},
        "host": {"id": "2", "name": "web-1"},
        "app_server": {"id": "3", "name": "AppServer 1", "url": "http://192.0.2.10:20000"},
        "revision": "v1",
        "dry_run": False,
        "attempt": 1,
        "progress": {"step": 1, "of": 2, "name": "Check the host"},
        "error": None,
        "duration_ms": 34_200,
        "created_at": "2026-01-02T03:04:05Z",
        **fields,
    }


def events(*kinds: Any, first: int = 1) -> list[dict[str, Any]]:
    """Numbered events from types, or (type, data) pairs."""
    pairs = [kind if isinstance(kind, tuple) else (kind, {}) for kind in kinds]
    return [
        {"seq": number, "at": "2026-01-02T03:04:05Z", "type": kind, "data": data}
        for number, (kind, data) in enumerate(pairs, first)
    ]
