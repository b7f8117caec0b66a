"""Whoever reads the command's output may leave early, as `head` does."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[3]
JOB = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
#: More than any pipe holds: the command cannot print it all before its reader leaves.
EVENTS = [
    {"seq": number, "at": "2026-01-02T03:04:05Z", "type": "step.output", "data": {"text": text}}
    for number, text in enumerate(["x" * 8192 + "\n"] * 400, 1)
]


class OneLongJob(BaseHTTPRequestHandler):
    """An API that knows one job."""

    def do_GET(self):
        is_first = "after=0" in self.path
        answer = {"items": EVENTS if is_first else []} if "events" in self.path else {"id": JOB}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Not on the test's own output."""


@pytest.fixture
def url():
    with ThreadingHTTPServer(("127.0.0.1", 0), OneLongJob) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("more", [(), ("--json",), ("--follow",)])
def test_a_reader_that_leaves_ends_the_command_quietly(url, more):
    command = [sys.executable, "-m", "app.cli.main", "jobs", "logs", JOB, *more]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"LIFTLOCK_URL": url, "LIFTLOCK_TOKEN": "ll_token"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141
